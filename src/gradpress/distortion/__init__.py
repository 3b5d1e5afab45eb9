"""How a decoded picture differs from the original: a number, and its gradient by decoded sample.

A distortion is prepared once for a reference and then asked many times. Pictures are
``(C, H, W)`` float32 planes, grey or RGB, in [0, 255] as encoded (not linear light).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gradpress.distortion.butteraugli import (
    ButteraugliError,
    ButteraugliScore,
    butteraugli_error,
    butteraugli_scorer,
)
from gradpress.distortion.mae import AbsoluteError
from gradpress.distortion.mse import SquaredError, measured_squared_error, psnr
from gradpress.distortion.ssim import (
    MultiScaleStructuralError,
    StructuralError,
    ms_ssim_scorer,
    ssim_scorer,
)

Picture = NDArray[np.float32]


class Distortion(Protocol):
    """A loss that travels with its reference."""

    @property
    def stride(self) -> float:
        """Part of the step gradient / curvature that is safe: 1, or less for a subgradient."""

    def value(self, decoded: Picture) -> float:
        """D, summed over the picture; 0 for the reference itself."""

    def value_and_gradient(self, decoded: Picture) -> tuple[float, Picture]:
        """D and ∂D/∂decoded, ``(C, H, W)``."""

    def measured(self, decoded: NDArray[np.uint8]) -> float:
        """D of what a viewer shows: 8-bit ``(H, W, C)`` or ``(H, W)``."""

    def curvature(self, decoded: Picture) -> float:
        """Mean of ∂²D/∂sample², as small errors of random sign see it where D has kinks."""

    def curvature_at(self, rms: float) -> float:
        """The curvature to expect when errors are ``rms`` (root mean square) large."""


__all__ = [
    "AbsoluteError",
    "ButteraugliError",
    "ButteraugliScore",
    "Distortion",
    "MultiScaleStructuralError",
    "Picture",
    "SquaredError",
    "StructuralError",
    "butteraugli_error",
    "butteraugli_scorer",
    "measured_squared_error",
    "ms_ssim_scorer",
    "psnr",
    "ssim_scorer",
]
