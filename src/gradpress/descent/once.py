"""An objective that is asked once for every point, however often a descent wants to know."""

from __future__ import annotations

from typing import Any, Generic

from gradpress.descent.contract import Evaluation, G, Objective, P


class Once(Generic[P, G]):
    """Keeps the latest evaluation and counts them; all else the objective offers passes through.

    A point is recognised as the same object, so this works for parameters of any kind. A line
    search ends on the point it evaluated last: the loop then need not evaluate it again.
    """

    def __init__(self, objective: Objective[P, G]) -> None:
        self._objective = objective
        self._latest: tuple[P, Evaluation[G]] | None = None
        self.evaluations = 0
        """How often the objective itself was asked."""

    def evaluate(self, params: P) -> Evaluation[G]:
        """The objective's evaluation."""
        if self._latest is None or self._latest[0] is not params:
            self._latest = None  # its memory is free before the next one is made
            self._latest = params, self._objective.evaluate(params)
            self.evaluations += 1
        return self._latest[1]

    def take(self, params: P) -> Evaluation[G]:
        """The same; it is not kept any more."""
        evaluation, self._latest = self.evaluate(params), None
        return evaluation

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._objective, name)
