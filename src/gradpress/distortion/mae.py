"""Absolute error: less moved by a few large errors than squared error is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.distortion.mse import Picture, sum_over_samples
from gradpress.workers import SERIAL, Workers


@dataclass(frozen=True)
class AbsoluteError:
    """D = Σ |decoded - reference| over samples in [0, 255]."""

    reference: Picture
    workers: Workers = SERIAL

    @property
    def stride(self) -> float:
        """A sign says nothing of how near 0 is: a whole step overshoots small errors."""
        return 0.7

    def value(self, decoded: Picture) -> float:
        """D; shapes are ``(C, H, W)``."""
        kernel = _kernels.absolute_error
        return sum_over_samples(kernel, decoded, self.reference, None, self.workers)

    def value_and_gradient(self, decoded: Picture) -> tuple[float, Picture]:
        """D and a subgradient, the sign of the error (0 where there is none)."""
        gradient = np.empty(decoded.shape, np.float32)
        kernel = _kernels.absolute_error
        return sum_over_samples(kernel, decoded, self.reference, gradient, self.workers), gradient

    def measured(self, decoded: NDArray[np.uint8]) -> float:
        """D of 8-bit pixels, ``(H, W, C)`` or ``(H, W)``."""
        pixels = decoded.reshape(*decoded.shape[:2], -1)
        return self.value(np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32))

    def curvature(self, decoded: Picture) -> float:
        """(2/π) / mean |error|: for normal errors e, E|e + δ| ≈ E|e| + ½ curvature δ²."""
        return 2 / np.pi * decoded.size / max(self.value(decoded), decoded.size * 1e-3)

    def curvature_at(self, rms: float) -> float:
        """The same for normal errors of this root mean square: their mean is √(2/π) rms."""
        return float(np.sqrt(2 / np.pi)) / max(rms, 1e-3)
