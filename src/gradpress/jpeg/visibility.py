"""How well errors are seen, coefficient by coefficient: the quadratic model of perceptual losses.

An error in a coefficient is weighted by what its block hides (visual masking: busy surroundings
hide errors) and by its frequency. The weights are good for three things: the steps of the tables,
the trellis that quantises, and the scale of a gradient step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.color import luma_of
from gradpress.jpeg import model
from gradpress.jpeg.params import ZIGZAG, Layout
from gradpress.transform import Blocks, pad_to_blocks
from gradpress.workers import SERIAL, Workers

Profile = NDArray[np.floating]
"""``(64,)`` by frequency, in zigzag order."""

NOISE = 6.0
"""Standard deviation, in samples, that is added to the local one."""
LEAST = 1e-3
"""Importance that every pixel has for the quantiser: weights of 0 would have no best step."""
ORDINARY = 10.0
"""Standard deviation plus NOISE where weights are 1."""


@dataclass(frozen=True)
class Sight:
    """How a loss weighs errors, in three numbers; the defaults suit the perceptual loss."""

    masking: float = 0.6
    """Weights fall with this power of the local standard deviation."""
    detail: float = 0.7
    """Luma's frequencies, from 0 (all alike) to 1 (as SSIMULACRA2 weighs them)."""
    chroma_detail: float = 0.57
    """The same of chroma's."""
    chroma: float = 0.3
    """Weight of chroma's low frequencies for each pixel of a sample; luma's mean is 1."""


# fmt: off
_SEEN = np.array([  # Y, Cb, Cr
    [[11.2, 6.39, 0.75, 1.38, 0.44, 0.88, 0.47, 0.65],
     [6.39, 5.36, 0.75, 1.28, 0.44, 0.83, 0.47, 0.60],
     [0.75, 0.75, 0.72, 0.67, 0.44, 0.52, 0.47, 0.42],
     [1.38, 1.28, 0.67, 0.69, 0.43, 0.53, 0.45, 0.44],
     [0.44, 0.44, 0.44, 0.43, 0.42, 0.42, 0.41, 0.40],
     [0.88, 0.83, 0.52, 0.53, 0.42, 0.46, 0.43, 0.42],
     [0.47, 0.47, 0.47, 0.45, 0.41, 0.43, 0.41, 0.39],
     [0.65, 0.60, 0.42, 0.44, 0.40, 0.42, 0.39, 0.40]],
    [[28.7, 4.03, 0.73, 0.85, 0.18, 0.26, 0.10, 0.09],
     [4.03, 2.95, 0.63, 0.68, 0.09, 0.23, 0.09, 0.09],
     [0.73, 0.63, 0.43, 0.33, 0.09, 0.09, 0.07, 0.03],
     [0.85, 0.68, 0.33, 0.21, 0.07, 0.11, 0.05, 0.04],
     [0.18, 0.09, 0.09, 0.07, 0.06, 0.04, 0.03, 0.02],
     [0.26, 0.23, 0.09, 0.11, 0.04, 0.04, 0.03, 0.02],
     [0.10, 0.09, 0.07, 0.05, 0.03, 0.03, 0.02, 0.01],
     [0.09, 0.09, 0.03, 0.04, 0.02, 0.02, 0.01, 0.01]],
    [[7.50, 4.19, 2.08, 1.82, 0.40, 0.64, 0.37, 0.23],
     [4.19, 3.69, 1.93, 1.56, 0.36, 0.60, 0.30, 0.20],
     [2.08, 1.93, 1.52, 1.15, 0.29, 0.48, 0.27, 0.16],
     [1.82, 1.56, 1.15, 0.82, 0.24, 0.36, 0.20, 0.13],
     [0.40, 0.36, 0.29, 0.24, 0.19, 0.14, 0.11, 0.09],
     [0.64, 0.60, 0.48, 0.36, 0.14, 0.14, 0.10, 0.07],
     [0.37, 0.30, 0.27, 0.20, 0.11, 0.10, 0.07, 0.06],
     [0.23, 0.20, 0.16, 0.13, 0.09, 0.07, 0.06, 0.04]],
])
# fmt: on
"""Mean curvature of SSIMULACRA2 by frequency, chroma at 4:2:0, on photographs at medium quality:
Hutchinson's estimate, v · (∇D(c + v) - ∇D(c - v)) / 2 |v|² for random signs (``notes/``)."""


@dataclass(frozen=True)
class Visibility:
    """½ Σ weight · Δcoefficient² stands for the loss; weight = strength × profile."""

    strengths: tuple[NDArray[np.float32], ...]
    """``(block_rows, block_columns)`` by component: how little a block hides."""
    profiles: tuple[Profile, ...]
    """By component: how well a frequency is seen."""
    stiffness: tuple[Profile, ...]
    """The profiles that gradient steps are scaled by: no less than SSIMULACRA2's."""

    def weights(self, component: int, workers: Workers = SERIAL) -> Blocks:
        """Weights of all coefficients of a component."""
        strength, profile = self.strengths[component], self.profiles[component]
        weights = np.empty((*strength.shape, 64), np.float32)

        def run(begin: int, end: int) -> None:
            np.multiply(strength[begin:end, :, np.newaxis], profile, out=weights[begin:end])

        workers.stripes(len(strength), run)
        return weights

    def error(self, component: int, difference: Blocks, begin: int = 0) -> float:
        """½ Σ weight · difference², of all block rows or of some from ``begin`` on."""
        strength = self.strengths[component][begin : begin + len(difference)]
        by_block = np.einsum("rck,rck,k->rc", difference, difference, self.profiles[component])
        return 0.5 * float(np.vdot(by_block, strength))


def visibility(
    planes: NDArray[np.float32],
    layout: Layout,
    sight: Sight,
    workers: Workers = SERIAL,
    importance: NDArray[np.float32] | None = None,
) -> Visibility:
    """For a picture ``(C, H, W)`` in [0, 255], whose pixels may differ in importance ``(H, W)``."""
    exposure = _exposure(planes, sight.masking, workers)
    if importance is not None:
        exposure *= np.maximum(importance, LEAST)
    strengths = tuple(_by_block(exposure, layout, i) for i in range(len(layout.factors)))
    profiles = tuple(_profile(layout, i, sight) for i in range(len(layout.factors)))
    stiffness = tuple(stiffness_of(layout, i, profile) for i, profile in enumerate(profiles))
    return Visibility(strengths, profiles, stiffness)


def evenly(layout: Layout, curvature: float) -> Visibility:
    """Weights of a loss that sees all errors alike, with so much curvature by decoded sample."""
    profiles = tuple(np.float32(curvature) * gain for gain in model.gain(layout))
    components = range(len(profiles))
    strengths = tuple(np.ones(layout.blocks(i), np.float32) for i in components)
    return Visibility(strengths, profiles, profiles)


def _exposure(planes: NDArray[np.float32], masking: float, workers: Workers) -> NDArray[np.float32]:
    """``((local deviation + NOISE) / ORDINARY) ** -masking`` of luma, by pixel."""
    luma = luma_of(planes)
    mean, square = np.empty_like(luma), np.empty_like(luma)
    workers.rows(len(luma), lambda b, e: _kernels.ssimulacra2_reference(luma, b, e, mean, square))
    for covered in (_coverage(len(luma))[:, np.newaxis], _coverage(luma.shape[1])):
        mean /= covered
        square /= covered
    mean *= mean
    square -= mean
    deviation = np.sqrt(np.maximum(square, 0, out=square), out=square)
    deviation += np.float32(NOISE)
    deviation /= np.float32(ORDINARY)
    return np.asarray(deviation ** np.float32(-masking))


def _coverage(length: int) -> NDArray[np.float32]:
    """What a blur with zeros outside makes of a line of ones."""
    ones = np.ones((1, length), np.float32)
    blurred, unused = np.empty_like(ones), np.empty_like(ones)
    _kernels.ssimulacra2_reference(ones, 0, 1, blurred, unused)
    return np.asarray(blurred[0] / blurred[0].max())


def _by_block(exposure: NDArray[np.float32], layout: Layout, component: int) -> NDArray[np.float32]:
    """Means over the pixels that a component's blocks cover."""
    across, down = layout.ratio(component)
    rows, columns = layout.blocks(component)
    padded = pad_to_blocks(exposure, (rows * down, columns * across))
    shape = (rows, 8 * down, columns, 8 * across)
    return np.asarray(padded.reshape(shape).mean(axis=(1, 3)), np.float32)


def _seen(layout: Layout, component: int) -> Profile:
    """The table of a component; a block of full size holds frequencies twice as high."""
    table = _SEEN[component]
    if component == 0:
        return np.asarray(table.ravel()[ZIGZAG])
    across, down = (np.minimum(np.arange(8) * 2 // r, 7) for r in layout.ratio(component))
    return np.asarray(table[np.ix_(down, across)].ravel()[ZIGZAG])


def _profile(layout: Layout, component: int, sight: Sight) -> Profile:
    """Between the gain of the decoder and what SSIMULACRA2 sees."""
    gain, seen = model.gain(layout)[component], _seen(layout, component)
    if component == 0:
        profile = gain ** (1 - sight.detail) * seen**sight.detail
        return np.asarray(2 * profile / profile.mean(), np.float32)
    across, down = layout.ratio(component)
    profile = gain ** (1 - sight.chroma_detail) * seen**sight.chroma_detail
    scale = 2 * sight.chroma * across * down
    return np.asarray(scale * profile / profile[1:6].mean(), np.float32)


def stiffness_of(layout: Layout, component: int, profile: Profile) -> Profile:
    """What a step is scaled by: SSIMULACRA2's profile or this one, where that is larger.

    Both are taken at their own means.
    """
    seen = _seen(layout, component)
    larger = np.maximum(seen / seen[1:].mean(), profile / profile.mean())
    return np.asarray(profile.mean() * larger, np.float32)
