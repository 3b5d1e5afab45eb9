"""From a goal to λ: dual ascent on the goal while the encoding descends.

λ is the multiplier of the goal. A forecast on sampled rows finds it to a few per cent; then every
proximal step is measured as a viewer would see it, and λ moves by what the measurement is off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gradpress.descent import Evaluation, Step, iterate
from gradpress.distortion import Distortion, measured_squared_error, psnr
from gradpress.goal import Goal, Lagrangian, TargetPsnr, TargetSize
from gradpress.jpeg import model
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import (
    COARSENESS,
    Encoding,
    JpegObjective,
    Slope,
    dequantised,
    quantise,
)
from gradpress.jpeg.params import Steps, Symbols
from gradpress.jpeg.rate import SymbolBits
from gradpress.jpeg.start import Forecast, Forecaster, Start, find_lagrangian
from gradpress.workers import Workers

LAGRANGIANS = (1e-3, COARSENESS * 255**2 * 64)
"""λ of squared error below which no bit is saved any more, and above which every bit is."""
PSNR_MARGIN = 0.012
"""dB aimed above a target, for no measurement may fall below it."""
SIZE_MARGIN = 0.004
"""Fraction of the bytes aimed below a target."""
HOPELESS = 0.03
"""Fraction by which 4:4:4 may lose to 4:2:0 in J for 4:2:2, between them, to be tried."""
MAX_LANDING = 10
"""Steps beyond the planned ones that may be spent on meeting the goal closely."""


@dataclass(frozen=True)
class Measured:
    """An encoding as a viewer sees it."""

    psnr: float
    """dB over all components."""
    bytes: float
    """Of the whole file; estimated where the goal is not a size."""
    objective: float
    """J = D + λ·R with D of the 8-bit picture."""


@dataclass(frozen=True)
class Pursuit:
    """A goal, and how encodings of one picture are measured against it."""

    goal: Goal
    planes: model.Picture
    distortion: Distortion
    file_bytes: Callable[[Encoding], float]

    def measure(self, encoding: Encoding) -> Measured:
        """Decode exactly as libjpeg-turbo does, and compare."""
        decoded = model.decode(encoding.symbols)
        quality = psnr(measured_squared_error(decoded, self.planes), self.planes.size)
        objective = math.nan
        if isinstance(self.goal, Lagrangian):
            shown = self.distortion.value(_planar(decoded))
            objective = shown + encoding.lagrangian * encoding.bits
        return Measured(quality, self.file_bytes(encoding), objective)

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

    def score(self, measured: Measured) -> float:
        """Less is better; whatever keeps the goal is better than whatever does not."""
        if isinstance(self.goal, Lagrangian):
            return measured.objective
        if not self.met(measured):
            return 1e15 * (1 + abs(self.excess(measured)))
        return measured.bytes if isinstance(self.goal, TargetPsnr) else -measured.psnr


def _planar(decoded: NDArray[np.uint8]) -> model.Picture:
    pixels = decoded.reshape(*decoded.shape[:2], -1)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)


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
class Aim:
    """Where the last gradient step led: what is quantised anew when only λ still moves."""

    origin: Symbols
    targets: Coefficients
    curvature: float
    prices: tuple[SymbolBits, ...]


Point = tuple[float, float]
"""x, and the excess there."""


@dataclass(frozen=True)
class DualState:
    """What dual ascent remembers: where it is, and what it knows on either side of the goal."""

    index: int = 0
    x: float = 0.0
    aim: Aim | None = None
    above: Point | None = None
    """Nearest x with something to spare, seen from the same aim."""
    below: Point | None = None
    """Nearest x that falls short."""
    spare: bool | None = None
    """On which side the landing was last."""


@dataclass(frozen=True)
class DualAscent:
    """Proximal gradient steps at a λ that follows the goal's excess.

    After ``sweeps`` steps the targets stay as they are: what follows only lands, by secants
    between what fell short and what had something to spare.
    """

    forecast: Encoding
    """The first encoding: x counts from its λ, and its steps are the ones that scale."""
    excess: Callable[[Encoding], float]
    response: Response
    sweeps: int

    def init(self, encoding: Encoding) -> DualState:
        """Nothing to remember yet."""
        return DualState()

    def step(
        self,
        objective: JpegObjective,
        encoding: Encoding,
        evaluation: Evaluation[Slope],
        state: DualState,
    ) -> tuple[Encoding, DualState]:
        """A proximal step at the next λ."""
        aim, landing = state.aim, state.index > self.sweeps
        if aim is None or state.index < self.sweeps:
            slope = evaluation.gradient
            origin = dequantised(encoding.symbols, objective.workers)
            targets = objective.targets(origin, slope)
            del origin
            aim = Aim(encoding.symbols, targets, slope.curvature, encoding.prices)
        here = (state.x, self.excess(encoding))
        above, below = _bracket(here, state) if landing else (None, None)
        x = self._within(self._next(here, above, below), aim.curvature)
        following = quantise(
            objective.layout,
            aim.targets,
            scaled_steps(self.forecast.symbols.steps, x),
            aim.prices,
            self.forecast.lagrangian * math.exp(x),
            aim.curvature,
            origin=dequantised(aim.origin, objective.workers),
            workers=objective.workers,
        )
        spare = here[1] >= 0 if landing else None
        kept = aim if state.index + 1 >= self.sweeps else None
        return following, DualState(state.index + 1, x, kept, above, below, spare)

    def _next(self, here: Point, above: Point | None, below: Point | None) -> float:
        if above is None or below is None:
            return self.response.inverse(self.response.at(here[0]) - here[1])
        share = above[1] / (above[1] - below[1])
        return above[0] + min(max(share, 0.1), 0.9) * (below[0] - above[0])

    def _within(self, x: float, curvature: float) -> float:
        low, high = (
            math.log(curvature / 2 * bound / self.forecast.lagrangian) for bound in LAGRANGIANS
        )
        return min(max(x, low), high)


def _bracket(here: Point, state: DualState) -> tuple[Point | None, Point | None]:
    """The points on either side of the goal; one that stays twice counts half (Illinois)."""
    spare = here[1] >= 0
    weight = 0.5 if state.spare == spare else 1.0
    if spare:
        return here, state.below and (state.below[0], weight * state.below[1])
    return state.above and (state.above[0], weight * state.above[1]), here


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
class Plan:
    """Where to start: unquantised planes, and which λ, steps and prices."""

    start: Start
    forecast: Forecast


def plan(
    starts: Iterable[Start], goal: Goal, distortion: Distortion, samples: int, overhead_bytes: float
) -> Plan:
    """Find the λ that the goal needs, and of several layouts the one of least J there.

    ``samples`` is the number of the picture's samples, ``overhead_bytes`` what a file holds beside
    its entropy-coded data. Later starts are prepared only when they are looked at.
    """

    def excess(forecast: Forecast) -> float:
        return _forecast_excess(forecast, goal, distortion, samples, overhead_bytes)

    def search(forecaster: Forecaster, guess: float) -> Forecast:
        return find_lagrangian(forecaster, excess, guess, LAGRANGIANS, tolerance=0.02)

    guess = COARSENESS * 12.0**2
    if isinstance(goal, TargetPsnr):
        guess *= 255**2 * 10 ** (-goal.decibels / 10) / 12
    remaining = iter(starts)
    best = next(remaining)
    forecaster = Forecaster(best)
    forecast = search(forecaster, guess)
    for rival in remaining:
        challenger = Forecaster(rival)
        challenger(forecast.lagrangian)  # the first one only learns prices
        challenge = challenger(forecast.lagrangian)
        if challenge.objective < forecast.objective:
            best, forecaster = rival, challenger
            forecast = search(challenger, forecast.lagrangian)
        elif challenge.objective > (1 + HOPELESS) * forecast.objective:
            break
        del rival  # its memory, before the next one is prepared
    return Plan(best, forecaster.refined(forecast))


def _forecast_excess(
    forecast: Forecast, goal: Goal, distortion: Distortion, samples: int, overhead_bytes: float
) -> float:
    match goal:
        case TargetPsnr(decibels):
            return psnr(forecast.distortion, samples) - decibels - PSNR_MARGIN
        case TargetSize(limit):
            return math.log((forecast.bits / 8 + overhead_bytes) / limit) + SIZE_MARGIN
        case Lagrangian(value):
            return math.log(value / price(forecast, distortion, samples))


def price(forecast: Forecast, distortion: Distortion, samples: int) -> float:
    """λ in units of the distortion, where the forecast's is in units of squared error."""
    rms = math.sqrt(forecast.distortion / samples)
    return forecast.lagrangian * distortion.curvature_at(rms) / 2


def first_encoding(chosen: Plan, pursuit: Pursuit, workers: Workers) -> Encoding:
    """The plan's targets quantised: where the descent starts."""
    forecast, goal, targets = chosen.forecast, pursuit.goal, chosen.start.targets
    unit = price(forecast, pursuit.distortion, pursuit.planes.size) / forecast.lagrangian
    lagrangian = goal.value if isinstance(goal, Lagrangian) else unit * forecast.lagrangian
    return quantise(
        chosen.start.layout,
        targets,
        forecast.steps,
        forecast.prices,
        lagrangian,
        2 * unit,
        origin=targets,
        workers=workers,
    )


def descend(
    first: Encoding, objective: JpegObjective, pursuit: Pursuit, sweeps: int
) -> Iterator[tuple[Step[Encoding], Measured]]:
    """Measured steps: ``sweeps`` of them, and as many more as the goal needs to be met closely."""
    measure, goal = lru_cache(maxsize=1)(pursuit.measure), pursuit.goal
    method = DualAscent(first, lambda e: pursuit.excess(measure(e)), RESPONSES[type(goal)], sweeps)
    before = math.nan
    for step in iterate(objective, first, method, measure=lambda e: pursuit.score(measure(e))):
        measured = measure(step.params)
        yield step, measured
        landed = isinstance(goal, Lagrangian) or pursuit.close(measured)
        stuck = step.params.lagrangian == before
        if step.index >= sweeps and (landed or stuck or step.index >= sweeps + MAX_LANDING):
            return
        before = step.params.lagrangian
