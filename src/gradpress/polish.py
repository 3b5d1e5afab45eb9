"""Proposals taken over coefficient by coefficient, wherever that lowers J.

Steps of a descent move all levels at once, though not all of them gain. Here coarser, finer and
moved levels are proposed in turn, and of each level the better one of both is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gradpress.course import Course
from gradpress.descent import Evaluation
from gradpress.jpeg.exchange import Exchange, exchange
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.perceptual import Draft, PerceptualObjective

PROPOSALS = (
    (3.0, 1.0), (2.0, 0.6), (2.0, 1.5), (1.0, 1.0), (1.0, 0.7), (1.0, 1.4), (3.0, 1.0), (3.0, 0.5),
    (3.0, 2.0), (6.0, 1.0), (6.0, 0.4), (6.0, 2.5), (10.0, 1.0), (3.0, 0.5), (3.0, 2.0), (3.0, 1.0),
)  # fmt: skip
"""How far down the gradient, in usual steps, and by what λ is multiplied."""


@dataclass(frozen=True)
class Polish:
    """Proposals in turn, at a λ that follows the goal; the state counts them."""

    course: Course
    rate: float
    """Part of the way to the minimum of D's diagonal model that a usual step goes."""
    fits: bool = True
    """Whether the tables are fitted to the levels."""

    def init(self, draft: Draft) -> int:
        """Where to begin."""
        return 0

    def step(
        self,
        objective: PerceptualObjective,
        draft: Draft,
        evaluation: Evaluation[Coefficients],
        state: int,
    ) -> tuple[Draft, int]:
        """The draft with what gains by the next proposal; itself if J does not fall."""
        strides, factor = PROPOSALS[state % len(PROPOSALS)]
        lagrangian = self.course.after_proposals(draft.encoding, state)
        before = evaluation.smooth + lagrangian * draft.encoding.bits
        priced = replace(draft.encoding, lagrangian=lagrangian)
        here, slope = Draft(draft.targets, priced), evaluation.gradient
        proposal = proposed(objective, here, slope, strides * self.rate, factor)
        there = objective.evaluate(proposal).gradient
        found = _taken(exchange(objective, here, proposal, (slope, there)), lagrangian)
        fitted = self._fitted(objective, found)
        del proposal, there  # memory, not needed any more
        after = objective.evaluate(fitted)
        if after.value >= before:  # too much at once: back where that was wrong
            found = _taken(exchange(objective, found, here, (after.gradient, slope)), lagrangian)
            fitted = self._fitted(objective, found)
            after = objective.evaluate(fitted)
        return (fitted if after.value < before else draft), state + 1

    def _fitted(self, objective: PerceptualObjective, draft: Draft) -> Draft:
        if not self.fits:
            return draft
        return Draft(draft.targets, objective.fitted(draft.targets, draft.encoding))


def _taken(found: Exchange, price: float) -> Draft:
    return found.draft(found.at(price))


def proposed(
    objective: PerceptualObjective,
    draft: Draft,
    gradient: Coefficients,
    rate: float,
    factor: float,
) -> Draft:
    """Targets moved down the gradient and quantised at a multiple of λ, with the same steps."""
    encoding = draft.encoding
    priced = replace(encoding, lagrangian=factor * encoding.lagrangian)
    return objective.prox(Draft(draft.targets, priced), gradient, rate, fits=False)
