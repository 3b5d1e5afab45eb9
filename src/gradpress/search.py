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

from gradpress.descent import Evaluation, Step, Terms, iterate
from gradpress.distortion import Distortion, measured_squared_error, psnr
from gradpress.goal import Goal, Lagrangian, TargetPsnr, TargetSize
from gradpress.jpeg import model
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import Encoding, JpegObjective, Slope, dequantised, quantise
from gradpress.jpeg.params import Steps, Symbols
from gradpress.jpeg.rate import SymbolBits
from gradpress.plan import LAGRANGIANS
from gradpress.workers import Workers

PSNR_MARGIN = 0.012
"""dB aimed above a target, for no measurement may fall below it."""
SIZE_MARGIN = 0.004
"""Fraction of the bytes aimed below a target."""
MAX_LANDING = 10
"""Encodings that may be tried to meet the goal closely, once the descent is over."""


@dataclass(frozen=True)
class Measured:
    """An encoding as a viewer sees it."""

    psnr: float
    """dB over all components."""
    bytes: float
    """Of the whole file; estimated where the goal is not a size."""
    distortion: float
    """D of the 8-bit picture."""


@dataclass(frozen=True)
class Pursuit:
    """A goal, and how encodings of one picture are measured against it."""

    goal: Goal
    planes: model.Picture
    distortion: Distortion
    file_bytes: Callable[[Encoding], float]
    workers: Workers

    def measure(self, encoding: Encoding) -> Measured:
        """Decode exactly as libjpeg-turbo does, and compare."""
        decoded = model.decode(encoding.symbols, self.workers)
        error = measured_squared_error(decoded, self.planes, self.workers)
        quality = psnr(error, self.planes.size)
        return Measured(quality, self.file_bytes(encoding), self.distortion.measured(decoded))

    def step(
        self, index: int, encoding: Encoding, measured: Measured, seconds: float
    ) -> Step[Encoding]:
        """A step that was measured but not evaluated."""
        terms = Terms(measured.distortion, encoding.bits)
        value = measured.distortion + encoding.lagrangian * encoding.bits
        return Step(index, encoding, value, terms, self.score(encoding, measured), None, seconds)

    def excess(self, measured: Measured) -> float:
        """How far beyond the goal, in dB or log bytes: falls as λ rises; 0 is what is aimed at."""
        match self.goal:
            case TargetPsnr(decibels):
                return measured.psnr - decibels - PSNR_MARGIN
            case TargetSize(limit):
                return math.log(measured.bytes / (limit * (1 - SIZE_MARGIN)))
            case Lagrangian():
                return 0.0

    def met(self, measured: Measured) -> bool:
        """Whether the goal is kept."""
        match self.goal:
            case TargetPsnr(decibels):
                return measured.psnr >= decibels
            case TargetSize(limit):
                return measured.bytes <= limit
            case Lagrangian():
                return True

    def close(self, measured: Measured) -> bool:
        """Whether the goal is kept with so little to spare that looking further does not pay."""
        spare = PSNR_MARGIN if isinstance(self.goal, TargetPsnr) else SIZE_MARGIN
        return self.met(measured) and abs(self.excess(measured)) <= spare

    def score(self, encoding: Encoding, measured: Measured) -> float:
        """Less is better; whatever keeps the goal is better than whatever does not."""
        if isinstance(self.goal, Lagrangian):
            return measured.distortion + encoding.lagrangian * encoding.bits
        if not self.met(measured):
            return 1e15 * (1 + abs(self.excess(measured)))
        return measured.bytes if isinstance(self.goal, TargetPsnr) else -measured.psnr


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


KEPT = 0.35
"""Change of log λ up to which the steps stay: J at equal quality is flat there."""

RESPONSES: dict[type[Goal], Response] = {
    TargetPsnr: Response(-0.75, -2.2),
    TargetSize: Response(-0.15, -0.5),
    Lagrangian: Response(-1.0, -1.0),
}


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
        aim = Aim.at(objective, encoding, evaluation.gradient)
        x = aim.within(x, self.first)
        return aim.encoding(objective, self.first, x), x


@dataclass(frozen=True)
class Aim:
    """Where a gradient step leads: what is quantised, at one λ or another."""

    origin: Symbols
    targets: Coefficients
    curvature: float
    prices: tuple[SymbolBits, ...]
    steps: tuple[Steps, ...] | None = None
    """Steps to keep, whatever λ; None lets them follow it."""

    @classmethod
    def at(cls, objective: JpegObjective, encoding: Encoding, slope: Slope) -> Aim:
        """The aim of a gradient step from an encoding."""
        origin = dequantised(encoding.symbols, objective.workers)
        targets = objective.targets(origin, slope)
        return cls(encoding.symbols, targets, slope.curvature, encoding.prices)

    def encoding(self, objective: JpegObjective, first: Encoding, x: float) -> Encoding:
        """The targets quantised at x."""
        return quantise(
            objective.layout,
            self.targets,
            scaled_steps(first.symbols.steps, x) if self.steps is None else self.steps,
            self.prices,
            first.lagrangian * math.exp(x),
            self.curvature,
            origin=dequantised(self.origin, objective.workers),
            workers=objective.workers,
        )

    def within(self, x: float, first: Encoding) -> float:
        """The nearest x that is worth trying."""
        low, high = (
            math.log(self.curvature / 2 * bound / first.lagrangian) for bound in LAGRANGIANS
        )
        return min(max(x, low), high)


def scaled_steps(steps: tuple[Steps, ...], x: float) -> tuple[Steps, ...]:
    """Steps at x: as they are up to ``KEPT``, beyond that with √λ.

    Rounding goes up or down by a fixed pattern over frequencies, so that in the mean even a
    change by less than one is made.
    """
    factor = math.exp((x - min(max(x, -KEPT), KEPT)) / 2)
    return tuple(np.clip(np.floor(s * factor + _DITHER), 1, 255).astype(np.uint8) for s in steps)


_DITHER = np.arange(64) * ((5**0.5 - 1) / 2) % 1
"""Rounding thresholds by frequency: the golden ratio's multiples, evenly spread."""


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


def descend(
    first: Encoding, objective: JpegObjective, pursuit: Pursuit, sweeps: int
) -> Iterator[tuple[Step[Encoding], Measured]]:
    """Measured steps: the start, ``sweeps`` proximal steps, and a landing on the goal."""
    measure = lru_cache(maxsize=1)(pursuit.measure)
    response = RESPONSES[type(pursuit.goal)]
    method = DualAscent(first, lambda e: pursuit.excess(measure(e)), response)
    for step in iterate(objective, first, method, measure=lambda e: pursuit.score(e, measure(e))):
        measured = measure(step.params)
        yield step, measured
        if step.index >= sweeps:
            break
    if not isinstance(pursuit.goal, Lagrangian) and not pursuit.close(measured):
        yield from land(step, first, objective, pursuit, measured)


def land(
    last: Step[Encoding],
    first: Encoding,
    objective: JpegObjective,
    pursuit: Pursuit,
    measured: Measured,
) -> Iterator[tuple[Step[Encoding], Measured]]:
    """Quantise one aim at several λ until the goal is met closely, or cannot be.

    Where a step that changes by one jumps over the goal, the second half of the tries keeps the
    steps of the nearest encoding that met it.
    """
    began = time.perf_counter()
    _, slope = objective.slope(dequantised(last.params.symbols, objective.workers))
    aim = Aim.at(objective, last.params, slope)
    del slope
    response = RESPONSES[type(pursuit.goal)]
    x, excess = math.log(last.params.lagrangian / first.lagrangian), pursuit.excess(measured)
    bracket, before = Bracket(), None
    nearest: tuple[float, float, Symbols] | None = None
    for count in range(MAX_LANDING):
        if count == MAX_LANDING // 2 and nearest is not None:
            x, excess, kept = nearest
            aim, bracket, before = replace(aim, steps=kept.steps), Bracket(), None
            response = Response(response.priced, response.priced)
        guess = bracket.secant()
        guess = response.inverse(response.at(x) - excess) if guess is None else guess
        guess = aim.within(guess, first)
        if guess == x and before is not None:
            return
        x = guess
        encoding = aim.encoding(objective, first, x)
        measured = pursuit.measure(encoding)
        seconds = last.seconds + time.perf_counter() - began
        yield pursuit.step(last.index + 1 + count, encoding, measured, seconds), measured
        if pursuit.close(measured):
            return
        excess = pursuit.excess(measured)
        bracket, before = bracket.with_point(x, excess, before), excess
        if excess >= 0 and (nearest is None or excess < nearest[1]):
            nearest = x, excess, encoding.symbols
