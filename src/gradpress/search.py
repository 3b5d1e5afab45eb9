"""From a goal to a file: dual ascent on the goal while the encoding descends, then a landing.

λ is the multiplier of the goal. The plan knows it to a few per cent; every proximal step is
measured as a viewer would see it, and λ moves by what the measurement is off. When the planned
steps are done the targets stay as they are, and λ alone is searched until the goal is met closely.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gradpress.descent import Evaluation, Step, Terms, iterate
from gradpress.distortion import Picture
from gradpress.distortion.blend import Blend
from gradpress.distortion.ssimulacra2 import Ssimulacra2Error
from gradpress.goal import Goal, Lagrangian, Target, TargetSize
from gradpress.jpeg import model
from gradpress.jpeg.model import planes_of
from gradpress.jpeg.objective import Encoding, JpegObjective, Slope, dequantised, quantise
from gradpress.jpeg.params import Steps, Symbols
from gradpress.jpeg.steps import KEPT, scaled_steps
from gradpress.metrics import Metric
from gradpress.plan import LAGRANGIANS
from gradpress.workers import Workers

SIZE_MARGIN = 0.004
"""Fraction of the bytes aimed below a target."""
MAX_LANDING = 10
"""Encodings that may be tried to meet the goal closely, once the descent is over."""


@dataclass(frozen=True)
class Measured:
    """An encoding as a viewer sees it."""

    quality: float
    """By the pursuit's metric."""
    bytes: float
    """Of the whole file; estimated where the goal is not a size."""
    distortion: float
    """D of the 8-bit picture, where the pursuit measures it."""


@dataclass(frozen=True)
class Pursuit:
    """A goal, and how encodings of one picture are measured against it."""

    goal: Goal
    metric: Metric
    """The goal's, or where that is a size, what tells which of two files is the better one."""
    quality: Callable[[NDArray[np.uint8]], float]
    """The metric's scorer, of ``(H, W[, C])`` pixels."""
    estimate: Callable[[Picture], float]
    """The same of planes, if need be a little less exactly."""
    distortion: Callable[[NDArray[np.uint8]], float] | None
    """D of 8-bit pixels, where the descent wants it measured."""
    file_bytes: Callable[[Encoding], float]
    workers: Workers
    ease: float = 1.0
    """How generous the margin beyond the goal is."""
    is_late: Callable[[], bool] = lambda: False
    """Whether it is time to land."""

    def of(self, planes: Picture, loss: Blend, workers: Workers) -> Pursuit:
        """The same goal of another picture, measured by what its loss has prepared."""
        quality, estimate = scorers(self.metric, planes, loss, workers)
        return replace(self, quality=quality, estimate=estimate)

    def measure(self, encoding: Encoding) -> Measured:
        """Decode exactly as libjpeg-turbo does, and compare."""
        decoded = model.decode(encoding.symbols, self.workers)
        distortion = 0.0 if self.distortion is None else self.distortion(decoded)
        quality = self.quality(decoded)
        return Measured(quality, self.file_bytes(encoding), distortion)

    def estimated_excess(self, encoding: Encoding) -> float:
        """The excess while the descent is under way."""
        if isinstance(self.goal, TargetSize):
            size = self.file_bytes(encoding)
            return self.excess(Measured(0.0, size, 0.0))
        return self.shows_excess(
            planes_of(model.decode(encoding.symbols, self.workers), self.workers)
        )

    def shows_excess(self, picture: Picture) -> float:
        """About the excess of a picture by a metric; infinite where the goal is none."""
        if not isinstance(self.goal, Target):
            return math.inf
        return self.excess(Measured(self.estimate(picture), 0.0, 0.0))

    def step(
        self, index: int, encoding: Encoding, measured: Measured, seconds: float
    ) -> Step[Encoding]:
        """A step that was measured but not evaluated."""
        terms = Terms(measured.distortion, encoding.bits)
        value = measured.distortion + encoding.lagrangian * encoding.bits
        return Step(index, encoding, value, terms, self.score(encoding, measured), None, seconds)

    @property
    def margin(self) -> float:
        """What is aimed at beyond the goal, on the metric's axis or in log bytes."""
        if isinstance(self.goal, TargetSize):
            return SIZE_MARGIN
        return self.ease * (0.04 if self.metric.name == "ssimulacra2" else 0.012)

    def excess(self, measured: Measured) -> float:
        """How far beyond the aim, on the metric's axis or in log bytes: falls as λ rises."""
        match self.goal:
            case Target(metric, value):
                beyond = metric.axis(measured.quality) - metric.axis(value)
                return beyond - self.margin
            case TargetSize(limit):
                return math.log(measured.bytes / (limit * (1 - self.margin)))
            case Lagrangian():
                return 0.0

    def met(self, measured: Measured) -> bool:
        """Whether the goal is kept."""
        match self.goal:
            case Target(metric, value):
                return metric.reaches(measured.quality, value)
            case TargetSize(limit):
                return measured.bytes <= limit
            case Lagrangian():
                return True

    def close(self, measured: Measured) -> bool:
        """Whether the goal is kept with so little to spare that looking further does not pay."""
        return self.met(measured) and abs(self.excess(measured)) <= self.margin

    def score(self, encoding: Encoding, measured: Measured) -> float:
        """Less is better; whatever keeps the goal is better than whatever does not."""
        if isinstance(self.goal, Lagrangian):
            return measured.distortion + encoding.lagrangian * encoding.bits
        if not self.met(measured):
            return 1e15 * (1 + abs(self.excess(measured)))
        if isinstance(self.goal, Target):
            return measured.bytes
        return -self.metric.axis(measured.quality)


def scorers(
    metric: Metric, planes: Picture, loss: Blend | None, workers: Workers
) -> tuple[Callable[[NDArray[np.uint8]], float], Callable[[Picture], float]]:
    """What scores pixels against this picture exactly, and planes quickly.

    What a loss has prepared is shared.
    """
    parts = () if loss is None else loss.parts
    shared = [part for _, part in parts if isinstance(part, Ssimulacra2Error)]
    if metric.name == "ssimulacra2" and shared:
        exact, quick = shared[0].score, shared[0].quick_score
        return lambda shown: exact(planes_of(shown, workers)), quick
    score = metric.prepare(planes, workers)
    estimate = metric.estimate and metric.estimate(planes, workers)
    return lambda shown: score(planes_of(shown, workers)), estimate or score


@dataclass(frozen=True)
class Response:
    """How an excess answers to x, the log of λ over the forecast's: a falling broken line.

    Around the forecast the steps stay and only the choice of levels changes; further out the
    steps go with √λ, which does more.
    """

    priced: float
    """Slope while the steps stay, on ordinary photographs."""
    scaled: float
    """Slope when they move."""

    def at(self, x: float) -> float:
        """Change of the excess from the forecast to x."""
        kept = min(max(x, -KEPT), KEPT)
        return self.priced * kept + self.scaled * (x - kept)

    def inverse(self, change: float) -> float:
        """The x of a change."""
        kept = min(max(change / self.priced, -KEPT), KEPT)
        return kept + (change - self.priced * kept) / self.scaled


def response_of(goal: Goal) -> Response:
    """On ordinary photographs."""
    match goal:
        case TargetSize():
            return Response(-0.2, -0.5)
        case Target(metric, value) if metric.name == "ssimulacra2":
            return Response(-6 - 0.4 * max(90 - value, 0), -7 - 0.22 * max(90 - value, 0))
        case Target(metric) if metric.unit:
            return Response(-0.75, -2.2)
        case _:
            return Response(-1.0, -2.0)


@dataclass(frozen=True)
class DualAscent:
    """Proximal gradient steps at a λ that follows the goal's excess.

    The state is x, the log of λ over the first encoding's.
    """

    first: Encoding
    excess: Callable[[Encoding], float]
    response: Response

    def init(self, encoding: Encoding) -> float:
        """Where λ is: at the start 0."""
        return math.log(encoding.lagrangian / self.first.lagrangian)

    def step(
        self,
        objective: JpegObjective,
        encoding: Encoding,
        evaluation: Evaluation[Slope],
        state: float,
    ) -> tuple[Encoding, float]:
        """A proximal step at the next λ."""
        x = self.response.inverse(self.response.at(state) - self.excess(encoding))
        aim = aim_at(objective, self.first, encoding, evaluation.gradient)
        x = aim.within(x)
        return aim.encoding(x), x


@dataclass(frozen=True)
class Aim:
    """What is quantised, at one λ or another: x is the log of λ over the aim's own."""

    quantise: Callable[[tuple[Steps, ...], float], Encoding]
    steps: tuple[Steps, ...]
    """That suit the aim's own λ."""
    lagrangian: float
    bounds: tuple[float, float]
    """λ below which no bit is saved any more, and above which every bit is."""
    follow: bool = True
    """Whether steps follow λ."""

    def encoding(self, x: float) -> Encoding:
        """The targets quantised at x."""
        steps = scaled_steps(self.steps, x) if self.follow else self.steps
        return self.quantise(steps, self.lagrangian * math.exp(x))

    def within(self, x: float) -> float:
        """The nearest x that is worth trying."""
        low, high = (math.log(bound / self.lagrangian) for bound in self.bounds)
        return min(max(x, low), high)


def aim_at(objective: JpegObjective, first: Encoding, encoding: Encoding, slope: Slope) -> Aim:
    """The aim of a whole gradient step from an encoding, with x counted from the first one."""
    origin = dequantised(encoding.symbols, objective.workers)
    targets = objective.targets(origin, slope)

    def quantised(steps: tuple[Steps, ...], lagrangian: float) -> Encoding:
        return quantise(
            objective.layout,
            targets,
            steps,
            encoding.prices,
            lagrangian,
            slope.curvature,
            origin=origin,
            workers=objective.workers,
        )

    low, high = (slope.curvature / 2 * bound for bound in LAGRANGIANS)
    return Aim(quantised, first.symbols.steps, first.lagrangian, (low, high))


@dataclass(frozen=True)
class Bracket:
    """What a search knows of a falling function: where it was above 0 and where below."""

    above: tuple[float, float] | None = None
    """x and value, nearest to 0 from above; the value may be halved, see :meth:`with_point`."""
    below: tuple[float, float] | None = None

    def with_point(self, x: float, value: float, last: float | None) -> Bracket:
        """Take in a point; an end that stays twice counts half (the Illinois method)."""
        weight = 0.5 if last is not None and (last >= 0) == (value >= 0) else 1.0
        if value >= 0:
            below = self.below and (self.below[0], weight * self.below[1])
            return Bracket((x, value), below)
        above = self.above and (self.above[0], weight * self.above[1])
        return Bracket(above, (x, value))

    def secant(self) -> float | None:
        """Where the line between both ends meets 0, not too near an end; None without two."""
        if self.above is None or self.below is None:
            return None
        share = self.above[1] / (self.above[1] - self.below[1])
        return self.above[0] + min(max(share, 0.1), 0.9) * (self.below[0] - self.above[0])


def answered(
    slope: float, before: tuple[float, float] | None, x: float, value: float, steepest: float
) -> float:
    """How steeply a function falls by the last two points; far from what was thought only so far.

    It is as was thought while there is one point, or x has not moved.
    """
    if before is None or x == before[0]:
        return slope
    return min(max((before[1] - value) / (x - before[0]), slope / 4), steepest * slope)


def descend(
    first: Encoding, objective: JpegObjective, pursuit: Pursuit, sweeps: int
) -> Iterator[tuple[Step[Encoding], Measured]]:
    """Measured steps: the start, ``sweeps`` proximal steps, and a landing on the goal."""
    measure = lru_cache(maxsize=1)(pursuit.measure)
    response = response_of(pursuit.goal)
    method = DualAscent(first, lambda e: pursuit.excess(measure(e)), response)
    for step in iterate(objective, first, method, measure=lambda e: pursuit.score(e, measure(e))):
        measured = measure(step.params)
        yield step, measured
        if step.index >= sweeps or pursuit.is_late():
            break
    if isinstance(pursuit.goal, Lagrangian) or pursuit.close(measured):
        return
    last = step.params
    _, slope = objective.slope(dequantised(last.symbols, objective.workers))
    aim = aim_at(objective, first, last, slope)
    del slope
    x = math.log(last.lagrangian / first.lagrangian)
    yield from land(step, aim, x, pursuit, measured)


def land(
    last: Step[Encoding], aim: Aim, x: float, pursuit: Pursuit, measured: Measured
) -> Iterator[tuple[Step[Encoding], Measured]]:
    """Quantise one aim at several λ until the goal is met closely, or cannot be.

    ``measured`` is what ``last``, at x, was found to be. Where a step that changes by one jumps
    over the goal, the second half of the tries keeps the steps of the nearest encoding that met
    it.
    """
    began = time.perf_counter()
    response = response_of(pursuit.goal)
    excess = pursuit.excess(measured)
    bracket, before = Bracket(), None
    nearest: tuple[float, float, Symbols] | None = None
    for count in range(MAX_LANDING):
        if count == MAX_LANDING // 2 and nearest is not None:
            x, excess, kept = nearest
            aim, bracket, before = replace(aim, steps=kept.steps, follow=False), Bracket(), None
            response = Response(response.priced, response.priced)
        guess = bracket.secant()
        guess = response.inverse(response.at(x) - excess) if guess is None else guess
        guess = aim.within(guess)
        if guess == x and before is not None:
            return
        x = guess
        encoding = aim.encoding(x)
        measured = pursuit.measure(encoding)
        seconds = last.seconds + time.perf_counter() - began
        yield pursuit.step(last.index + 1 + count, encoding, measured, seconds), measured
        if pursuit.close(measured):
            return
        excess = pursuit.excess(measured)
        bracket, before = bracket.with_point(x, excess, before), excess
        if excess >= 0 and (nearest is None or excess < nearest[1]):
            nearest = x, excess, encoding.symbols
