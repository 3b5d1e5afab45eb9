"""SSIM and MS-SSIM of luma, with their gradients.

Sources: Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error
visibility to structural similarity", IEEE Transactions on Image Processing 13(4), 2004; Z. Wang,
E. P. Simoncelli, A. C. Bovik, "Multi-scale structural similarity for image quality assessment",
Asilomar Conference on Signals, Systems and Computers, 2003.

Luma is that of ITU-R BT.601, not rounded, or the plane of a grey picture. Windows are Gaussian
(sigma 1.5, 11 × 11) and lie wholly inside the picture; where a side is shorter, the window is cut
to the largest odd length that fits. The scales of MS-SSIM are means of 2 × 2 samples, with the last
row or column repeated at odd sides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import expm1, log1p

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.distortion.mse import Picture
from gradpress.workers import SERIAL, Workers

Plane = NDArray[np.float32]

WINDOW = 11
"""Samples across and down."""

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of MS-SSIM from full size down, as published: their sum is 1.0001."""


def scale_weights(height: int, width: int) -> NDArray[np.float64]:
    """Exponents of the scales that MS-SSIM of this size has; their sum is the published one.

    Those whose shorter side has fewer than WINDOW samples are left out (a picture of 161 samples or
    more has all five), the first one never.
    """
    sides = [-(-min(height, width) // 2**scale) for scale in range(len(SCALE_WEIGHTS))]
    count = max(1, sum(side >= WINDOW for side in sides))
    kept = np.array(SCALE_WEIGHTS[:count])
    return np.asarray(kept * (sum(SCALE_WEIGHTS) / kept.sum()))


@dataclass(frozen=True)
class _Scale:
    """One scale of a reference."""

    planes: NDArray[np.float32]
    """``(3, h, w)``: luma - 128; where a window fits, its mean and 2 variance + C2."""
    whole: bool
    """Whether luminance counts too, and not structure alone."""

    @classmethod
    def of(cls, luma: Plane, workers: Workers, *, whole: bool) -> _Scale:
        planes = np.zeros((3, *luma.shape), np.float32)
        planes[0] = luma
        down, along = (_reach(side) for side in luma.shape)

        def run(begin: int, end: int) -> None:
            _kernels.ssim_prepare(planes, down, along, begin, end)

        workers.rows(len(luma), run)
        return cls(planes, whole)

    @property
    def windows(self) -> int:
        """How many of them fit."""
        down, along = (side - 2 * _reach(side) for side in self.planes.shape[1:])
        return int(down * along)

    def error(self, luma: Plane, gradient: Plane | None, workers: Workers) -> float:
        """Mean of 1 - similarity over windows; fills windows × its gradient if one is given."""
        down, along = (_reach(side) for side in luma.shape)

        def run(begin: int, end: int) -> float:
            return _kernels.ssim_errors(
                self.planes, luma, down, along, self.whole, begin, end, gradient
            )

        return sum(workers.rows(len(luma), run)) / self.windows


@dataclass(frozen=True)
class StructuralError:
    """D = pixels × (1 - SSIM); prepare it with ``of``."""

    scale: _Scale
    workers: Workers

    @classmethod
    def of(cls, reference: Picture, workers: Workers = SERIAL) -> StructuralError:
        """Prepare for ``(C, H, W)`` float32 planes in [0, 255], grey or RGB."""
        return cls(_Scale.of(_luma(reference, workers), workers, whole=True), workers)

    def value(self, decoded: Picture) -> float:
        """D of ``(C, H, W)`` planes in [0, 255]."""
        luma = _luma(decoded, self.workers)
        return luma.size * self.scale.error(luma, None, self.workers)

    def value_and_gradient(self, decoded: Picture) -> tuple[float, Picture]:
        """D and ∂D/∂decoded, ``(C, H, W)``."""
        luma = _luma(decoded, self.workers)
        by_luma = np.empty_like(luma)
        error = self.scale.error(luma, by_luma, self.workers)
        by_luma *= luma.size / self.scale.windows
        return luma.size * error, _luma_adjoint(by_luma, decoded.shape, self.workers)


@dataclass(frozen=True)
class MultiScaleStructuralError:
    """D = pixels × (1 - MS-SSIM); prepare it with ``of``.

    A scale whose mean similarity is negative counts as 0, and so does then MS-SSIM: there D is
    the number of pixels and its gradient 0.
    """

    scales: tuple[_Scale, ...]
    weights: NDArray[np.float64]
    workers: Workers

    @classmethod
    def of(cls, reference: Picture, workers: Workers = SERIAL) -> MultiScaleStructuralError:
        """Prepare for ``(C, H, W)`` float32 planes in [0, 255], grey or RGB."""
        weights = scale_weights(*reference.shape[1:])
        pyramid = _pyramid(reference, len(weights), workers)
        scales = (_Scale.of(luma, workers, whole=luma is pyramid[-1]) for luma in pyramid)
        return cls(tuple(scales), weights, workers)

    def value(self, decoded: Picture) -> float:
        """D of ``(C, H, W)`` planes in [0, 255]."""
        pyramid = _pyramid(decoded, len(self.scales), self.workers)
        errors = [
            scale.error(luma, None, self.workers)
            for scale, luma in zip(self.scales, pyramid, strict=True)
        ]
        return pyramid[0].size * self._pooled(errors)

    def value_and_gradient(self, decoded: Picture) -> tuple[float, Picture]:
        """D and ∂D/∂decoded, ``(C, H, W)``."""
        pyramid = _pyramid(decoded, len(self.scales), self.workers)
        gradients = [np.empty_like(luma) for luma in pyramid]
        errors = [
            scale.error(luma, gradient, self.workers)
            for scale, luma, gradient in zip(self.scales, pyramid, gradients, strict=True)
        ]
        pixels, error = pyramid[0].size, self._pooled(errors)
        if error == 1:
            return float(pixels), np.zeros_like(decoded)
        slopes = [
            pixels * (1 - error) * weight / (1 - lack) / scale.windows
            for weight, lack, scale in zip(self.weights, errors, self.scales, strict=True)
        ]
        by_luma = _pyramid_adjoint(gradients, slopes, self.workers)
        return pixels * error, _luma_adjoint(by_luma, decoded.shape, self.workers)

    def _pooled(self, errors: list[float]) -> float:
        """1 - MS-SSIM = 1 - Π (1 - error)^weight."""
        if max(errors) >= 1:
            return 1.0
        return -expm1(sum(w * log1p(-e) for w, e in zip(self.weights, errors, strict=True)))


def ssim_scorer(reference: Picture, workers: Workers = SERIAL) -> Callable[[Picture], float]:
    """What gives SSIM of decoded pictures and this one; both ``(C, H, W)`` in [0, 255]."""
    loss, pixels = StructuralError.of(reference, workers), reference[0].size
    return lambda decoded: 1 - loss.value(decoded) / pixels


def ms_ssim_scorer(reference: Picture, workers: Workers = SERIAL) -> Callable[[Picture], float]:
    """What gives MS-SSIM of decoded pictures and this one; both ``(C, H, W)`` in [0, 255]."""
    loss, pixels = MultiScaleStructuralError.of(reference, workers), reference[0].size
    return lambda decoded: 1 - loss.value(decoded) / pixels


def _reach(side: int) -> int:
    """Samples from the middle of a window to its end, so that it fits into this many."""
    return (min(side, WINDOW) - 1) // 2


def _luma(picture: Picture, workers: Workers) -> Plane:
    """Luma - 128."""
    luma = np.empty(picture.shape[1:], np.float32)

    def run(begin: int, end: int) -> None:
        _kernels.ssim_luma(picture, begin, end, luma)

    workers.rows(len(luma), run)
    return luma


def _luma_adjoint(by_luma: Plane, shape: tuple[int, ...], workers: Workers) -> Picture:
    gradient = np.empty(shape, np.float32)

    def run(begin: int, end: int) -> None:
        _kernels.ssim_luma_adjoint(by_luma, begin, end, gradient)

    workers.rows(len(by_luma), run)
    return gradient


def _pyramid(picture: Picture, scales: int, workers: Workers) -> list[Plane]:
    """Luma - 128 at so many scales, each half the one before, rounded up."""
    planes = [_luma(picture, workers)]
    while len(planes) < scales:
        plane = planes[-1]
        half = np.empty([-(-side // 2) for side in plane.shape], np.float32)

        def run(begin: int, end: int, plane: Plane = plane, half: Plane = half) -> None:
            _kernels.ssim_halve(plane, begin, end, half)

        workers.rows(len(half), run)
        planes.append(half)
    return planes


def _pyramid_adjoint(gradients: list[Plane], slopes: list[float], workers: Workers) -> Plane:
    """Σ slope × gradient of all scales, by the first; the gradients are used up."""
    by_plane = gradients[-1]
    by_plane *= np.float32(slopes[-1])
    for gradient, slope in zip(gradients[-2::-1], slopes[-2::-1], strict=True):

        def run(
            begin: int,
            end: int,
            by_half: Plane = by_plane,
            slope: float = slope,
            gradient: Plane = gradient,
        ) -> None:
            _kernels.ssim_halve_adjoint(by_half, slope, begin, end, gradient)

        workers.rows(len(gradient), run)
        by_plane = gradient
    return by_plane
