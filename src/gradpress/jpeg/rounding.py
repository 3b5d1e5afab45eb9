"""An ordinary encoder as a function of its quantisation tables: every coefficient is rounded.

J = D + λ·R of such a file, and its slope by log-step: what tables are learned by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradpress.distortion import Picture
from gradpress.distortion.recipes import Recipe
from gradpress.jpeg import model
from gradpress.jpeg.params import Layout, Levels
from gradpress.jpeg.rate import SymbolCounts, count, ideal_bits, scan_order
from gradpress.jpeg.visibility import visibility
from gradpress.transform import Blocks

LogSteps = NDArray[np.float64]
"""``(2, 64)``: natural logarithms of luma's and chroma's steps, zigzag order."""

ZEROS = 0.5
"""Part of the slope at coefficients that are rounded to 0."""
STRIDE = 0.1
"""Change of a log-step over which the rate's slope is taken."""


@dataclass(frozen=True)
class Valuation:
    """J of one picture, by pixel, and ∂J/∂log-step."""

    distortion: float
    bits: float
    value: float
    slope: LogSteps


def valued(
    planes: Picture, layout: Layout, recipe: Recipe, steps: NDArray[np.float64], lagrangian: float
) -> Valuation:
    """J for ``(2, 64)`` steps, whole or not, and its slope.

    A rounding error grows with its step: ∂D/∂log q = Σ ∂D/∂c · (c - target). Of zeros only those
    near the threshold answer, and ZEROS of it counts. R's slope is a difference under the
    symbols' present prices. Both agree with differences of J (``notes/learning.md``).
    """
    targets = model.analyse(planes, layout)
    tables = [steps[min(i, 1)].astype(np.float32) for i in range(len(targets))]
    levels = [np.rint(t / q).astype(np.int16) for t, q in zip(targets, tables, strict=True)]
    decoded = tuple(n * q for n, q in zip(levels, tables, strict=True))
    rendering = model.render(decoded, layout)
    distortion, by_pixel = recipe.blend(planes).value_and_gradient(rendering.decoded)
    gradient = model.pull_back(rendering.samples, by_pixel, layout)
    visible = visibility(planes, layout, recipe.sight)
    bits, slope = 0.0, np.zeros((2, 64))
    for i, (target, coefficients) in enumerate(zip(targets, decoded, strict=True)):
        error = coefficients - target
        distortion += recipe.anchor * visible.error(i, error)
        pull = gradient[i] + recipe.anchor * visible.weights(i) * error
        slope[min(i, 1)] += np.einsum(
            "rck,rck->k", pull, np.where(levels[i] == 0, ZEROS, 1) * error
        )
        counts = count(levels[i], scan_order(layout, i), layout.own_blocks(i))
        bits += _bits(counts)
        slope[min(i, 1)] += lagrangian * _rate_slope(target, tables[i], levels[i], counts)
    pixels = layout.width * layout.height
    value = distortion + lagrangian * bits
    return Valuation(distortion / pixels, bits / pixels, value / pixels, slope / pixels)


def _bits(counts: SymbolCounts) -> float:
    bits = ideal_bits(counts)
    return float(counts.dc @ bits.dc + counts.bands[0].symbols @ bits.bands[0].symbols)


def _rate_slope(
    target: Blocks, steps: NDArray[np.float32], levels: Levels, counts: SymbolCounts
) -> NDArray[np.float64]:
    """∂bits/∂log-step: of AC by what sizes cost in the mean, of DC a bit for every doubling."""
    costs = _size_costs(counts)
    finer, coarser = (
        costs[_sizes(target / (steps * np.float32(np.exp(move))))].sum(axis=(0, 1))
        for move in (-STRIDE, STRIDE)
    )
    slope = (coarser - finer) / (2 * STRIDE)
    slope[0] = -np.count_nonzero(np.diff(levels[..., 0].ravel())) / np.log(2)
    return np.asarray(slope)


def _size_costs(counts: SymbolCounts) -> NDArray[np.float64]:
    """``(16,)``: bits of a level by size, its run of zeros included; of a zero none."""
    symbols, prices = counts.bands[0].symbols, ideal_bits(counts).bands[0].symbols
    by_size = symbols.reshape(16, 16)
    spent = (by_size * prices.reshape(16, 16)).sum(axis=0)
    seen = by_size.sum(axis=0)
    unseen = prices.reshape(16, 16).min(axis=0)
    costs = (spent + unseen) / (seen + 1)
    costs[0] = 0.0
    return np.asarray(costs)


def _sizes(levels: Blocks) -> NDArray[np.int64]:
    """Bits of the rounded magnitude (T.81, table F.2)."""
    _, exponents = np.frexp(np.rint(np.abs(levels)))
    return np.minimum(exponents, 15).astype(np.int64)
