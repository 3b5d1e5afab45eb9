"""Butteraugli's eye: from light to frequency bands of three opponent colours, and back.

Light is mixed to what the cones see, dulled by its surroundings, and split by blurs into low,
middle, high and ultra-high frequencies. Values near zero vanish in X (red against green) and count
twice in Y. Stages run over stripes of rows; a stage that blurs needs the one before it whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.workers import Workers

Plane = NDArray[np.float32]
"""``(H, W)``"""
Planes = NDArray[np.float32]
"""``(count, H, W)``; rows of a plane without gaps"""
Taps = NDArray[np.float32]
Blur = Callable[[Plane, Taps, int, int, Plane], None]


def _taps(sigma: float) -> Taps:
    """Half of a Gaussian cut at 2.25 σ, the centre first; with its mirror image it sums to 1."""
    half = np.exp(-(np.arange(int(2.25 * sigma) + 1) ** 2) / (2 * sigma**2))
    taps: Taps = (half / (2 * half.sum() - half[0])).astype(np.float32)
    return taps


SURROUNDINGS = _taps(1.2)
BELOW_MIDDLE = _taps(7.15593339443)
BELOW_HIGH = _taps(3.22489901262)
BELOW_ULTRA = _taps(1.56416327805)
BUSY = _taps(2.7)


@dataclass(frozen=True)
class Bands:
    """A picture as its differences are judged."""

    low: Planes
    """X, Y, B."""
    middle: Planes
    """X, Y, B."""
    fine: Planes
    """X and Y of the high, X and Y of the ultra-high frequencies."""
    busy: Plane
    """Activity of the fine bands, blurred."""


def over_rows(height: int, workers: Workers, *stages: Callable[[int, int], None]) -> None:
    """Every ``stage(begin, end)`` over all rows, one stage after the other, in stripes of 64."""

    def run(stage: Callable[[int, int], None], begin: int, end: int) -> None:
        stage(4 * begin, min(4 * end, height))

    for stage in stages:
        workers.stripes(-(-height // 4), partial(run, stage))


def empty(count: int, like: NDArray[np.float32]) -> Planes:
    """Planes of the size of others."""
    return np.empty((count, *like.shape[-2:]), np.float32)


def blurred(blur: Blur, planes: Planes, taps: Taps, begin: int, end: int) -> Planes:
    """Rows ``begin`` to ``end`` of each plane's blur."""
    out = np.empty((len(planes), end - begin, planes.shape[2]), np.float32)
    for plane, to in zip(planes, out, strict=True):
        blur(plane, taps, begin, end, to)
    return out


def light_of(picture: NDArray[np.float32], workers: Workers) -> Planes:
    """Nits of R, G and B; grey is the same in all three."""
    out = empty(len(picture), picture)

    def run(begin: int, end: int) -> None:
        for plane, to in zip(picture, out, strict=True):
            _kernels.butteraugli_light(plane[begin:end], to[begin:end])

    over_rows(picture.shape[1], workers, run)
    return np.broadcast_to(out, (3, *out.shape[1:]))


def light_adjoint(
    picture: NDArray[np.float32], by_light: Planes, workers: Workers
) -> NDArray[np.float32]:
    """The gradient by encoded samples."""
    out = np.empty_like(picture)

    def run(begin: int, end: int) -> None:
        rows = slice(begin, end)
        by = by_light[:, rows]
        for c, plane in enumerate(picture):
            by_plane = by[c] if len(picture) == 3 else by.sum(axis=0)
            _kernels.butteraugli_light_adjoint(plane[rows], by_plane, out[c, rows])

    over_rows(picture.shape[1], workers, run)
    return out


def _opponent(light: Planes, workers: Workers) -> Planes:
    """X, Y and B."""
    out = empty(3, light)

    def run(begin: int, end: int) -> None:
        around = blurred(_kernels.butteraugli_blur_mirrored, light, SURROUNDINGS, begin, end)
        _kernels.butteraugli_opsin(light[:, begin:end], around, out[:, begin:end])

    over_rows(light.shape[1], workers, run)
    return out


def _split_low(xyb: Planes, workers: Workers) -> tuple[Planes, Planes]:
    """Low frequencies, and the rest."""
    low, rest = empty(3, xyb), empty(3, xyb)

    def run(begin: int, end: int) -> None:
        rows = slice(begin, end)
        low[:, rows] = blurred(_kernels.butteraugli_blur, xyb, BELOW_MIDDLE, begin, end)
        np.subtract(xyb[:, rows], low[:, rows], out=rest[:, rows])

    over_rows(xyb.shape[1], workers, run)
    return low, rest


def _split_middle(rest: Planes, workers: Workers) -> tuple[Planes, Planes, Planes]:
    """Middle frequencies; X and Y without them; and the same with X less where Y is large."""
    middle, high, seen = empty(3, rest), empty(2, rest), empty(2, rest)

    def run(begin: int, end: int) -> None:
        rows = slice(begin, end)
        smooth = blurred(_kernels.butteraugli_blur, rest, BELOW_HIGH, begin, end)
        middle[2, rows] = smooth[2]
        x_and_y = (rest[:2, rows], smooth[:2])
        _kernels.butteraugli_split_middle(*x_and_y, middle[:2, rows], high[:, rows])
        _kernels.butteraugli_suppress(high[0, rows], high[1, rows], seen[0, rows])
        seen[1, rows] = high[1, rows]

    over_rows(rest.shape[1], workers, run)
    return middle, high, seen


def _split_high(seen: Planes, workers: Workers) -> tuple[Planes, Plane]:
    """High and ultra-high frequencies, and their blurred activity."""
    fine, active, busy = empty(4, seen), empty(1, seen)[0], empty(1, seen)[0]

    def split(begin: int, end: int) -> None:
        rows = slice(begin, end)
        smooth = blurred(_kernels.butteraugli_blur, seen, BELOW_ULTRA, begin, end)
        _kernels.butteraugli_split_high(seen[:, rows], smooth, fine[:2, rows], fine[2:, rows])
        _kernels.butteraugli_activity(fine[:, rows], active[rows])

    def spread(begin: int, end: int) -> None:
        _kernels.butteraugli_blur(active, BUSY, begin, end, busy[begin:end])

    over_rows(seen.shape[1], workers, split, spread)
    return fine, busy


def analysed(light: Planes, workers: Workers) -> tuple[Bands, Planes]:
    """The bands, and X and Y without low and middle frequencies, which their gradient needs."""
    low, rest = _split_low(_opponent(light, workers), workers)
    middle, high, seen = _split_middle(rest, workers)
    del rest
    fine, busy = _split_high(seen, workers)
    return Bands(low, middle, fine, busy), high


@dataclass(frozen=True)
class BandGradients:
    """Adds, for rows ``begin`` to ``end``, the gradient by a group of bands."""

    low: Callable[[int, int, Planes], None]
    middle: Callable[[int, int, Planes], None]
    fine: Callable[[int, int, Planes], None]
    busy: Plane


def analysed_adjoint(
    light: Planes, bands: Bands, high: Planes, by: BandGradients, workers: Workers
) -> Planes:
    """The gradient by light; the fine bands' storage is used up."""
    adjoint, height, width = _kernels.butteraugli_blur_adjoint, *light.shape[1:]
    by_rest, by_smooth = empty(3, light), empty(3, light)

    def zeros(count: int, begin: int, end: int) -> Planes:
        return np.zeros((count, end - begin, width), np.float32)

    def merge_high(begin: int, end: int) -> None:
        rows, here = slice(begin, end), zeros(4, begin, end)
        by.fine(begin, end, here)
        by_active = blurred(adjoint, by.busy[np.newaxis], BUSY, begin, end)[0]
        _kernels.butteraugli_activity_adjoint(bands.fine[:, rows], by_active, here)
        split = (bands.fine[:2, rows], bands.fine[2:, rows], here[:2], here[2:])
        _kernels.butteraugli_split_high_adjoint(*split, by_smooth[:2, rows], by_rest[:2, rows])

    over_rows(height, workers, merge_high)
    by_smoother = bands.fine[:3]

    def merge_middle(begin: int, end: int) -> None:
        rows, here = slice(begin, end), zeros(3, begin, end)
        by.middle(begin, end, here)
        by_whole = blurred(adjoint, by_smooth[:2], BELOW_ULTRA, begin, end)
        by_xy = by_rest[:2, rows]
        by_whole += by_xy
        by_xy[1] = by_whole[1]
        x_and_y = (high[0, rows], high[1, rows])
        _kernels.butteraugli_suppress_adjoint(*x_and_y, by_whole[0], by_xy[0], by_xy[1])
        to = by_smoother[:, rows]
        _kernels.butteraugli_split_middle_adjoint(bands.middle[:2, rows], here[:2], by_xy, to[:2])
        by_rest[2, rows], to[2] = 0, here[2]

    def merge_low(begin: int, end: int) -> None:
        rows, here = slice(begin, end), zeros(3, begin, end)
        by.low(begin, end, here)
        by_rest[:, rows] += blurred(adjoint, by_smoother, BELOW_HIGH, begin, end)
        np.subtract(here, by_rest[:, rows], out=by_smooth[:, rows])

    over_rows(height, workers, merge_middle, merge_low)
    by_light, by_around = by_smoother, empty(3, light)
    mirrored = _kernels.butteraugli_blur_mirrored

    def merge_colours(begin: int, end: int) -> None:
        rows = slice(begin, end)
        by_xyb = blurred(adjoint, by_smooth, BELOW_MIDDLE, begin, end)
        by_xyb += by_rest[:, rows]
        around = blurred(mirrored, light, SURROUNDINGS, begin, end)
        to = (by_light[:, rows], by_around[:, rows])
        _kernels.butteraugli_opsin_adjoint(light[:, rows], around, by_xyb, *to)

    def merge_surroundings(begin: int, end: int) -> None:
        by_light[:, begin:end] += blurred(mirrored, by_around, SURROUNDINGS, begin, end)

    over_rows(height, workers, merge_colours, merge_surroundings)
    return by_light
