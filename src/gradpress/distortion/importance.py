"""Importance: some parts of a picture count for more than others, whatever the loss.

An error e at a pixel of importance i counts as √i · e does otherwise:
D_i(decoded) = D(reference + √i · (decoded - reference)). For squared error this is the weighted
sum Σ i · e². Importance has mean 1, so that the scale of D stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradpress.color import luma_of
from gradpress.distortion.blend import Blend, Loss
from gradpress.distortion.mse import Picture
from gradpress.errors import UsageError
from gradpress.image import read_image

CONTRAST = 4.0
"""How many times as important white in a mask is as mid-grey, and mid-grey as black."""

Weights = NDArray[np.float32]
"""``(H, W)``, 0 or more, mean 1."""
Mask = str | Path | NDArray[Any]
"""A picture as a path or uint8 ``(H, W[, 3])``, or floats ``(H, W)``: see read_importance."""


@dataclass(frozen=True)
class Important:
    """A loss that weighs errors by the importance of their pixels."""

    loss: Loss
    reference: Picture
    magnified: Weights
    """√importance."""

    def value(self, decoded: Picture) -> float:
        """D of ``(C, H, W)`` planes in [0, 255]."""
        return self.loss.value(np.clip(self._moved(decoded), 0, 255))

    def value_and_gradient(self, decoded: Picture) -> tuple[float, Picture]:
        """D and ∂D/∂decoded; 0 where a magnified error leaves [0, 255]."""
        moved = self._moved(decoded)
        held = np.clip(moved, 0, 255)
        value, gradient = self.loss.value_and_gradient(held)
        gradient = np.where(held == moved, gradient * self.magnified, np.float32(0))
        return value, gradient

    def _moved(self, decoded: Picture) -> Picture:
        moved = decoded - self.reference
        moved *= self.magnified
        moved += self.reference
        return moved


def emphasised(blend: Blend, reference: Picture, importance: Weights | None) -> Blend:
    """The blend with its parts' errors weighed by importance; itself without any."""
    if importance is None:
        return blend
    magnified = np.sqrt(importance)
    return Blend(tuple((w, Important(part, reference, magnified)) for w, part in blend.parts))


def read_importance(mask: Mask, width: int, height: int, max_pixels: int) -> Weights:
    """Weights of a picture's pixels.

    A picture (a path, or uint8 ``(H, W[, 3])``) is a mask: mid-grey is as important as ever, white
    four times and black a quarter of that, evenly in between. Floats ``(H, W)`` are importances.
    """
    if isinstance(mask, np.ndarray) and mask.dtype != np.uint8:
        weights = np.array(mask, np.float32)
        if weights.ndim != 2 or not np.isfinite(weights).all() or weights.min(initial=0) < 0:
            raise UsageError("importances must be an (H, W) array of finite numbers from 0 on")
    else:
        planes = read_image(mask, max_pixels=max_pixels, background="black").planes
        grey = luma_of(planes)
        weights = CONTRAST ** (grey / np.float32(127.5) - 1) if grey.any() else grey
    if weights.shape != (height, width):
        raise UsageError(
            f"the importance has {weights.shape[1]} x {weights.shape[0]} pixels, the picture "
            f"{width} x {height}; they must be the same (upright, if the picture is rotated)"
        )
    if not weights.any():
        raise UsageError("the importance is 0 everywhere: mark something that matters")
    return np.asarray(weights / weights.mean(), np.float32)
