"""How long a step is: a constant, a schedule by step index, or found by backtracking."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

from gradpress.descent.contract import Evaluation, Objective, P, ProximalObjective
from gradpress.descent.tree import Tree, add_scaled, tree_dot

Schedule = Callable[[int], float]
"""The rate of the step with index 0, 1, 2, …"""


def constant(rate: float) -> Schedule:
    """The same rate at every step."""
    return lambda index: rate


def exponential(rate: float, decay: float) -> Schedule:
    """rate · decay^index."""
    return lambda index: rate * decay**index


def inverse_time(rate: float, halving: float) -> Schedule:
    """rate / (1 + index / halving): half the rate after ``halving`` steps."""
    return lambda index: rate / (1 + index / halving)


def inverse_root(rate: float) -> Schedule:
    """rate / √(index + 1): what subgradient steps need to converge."""
    return lambda index: rate / math.sqrt(index + 1)


def cosine(rate: float, steps: int) -> Schedule:
    """Half a cosine from ``rate`` to 0 over ``steps`` steps (Loshchilov and Hutter, 2017)."""
    return lambda index: rate * 0.5 * (1 + math.cos(math.pi * min(index / steps, 1)))


def linear(rate: float, steps: int) -> Schedule:
    """A straight line from ``rate`` to 0 over ``steps`` steps."""
    return lambda index: rate * (1 - min(index / steps, 1))


@dataclass(frozen=True)
class Backtracking:
    """Shrink the rate until a step does what it promised; the next one starts a little bolder."""

    first: float = 1.0
    shrink: float = 0.5
    grow: float = 2.0
    sufficient: float = 1e-4
    """Fraction of the fall promised by the gradient that must be had (Armijo, 1966)."""
    attempts: int = 40

    def search(
        self,
        objective: Objective[Tree, Tree],
        params: Tree,
        evaluation: Evaluation[Tree],
        direction: Tree,
        rate: float,
    ) -> tuple[Tree, float]:
        """``params + rate · direction`` for the first rate that satisfies Armijo's condition.

        Without such a rate the parameters come back unchanged, with the last rate tried.
        """
        slope = tree_dot(evaluation.gradient, direction)
        for _ in range(self.attempts):
            candidate = add_scaled(params, rate, direction)
            value = objective.evaluate(candidate).value
            if value <= evaluation.value + self.sufficient * rate * slope:
                return candidate, rate
            rate *= self.shrink
        return params, rate

    def search_prox(
        self,
        objective: ProximalObjective[P, Tree],
        params: P,
        evaluation: Evaluation[Tree],
        rate: float,
    ) -> tuple[P, float]:
        """``prox`` at the first rate for which its quadratic lies above the smooth part there.

        D(x) ≤ D(params) + ⟨∇D, x - params⟩ + ‖x - params‖² / (2 rate), up to rounding: then J
        has not risen (ISTA with backtracking, Beck and Teboulle, 2009). Without such a rate the
        parameters come back unchanged, with the last rate tried.
        """
        slack = 8 * sys.float_info.epsilon * abs(evaluation.smooth)
        for _ in range(self.attempts):
            candidate = objective.prox(params, evaluation.gradient, rate)
            move = add_scaled(candidate, -1.0, params)
            rise = tree_dot(evaluation.gradient, move) + tree_dot(move, move) / (2 * rate)
            if objective.evaluate(candidate).smooth <= evaluation.smooth + rise + slack:
                return candidate, rate
            rate *= self.shrink
        return params, rate
