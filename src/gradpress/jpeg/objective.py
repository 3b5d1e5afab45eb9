"""J = D + λ·R over JPEG encodings: the smooth part with its gradient, and the rate's proximal step.

What is descended on is an :class:`Encoding`: levels and steps, the prices of symbols that were
counted on them, and λ. The distortion's gradient by the decoded coefficients comes from the
decoder's adjoint; the rate is not differentiated but met exactly by the trellis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradpress.descent import Evaluation, Terms
from gradpress.distortion import Distortion
from gradpress.jpeg import model, trellis
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.params import Layout, Levels, Steps, Symbols
from gradpress.jpeg.rate import SymbolBits, count, ideal_bits, scan_order, total_bits
from gradpress.transform import Blocks, dequantise
from gradpress.workers import SERIAL, Workers

COARSENESS = 0.27
"""λ / step² of squared error: fine steps and much zeroing. Fitted on Kodak 5, 13, 19, 23 over
0.2…3 bpp (``notes/squared-error.md``); flat from 0.2 to 0.35, and per frequency nothing is gained."""


@dataclass(frozen=True)
class Encoding:
    """A point of the descent."""

    symbols: Symbols
    prices: tuple[SymbolBits, ...]
    """Bits by symbol, counted on these levels."""
    bits: float
    """Estimated length of the entropy-coded data."""
    lagrangian: float
    """λ, in units of D per bit."""


@dataclass(frozen=True)
class Slope:
    """D around an encoding: D + ⟨gradient, Δc⟩ + ½ curvature · gain · Δc²."""

    gradient: Coefficients
    """∂D/∂coefficients."""
    curvature: float
    """∂²D by decoded sample, in the mean."""


@dataclass(frozen=True)
class JpegObjective:
    """The objective of one picture in one layout."""

    layout: Layout
    distortion: Distortion
    workers: Workers = SERIAL

    def evaluate(self, encoding: Encoding) -> Evaluation[Slope]:
        """J and its terms, and the distortion's slope."""
        coefficients = dequantised(encoding.symbols, self.workers)
        distortion, slope = self.slope(coefficients)
        terms = Terms(distortion=distortion, bits=encoding.bits)
        return Evaluation(distortion + encoding.lagrangian * encoding.bits, distortion, slope, terms)

    def slope(self, coefficients: Coefficients) -> tuple[float, Slope]:
        """D and its slope at coefficients that need not be on any lattice."""
        rendering = model.render(coefficients, self.layout, self.workers)
        curvature = self.distortion.curvature(rendering.decoded)
        distortion, by_sample = self.distortion.value_and_gradient(rendering.decoded)
        gradient = model.pull_back(rendering.samples, by_sample, self.layout, self.workers)
        return distortion, Slope(gradient, curvature)

    def prox(self, encoding: Encoding, slope: Slope, rate: float = 1.0) -> Encoding:
        """The encoding that minimises the slope's quadratic (curvature / rate) plus λ·R.

        Exact for given prices; prices and bits are counted anew on the result.
        """
        targets = self.targets(dequantised(encoding.symbols, self.workers), slope, rate)
        curvature = slope.curvature / rate
        return self.quantise(targets, encoding.symbols.steps, encoding.prices, encoding.lagrangian, curvature)

    def targets(self, coefficients: Coefficients, slope: Slope, rate: float = 1.0) -> Coefficients:
        """Where a gradient step, scaled by the diagonal curvature, leads."""
        gains = model.gain(self.layout)
        return tuple(
            c - g * (np.float32(rate / slope.curvature) / gain)
            for c, g, gain in zip(coefficients, slope.gradient, gains, strict=True)
        )

    def quantise(
        self,
        targets: Coefficients,
        steps: tuple[Steps, ...],
        prices: tuple[SymbolBits, ...],
        lagrangian: float,
        curvature: float,
    ) -> Encoding:
        """The encoding nearest the targets in J, at these prices."""
        gains = model.gain(self.layout)
        levels, counts = [], []
        for i, target in enumerate(targets):
            order = scan_order(self.layout, i)
            levels.append(
                trellis.quantise(
                    target, np.float32(curvature) * gains[i], steps[i].astype(np.float32), prices[i],
                    lagrangian, order.ravel(), self.layout.own_blocks(i), self.workers,
                )  # fmt: skip
            )
            counts.append(count(levels[i], order, self.workers))
        new_prices = tuple(map(ideal_bits, counts))
        bits = sum(map(total_bits, counts, new_prices))
        return Encoding(Symbols(self.layout, steps, tuple(levels)), new_prices, bits, lagrangian)


def envelope_steps(
    targets: Coefficients, encoding: Encoding, minimum_count: int = 8
) -> tuple[Steps, ...]:
    """Steps descended to the bottom of the envelope slope, on whole numbers.

    With levels n at their optimum, ∂J/∂log q = q Σ h (n q - t) n for targets t (the envelope
    theorem): quadratic in q for given levels and least at Σ t n / Σ n². Rounding that to the
    nearest legal step is the best whole step, so D falls or stays and R does not change.
    Frequencies with few nonzero levels keep their step.
    """
    return tuple(
        _least_squares_steps(target, levels, steps, minimum_count)
        for target, levels, steps in zip(
            targets, encoding.symbols.levels, encoding.symbols.steps, strict=True
        )
    )


def _least_squares_steps(target: Blocks, levels: Levels, steps: Steps, minimum_count: int) -> Steps:
    n = levels.reshape(-1, 64).astype(np.float32)
    energy = np.einsum("bk,bk->k", n, n)
    overlap = np.einsum("bk,bk->k", n, target.reshape(-1, 64))
    best = np.clip(np.rint(overlap / np.maximum(energy, 1)), 1, 255)
    return np.where(energy >= minimum_count, best, steps).astype(np.uint8)


def quadratic(targets: Coefficients, encoding: Encoding, curvature: float) -> float:
    """Σ ½ curvature · gain · (level · step - target)²: D above the targets' own, to second order."""
    gains = model.gain(encoding.symbols.layout)
    total = 0.0
    for target, coefficients, gain in zip(
        targets, dequantised(encoding.symbols), gains, strict=True
    ):
        error = (coefficients - target).reshape(-1, 64)
        total += float(np.einsum("bk,bk->k", error, error).astype(float) @ gain)
    return 0.5 * curvature * total


def dequantised(symbols: Symbols, workers: Workers = SERIAL) -> Coefficients:
    """Coefficients ``level × step``."""
    return tuple(
        dequantise(levels, steps.astype(np.float32), workers)
        for levels, steps in zip(symbols.levels, symbols.steps, strict=True)
    )


def steps_for(lagrangian: float, curvature: float, layout: Layout) -> tuple[Steps, ...]:
    """Steps that suit λ: the same error energy from every coefficient, on the decoded picture.

    ``curvature`` is the distortion's by decoded sample (2 for squared error). Cb and Cr share
    their steps: a table of its own would cost 65 bytes and gain nothing (``notes/``).
    """
    base = np.sqrt(2 / curvature * lagrangian / COARSENESS)
    luma, *chroma = model.gain(layout)
    gains = [luma] + [np.sqrt(chroma[0] * chroma[1])] * 2 if chroma else [luma]
    return tuple(
        np.clip(np.rint(base * np.sqrt(luma[0] / gain)), 1, 255).astype(np.uint8) for gain in gains
    )
