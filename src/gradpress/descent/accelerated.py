"""Proximal gradient with a memory: the step is taken from a point further along the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import NamedTuple

from gradpress.descent.contract import Evaluation, ProximalObjective
from gradpress.descent.rules import Backtracking
from gradpress.descent.tree import Tree, add_scaled, tree_dot


class Inertia(NamedTuple):
    """The state: the rate, Nesterov's t, how far to look ahead, and the point before."""

    rate: float
    age: float
    ahead: float
    before: Tree


@dataclass(frozen=True)
class Accelerated:
    """FISTA (Beck and Teboulle, 2009): y = x + ahead · (x - before); x ← prox(y, ∇D(y), rate).

    Where a step goes against the way it came, the memory is dropped (the gradient scheme of
    O'Donoghue and Candès, 2015). A step with memory asks for the gradient at y, beside J at x.
    """

    rate: float | Backtracking = field(default_factory=Backtracking)
    restart: bool = True

    def init(self, params: Tree) -> Inertia:
        """No memory yet."""
        rate = self.rate.first if isinstance(self.rate, Backtracking) else self.rate
        return Inertia(rate, 1.0, 0.0, params)

    def step(
        self,
        objective: ProximalObjective[Tree, Tree],
        params: Tree,
        evaluation: Evaluation[Tree],
        state: Inertia,
    ) -> tuple[Tree, Inertia]:
        """One forward–backward step from the point ahead."""
        here, rate = params, state.rate
        if state.ahead:
            here = add_scaled(params, state.ahead, add_scaled(params, -1.0, state.before))
            evaluation = objective.evaluate(here)
        if isinstance(self.rate, Backtracking):
            moved, rate = self.rate.search_prox(objective, here, evaluation, rate)
        else:
            moved = objective.prox(here, evaluation.gradient, rate)
        age = (1 + sqrt(1 + 4 * state.age**2)) / 2
        if self.restart and _turned(here, moved, params):
            return moved, Inertia(rate, 1.0, 0.0, params)
        return moved, Inertia(rate, age, (state.age - 1) / age, params)


def _turned(here: Tree, moved: Tree, params: Tree) -> bool:
    """Whether the step from ``here`` leads against the move from ``params``."""
    return tree_dot(add_scaled(here, -1.0, moved), add_scaled(moved, -1.0, params)) > 0
