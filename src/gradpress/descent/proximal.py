"""Proximal gradient descent: the part that has no gradient answers in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

from gradpress.descent.contract import Evaluation, G, P, ProximalObjective
from gradpress.descent.rules import Backtracking


@dataclass(frozen=True)
class ProximalGradient(Generic[P, G]):
    """θ ← prox(θ, ∇D, rate): a gradient step on the smooth part, then the other part's best answer.

    With :class:`Backtracking` the rate is cut until the quadratic that ``prox`` minimises lies
    above the smooth part; this needs parameters that are trees, and ``prox`` in the plain metric.
    With ``shrink`` the rate is cut until J does not rise, at most ``attempts`` times, and a step
    that still rises is not taken; parameters may be anything.
    """

    rate: float | Backtracking = 1.0
    shrink: float | None = None
    attempts: int = 5

    def __post_init__(self) -> None:
        if self.shrink is not None and isinstance(self.rate, Backtracking):
            raise ValueError(f"shrink {self.shrink} is given beside {self.rate}: choose one")

    def init(self, params: P) -> float:
        """The rate to try first."""
        return self.rate.first if isinstance(self.rate, Backtracking) else self.rate

    def step(
        self,
        objective: ProximalObjective[P, G],
        params: P,
        evaluation: Evaluation[G],
        state: float,
    ) -> tuple[P, float]:
        """One forward–backward step."""
        if isinstance(self.rate, Backtracking):
            moved, found = self.rate.search_prox(objective, params, evaluation, state)
            return moved, found * self.rate.grow
        if self.shrink is None:
            return objective.prox(params, evaluation.gradient, state), state
        rate = state
        for _ in range(self.attempts):
            candidate = objective.prox(params, evaluation.gradient, rate)
            if objective.evaluate(candidate).value <= evaluation.value:
                return candidate, rate
            rate *= self.shrink
        return params, rate
