"""Where the descent starts: unquantised planes fitted to the decoder, and a first guess of λ.

Before anything is quantised, a few gradient steps find the coefficients that look best *after the
decoder's upsampling*: chroma is not a mean of 2×2 pixels, and luma makes up for what subsampled
chroma cannot carry. What is left is the layout's own distortion, its floor. λ is then found on a
sample of the picture's rows, where trying one costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradpress.jpeg import model
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import (
    Encoding,
    JpegObjective,
    envelope_steps,
    quadratic,
    steps_for,
)
from gradpress.jpeg.params import Layout, Steps
from gradpress.jpeg.rate import SymbolBits, typical_bits

SAMPLE_BLOCKS = 8192
"""Luma blocks that λ is searched on: half a megapixel, or the whole of a smaller picture's quarter."""


@dataclass(frozen=True)
class Start:
    """A picture in one layout, ready to be quantised."""

    objective: JpegObjective
    targets: Coefficients
    floor: float
    """D of the targets themselves: what no λ can go below."""
    curvature: float


@dataclass(frozen=True)
class Forecast:
    """What a λ is expected to give, scaled from the sampled rows to the whole picture."""

    lagrangian: float
    distortion: float
    bits: float
    steps: tuple[Steps, ...]
    prices: tuple[SymbolBits, ...]

    @property
    def objective(self) -> float:
        """J = D + λ·R."""
        return self.distortion + self.lagrangian * self.bits


def prepare(objective: JpegObjective, planes: model.Picture, refinements: int) -> Start:
    """Fit unquantised coefficients to ``(C, H, W)`` planes by ``refinements`` gradient steps."""
    targets = model.analyse(planes, objective.layout, objective.workers)
    distortion, slope = objective.slope(targets)
    for _ in range(refinements if any(f != objective.layout.max_factors for f in objective.layout.factors) else 0):
        candidate = objective.targets(targets, slope)
        fitted, next_slope = objective.slope(candidate)
        if not fitted < distortion:
            break
        targets, distortion, slope = candidate, fitted, next_slope
    return Start(objective, targets, distortion, slope.curvature)


def sampled(start: Start) -> tuple[Start, float]:
    """The start on evenly spaced rows of MCUs, and how many times larger the picture is."""
    layout = start.objective.layout
    rows, columns = layout.mcus
    h, v = layout.max_factors
    wanted = max(1, min(rows, max(rows // 4, 8), SAMPLE_BLOCKS // (h * v * columns)))
    chosen = (np.arange(wanted) * rows + rows // 2) // wanted
    if wanted == rows:
        return start, 1.0
    part = Layout(layout.width, 8 * v * wanted, layout.factors)
    targets = tuple(
        np.ascontiguousarray(
            t.reshape(rows, factor_v, *t.shape[1:])[chosen].reshape(-1, *t.shape[1:])
        )
        for t, (_, factor_v) in zip(start.targets, layout.factors, strict=True)
    )
    objective = JpegObjective(part, start.objective.distortion, start.objective.workers)
    return Start(objective, targets, start.floor * wanted / rows, start.curvature), rows / wanted


class Forecaster:
    """Forecasts for one start; remembers symbol prices from one λ to the next."""

    def __init__(self, start: Start) -> None:
        self._sample, self._scale = sampled(start)
        self._prices = (typical_bits(),) * len(start.targets)

    def __call__(self, lagrangian: float, *, fit_steps: bool = False) -> Forecast:
        """Quantise the sample at λ; with ``fit_steps``, descend on the steps too."""
        sample, layout = self._sample, self._sample.objective.layout
        steps = steps_for(lagrangian, sample.curvature, layout)
        encoding = self._quantise(steps, lagrangian)
        if fit_steps:
            encoding = self._quantise(envelope_steps(sample.targets, encoding), lagrangian)
        distortion = sample.floor + quadratic(sample.targets, encoding, sample.curvature)
        scale = self._scale
        return Forecast(
            lagrangian, scale * distortion, scale * encoding.bits, encoding.symbols.steps, encoding.prices
        )

    def _quantise(self, steps: tuple[Steps, ...], lagrangian: float) -> Encoding:
        sample = self._sample
        encoding = sample.objective.quantise(
            sample.targets, steps, self._prices, lagrangian, sample.curvature
        )
        self._prices = encoding.prices
        return encoding


def find_lagrangian(
    forecast: Callable[[float], Forecast],
    excess: Callable[[Forecast], float],
    guess: float,
    bounds: tuple[float, float],
    tolerance: float,
    evaluations: int = 6,
) -> tuple[float, float]:
    """λ at which ``excess`` (falling in log λ) is nearly 0, and its slope there by log λ.

    A secant search in log λ, held within ``bounds``.
    """
    low, high = np.log(bounds)
    x = float(np.clip(np.log(guess), low, high))
    y = excess(forecast(float(np.exp(x))))
    slope = 0.0
    for _ in range(evaluations):
        step = y / -slope if slope < 0 else (0.7 if y > 0 else -0.7)
        next_x = float(np.clip(x + np.clip(step, -2, 2), low, high))
        if abs(y) <= tolerance and slope < 0 or abs(next_x - x) < 1e-6:
            break
        next_y = excess(forecast(float(np.exp(next_x))))
        secant = (next_y - y) / (next_x - x)
        slope = secant if secant < 0 else slope
        x, y = next_x, next_y
    return float(np.exp(x)), slope
