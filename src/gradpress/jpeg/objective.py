"""J = D + λ·R over JPEG encodings: the smooth part with its gradient, and the rate's proximal step.

What is descended on is an :class:`Encoding`: levels and steps, the prices of symbols that were
counted on them, and λ. The distortion's gradient by the decoded coefficients comes from the
decoder's adjoint; the rate is not differentiated but met exactly by the trellis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradpress.descent import Evaluation, Terms
from gradpress.distortion import Distortion
from gradpress.jpeg import model, trellis
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.params import Layout, Levels, Steps, Symbols
from gradpress.jpeg.rate import (
    SymbolBits,
    count,
    ideal_bits,
    scan_order,
    total_bits,
)
from gradpress.transform import Blocks, dequantise
from gradpress.workers import SERIAL, Workers

COARSENESS = 0.27
"""λ / step² of squared error: fine steps and much zeroing. Fitted on Kodak 5, 13, 19, 23 over
0.2…3 bpp; flat from 0.2 to 0.35, and other steps by frequency gain nothing (``notes/``)."""


@dataclass(frozen=True, eq=False)
class Encoding:
    """A point of the descent. Two encodings are equal when they are the same object."""

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
    stride: float
    """Part of a step to the quadratic's minimum that is safe."""


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
        return Evaluation(
            distortion + encoding.lagrangian * encoding.bits, distortion, slope, terms
        )

    def slope(self, coefficients: Coefficients) -> tuple[float, Slope]:
        """D and its slope at coefficients that need not be on any lattice."""
        rendering = model.render(coefficients, self.layout, self.workers)
        samples, decoded = rendering.samples, rendering.decoded
        curvature = self.distortion.curvature(decoded)
        distortion, by_sample = self.distortion.value_and_gradient(decoded)
        del rendering, decoded  # a picture's memory, not needed any more
        gradient = model.pull_back(samples, by_sample, self.layout, self.workers)
        return distortion, Slope(gradient, curvature, self.distortion.stride)

    def prox(self, encoding: Encoding, slope: Slope, rate: float = 1.0) -> Encoding:
        """The encoding of least ⟨gradient, Δ⟩ + curvature / (2 rate) |A Δ|² + λ·R, A the decoder.

        Component by component, chroma first: luma's share is exact given chroma's.
        """
        origin = dequantised(encoding.symbols, self.workers)
        return quantise(
            self.layout,
            self.targets(origin, slope, rate),
            encoding.symbols.steps,
            encoding.prices,
            encoding.lagrangian,
            slope.curvature / rate,
            origin=origin,
            workers=self.workers,
        )

    def targets(self, coefficients: Coefficients, slope: Slope, rate: float = 1.0) -> Coefficients:
        """Where a gradient step, scaled by the diagonal curvature, leads."""
        gains = model.gain(self.layout)
        return tuple(
            c - g * (np.float32(rate * slope.stride / slope.curvature) / gain)
            for c, g, gain in zip(coefficients, slope.gradient, gains, strict=True)
        )


def quantise(
    layout: Layout,
    targets: Coefficients,
    steps: tuple[Steps, ...],
    prices: tuple[SymbolBits, ...],
    lagrangian: float,
    curvature: float,
    *,
    origin: Coefficients,
    workers: Workers = SERIAL,
) -> Encoding:
    """argmin Σ ½ curvature · gain · (level · step - target)² + λ · bits, at these prices.

    ``curvature`` is the distortion's by decoded sample. ``origin`` are the coefficients where the
    targets' gradient was taken: luma's target follows chroma's move away from there. Prices and
    bits are counted anew.
    """
    gains = model.gain(layout)
    orders = [scan_order(layout, i) for i in range(len(targets))]

    def one(i: int, target: Blocks) -> Levels:
        return trellis.quantise(
            target, (np.float32(curvature) * gains[i]).reshape(1, 1, 64),
            steps[i].astype(np.float32), prices[i], lagrangian, orders[i].ravel(),
            layout.own_blocks(i), workers,
        )  # fmt: skip

    chroma = [one(i, targets[i]) for i in range(1, len(targets))]
    luma = targets[0]
    if chroma:
        cb, cr = (
            dequantise(levels, steps[i].astype(np.float32), workers) - origin[i]
            for i, levels in enumerate(chroma, 1)
        )
        luma = luma - model.chroma_in_luma((cb, cr), layout, workers) / gains[0]
    return counted(layout, steps, (one(0, luma), *chroma), prices, lagrangian, workers)


def counted(
    layout: Layout,
    steps: tuple[Steps, ...],
    levels: tuple[Levels, ...],
    prices: tuple[SymbolBits, ...],
    lagrangian: float,
    workers: Workers = SERIAL,
) -> Encoding:
    """The encoding of these levels: bits and prices by counting, in the bands of ``prices``."""
    counts = [
        count(levels[i], scan_order(layout, i), layout.own_blocks(i), prices[i].layout, workers)
        for i in range(len(levels))
    ]
    new_prices, bits = tuple(map(ideal_bits, counts)), sum(map(total_bits, counts))
    return Encoding(Symbols(layout, steps, levels), new_prices, bits, lagrangian)


def mixed(first: Encoding, second: Encoding, share: float, workers: Workers = SERIAL) -> Encoding:
    """Two encodings with the same steps: ``share`` of the blocks, evenly spread, from the second.

    A larger share keeps what a smaller one took.
    """
    levels = tuple(
        _either(_places(a.shape[:2]) < share, b, a, workers)
        for a, b in zip(first.symbols.levels, second.symbols.levels, strict=True)
    )
    symbols = first.symbols
    return counted(symbols.layout, symbols.steps, levels, first.prices, first.lagrangian, workers)


def _either(where: NDArray[np.bool_], first: Levels, second: Levels, workers: Workers) -> Levels:
    """The blocks of one where it is said, of the other elsewhere."""
    blocks = np.empty_like(first)

    def run(begin: int, end: int) -> None:
        rows = slice(begin, end)
        blocks[rows] = np.where(where[rows, :, np.newaxis], first[rows], second[rows])

    workers.stripes(len(blocks), run)
    return blocks


def _places(shape: tuple[int, int]) -> NDArray[np.float64]:
    """A number in [0, 1) for every block, evenly spread over any part of the picture.

    Multiples of the plastic number's inverse and of its square (M. Roberts, "The Unreasonable
    Effectiveness of Quasirandom Sequences", 2018).
    """
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((0.7548776662 * rows + 0.5698402910 * columns) % 1)


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
        least_squares_steps(target, levels, steps, minimum_count=minimum_count)
        for target, levels, steps in zip(
            targets, encoding.symbols.levels, encoding.symbols.steps, strict=True
        )
    )


def least_squares_steps(
    target: Blocks,
    levels: Levels,
    steps: Steps,
    strength: NDArray[np.float32] | None = None,
    minimum_count: int = 8,
    workers: Workers = SERIAL,
) -> Steps:
    """Whole steps of least Σ strength · (level · step - target)², one strength a block."""

    def sums(begin: int, end: int) -> NDArray[np.float64]:
        """Of level², strength · level² and strength · level · target, ``(3, 64)``."""
        n = levels[begin:end].astype(np.float32)
        weighted = n if strength is None else n * strength[begin:end, :, np.newaxis]
        pairs = ((n, n), (weighted, n), (weighted, target[begin:end]))
        return np.array([np.einsum("rck,rck->k", *pair) for pair in pairs], np.float64)

    energy, weighted, overlap = np.sum(workers.stripes(len(levels), sums), axis=0)
    best = np.clip(np.rint(overlap / np.maximum(weighted, 1e-9)), 1, 255)
    return np.where(energy >= minimum_count, best, steps).astype(np.uint8)


def quadratic(targets: Coefficients, encoding: Encoding, curvature: float) -> float:
    """½ curvature |A (levels · steps - targets)|², A the decoder: D above the targets' own."""
    layout = encoding.symbols.layout
    errors = tuple(c - t for c, t in zip(dequantised(encoding.symbols), targets, strict=True))
    total = sum(
        float(np.einsum("rck,rck->k", error, error).astype(float) @ gain)
        for error, gain in zip(errors, model.gain(layout), strict=True)
    )
    if len(errors) > 1:
        crossed = model.chroma_in_luma((errors[1], errors[2]), layout)
        total += 2 * float(np.einsum("rck,rck->k", errors[0], crossed).astype(float).sum())
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
