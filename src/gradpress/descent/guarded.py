"""A method that is watched: where J runs away, back to the best point, and on by shorter steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

from gradpress.descent.contract import Evaluation, Method, Objective
from gradpress.descent.tree import Tree, add_scaled


class Watch(NamedTuple):
    """The state: the method's, the part of its moves that is made, and what was best."""

    inner: Any
    share: float
    unit: float
    """|J| of the start."""
    least: float
    best: Tree


@dataclass(frozen=True)
class Guarded:
    """Any method on trees; a part of each of its moves is made, which is 1 until J runs away.

    For methods whose moves are proportional to their rate, this is a smaller rate.
    """

    method: Method[Tree, Tree, Any]
    rise: float = 1.0
    """J above the least so far by this many times the start's |J| has run away, or if infinite."""
    cut: float = 0.25
    """What is left of a move's length then."""
    told: Callable[[float], None] = lambda share: None
    """Hears what part of the moves is made from now on."""

    def init(self, params: Tree) -> Watch:
        """Whole moves."""
        return Watch(self.method.init(params), 1.0, 0.0, float("inf"), params)

    def step(
        self,
        objective: Objective[Tree, Tree],
        params: Tree,
        evaluation: Evaluation[Tree],
        state: Watch,
    ) -> tuple[Tree, Watch]:
        """The method's step; or back to the best point, with the method's memory cleared."""
        unit = state.unit or abs(evaluation.value)
        least, best = state.least, state.best
        if evaluation.value < least:
            least, best = evaluation.value, params
        moved, inner = self.method.step(objective, params, evaluation, state.inner)
        if state.share < 1 and moved is not params:
            moved = add_scaled(params, state.share, add_scaled(moved, -1.0, params))
        value = objective.evaluate(moved).value
        if isfinite(value) and value <= least + self.rise * unit:
            return moved, Watch(inner, state.share, unit, least, best)
        share = state.share * self.cut
        self.told(share)
        return best, Watch(self.method.init(best), share, unit, least, best)
