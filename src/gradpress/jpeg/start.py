"""Where the descent starts: unquantised planes fitted to the decoder, and a first guess of λ.

Before anything is quantised, a gradient step finds the coefficients that look best *after the
decoder's upsampling*: chroma is not a mean of 2×2 pixels, and luma makes up for what subsampled
chroma cannot carry. What is left is the layout's own distortion, its floor. λ is then found on a
sample of the picture's rows, where trying one costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from gradpress.distortion import SquaredError
from gradpress.jpeg import model
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import (
    Encoding,
    JpegObjective,
    envelope_steps,
    quadratic,
    quantise,
    steps_for,
)
from gradpress.jpeg.params import Layout, Levels, Steps
from gradpress.jpeg.rate import (
    SymbolBits,
    cheapest_bits,
    typical_bits,
)
from gradpress.workers import SERIAL, Workers

T = TypeVar("T")

SAMPLE_PIXELS = 1 << 19
"""Pixels that λ is searched on, at most."""
STRIPE_ROWS = 16
"""Rows of a sampled stripe: whole MCUs in every layout."""


@dataclass(frozen=True)
class Start:
    """A picture in one layout, ready to be quantised; D is squared error here."""

    layout: Layout
    targets: Coefficients
    floor: float
    """D of the targets themselves: what no λ can go below."""
    workers: Workers


@dataclass(frozen=True)
class Forecast:
    """What a λ is expected to give, scaled from the sampled rows to the whole picture."""

    lagrangian: float
    """Of squared error."""
    distortion: float
    """Squared error."""
    bits: float
    steps: tuple[Steps, ...]
    prices: tuple[SymbolBits, ...]

    @property
    def objective(self) -> float:
        """J = D + λ·R."""
        return self.distortion + self.lagrangian * self.bits


def prepare(planes: model.Picture, layout: Layout, workers: Workers = SERIAL) -> Start:
    """Fit unquantised coefficients to ``(C, H, W)`` planes by a gradient step on squared error.

    One step takes most of what there is to gain; the sweeps of the descent find the rest. Without
    subsampling there is nothing to fit: the transform of the planes is exact.
    """
    targets = model.analyse(planes, layout, workers)
    if len(set(layout.factors)) == 1:
        return Start(layout, targets, 0.0, workers)
    objective = JpegObjective(layout, SquaredError(planes, workers), workers)
    distortion, slope = objective.slope(targets)
    fitted = objective.targets(targets, slope)
    del slope  # a picture's memory, not needed any more
    floor = objective.distortion.value(model.render(fitted, layout, workers).decoded)
    if floor < distortion:
        return Start(layout, fitted, floor, workers)
    return Start(layout, targets, distortion, workers)


def sampled(start: Start, share: float) -> tuple[Start, float]:
    """The start on evenly spaced stripes of rows, and how many times larger the picture is.

    The same rows in every layout. This share of the picture, but at least ``SAMPLE_PIXELS / 16``
    and at most ``SAMPLE_PIXELS`` pixels.
    """
    layout = start.layout
    stripes = layout.height // STRIPE_ROWS
    pixels = min(max(share * layout.width * layout.height, SAMPLE_PIXELS / 16), SAMPLE_PIXELS)
    wanted = max(1, round(pixels / (STRIPE_ROWS * layout.width)))
    if wanted >= stripes:
        return start, 1.0
    chosen = (np.arange(wanted) * stripes + stripes // 2) // wanted
    _, most = layout.max_factors
    targets = []
    for target, (_, down) in zip(start.targets, layout.factors, strict=True):
        block_rows = STRIPE_ROWS // 8 * down // most
        whole = target[: stripes * block_rows].reshape(stripes, block_rows, *target.shape[1:])
        targets.append(whole[chosen].reshape(-1, *target.shape[1:]))
    part = Layout(layout.width, STRIPE_ROWS * wanted, layout.factors)
    scale = layout.height / part.height
    return Start(part, tuple(targets), start.floor / scale, start.workers), scale


class Forecaster:
    """Forecasts from sampled rows of a start; remembers symbol prices from one λ to the next."""

    def __init__(self, start: Start, share: float) -> None:
        self._sample, self._scale = sampled(start, share)
        self._prices = (typical_bits(),) * len(start.targets)

    def __call__(self, lagrangian: float) -> Forecast:
        """Quantise the sample at λ with the steps that suit it."""
        return self._forecast(steps_for(lagrangian, 2.0, self._sample.layout), lagrangian)

    def refined(self, forecast: Forecast) -> Forecast:
        """The forecast after a choice of bands and a descent on the steps."""
        encoding = self._quantise(forecast.steps, forecast.lagrangian)
        self._prices = tuple(
            map(self._cheapest, range(len(encoding.prices)), encoding.symbols.levels)
        )
        encoding = self._quantise(forecast.steps, forecast.lagrangian)
        steps = envelope_steps(self._sample.targets, encoding)
        return self._forecast(steps, forecast.lagrangian)

    def _forecast(self, steps: tuple[Steps, ...], lagrangian: float) -> Forecast:
        encoding = self._quantise(steps, lagrangian)
        distortion = self._sample.floor + quadratic(self._sample.targets, encoding, 2.0)
        scale, prices = self._scale, encoding.prices
        return Forecast(lagrangian, scale * distortion, scale * encoding.bits, steps, prices)

    def _quantise(self, steps: tuple[Steps, ...], lagrangian: float) -> Encoding:
        sample = self._sample
        encoding = quantise(
            sample.layout,
            sample.targets,
            steps,
            self._prices,
            lagrangian,
            2.0,
            origin=sample.targets,
            workers=sample.workers,
        )
        self._prices = encoding.prices
        return encoding

    def _cheapest(self, component: int, levels: Levels) -> SymbolBits:
        sample = self._sample
        return cheapest_bits(levels, sample.layout, component, self._scale, sample.workers)


def find_lagrangian(
    forecast: Callable[[float], T],
    excess: Callable[[T], float],
    guess: float,
    bounds: tuple[float, float],
    *,
    tolerance: float,
    slope: float = -2.0,
    evaluations: int = 6,
) -> T:
    """What ``forecast`` gives at the λ where ``excess`` (falling in log λ) is nearly 0.

    A secant search in log λ that begins with ``slope``, held within ``bounds``; the nearest of
    those tried comes back.
    """
    low, high = np.log(bounds)
    x = float(np.clip(np.log(guess), low, high))
    best = here = forecast(float(np.exp(x)))
    y = least = excess(here)
    for _ in range(evaluations - 1):
        next_x = float(np.clip(x + np.clip(y / -slope, -2, 2), low, high))
        if abs(y) <= tolerance or next_x == x:
            break
        here = forecast(float(np.exp(next_x)))
        next_y = excess(here)
        seen = (next_y - y) / (next_x - x)
        slope = min(max(seen, 3 * slope), slope / 3)
        x, y = next_x, next_y
        if abs(y) < abs(least):
            best, least = here, y
    return best
