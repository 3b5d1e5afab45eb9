"""Descent on a loss that sees like a person: find λ, choose the layout, descend, land.

λ is searched first on plain quantisations of the original, which cost little; the descent raises
the quality at a given λ, so that the search aims so much lower. Steps down the gradient come first,
then proposals of which every coefficient takes what lowers J, while λ follows the goal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from gradpress.by_method import Descent, begun, descend_by_method, encoded
from gradpress.course import Aim, Course, gained, lift_of
from gradpress.descent import Evaluation, InTurn, Once, Schedule, Step, iterate
from gradpress.distortion.blend import NOTHING, Blend
from gradpress.effort import Effort
from gradpress.gauge import Gauge, gauge_of
from gradpress.goal import Lagrangian, Target
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import Encoding
from gradpress.jpeg.params import Layout
from gradpress.jpeg.perceptual import Draft, PerceptualObjective
from gradpress.landing import land, settle
from gradpress.methods import PROXIMAL, Choice
from gradpress.outset import bounds_of, start, started_anew
from gradpress.polish import Polish
from gradpress.search import Measured, Pursuit
from gradpress.studio import Studio

ATTEMPTS = 4
"""Tries of a step until J does not rise."""
CUT = 0.4
"""Length of a further try."""
SETTLED = 2
"""Steps after which steps and prices stay, if λ does."""
FAR = 0.03
"""Change of log λ that steps and prices are made anew for, and for which a step may raise J."""
AGAIN = 1.6
"""By how much a step that was shortened makes the next one longer again."""
REHEARSAL = 1, 1
"""Steps and proposals of a short descent."""


def descend_perceptually(
    studio: Studio,
    layouts: Sequence[Layout],
    pursuit: Pursuit,
    effort: Effort,
    choice: Choice = PROXIMAL,
) -> Iterator[tuple[Step[Encoding], Measured | None]]:
    """Steps of the descent, and then measured ones."""
    bounds = bounds_of(pursuit.goal, studio.planes)
    rough = Aim(pursuit, Gauge(pursuit.estimated_excess), bounds)
    objective, draft = start(studio, layouts, rough, effort)
    draft = begun(objective, draft, choice)
    plain = isinstance(pursuit.goal, Lagrangian)
    if not effort.evaluations and not plain:
        yield from settle(objective, draft, rough)
        return
    gauge = gauge_of(pursuit, objective.loss, draft.encoding, rough.gauge)
    aim = Aim(pursuit, gauge, bounds)
    if choice.method != PROXIMAL.method:
        chosen = Descent(objective, draft, choice, effort.evaluations, pursuit.is_late)
        loss = partial(studio.loss_of, objective)
        yield from descend_by_method(chosen, aim, studio.planes, loss)
        return
    lift = lift_of(pursuit.goal)
    if effort.rehearsed and isinstance(pursuit.goal, Target):
        rehearsal = method_of(Course(None, *REHEARSAL), choice, studio.opening, effort.openings)
        lift = rehearsed(objective, draft, rehearsal, aim)
        ahead = lift * gained(effort.steps, effort.proposals)
        draft = begun(objective, started_anew(objective, draft, aim, ahead), choice)
    known = Once(objective)  # for the landing too
    notes: list[str] = []
    course = Course(None if plain else aim, effort.steps, effort.proposals, lift)
    method = method_of(
        course, choice, studio.opening, effort.openings, told=lambda: notes.append(choice.stuck)
    )
    total = effort.steps + effort.proposals
    for step in iterate(known, draft, method, max_steps=total, tolerance=choice.tolerance):
        stuck, draft = step.params is draft and step.index > 0, step.params
        gauge.learn(draft.encoding, step.terms)
        last = encoded(replace(step, note="".join(notes[-1:])))
        yield last, None
        if (stuck and not effort.proposals) or pursuit.is_late():
            break
    if plain:
        return
    yield from land(
        objective, draft, last, aim, choice.rate,
        known.take(draft).gradient,  # no name holds it while encodings are measured
        settled=effort.judged,
    )  # fmt: skip


def rehearsed(
    objective: PerceptualObjective, draft: Draft, method: InTurn[Draft, Coefficients], aim: Aim
) -> float:
    """The lift of a long descent at about this λ: its first steps tell."""
    before = after = aim.gauge(draft.encoding)
    for step in iterate(objective, draft, method, max_steps=sum(REHEARSAL)):
        aim.gauge.learn(step.params.encoding, step.terms)
        after = aim.gauge(step.params.encoding)
        if aim.pursuit.is_late():
            break
    return max(after - before, 0.0) / gained(*REHEARSAL)


def method_of(
    course: Course,
    choice: Choice,
    opening: Blend = NOTHING,
    openings: int = 0,
    *,
    fits: bool = True,
    told: Callable[[], None] = lambda: None,
) -> InTurn[Draft, Coefficients]:
    """Steps, then proposals."""
    rate = choice.scheduled(choice.rate, max(course.steps, 1))
    chase = Chase(course, rate, fits, told, opening, openings)
    return InTurn(chase, course.steps, Polish(course, choice.rate, fits))


@dataclass(frozen=True)
class Chase:
    """Proximal steps that lower J, at a λ that follows the goal's excess.

    The state is the number of steps done and what is left of the rate. J is compared at the new λ;
    a planned step that raises it is shortened. Where none lowers it, the shortest is taken if λ has
    far to go.
    """

    course: Course
    rate: Schedule
    """Part of the way to the minimum of D's diagonal model, by step."""
    fits: bool = True
    """Whether the tables are fitted to the levels."""
    told: Callable[[], None] = lambda: None
    """Hears that no try lowered J."""
    opening: Blend = NOTHING
    """What the first steps go down on too; it is not part of J."""
    openings: int = 0
    """How many."""

    def init(self, draft: Draft) -> tuple[int, float]:
        """Where to begin."""
        return 0, 1.0

    def step(
        self,
        objective: PerceptualObjective,
        draft: Draft,
        evaluation: Evaluation[Coefficients],
        state: tuple[int, float],
    ) -> tuple[Draft, tuple[int, float]]:
        """The next draft."""
        count, cut = state
        encoding = draft.encoding
        lagrangian = self.course.after_steps(encoding, count)
        kept = objective.rescaled(draft.found_by, lagrangian) if self.fits else draft.found_by
        outset = self._anew(objective, draft.found_by, lagrangian, count) or kept
        before = evaluation.smooth + lagrangian * encoding.bits
        opening = self.opening if count < self.openings else NOTHING
        gradient = objective.joined(draft, evaluation.gradient, opening)
        rate = self.rate(count)
        for _ in range(ATTEMPTS):
            priced = Draft(draft.targets, replace(encoding, lagrangian=lagrangian), outset)
            moved = objective.prox(priced, gradient, cut * rate, fits=self.fits)
            if objective.evaluate(moved).value <= before:
                return moved, (count + 1, min(cut * AGAIN, 1.0))
            if outset is kept:
                cut *= CUT
            outset = kept
        self.told()
        far = abs(math.log(lagrangian / encoding.lagrangian)) > FAR
        return moved if far else draft, (count + 1, CUT)

    def _anew(
        self, objective: PerceptualObjective, outset: Encoding, lagrangian: float, count: int
    ) -> Encoding | None:
        """Steps and prices that suit λ, as long as little depends on the outset's."""
        far = abs(math.log(lagrangian / outset.lagrangian)) > FAR
        if not self.fits or count >= SETTLED or not far:
            return None
        return objective.first(lagrangian).encoding
