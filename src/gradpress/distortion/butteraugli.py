"""Butteraugli: the distance of libjxl 0.7 at 80 nits, and its gradient.

The map of distances of the half-sized picture is added to that of the picture, and the map is
pooled. All constants are those of ``lib/jxl/butteraugli/butteraugli.cc``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.distortion.butteraugli_bands import (
    Plane,
    Planes,
    light_adjoint,
    light_of,
    over_rows,
)
from gradpress.distortion.butteraugli_map import (
    Masked,
    compared,
    compared_adjoint,
    masked,
)
from gradpress.distortion.mse import Picture
from gradpress.workers import SERIAL, Workers

SMALLEST = 8
"""Less high or wide pictures are extended by their edges, as libjxl's ButteraugliDiffmap does."""
MEAN, SUM = 2.0, 1.0
"""Weights of an odd edge when halving."""
HALF_WEIGHT = 0.5
"""What the half-sized picture adds; 0.3 of that is taken from the other."""


@dataclass(frozen=True)
class ButteraugliScore:
    """0 for equal pictures; at about 1 a difference begins to be seen."""

    maximum: float
    norm3: float
    """Mean of the 3-, 6- and 12-norms of the map (each the root of a mean)."""


@dataclass(frozen=True)
class ButteraugliError:
    """D = pixels × 3-norm: the number reported, summed as other losses are.

    D has a kink at the reference, like any norm, where a subgradient of 0 is given.
    """

    reference: Picture
    workers: Workers
    masked: Masked
    half: Masked | None
    """The same at half the size; none below 15 pixels."""

    def score(self, decoded: Picture) -> ButteraugliScore:
        """The numbers that ``butteraugli_main`` prints."""
        light = light_of(_extended(decoded), self.workers)
        distance = compared(self.masked, light, self.workers).distance
        if self.half is not None:
            half = compared(self.half, _halved(light, self.workers), self.workers).distance
            distance = _with_half(distance, half, self.workers)
        return _score(_pooled(_cropped(distance, decoded), self.workers), _pixels(decoded))

    def value(self, decoded: Picture) -> float:
        """D of ``(C, H, W)`` samples in [0, 255], encoded as sRGB."""
        return _pixels(decoded) * self.score(decoded).norm3

    def value_and_gradient(self, decoded: Picture) -> tuple[float, Picture]:
        """D and its gradient by the samples."""
        workers, extended = self.workers, _extended(decoded)
        light = light_of(extended, workers)
        if self.half is None:
            comparison = compared(self.masked, light, workers)
            value, by_distance = _pooled_adjoint(comparison.distance, decoded, workers)
            by_light = compared_adjoint(self.masked, comparison, by_distance, workers)
        else:
            value, by_light = self._at_both_sizes(light, decoded, self.half)
        by_extended = light_adjoint(extended, by_light, workers)
        return value, _extended_adjoint(by_extended, decoded)

    def _at_both_sizes(
        self, light: Planes, decoded: Picture, smaller: Masked
    ) -> tuple[float, Planes]:
        """D and its gradient by light."""
        workers = self.workers
        comparison = compared(self.masked, light, workers)
        half = compared(smaller, _halved(light, workers), workers)
        total = _with_half(comparison.distance, half.distance, workers)
        value, by_total = _pooled_adjoint(total, decoded, workers)
        del total
        by_half = _summed(by_total, workers)
        by_half_light = compared_adjoint(smaller, half, by_half, workers)
        del half, by_half
        by_total *= np.float32(1 - 0.3 * HALF_WEIGHT)
        by_light = compared_adjoint(self.masked, comparison, by_total, workers)
        _add_halved_adjoint(by_half_light, by_light, workers)
        return value, by_light


def butteraugli_error(reference: Picture, workers: Workers = SERIAL) -> ButteraugliError:
    """Prepare a reference: ``(C, H, W)`` samples in [0, 255], grey or R, G, B, encoded as sRGB."""
    light = light_of(_extended(reference), workers)
    has_half = min(light.shape[1:]) > 2 * (SMALLEST - 1)
    half = masked(_halved(light, workers), workers) if has_half else None
    return ButteraugliError(reference, workers, masked(light, workers), half)


def butteraugli_scorer(
    reference: Picture, workers: Workers = SERIAL
) -> Callable[[Picture], ButteraugliScore]:
    """Prepare a reference once, to score decoded pictures."""
    return butteraugli_error(reference, workers).score


def _pixels(picture: Picture) -> int:
    return int(picture.shape[1] * picture.shape[2])


def _frame(size: int) -> tuple[int, int]:
    """Samples added before and after ``size`` ones."""
    missing = max(SMALLEST - size, 0)
    return missing // 2, missing - missing // 2


def _extended(picture: Picture) -> Picture:
    if min(picture.shape[1:]) >= SMALLEST:
        return picture
    return np.pad(picture, ((0, 0), *map(_frame, picture.shape[1:])), mode="edge")


def _inner(picture: Picture) -> tuple[slice, slice]:
    """Where a picture lies in its extended version."""
    (top, _), (left, _) = map(_frame, picture.shape[1:])
    return slice(top, top + picture.shape[1]), slice(left, left + picture.shape[2])


def _extended_adjoint(gradient: Picture, picture: Picture) -> Picture:
    if gradient.shape == picture.shape:
        return gradient
    for axis, size in enumerate(picture.shape[1:], start=1):
        before, _ = _frame(size)
        sources = np.clip(np.arange(gradient.shape[axis]) - before, 0, size - 1)
        gradient = np.add.reduceat(gradient, np.searchsorted(sources, np.arange(size)), axis=axis)
    return gradient


def _cropped(plane: Plane, picture: Picture) -> Plane:
    return np.ascontiguousarray(plane[_inner(picture)])


def _halved(light: Planes, workers: Workers) -> Planes:
    """Means of 2 × 2 pixels, of what is there at odd edges."""
    height, width = light.shape[1:]
    out = np.empty((len(light), -(-height // 2), -(-width // 2)), np.float32)

    def run(begin: int, end: int) -> None:
        for plane, to in zip(light, out, strict=True):
            _kernels.butteraugli_halve(plane, MEAN, begin, end, to)

    over_rows(out.shape[1], workers, run)
    return out


def _add_halved_adjoint(by_half: Planes, out: Planes, workers: Workers) -> None:
    def run(begin: int, end: int) -> None:
        for plane, to in zip(by_half, out, strict=True):
            _kernels.butteraugli_halve_adjoint(plane, MEAN, begin, end, to)

    over_rows(out.shape[1], workers, run)


def _with_half(distance: Plane, half: Plane, workers: Workers) -> Plane:
    out = np.empty_like(distance)

    def run(begin: int, end: int) -> None:
        _kernels.butteraugli_add_half(distance, half, begin, end, out[begin:end])

    over_rows(len(out), workers, run)
    return out


def _summed(by_total: Plane, workers: Workers) -> Plane:
    """The gradient by the half-sized picture's distances."""
    height, width = by_total.shape
    out = np.empty((-(-height // 2), -(-width // 2)), np.float32)

    def run(begin: int, end: int) -> None:
        _kernels.butteraugli_halve(by_total, SUM, begin, end, out)
        out[begin:end] *= np.float32(4 * HALF_WEIGHT)

    over_rows(len(out), workers, run)
    return out


def _pooled(total: Plane, workers: Workers) -> NDArray[np.float64]:
    """Sums of the 3rd, 6th and 12th powers, and the largest."""
    pools: list[tuple[float, float, float, float]] = workers.stripes(
        -(-len(total) // 4), lambda a, b: _kernels.butteraugli_pool(total[4 * a : 4 * b])
    )
    pieces = np.array(pools)
    return np.array([*pieces[:, :3].sum(axis=0), pieces[:, 3].max()])


def _score(pooled: NDArray[np.float64], pixels: int) -> ButteraugliScore:
    norms = (pooled[:3] / pixels) ** (1 / np.array([3, 6, 12]))
    return ButteraugliScore(float(pooled[3]), float(norms.mean()))


def _pooled_adjoint(total: Plane, picture: Picture, workers: Workers) -> tuple[float, Plane]:
    """D and its gradient by the map of an extended picture."""
    inner, pixels = _cropped(total, picture), _pixels(picture)
    pooled = _pooled(inner, workers)
    value = pixels * _score(pooled, pixels).norm3
    powers = np.array([3, 6, 12])
    sums = np.maximum(pooled[:3], 1e-30)
    weights = pixels / 3 * (sums / pixels) ** (1 / powers) / (powers * sums)
    third, sixth, twelfth = map(float, weights)
    gradient = np.empty_like(inner)

    def run(begin: int, end: int) -> None:
        rows = slice(begin, end)
        _kernels.butteraugli_pool_adjoint(inner[rows], third, sixth, twelfth, gradient[rows])

    over_rows(len(inner), workers, run)
    if gradient.shape == total.shape:
        return value, gradient
    framed = np.zeros_like(total)
    framed[_inner(picture)] = gradient
    return value, framed
