"""Gradient descent whose rate is read off the last step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from gradpress.descent.contract import Evaluation, Objective
from gradpress.descent.rules import Backtracking
from gradpress.descent.tree import Tree, add_scaled, tree_dot, tree_map


class Trail(NamedTuple):
    """The state: the rate in use, the point before with its gradient, and the latest J."""

    rate: float
    before: tuple[Tree, Tree] | None
    values: tuple[float, ...]


@dataclass(frozen=True)
class BarzilaiBorwein:
    """θ ← θ - rate · ∇J; rate = ⟨s, s⟩ / ⟨s, y⟩ (BB1) or ⟨s, y⟩ / ⟨y, y⟩ (BB2), s = Δθ, y = Δ∇J.

    A secant for a multiple of the identity (Barzilai and Borwein, 1988). J need not fall at every
    step: the rate is cut only where J would rise above all of the ``memory`` latest (Raydan,
    1997).
    """

    short: bool = False
    """BB2 instead of BB1."""
    search: Backtracking = field(default_factory=Backtracking)
    """Of the first step, and of the guard."""
    memory: int = 10
    longest: float = 1e10
    """Rate that is not exceeded."""

    def init(self, _: Tree) -> Trail:
        """Nothing known: the first rate is the search's."""
        return Trail(self.search.first, None, ())

    def step(
        self,
        objective: Objective[Tree, Tree],
        params: Tree,
        evaluation: Evaluation[Tree],
        state: Trail,
    ) -> tuple[Tree, Trail]:
        """One step, guarded."""
        gradient = evaluation.gradient
        values = (*state.values, evaluation.value)[-self.memory :]
        rate = min(self._rate(params, gradient, state), self.longest)
        allowed = replace(evaluation, value=max(values))
        downhill = tree_map(lambda g: -g, gradient)
        moved, rate = self.search.search(objective, params, allowed, downhill, rate)
        return moved, Trail(rate, (params, gradient), values)

    def _rate(self, params: Tree, gradient: Tree, state: Trail) -> float:
        """The secant's, or where J curves downwards a bolder one than before."""
        if state.before is None:
            return state.rate
        moved = add_scaled(params, -1.0, state.before[0])
        bent = add_scaled(gradient, -1.0, state.before[1])
        product = tree_dot(moved, bent)
        if product <= 0:
            return state.rate * self.search.grow
        if self.short:
            return product / tree_dot(bent, bent)
        return tree_dot(moved, moved) / product
