"""How long a step is: a constant, a schedule by step index, or found by backtracking."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from gradpress.descent.contract import Evaluation, Objective
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


@dataclass(frozen=True)
class Backtracking:
    """Shrink the rate until J falls enough (Armijo, 1966); the next step starts a little bolder."""

    first: float = 1.0
    shrink: float = 0.5
    grow: float = 2.0
    sufficient: float = 1e-4
    """Fraction of the fall promised by the gradient that must be had."""
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
