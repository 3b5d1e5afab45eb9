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
        """1 / mean |error|: |e| ≤ e² / (2 a) + a / 2 with equality where |e| = a."""
        return decoded.size / max(self.value(decoded), decoded.size * 1e-3)

    def curvature_at(self, rms: float) -> float:
        """As :meth:`curvature`, for normally distributed errors: their mean is √(2/π) rms."""
        return 1 / max(float(np.sqrt(2 / np.pi)) * rms, 1e-3)
