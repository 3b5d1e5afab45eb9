"""Descent on a loss that sees like a person: find λ, choose the layout, descend, land.

λ is searched first on plain quantisations of the original, which cost little; the descent then
runs at one λ, so that J falls from step to step; at the end λ alone is moved until the goal is
met. The descent raises the quality at a given λ: the first search aims so much lower.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from gradpress.descent import Evaluation, Step, iterate
from gradpress.distortion import Picture
from gradpress.distortion.blend import Blend
from gradpress.distortion.recipes import Recipe
from gradpress.distortion.ssimulacra2 import WEIGHTS, scale_count
from gradpress.goal import Goal, Lagrangian, Target, TargetSize
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import Encoding
from gradpress.jpeg.params import Layout
from gradpress.jpeg.perceptual import Draft, PerceptualObjective
from gradpress.jpeg.start import find_lagrangian, prepare
from gradpress.jpeg.visibility import visibility
from gradpress.search import Measured, Pursuit, response_of
from gradpress.workers import Workers

RATE = 0.03
"""Of the first step: the part of the way to the minimum of D's diagonal model. Much less than 1,
for the loss is far stiffer along its own gradient."""
RECOVERY = 1.2
"""Growth of the rate after a step that lowered J, up to RATE."""
ATTEMPTS = 2
"""Tries of a step, each half as long as the one before, until J does not rise."""
TOLERANCE = 0.1
"""Of the log of the first λ."""
BOUNDS = (1e-2, 1e5)
"""λ below which hardly a bit is saved any more, and above which hardly one is left."""
FARTHEST = 0.3
"""Change of log λ that one step may make."""
KEPT_STEPS = 3
"""Proximal steps at the end that leave the tables alone."""
BEYOND = 5.0
"""Margins beyond the aim that the descent makes for: the way down from there is the better one."""
NEAR = 0.012
"""Change of log λ that is not worth a step that raises J."""
MAX_LANDING = 8
"""Encodings that are measured near the goal."""
FRESH_STARTS = 12
"""Tries with steps made anew where those at hand cannot reach the goal."""
MAX_SIDES = 6
"""Steps of the landing until the goal lies between two of them."""
MAX_MIXES = 6
"""Mixtures of those two."""
LEFT = 0.7
"""Share of what the descent will still gain that is left after another evaluation."""
FLOOR = 0.25
"""Share of the blend's D that 4:2:0 must have before quantisation for finer chroma to be tried."""
NARROW = 30.0
"""Margins that unquantised 4:2:0 must be beyond the goal for it to be within reach."""
FINER = 0.06
"""Fraction of J by which a layout with finer chroma must be ahead of 4:2:0 to be taken."""


Gauge = Callable[[Encoding], float]
"""About how far an encoding is beyond the aim."""


@dataclass(frozen=True)
class Studio:
    """One picture under one loss: makes the objectives of its layouts."""

    planes: Picture
    recipe: Recipe
    loss: Blend
    workers: Workers

    def objective(self, layout: Layout) -> PerceptualObjective:
        """Fit the layout's coefficients to the picture, and weigh them."""
        return PerceptualObjective(
            layout,
            self.loss,
            self.recipe.anchor,
            visibility(self.planes, layout, self.recipe.sight, self.workers),
            prepare(self.planes, layout, self.workers).targets,
            self.workers,
        )


def descend_perceptually(
    studio: Studio, layouts: Sequence[Layout], pursuit: Pursuit, evaluations: int
) -> Iterator[tuple[Step[Encoding], Measured | None]]:
    """Steps of the descent, with at most so many evaluations of D, and then measured ones."""
    bounds = _bounds(pursuit.goal, studio.planes)
    objective, draft = _start(studio, layouts, pursuit, evaluations, bounds)
    plain = isinstance(pursuit.goal, Lagrangian)
    recent: deque[Encoding] = deque(maxlen=KEPT_STEPS + 1)
    gauge = lru_cache(maxsize=KEPT_STEPS + 1)(pursuit.estimated_excess)
    if not evaluations and not plain:
        terms = objective.terms(draft.encoding)
        value = terms.distortion + draft.encoding.lagrangian * draft.encoding.bits
        last = Step(0, draft.encoding, value, terms, None, None, 0.0)
        yield last, None
        yield from _land(objective, draft, pursuit, gauge, last, (), bounds)
        return
    for step in iterate(
        objective, draft, Chase(pursuit.goal, gauge, BEYOND * pursuit.margin, evaluations, bounds)
    ):
        stuck, draft = step.params is draft and step.index > 0, step.params
        recent.append(draft.encoding)
        last = Step(
            step.index, draft.encoding, step.value, step.terms, None, None, step.seconds,
            step.evaluations,
        )  # fmt: skip
        yield last, None
        if step.evaluations > evaluations or stuck:
            break
    if not plain:
        yield from _land(objective, draft, pursuit, gauge, last, tuple(recent), bounds)


@dataclass(frozen=True)
class Chase:
    """Proximal steps that lower J, at a λ that follows the goal's excess.

    The state is the rate and the number of steps done. J is compared at the new λ; a step that
    raises it is halved. Where none lowers it, the shortest is taken if λ has far to go.
    """

    goal: Goal
    gauge: Gauge
    beyond: float
    """Excess that is made for."""
    evaluations: int
    bounds: tuple[float, float]
    """Of λ."""

    def init(self, _: Draft) -> tuple[float, int]:
        """Where to begin."""
        return RATE, 0

    def step(
        self,
        objective: PerceptualObjective,
        draft: Draft,
        evaluation: Evaluation[Coefficients],
        state: tuple[float, int],
    ) -> tuple[Draft, tuple[float, int]]:
        """The next draft."""
        rate, count = state
        encoding = draft.encoding
        x = self._move(encoding, count)
        far = abs(x) > NEAR
        lagrangian = _held(encoding.lagrangian * math.exp(x), self.bounds)
        priced = Draft(draft.targets, replace(encoding, lagrangian=lagrangian))
        before = evaluation.smooth + lagrangian * encoding.bits
        for _ in range(ATTEMPTS):
            follow = count < self.evaluations - KEPT_STEPS
            candidate = objective.prox(priced, evaluation.gradient, rate, follow=follow)
            if objective.evaluate(candidate).value <= before:
                return candidate, (min(rate * RECOVERY, RATE), count + 1)
            rate *= 0.5
        return candidate if far else draft, (rate, count + 1)

    def _move(self, encoding: Encoding, count: int) -> float:
        """Change of log λ; what the rest of the descent will gain is taken into account."""
        if isinstance(self.goal, Lagrangian):
            return 0.0
        aim = self.beyond - _lift(self.goal, self.evaluations - count - 1, count + 1)
        x = (self.gauge(encoding) - aim) / -response_of(self.goal).priced
        return min(max(x, -FARTHEST), FARTHEST)


def _land(
    objective: PerceptualObjective,
    draft: Draft,
    pursuit: Pursuit,
    gauge: Gauge,
    last: Step[Encoding],
    recent: tuple[Encoding, ...],
    bounds: tuple[float, float],
) -> Iterator[tuple[Step[Encoding], Measured]]:
    """Measured encodings nearer and nearer to the goal.

    Between measurements, estimates are trusted that are corrected by what the last one was off.
    """
    began = time.perf_counter()
    candidate, found = draft.encoding, math.nan
    sides: tuple[Encoding, Encoding] | None = None
    for index in range(last.index + 1, last.index + 1 + MAX_LANDING):
        measured = pursuit.measure(candidate)
        known = candidate is last.params
        terms = last.terms if known else objective.terms(candidate)
        value = terms.distortion + candidate.lagrangian * candidate.bits
        score = pursuit.score(candidate, measured)
        seconds = last.seconds + time.perf_counter() - began
        yield Step(index, candidate, value, terms, score, None, seconds), measured
        if pursuit.excess(measured) == found:
            return  # nothing else is within reach
        found = pursuit.excess(measured)
        corrected = _Corrected(pursuit, gauge, found - gauge(candidate))
        if pursuit.close(measured):
            return
        if sides is None or corrected.excess(sides[0]) < 0:
            sides = _sides(objective, draft, corrected, recent, bounds)
        candidate = _between(objective, sides, corrected)


@dataclass(frozen=True)
class _Corrected:
    """Estimates of the excess, corrected."""

    pursuit: Pursuit
    gauge: Gauge
    error: float

    def excess(self, encoding: Encoding) -> float:
        """0 is what is aimed at."""
        return self.gauge(encoding) + self.error


def _sides(
    objective: PerceptualObjective,
    draft: Draft,
    corrected: _Corrected,
    recent: tuple[Encoding, ...],
    bounds: tuple[float, float],
) -> tuple[Encoding, Encoding]:
    """Encodings with the same steps on either side of the goal: beyond it, short of it.

    The latest ones of the descent are best; if they lie on one side, λ leads to the other, and
    if that does not, other steps do. Both are the same encoding if one side cannot be reached.
    """
    known = [encoding for encoding in recent if _same_steps(encoding, draft.encoding)]
    found = _bracket(objective, draft, corrected, known, bounds)
    if found is not None:
        return found
    for _ in range(FRESH_STARTS):
        if corrected.excess(draft.encoding) >= 0:
            break
        draft = objective.first(_held(draft.encoding.lagrangian * math.exp(-FARTHEST), bounds))
    return _bracket(objective, draft, corrected, [], bounds) or (draft.encoding, draft.encoding)


def _bracket(
    objective: PerceptualObjective,
    draft: Draft,
    corrected: _Corrected,
    known: Sequence[Encoding],
    bounds: tuple[float, float],
) -> tuple[Encoding, Encoding] | None:
    """Move λ in growing strides, with the steps as they are, until the goal is passed."""
    slope = response_of(corrected.pursuit.goal).priced
    ends = {corrected.excess(encoding) >= 0: encoding for encoding in known}
    for attempt in range(MAX_SIDES):
        encoding = draft.encoding
        excess = corrected.excess(encoding)
        ends[excess >= 0] = encoding
        if len(ends) == 2:
            return ends[True], ends[False]
        x = 2.0**attempt * (1.3 * excess / -slope + math.copysign(NEAR, excess))
        lagrangian = encoding.lagrangian * math.exp(min(max(x, -FARTHEST), FARTHEST))
        priced = replace(encoding, lagrangian=_held(lagrangian, bounds))
        draft = objective.requantised(Draft(draft.targets, priced))
    return None


def _same_steps(first: Encoding, second: Encoding) -> bool:
    return all(map(np.array_equal, first.symbols.steps, second.symbols.steps))


def _between(
    objective: PerceptualObjective, sides: tuple[Encoding, Encoding], corrected: _Corrected
) -> Encoding:
    """A mixture of blocks from both sides that keeps the goal closely.

    The steps are the same, so that what lies between two good encodings is as good.
    """
    above, below = sides
    if above is below:
        return above
    over, under = corrected.excess(above), corrected.excess(below)
    low, high, best = 0.0, 1.0, above
    for _ in range(MAX_MIXES):
        share = low + min(max(over / (over - under), 0.1), 0.9) * (high - low)
        mixture = objective.mixed(above, below, share)
        excess = corrected.excess(mixture)
        if excess >= 0:
            low, best = share, mixture
            over, under = excess, under / 2 if low else under
        else:
            high, under = share, excess
        if 0 <= excess <= corrected.pursuit.margin / 2:
            break
    return best


def _start(
    studio: Studio,
    layouts: Sequence[Layout],
    pursuit: Pursuit,
    evaluations: int,
    bounds: tuple[float, float],
) -> tuple[PerceptualObjective, Draft]:
    """The layout of least J, coarse chroma first, and its draft at the λ that suits the goal."""
    lift = _lift(pursuit.goal, evaluations)

    def at_goal(objective: PerceptualObjective, guess: float) -> Draft:
        if isinstance(pursuit.goal, Lagrangian):
            return objective.first(pursuit.goal.value)
        return find_lagrangian(
            objective.first,
            lambda draft: pursuit.estimated_excess(draft.encoding) + lift,
            guess,
            bounds,
            tolerance=TOLERANCE * abs(response_of(pursuit.goal).scaled),
            slope=response_of(pursuit.goal).scaled,
        )

    objective = studio.objective(layouts[0])
    draft = at_goal(objective, _guess(pursuit.goal, lift))
    if len(layouts) == 1:
        return objective, draft
    floor = objective.unquantised()
    hopeless = pursuit.shows_excess(floor) < NARROW * pursuit.margin
    if not hopeless and studio.loss.value(floor) < FLOOR * objective.blend(draft.encoding):
        return objective, draft
    for layout in layouts[1:]:
        rival = studio.objective(layout)
        challenge = rival.first(draft.encoding.lagrangian)
        price = draft.encoding.lagrangian
        ours = objective.blend(draft.encoding) + price * draft.encoding.bits
        theirs = rival.blend(challenge.encoding) + price * challenge.encoding.bits
        if hopeless or theirs < (1 - FINER) * ours:
            hopeless = False
            objective, draft = rival, at_goal(rival, draft.encoding.lagrangian)
        elif theirs > (1 + FINER) * ours:
            break
    return objective, draft


def _held(lagrangian: float, bounds: tuple[float, float]) -> float:
    return min(max(lagrangian, bounds[0]), bounds[1])


def _bounds(goal: Goal, planes: Picture) -> tuple[float, float]:
    """λ worth trying; SSIMULACRA2 is next to blind on small pictures, and bounds are tighter."""
    small = scale_count(*planes.shape[1:]) < len(WEIGHTS[0])
    if small and isinstance(goal, Target) and goal.metric.name == "ssimulacra2":
        return BOUNDS[0], 2 * _guess(goal, 0.0)
    return BOUNDS


def _guess(goal: Goal, lift: float) -> float:
    """λ that ordinary photographs need before the descent."""
    match goal:
        case Target(metric, value) if metric.name == "ssimulacra2":
            worse = min(82 - (value - lift), 48.0)
            return math.exp(2.08 + 0.125 * worse - 0.0013 * worse**2)
        case _:
            return 25.0


def _lift(goal: Goal, evaluations: int, done: int = 0) -> float:
    """By how much so many more evaluations raise the excess at a given λ, on photographs."""
    match goal:
        case Target(metric, value) if metric.name == "ssimulacra2":
            most = max(0.21 * (90 - value), 0.2)
        case TargetSize():
            most = -0.03
        case _:
            most = 0.1
    return most * (LEFT**done - LEFT ** (done + max(evaluations, 0)))
