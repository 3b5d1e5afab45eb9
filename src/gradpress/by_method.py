"""A descent on one picture by the method that was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from gradpress.course import Aim
from gradpress.descent import (
    Drawn,
    Evaluation,
    GuardedRounds,
    Sampled,
    Step,
    iterate,
)
from gradpress.distortion import Distortion, Picture
from gradpress.distortion.blend import Blend
from gradpress.errors import UsageError
from gradpress.gauge import Gauge
from gradpress.goal import Lagrangian, TargetSize
from gradpress.interior import Interior
from gradpress.jpeg.latent import Latent
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import Encoding
from gradpress.jpeg.perceptual import Draft, PerceptualObjective
from gradpress.jpeg.start import Start
from gradpress.jpeg.tables import tables_to_start_from
from gradpress.jpeg.tiles import Tiles
from gradpress.jpeg.visibility import evenly
from gradpress.landing import land
from gradpress.methods import PROXIMAL, RAN_AWAY, RISE, Choice, method_of
from gradpress.outset import scaled_to_goal
from gradpress.plan import LAGRANGIANS
from gradpress.search import Measured, Pursuit

Loss = Callable[[Picture], Blend]
"""Prepares the loss of a picture or of a part of it."""


@dataclass(frozen=True)
class Descent:
    """What is descended on, from where, how, and for how long."""

    objective: PerceptualObjective
    draft: Draft
    choice: Choice
    evaluations: int
    """Of J, where the choice does not say how many iterations."""
    is_late: Callable[[], bool] = lambda: False
    """Whether it is time to land."""

    @property
    def steps(self) -> int:
        """How many are planned."""
        chosen = self.choice.iterations
        return self.evaluations if chosen is None else chosen

    def is_over(self, step: Step[Any]) -> bool:
        """Whether a step spends the last evaluation, or the time."""
        return self.is_late() or (
            self.choice.iterations is None and step.evaluations > self.evaluations
        )


def begun(objective: PerceptualObjective, draft: Draft, choice: Choice) -> Draft:
    """The draft at the same λ with the tables that were asked for."""
    encoding = draft.encoding
    steps = tables_to_start_from(choice.start, encoding.symbols.steps, choice.seed)
    return draft if steps is None else objective.first(encoding.lagrangian, steps)


def descend_by_method(
    descent: Descent,
    aim: Aim,
    planes: Picture,
    loss: Loss,
) -> Iterator[tuple[Step[Encoding], Measured | None]]:
    """Steps at the start's λ, of which the one of least J is then brought to the goal."""
    if descent.choice.method == "interior-point":
        yield from _inside(descent, aim.pursuit)
        return
    best: Step[Draft] | None = None
    for step in steps_of(descent, planes, loss):
        if best is None or step.value < best.value:
            best = step
        last = encoded(step)
        yield last, None
    if best is not None and not isinstance(aim.pursuit.goal, Lagrangian):
        yield from land(descent.objective, best.params, last, aim, PROXIMAL.rate)


def steps_of(descent: Descent, planes: Picture, loss: Loss) -> Iterator[Step[Draft]]:
    """The method's steps at the draft's λ, in units of D."""
    if descent.choice.method == "sgd":
        return _on_tiles(descent, planes, loss)
    return _on_targets(descent)


def encoded(step: Step[Draft]) -> Step[Encoding]:
    """The same step of a draft's encoding."""
    return Step(
        step.index, step.params.encoding, step.value, step.terms, None, None,
        step.seconds, step.evaluations, step.note,
    )  # fmt: skip


def descend_by_pixel(
    start: Start,
    first: Encoding,
    curvature: float,
    choice: Choice,
    evaluations: int,
    pursuit: Pursuit,
    loss: Callable[[Picture], Distortion],
    planes: Picture,
) -> Iterator[tuple[Step[Encoding], Measured | None]]:
    """The same for a loss that is a sum over samples, from the start that was planned for it."""

    def blend(part: Picture) -> Blend:
        return Blend(((1.0, loss(part)),))

    objective = pixel_objective(start, blend(planes), curvature)
    bounds = (curvature / 2 * LAGRANGIANS[0], curvature / 2 * LAGRANGIANS[1])
    aim = Aim(pursuit, Gauge(pursuit.estimated_excess), bounds)
    draft = Draft(start.targets, first)
    if not isinstance(pursuit.goal, Lagrangian):
        draft = scaled_to_goal(objective, first, aim)
    draft = begun(objective, draft, choice)
    descent = Descent(objective, draft, choice, evaluations, pursuit.is_late)
    yield from descend_by_method(descent, aim, planes, blend)


def pixel_objective(start: Start, blend: Blend, curvature: float) -> PerceptualObjective:
    """The objective of a loss that sees all errors alike; ``curvature`` is by decoded sample."""
    visible = evenly(start.layout, curvature)
    return PerceptualObjective(start.layout, blend, 0.0, visible, start.targets, start.workers)


class _Kept:
    """An objective on targets that keeps the latest draft, and hears of steps that were cut."""

    def __init__(self, latent: Latent) -> None:
        self.latent = latent
        self._latest: tuple[Coefficients, Draft] | None = None
        self._note = ""

    def evaluate(self, point: Coefficients) -> Evaluation[Coefficients]:
        """The latent objective's."""
        self._latest = None  # its memory is free before the next one is made
        self._latest = point, self.latent.draft(point)
        return self.latent.at(point, self._latest[1])

    def prox(self, point: Coefficients, gradient: Coefficients, rate: float) -> Coefficients:
        """The latent objective's."""
        return self.latent.prox(point, gradient, rate)

    def step(self, step: Step[Coefficients], note: str) -> Step[Draft]:
        """The same step, quantised and in units of D, with a note unless there is another."""
        latest = self._latest
        known = latest is not None and latest[0] is step.params
        draft = latest[1] if known and latest else self.latent.draft(step.params)
        note, self._note = self._note or note, ""
        return Step(
            step.index, draft, step.value * self.latent.unit, step.terms, None, None,
            step.seconds, step.evaluations, note,
        )  # fmt: skip

    def told(self, _: float) -> None:
        """Steps were cut."""
        self._note = RAN_AWAY


def _on_targets(descent: Descent) -> Iterator[Step[Draft]]:
    """Any method on trees, on the whole picture."""
    kept = _Kept(Latent(descent.objective, descent.draft.encoding))
    point = kept.latent.point(descent.draft.targets)
    choice, before = descent.choice, None
    told = (lambda _: None) if choice.automatic else kept.told  # nobody gave that rate
    method = method_of(choice, descent.steps, told)
    for step in iterate(
        kept, point, method, max_steps=choice.iterations, tolerance=choice.tolerance
    ):
        stuck, before = choice.stuck if step.params is before else "", step.params
        yield kept.step(step, stuck)
        if descent.is_over(step):
            return


def _on_tiles(descent: Descent, planes: Picture, loss: Loss) -> Iterator[Step[Draft]]:
    """Stochastic steps, each on a tile of the picture: the start, and where they lead."""
    began = time.perf_counter()
    latent = Latent(descent.objective, descent.draft.encoding)
    tiles = Tiles(planes, loss, latent)
    choice, count = descent.choice, tiles.count
    steps = descent.steps if choice.iterations is not None else count * descent.evaluations
    rate = choice.scheduled(choice.rate / count, max(steps, 1))
    point = latent.point(descent.draft.targets)
    yield _whole(descent, 0, latent.draft(point), 0.0, 1)
    drawn = Drawn(0, tiles.split(point))
    cuts: list[float] = []
    method = GuardedRounds(rate, count, RISE, told=cuts.append)
    for step in iterate(Sampled(tiles, seed=choice.seed), drawn, method, max_steps=steps):
        drawn = step.params
        if descent.is_late():
            break
    draft = latent.draft(tiles.joined(drawn.params))
    taken, seconds = drawn.turn, time.perf_counter() - began
    last = _whole(descent, taken, draft, seconds, taken // count + 2)
    yield replace(last, note=RAN_AWAY if cuts else "")


def _whole(
    descent: Descent, index: int, draft: Draft, seconds: float, evaluations: int
) -> Step[Draft]:
    terms = descent.objective.terms(draft.encoding)
    value = terms.distortion + draft.encoding.lagrangian * draft.encoding.bits
    return Step(index, draft, value, terms, None, None, seconds, evaluations)


def _inside(descent: Descent, pursuit: Pursuit) -> Iterator[tuple[Step[Encoding], Measured | None]]:
    """The interior point: λ is the price of the room left. The last step needs no landing."""
    goal = pursuit.goal
    if not isinstance(goal, TargetSize):
        raise UsageError("the method interior-point meets a target size; give one")
    method = Interior(pursuit.file_bytes, goal.bytes, descent.steps, descent.choice.rate)
    draft = method.first(descent.objective, descent.draft)
    for step in iterate(descent.objective, draft, method, max_steps=descent.choice.iterations):
        stuck = step.index > 0 and step.params.targets is draft.targets
        draft = step.params
        yield replace(encoded(step), note=descent.choice.stuck if stuck else ""), None
        if descent.is_over(step):
            break
    draft = method.last(descent.objective, step.params)
    last = encoded(_whole(descent, step.index + 1, draft, step.seconds, step.evaluations))
    measured = pursuit.measure(last.params)
    yield replace(last, measured=pursuit.score(last.params, measured)), measured
