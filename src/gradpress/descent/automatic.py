"""A learning rate that nobody has to give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import inf, isfinite
from typing import Any

from gradpress.descent.contract import Evaluation, Method, Objective
from gradpress.descent.tree import Tree


@dataclass(frozen=True)
class Automatic:
    """At the first step the rate is tried out, and then kept.

    The rate grows by ``factor`` until the method's first step would raise J, and shrinks from there
    until J falls no further.
    """

    make: Callable[[float], Method[Tree, Tree, Any]]
    """The method of a rate."""
    first: float = 1.0
    factor: float = 4.0
    attempts: int = 20

    def init(self, _: Tree) -> tuple[Method[Tree, Tree, Any], Any] | None:
        """No rate yet."""
        return None

    def step(
        self,
        objective: Objective[Tree, Tree],
        params: Tree,
        evaluation: Evaluation[Tree],
        state: tuple[Method[Tree, Tree, Any], Any] | None,
    ) -> tuple[Tree, tuple[Method[Tree, Tree, Any], Any]]:
        """One step of the method with its rate."""
        if state is None:
            method = self.make(self._rate(objective, params, evaluation))
            state = method, method.init(params)
        method, inner = state
        moved, inner = method.step(objective, params, evaluation, inner)
        return moved, (method, inner)

    def _rate(
        self, objective: Objective[Tree, Tree], params: Tree, evaluation: Evaluation[Tree]
    ) -> float:
        @cache
        def after(rate: float) -> float:
            method = self.make(rate)
            moved, _ = method.step(objective, params, evaluation, method.init(params))
            value = objective.evaluate(moved).value
            return value if isfinite(value) else inf

        rate, before = self.first, evaluation.value
        for _ in range(self.attempts):
            if after(rate) >= before:
                break
            rate *= self.factor
        best = rate
        for _ in range(self.attempts):
            rate /= self.factor
            if after(rate) < min(after(best), before):
                best = rate
            elif after(best) < before:
                break
        return best
