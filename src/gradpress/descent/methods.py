"""Descent methods: each is a frozen dataclass of settings with ``init`` and ``step``.

Gradient, momentum and Adam work on trees of arrays; proximal gradient works on whatever its
objective's ``prox`` takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, NamedTuple

import numpy as np

from gradpress.descent.contract import Evaluation, G, Objective, P, ProximalObjective
from gradpress.descent.rules import Backtracking, Schedule, constant
from gradpress.descent.tree import Tree, add_scaled, tree_map, zeros_like


@dataclass(frozen=True)
class Gradient:
    """θ ← θ - rate · ∇J."""

    rate: Schedule | Backtracking = field(default_factory=Backtracking)

    def init(self, params: Tree) -> tuple[int, float]:
        """Step index, and the rate that backtracking starts from."""
        return 0, self.rate.first if isinstance(self.rate, Backtracking) else 0.0

    def step(
        self,
        objective: Objective[Tree, Tree],
        params: Tree,
        evaluation: Evaluation[Tree],
        state: tuple[int, float],
    ) -> tuple[Tree, tuple[int, float]]:
        """One step downhill."""
        index, rate = state
        if isinstance(self.rate, Backtracking):
            downhill = tree_map(np.negative, evaluation.gradient)
            params, found = self.rate.search(objective, params, evaluation, downhill, rate)
            return params, (index + 1, found * self.rate.grow)
        return add_scaled(params, -self.rate(index), evaluation.gradient), (index + 1, rate)


@dataclass(frozen=True)
class Momentum:
    """v ← momentum · v - rate · ∇J; θ ← θ + v (Polyak 1964); Nesterov's (1983) looks ahead."""

    rate: Schedule = field(default_factory=lambda: constant(1e-2))
    momentum: float = 0.9
    nesterov: bool = False

    def init(self, params: Tree) -> tuple[int, Tree]:
        """Step index and velocity."""
        return 0, zeros_like(params)

    def step(
        self,
        objective: Objective[Tree, Tree],
        params: Tree,
        evaluation: Evaluation[Tree],
        state: tuple[int, Tree],
    ) -> tuple[Tree, tuple[int, Tree]]:
        """One step of the heavy ball."""
        index, velocity = state
        rate = self.rate(index)
        velocity = tree_map(
            lambda v, g: self.momentum * v - rate * g, velocity, evaluation.gradient
        )
        if not self.nesterov:
            return add_scaled(params, 1.0, velocity), (index + 1, velocity)
        ahead = tree_map(lambda v, g: self.momentum * v - rate * g, velocity, evaluation.gradient)
        return add_scaled(params, 1.0, ahead), (index + 1, velocity)


class Moments(NamedTuple):
    """Adam's state: steps taken, running mean of the gradient and of its square."""

    steps: int
    first: Tree
    second: Tree


@dataclass(frozen=True)
class Adam:
    """Steps scaled by running moments of the gradient (Kingma and Ba, 2015, algorithm 1)."""

    rate: Schedule = field(default_factory=lambda: constant(1e-3))
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def init(self, params: Tree) -> Moments:
        """Zero moments."""
        return Moments(0, zeros_like(params), zeros_like(params))

    def step(
        self,
        objective: Objective[Tree, Tree],
        params: Tree,
        evaluation: Evaluation[Tree],
        state: Moments,
    ) -> tuple[Tree, Moments]:
        """One step, with the moments' bias towards zero undone."""
        g, n, b1, b2 = evaluation.gradient, state.steps + 1, self.beta1, self.beta2
        first = tree_map(lambda m, d: b1 * m + (1 - b1) * d, state.first, g)
        second = tree_map(lambda v, d: b2 * v + (1 - b2) * d * d, state.second, g)
        direction = tree_map(
            lambda m, v: (m / (1 - b1**n)) / (np.sqrt(v / (1 - b2**n)) + self.epsilon),
            first,
            second,
        )
        return add_scaled(params, -self.rate(state.steps), direction), Moments(n, first, second)


@dataclass(frozen=True)
class ProximalGradient(Generic[P, G]):
    """θ ← prox(θ, ∇D, rate): a gradient step on the smooth part, then the other part's best answer.

    With ``shrink`` the rate is cut until J does not rise, at most ``attempts`` times; a step that
    still rises is not taken.
    """

    rate: float = 1.0
    shrink: float | None = None
    attempts: int = 5

    def init(self, params: P) -> float:
        """The rate to try first."""
        return self.rate

    def step(
        self,
        objective: ProximalObjective[P, G],
        params: P,
        evaluation: Evaluation[G],
        state: float,
    ) -> tuple[P, float]:
        """One forward–backward step."""
        if self.shrink is None:
            return objective.prox(params, evaluation.gradient, state), state
        rate = state
        for _ in range(self.attempts):
            candidate = objective.prox(params, evaluation.gradient, rate)
            if objective.evaluate(candidate).value <= evaluation.value:
                return candidate, rate
            rate *= self.shrink
        return params, rate
