"""One method for some steps, then another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic

from gradpress.descent.contract import Evaluation, G, Method, Objective, P


@dataclass(frozen=True)
class InTurn(Generic[P, G]):
    """The state is the number of steps done and the state of whose turn it is."""

    first: Method[P, G, Any]
    steps: int
    """Of the first."""
    second: Method[P, G, Any]

    def init(self, params: P) -> tuple[int, Any]:
        """The state of the method that begins."""
        return 0, (self.first if self.steps else self.second).init(params)

    def step(
        self,
        objective: Objective[P, G],
        params: P,
        evaluation: Evaluation[G],
        state: tuple[int, Any],
    ) -> tuple[P, tuple[int, Any]]:
        """The step of the method whose turn it is."""
        done, inner = state
        method = self.first if done < self.steps else self.second
        arrived, inner = method.step(objective, params, evaluation, inner)
        if done + 1 == self.steps:
            inner = self.second.init(arrived)
        return arrived, (done + 1, inner)
