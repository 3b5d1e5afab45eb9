"""Descent on a loss that sees like a person: find λ, choose the layout, descend, land.

λ is searched first on plain quantisations of the original, which cost little; the descent then
runs at one λ, so that J falls from step to step; at the end λ alone is moved until the goal is
met. The descent raises the quality at a given λ: the first search aims so much lower.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from gradpress.by_method import Descent, begun, descend_by_method
from gradpress.descent import Evaluation, Schedule, Step, iterate
from gradpress.distortion.blend import NOTHING, Blend
from gradpress.effort import Effort
from gradpress.gauge import RECENT, Gauge, gauge_of
from gradpress.goal import Goal, Lagrangian
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import Encoding
from gradpress.jpeg.params import Layout
from gradpress.jpeg.perceptual import Draft, PerceptualObjective
from gradpress.landing import FARTHEST, land
from gradpress.methods import PROXIMAL, Choice
from gradpress.outset import beyond_of, bounds_of, held, lift_of, start
from gradpress.polish import Polish
from gradpress.search import Bracket, Measured, Pursuit, response_of
from gradpress.studio import Studio

ATTEMPTS = 4
"""Tries of a planned step until J does not rise; further ones have a single one."""
CUT = 0.4
"""Length of a further try."""
SETTLED = 2
"""Steps after which steps and prices stay, if λ does."""
FAR = 0.03
"""Change of log λ that steps and prices are made anew for, and for which a step may raise J."""
AGAIN = 1.6
"""By how much a step that was shortened makes the next one longer again."""
BEYOND, NEAR = 4.0, 3.0
"""Margins beyond the aim that whole descents at one λ make for, and that they may be off it."""
ROUGHLY = 0.1
"""Log of λ that a descent may be off to be worth a polish."""
EXTRA = 4
"""Further evaluations of a descent that ends short of its aim."""


def descend_perceptually(
    studio: Studio,
    layouts: Sequence[Layout],
    pursuit: Pursuit,
    effort: Effort,
    choice: Choice = PROXIMAL,
) -> Iterator[tuple[Step[Encoding], Measured | None]]:
    """Steps of the descent, and then measured ones."""
    evaluations = effort.evaluations
    bounds = bounds_of(pursuit.goal, studio.planes)
    objective, draft = start(studio, layouts, pursuit, evaluations, bounds)
    draft = begun(objective, draft, choice)
    plain = isinstance(pursuit.goal, Lagrangian)
    gauge = gauge_of(pursuit, studio.loss, draft.encoding if evaluations else None)
    if not evaluations and not plain:
        yield from land(objective, draft, pursuit, gauge, None, (), bounds)
        return
    if choice.method != PROXIMAL.method:
        chosen = Descent(objective, draft, choice, evaluations, pursuit.is_late)
        loss = partial(studio.recipe.blend, workers=studio.workers)
        yield from descend_by_method(chosen, pursuit, gauge, bounds, studio.planes, loss)
        return
    chase = Chase(
        pursuit.goal, gauge, beyond_of(pursuit.goal) * pursuit.margin, evaluations, bounds,
        choice.scheduled(choice.rate, evaluations), opening=studio.opening,
        openings=effort.openings,
    )  # fmt: skip
    if plain:
        yield from _pursued(objective, draft, chase, choice, pursuit)
        return
    polish = partial(_polished, studio, effort, choice, pursuit)
    if effort.passes == 1:
        end = yield from _pursued(objective, draft, chase, choice, pursuit)
        end = yield from polish(end)
    else:
        end = yield from _by_passes(objective, draft, chase, choice, pursuit, effort.passes, polish)
    yield from land(end.objective, end.draft, pursuit, gauge, end.last, end.recent, bounds)


@dataclass(frozen=True)
class _End:
    """Of a descent."""

    objective: PerceptualObjective
    draft: Draft
    last: Step[Encoding]
    recent: tuple[Encoding, ...]
    """What the landing may begin with."""


_Descending = Generator[tuple[Step[Encoding], None], None, _End]


def _pursued(
    objective: PerceptualObjective,
    draft: Draft,
    chase: Chase,
    choice: Choice,
    pursuit: Pursuit,
    before: Step[Encoding] | None = None,
) -> _Descending:
    """One descent, longer if it ends short of its aim; its steps come after ``before``."""
    recent: deque[Encoding] = deque(maxlen=RECENT)
    notes: list[str] = []
    plain = isinstance(chase.goal, Lagrangian)
    chase = replace(chase, told=lambda: notes.append(choice.stuck))
    for step in iterate(objective, draft, chase, tolerance=choice.tolerance):
        stuck, draft = step.params is draft and step.index > 0, step.params
        chase.gauge.learn(draft.encoding, step.terms)
        recent.append(draft.encoding)
        last = _after(before, step, "".join(notes[-1:]))
        yield last, None
        spent = step.evaluations - chase.evaluations
        short = not plain and chase.gauge(draft.encoding) < 0
        if spent > (EXTRA if short else 0) or (stuck and not short) or pursuit.is_late():
            break
    return _End(objective, draft, last, tuple(recent))


def _after(before: Step[Encoding] | None, step: Step[Draft], note: str = "") -> Step[Encoding]:
    """A step of a descent that comes after another one's last."""
    index, seconds, evaluations = step.index, step.seconds, step.evaluations
    if before is not None:
        index += before.index + 1
        seconds += before.seconds
        evaluations += before.evaluations
    return Step(
        index, step.params.encoding, step.value, step.terms, None, None, seconds, evaluations, note
    )


def _by_passes(
    objective: PerceptualObjective,
    draft: Draft,
    chase: Chase,
    choice: Choice,
    pursuit: Pursuit,
    passes: int,
    polish: Callable[[_End], _Descending],
) -> _Descending:
    """Whole descents at one λ each until one ends near the aim; the end of the nearest.

    A λ that moves on the way costs what a longer descent gains.
    """
    aim, near = BEYOND * pursuit.margin, NEAR * pursuit.margin
    response = response_of(chase.goal)
    slope = min(response.priced, response.scaled)
    ends: list[tuple[bool, float, _End]] = []
    bracket, last = Bracket(), None
    excess: float | None = None
    for _ in range(passes):
        x, before = math.log(draft.encoding.lagrangian), excess
        fixed = replace(chase, goal=Lagrangian(draft.encoding.lagrangian))
        end = yield from _pursued(objective, draft, fixed, choice, pursuit, last)
        excess = chase.gauge(end.draft.encoding) - aim
        if abs(excess) < ROUGHLY * abs(slope):
            end = yield from polish(end)
            excess = pursuit.excess(pursuit.measure(end.draft.encoding)) - aim
        last = end.last
        ends.append((excess < -aim, abs(excess), end))
        if abs(excess) <= near or pursuit.is_late():
            break
        bracket = bracket.with_point(x, excess, before)
        between = bracket.secant()
        x = x - excess / slope if between is None else between
        draft = begun(objective, objective.first(held(math.exp(x), chase.bounds)), choice)
    _, _, nearest = min(ends, key=lambda each: each[:2])
    counted = replace(
        nearest.last,
        index=end.last.index,
        seconds=end.last.seconds,
        evaluations=end.last.evaluations,
    )
    return replace(nearest, last=counted, recent=nearest.recent[-1:])


def _polished(
    studio: Studio, effort: Effort, choice: Choice, pursuit: Pursuit, end: _End
) -> _Descending:
    """The end of a descent, polished at its λ on a loss that holds alike all that judges."""
    if not effort.proposals or not studio.opening.parts or pursuit.is_late():
        return end
    draft = Draft(end.draft.targets, end.draft.encoding)
    objective = studio.balanced(end.objective, draft.encoding, opens=effort.judged)
    for step in iterate(objective, draft, Polish(choice.rate), max_steps=effort.proposals):
        last, draft = _after(end.last, step), step.params
        yield last, None
        if pursuit.is_late():
            break
    draft = Draft(draft.targets, objective.fitted(draft.targets, draft.encoding))
    return _End(objective, draft, replace(last, params=draft.encoding), (draft.encoding,))


@dataclass(frozen=True)
class Chase:
    """Proximal steps that lower J, at a λ that follows the goal's excess.

    The state is the number of steps done and what is left of the rate. J is compared at the new λ;
    a planned step that raises it is shortened. Where none lowers it, the shortest is taken if λ has
    far to go.
    """

    goal: Goal
    gauge: Gauge
    beyond: float
    """Excess that is made for."""
    evaluations: int
    bounds: tuple[float, float]
    """Of λ."""
    rate: Schedule
    """Part of the way to the minimum of D's diagonal model, by step; further ones go as the last
    one does."""
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
        x = self._move(encoding, count)
        lagrangian = held(encoding.lagrangian * math.exp(x), self.bounds)
        kept = objective.rescaled(draft.found_by, lagrangian) if self.fits else draft.found_by
        outset = self._anew(objective, draft.found_by, lagrangian, count) or kept
        before = evaluation.smooth + lagrangian * encoding.bits
        opening = self.opening if count < self.openings else NOTHING
        gradient = objective.joined(draft, evaluation.gradient, opening)
        rate = self.rate(min(count, self.evaluations - 1))
        further = count >= self.evaluations
        for _ in range(1 if further else ATTEMPTS):
            priced = Draft(draft.targets, replace(encoding, lagrangian=lagrangian), outset)
            moved = objective.prox(priced, gradient, cut * rate, fits=self.fits)
            if objective.evaluate(moved).value <= before:
                return moved, (count + 1, min(cut * AGAIN, 1.0))
            if outset is kept:
                cut *= CUT
            outset = kept
        self.told()
        return moved if abs(x) > FAR else draft, (self.evaluations, CUT)

    def _anew(
        self, objective: PerceptualObjective, outset: Encoding, lagrangian: float, count: int
    ) -> Encoding | None:
        """Steps and prices that suit λ, as long as little depends on the outset's."""
        far = abs(math.log(lagrangian / outset.lagrangian)) > FAR
        if not self.fits or count >= SETTLED or not far:
            return None
        return objective.first(lagrangian).encoding

    def _move(self, encoding: Encoding, count: int) -> float:
        """Change of log λ; what the rest of the descent will gain is taken into account."""
        if isinstance(self.goal, Lagrangian):
            return 0.0
        aim = self.beyond - lift_of(self.goal, self.evaluations, count)
        x = (self.gauge(encoding) - aim) / -response_of(self.goal).priced
        return min(max(x, -FARTHEST), FARTHEST)
