"""Squared error: what PSNR measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.color import YCC_FROM_RGB, luma_of
from gradpress.workers import SERIAL, Workers

Picture = NDArray[np.float32]
Flat = NDArray[np.float32]


@dataclass(frozen=True)
class SquaredError:
    """D = Σ (decoded - reference)² over samples in [0, 255]."""

    reference: Picture
    workers: Workers = SERIAL

    @property
    def stride(self) -> float:
        """A whole step: it ends at the minimum."""
        return 1.0

    def value(self, decoded: Picture) -> float:
        """D; shapes are ``(C, H, W)``."""
        return sum_over_samples(_kernels.squared_error, decoded, self.reference, None, self.workers)

    def value_and_gradient(self, decoded: Picture) -> tuple[float, Picture]:
        """D and its gradient 2 (decoded - reference)."""
        gradient = np.empty(decoded.shape, np.float32)
        kernel = _kernels.squared_error
        return sum_over_samples(kernel, decoded, self.reference, gradient, self.workers), gradient

    def measured(self, decoded: NDArray[np.uint8]) -> float:
        """D of 8-bit pixels, ``(H, W, C)`` or ``(H, W)``."""
        return measured_squared_error(decoded, self.reference, self.workers)

    def curvature(self, decoded: Picture) -> float:
        """2, everywhere."""
        return 2.0

    def curvature_at(self, rms: float) -> float:
        """2, whatever the error."""
        return 2.0


@dataclass(frozen=True)
class LumaError:
    """D = Σ (luma of decoded - luma of reference)²: what PSNR-Y measures.

    It is blind to colour, and meant to stand beside losses that are not.
    """

    reference: Picture
    """``(C, H, W)`` planes in [0, 255], grey or RGB."""
    workers: Workers = SERIAL

    def value(self, decoded: Picture) -> float:
        """D; shapes are ``(C, H, W)``."""

        def run(begin: int, end: int) -> float:
            error = self._error(decoded, begin, end)
            return float(np.vdot(error, error))

        return float(sum(self.workers.rows(self.reference.shape[1], run)))

    def value_and_gradient(self, decoded: Picture) -> tuple[float, Picture]:
        """D and its gradient."""
        gradient = np.empty_like(decoded)
        shares = _LUMA if len(decoded) == 3 else np.ones(1, np.float32)

        def run(begin: int, end: int) -> float:
            error = self._error(decoded, begin, end)
            np.multiply(2 * shares[:, np.newaxis, np.newaxis], error, out=gradient[:, begin:end])
            return float(np.vdot(error, error))

        return float(sum(self.workers.rows(self.reference.shape[1], run))), gradient

    def _error(self, decoded: Picture, begin: int, end: int) -> NDArray[np.float32]:
        return luma_of(decoded[:, begin:end]) - luma_of(self.reference[:, begin:end])


_LUMA = YCC_FROM_RGB[0].astype(np.float32)


def sum_over_samples(
    kernel: Callable[[Flat, Flat, Flat | None], float],
    decoded: Picture,
    reference: Picture,
    gradient: Picture | None,
    workers: Workers,
) -> float:
    """Sum of a sample-wise kernel's values over stripes; fills the gradient if one is given."""
    pieces = (decoded.reshape(-1), reference.reshape(-1))
    out = None if gradient is None else gradient.reshape(-1)
    length = 1 << 15

    def run(begin: int, end: int) -> float:
        stripe = slice(begin * length, end * length)
        return kernel(pieces[0][stripe], pieces[1][stripe], None if out is None else out[stripe])

    return float(sum(workers.stripes(-(-decoded.size // length), run)))


def measured_squared_error(
    decoded: NDArray[np.uint8], reference: Picture, workers: Workers = SERIAL
) -> float:
    """Σ (decoded - reference)² of what a viewer shows, ``(H, W, C)`` or ``(H, W)``."""
    pixels = decoded.reshape(*decoded.shape[:2], -1)

    def run(begin: int, end: int) -> float:
        rows = (8 * begin, min(8 * end, len(pixels)))
        return _kernels.squared_error_bytes(pixels, reference, *rows)

    return float(sum(workers.stripes(-(-len(pixels) // 8), run)))


def psnr(distortion: float, samples: int) -> float:
    """Peak signal-to-noise ratio in dB of a summed squared error; 100 dB stands for no error."""
    return 100.0 if distortion == 0 else float(10 * np.log10(255.0**2 * samples / distortion))
