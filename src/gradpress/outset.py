"""Where a perceptual descent starts: the layout, and the λ that the goal will need.

λ is searched on plain quantisations of the original, which cost little; the descent raises the
quality at a given λ, so that the search aims so much lower. Where there is none, to be quick, most
of the search is done on a mosaic of the picture's tiles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gradpress.course import Aim, gained, lift_of
from gradpress.distortion import Picture
from gradpress.distortion.ssimulacra2 import WEIGHTS, scale_count
from gradpress.effort import Effort
from gradpress.gauge import Gauge
from gradpress.goal import Goal, Lagrangian, Target
from gradpress.jpeg import model
from gradpress.jpeg.objective import Encoding
from gradpress.jpeg.params import Layout
from gradpress.jpeg.perceptual import Draft, PerceptualObjective
from gradpress.jpeg.start import find_lagrangian
from gradpress.search import response_of
from gradpress.studio import Studio

TOLERANCE = 0.1
"""Of the log of the first λ."""
BOUNDS = (1e-2, 1e5)
"""λ below which hardly a bit is saved any more, and above which hardly one is left."""
FLOOR = 0.25
"""Share of the blend's D that 4:2:0 must have before quantisation for finer chroma to be tried."""
NARROW = 30.0
"""Ordinary margins that unquantised 4:2:0 must be beyond the goal for it to be within reach."""
FINER = 0.06
"""Fraction of J by which a layout with finer chroma must be ahead of 4:2:0 to be taken."""


def start(
    studio: Studio,
    layouts: Sequence[Layout],
    aim: Aim,
    effort: Effort,
) -> tuple[PerceptualObjective, Draft]:
    """The layout of least J, coarse chroma first, and its draft at the λ that suits the goal."""
    goal = aim.pursuit.goal
    lift = lift_of(goal) * gained(effort.steps, effort.proposals)
    outset = _Outset(aim, lift, appraises=effort.evaluations > 0)
    quick = not effort.evaluations and isinstance(goal, Target)
    sample = studio.sampled() if quick else studio
    if sample is studio:
        return outset.best(studio, layouts)
    height, width = sample.planes.shape[1:]
    seen = aim.pursuit.of(sample.planes, sample.loss, sample.workers)
    small = _Outset(Aim(seen, Gauge(seen.estimated_excess), aim.bounds), 0.0, plainly=True)
    _, draft = small.best(sample, [Layout(width, height, each.factors) for each in layouts])
    if draft.encoding.symbols.layout.factors != layouts[0].factors:
        return outset.best(studio, layouts)  # the seams speak for finer chroma too
    objective = studio.objective(layouts[0])
    return objective, outset.scaled(objective, draft.encoding)


def started_anew(objective: PerceptualObjective, draft: Draft, aim: Aim, lift: float) -> Draft:
    """The original at the λ, near the draft's, that suits the goal if a descent lifts so much."""
    return _Outset(aim, lift).drafted(objective, draft.encoding.lagrangian)


def scaled_to_goal(objective: PerceptualObjective, found: Encoding, aim: Aim) -> Draft:
    """The original quantised by an encoding's steps and prices at the λ that the goal needs."""
    return _Outset(aim, 0.0).scaled(objective, found)


@dataclass(frozen=True)
class _Outset:
    aim: Aim
    lift: float
    """What the descent will add to the excess."""
    appraises: bool = False
    """Whether weights are appraised."""
    plainly: bool = False
    """Whether plain quantisations tell λ: what they lose is about what a mosaic is flattered."""

    def best(self, studio: Studio, layouts: Sequence[Layout]) -> tuple[PerceptualObjective, Draft]:
        """The layout of least J at the λ of the first one."""
        guess = self._guess
        objective = self._objective(studio, layouts[0], guess)
        draft = self.drafted(objective, guess)
        if len(layouts) == 1:
            return objective, draft
        floor = objective.unquantised()
        narrow = NARROW * self.aim.pursuit.margin / self.aim.pursuit.ease
        hopeless = self.aim.pursuit.shows_excess(floor) < narrow
        if not hopeless and studio.loss.value(floor) < FLOOR * _value(studio, draft.encoding):
            return objective, draft
        for layout in layouts[1:]:
            price = draft.encoding.lagrangian
            rival = self._objective(studio, layout, price)
            challenge = rival.first(price)
            ours = _value(studio, draft.encoding) + price * draft.encoding.bits
            theirs = _value(studio, challenge.encoding) + price * challenge.encoding.bits
            if hopeless or theirs < (1 - FINER) * ours:
                near = guess if hopeless else price  # which may have gone astray
                hopeless = False
                objective, draft = rival, self.drafted(rival, near)
            elif theirs > (1 + FINER) * ours:
                break
        return objective, draft

    def _objective(self, studio: Studio, layout: Layout, guess: float) -> PerceptualObjective:
        """Weighed for this picture; what λ the errors are looked at for hardly matters."""
        objective = studio.objective(layout)
        return studio.appraised(objective, guess) if self.appraises else objective

    def drafted(self, objective: PerceptualObjective, guess: float) -> Draft:
        """The original with steps and prices that suit the goal."""
        if not self.plainly:
            return self._at_goal(objective.first, guess)
        original = objective.original
        found = self._at_goal(lambda price: Draft(original, objective.plain(price)), guess)
        return objective.first(found.encoding.lagrangian)

    def scaled(self, objective: PerceptualObjective, found: Encoding) -> Draft:
        """The whole picture's draft, by the steps and prices found on a mosaic of it."""

        def at(lagrangian: float) -> Draft:
            steps = objective.rescaled(found, lagrangian, kept=0.0).symbols.steps
            original = objective.original
            return Draft(original, objective.quantise(original, steps, found.prices, lagrangian))

        return self._at_goal(at, found.lagrangian)

    @property
    def _guess(self) -> float:
        goal = self.aim.pursuit.goal
        return goal.value if isinstance(goal, Lagrangian) else _guess(goal, self.lift)

    def _at_goal(self, draft_at: Callable[[float], Draft], guess: float) -> Draft:
        if isinstance(self.aim.pursuit.goal, Lagrangian):
            return draft_at(self.aim.pursuit.goal.value)
        slope = response_of(self.aim.pursuit.goal).scaled
        return find_lagrangian(
            draft_at,
            lambda draft: self.aim.excess(draft.encoding) + self.lift,
            guess,
            self.aim.bounds,
            tolerance=TOLERANCE * abs(slope),
            slope=slope,
        )


def _value(studio: Studio, encoding: Encoding) -> float:
    """What layouts, each with an original and a balance of its own, compare by."""
    return studio.loss.value(model.shown(encoding.symbols, studio.workers))


def bounds_of(goal: Goal, planes: Picture) -> tuple[float, float]:
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
