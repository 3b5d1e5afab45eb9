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
from gradpress.jpeg.params import Steps
from gradpress.jpeg.start import (
    Forecast,
    Forecaster,
    Start,
    find_lagrangian,
)

LAGRANGIANS = (1e-3, COARSENESS * 255**2 * 64)
"""λ of squared error below which no bit is saved any more, and above which every bit is."""
PSNR_MARGIN = 0.012
"""dB aimed above a target, for no measurement may fall below it."""
SIZE_MARGIN = 0.004
"""Fraction of the bytes aimed below a target."""
HOPELESS = 0.03
"""Fraction by which 4:4:4 may lose to 4:2:0 in J for 4:2:2, between them, to be tried."""
MAX_LANDING = 8
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
class Sensitivity:
    """How much an excess answers to log λ, on ordinary photographs: negative."""

    scaled: float
    """When the steps move with √λ."""
    priced: float
    """When they stay and only the choice of levels changes."""


SENSITIVITIES: dict[type[Goal], Sensitivity] = {
    TargetPsnr: Sensitivity(-2.2, -0.75),
    TargetSize: Sensitivity(-0.5, -0.15),
    Lagrangian: Sensitivity(-1.0, -1.0),
}


@dataclass(frozen=True)
class Aim:
    """Where a gradient step led: what is still quantised anew, at other λ, when the descent is over."""

    origin: Coefficients
    targets: Coefficients
    curvature: float


@dataclass(frozen=True)
class DualState:
    """What dual ascent remembers of the encoding before."""

    index: int = 0
    aim: Aim | None = None
    log_lagrangian: float = 0.0
    excess: float = math.inf
    priced: bool = False
    """Whether the way here kept the steps."""


@dataclass(frozen=True)
class DualAscent:
    """Proximal gradient steps at a λ that follows the goal's excess.

    Far from the goal λ and the steps move together; near it λ alone, by a secant, unless that
    did not help. After ``sweeps`` steps the targets stay as they are: what follows only lands.
    """

    excess: Callable[[Encoding], float]
    sensitivity: Sensitivity
    sweeps: int

    def init(self, encoding: Encoding) -> DualState:  # noqa: ARG002
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
        aim, landing = state.aim, state.index >= self.sweeps
        if aim is None or not landing:
            origin = dequantised(encoding.symbols, objective.workers)
            slope = evaluation.gradient
            aim = Aim(origin, objective.targets(origin, slope), slope.curvature)
        here, excess = math.log(encoding.lagrangian), self.excess(encoding)
        stuck = landing and state.priced and excess / state.excess > 0.7
        one_step = 2 * math.log1p(1 / float(encoding.symbols.steps[0][0]))
        near = abs(excess) <= 0.6 * one_step * -self.sensitivity.scaled
        priced = near and not stuck
        answer = self.sensitivity.priced if priced else self.sensitivity.scaled
        if landing and priced and state.priced:
            answer = self._seen(here - state.log_lagrangian, excess - state.excess)
        move = float(np.clip(excess / -answer, -1.5, 1.5))
        low, high = (aim.curvature / 2 * bound for bound in LAGRANGIANS)
        lagrangian = float(np.clip(encoding.lagrangian * math.exp(move), low, high))
        steps = encoding.symbols.steps if priced else scaled_steps(encoding.symbols.steps, move)
        following = quantise(
            objective.layout,
            aim.targets,
            steps,
            encoding.prices,
            lagrangian,
            aim.curvature,
            origin=aim.origin,
            workers=objective.workers,
        )
        return following, DualState(state.index + 1, aim, here, excess, priced)

    def _seen(self, moved: float, changed: float) -> float:
        """The sensitivity seen since the encoding before, kept likely."""
        usual = self.sensitivity.priced
        return float(np.clip(changed / moved, 3 * usual, usual / 3)) if moved else usual


def scaled_steps(steps: tuple[Steps, ...], move: float) -> tuple[Steps, ...]:
    """Steps that follow a change of log λ, going with √λ.

    Rounding goes up or down by a fixed pattern over frequencies, so that in the mean even a
    change by less than one is made.
    """
    factor = math.exp(move / 2)
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


def descend(
    chosen: Plan, objective: JpegObjective, pursuit: Pursuit, sweeps: int
) -> Iterator[tuple[Step[Encoding], Measured]]:
    """Measured steps: ``sweeps`` of them, and as many more as the goal needs to be met closely."""
    measure = lru_cache(maxsize=2)(pursuit.measure)
    forecast, goal = chosen.forecast, pursuit.goal
    unit = price(forecast, objective.distortion, pursuit.planes.size) / forecast.lagrangian
    lagrangian = goal.value if isinstance(goal, Lagrangian) else unit * forecast.lagrangian
    targets = chosen.start.targets
    first = quantise(
        objective.layout,
        targets,
        forecast.steps,
        forecast.prices,
        lagrangian,
        2 * unit,
        origin=targets,
        workers=objective.workers,
    )
    method = DualAscent(lambda e: pursuit.excess(measure(e)), SENSITIVITIES[type(goal)], sweeps)
    for step in iterate(objective, first, method, measure=lambda e: pursuit.score(measure(e))):
        measured = measure(step.params)
        yield step, measured
        landed = isinstance(goal, Lagrangian) or pursuit.close(measured)
        if step.index >= sweeps and (landed or step.index >= sweeps + MAX_LANDING):
            return
