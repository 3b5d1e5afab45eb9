"""What a JPEG file may have shown before it was quantised.

Every level stands for an interval of coefficients. Within these, and not far from the middle, the
smoothest picture is sought: ½ ‖c - c₀‖² + weight · total variation of the samples, by projected
gradient descent. Blocking and ringing go, for they are what the intervals leave open (after K.
Bredies and M. Holler, "A Total Variation-Based JPEG Decompression Model", 2012; theirs has no
first term).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradpress.descent import Accelerated, Evaluation, Terms, minimise
from gradpress.distortion import Picture
from gradpress.image import Image
from gradpress.jpeg import model
from gradpress.jpeg.params import FACTORS, Layout, Steps
from gradpress.source import Component, Origin, origin_of
from gradpress.transform import Blocks, Plane, forward_dct, inverse_dct
from gradpress.workers import SERIAL, Workers

WEIGHT = 0.1
"""Of total variation, in first AC steps: more blurs, less leaves blocks (``notes/sources.md``)."""
ROUNDED = 2.0
"""Levels below which a difference counts as its square: |d| becomes √(d² + ROUNDED²)."""
DESCENTS = 15
"""Steps; more change next to nothing."""


@dataclass(frozen=True)
class Smoothness:
    """The objective of one component."""

    stored: Blocks
    steps: Steps
    weight: float
    workers: Workers = SERIAL

    @property
    def rate(self) -> float:
        """One over the steepest slope of the gradient; differences along two axes give the 8."""
        return 1 / (1 + 8 * self.weight / ROUNDED)

    def evaluate(self, blocks: Blocks) -> Evaluation[Blocks]:
        """The sum, with its gradient."""
        variation, slope = total_variation(inverse_dct(blocks, 128.0, self.workers))
        apart = blocks - self.stored
        value = 0.5 * float(np.vdot(apart, apart)) + self.weight * variation
        apart += np.float32(self.weight) * forward_dct(slope, 0.0, self.workers)
        return Evaluation(value, value, apart, Terms(value))

    def prox(self, blocks: Blocks, gradient: Blocks, rate: float) -> Blocks:
        """A step, and back into the intervals."""
        moved = blocks - np.float32(rate) * gradient
        half = self.steps.astype(np.float32) / 2
        return np.clip(moved, self.stored - half, self.stored + half, out=moved)


def total_variation(plane: Plane) -> tuple[float, Plane]:
    """Sum of √(|∇|² + ROUNDED²) over a plane, and its gradient."""
    across, down = np.zeros_like(plane), np.zeros_like(plane)
    np.subtract(plane[:, 1:], plane[:, :-1], out=across[:, :-1])
    np.subtract(plane[1:], plane[:-1], out=down[:-1])
    length = np.sqrt(across**2 + down**2 + np.float32(ROUNDED**2))
    across /= length
    down /= length
    slope = -across - down
    slope[:, 1:] += across[:, :-1]
    slope[1:] += down[:-1]
    return float(length.sum(dtype=np.float64)), slope


def deblocked(image: Image, threads: int = 1) -> tuple[Picture, str]:
    """``(C, H, W)`` planes of an image without its file's blocking, and what is to be said."""
    with Workers(threads) as workers:
        origin = origin_of(image, image.planes, workers)
        planes = None if origin is None else restored(origin, image.width, image.height, workers)
    if planes is None:
        return image.planes, "nothing was deblocked: these are no plain JPEG's pixels"
    return planes, "blocking was taken out first; quality is measured against the restored picture"


def restored(origin: Origin, width: int, height: int, workers: Workers = SERIAL) -> Picture | None:
    """``(C, H, W)`` planes without blocking; None where a component's coefficients are unknown."""
    known = tuple(component for component in origin.components if component is not None)
    layouts = (Layout(width, height, factors) for factors in FACTORS.values())
    layout = next((each for each in layouts if _fits(each, known)), None)
    if layout is None or len(known) != len(origin.components):
        return None
    blocks = tuple(
        _padded(_smooth(each, workers), layout.blocks(i)) for i, each in enumerate(known)
    )
    return model.render(blocks, layout, workers).decoded


def _fits(layout: Layout, components: tuple[Component, ...]) -> bool:
    sizes = [layout.size(i) for i in range(len(layout.factors))]
    return sizes == [component.size for component in components]


def _smooth(component: Component, workers: Workers) -> Blocks:
    stored, steps = component.coefficients, component.steps
    objective = Smoothness(stored, steps, WEIGHT * float(steps[1]), workers)
    method = Accelerated(rate=objective.rate)
    smooth: Blocks = minimise(objective, stored, method, max_steps=DESCENTS).params
    return smooth


def _padded(blocks: Blocks, shape: tuple[int, int]) -> Blocks:
    missing = [(0, whole - own) for whole, own in zip(shape, blocks.shape[:2], strict=True)]
    return np.pad(blocks, (*missing, (0, 0)), mode="edge")
