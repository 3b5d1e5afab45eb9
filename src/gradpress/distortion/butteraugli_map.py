"""Butteraugli's map: how far two pictures' bands are apart at each pixel, and its gradient.

Differences of bands are squared and weighted; those of X and Y also along lines of nine pixels
through each one. What the reference's texture masks counts less. The mask is the reference's
alone, as in libjxl.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradpress import _kernels
from gradpress.distortion.butteraugli_bands import (
    BandGradients,
    Bands,
    Plane,
    Planes,
    analysed,
    analysed_adjoint,
    empty,
    over_rows,
)
from gradpress.workers import Workers

MARGIN = 8
"""Rows and columns of zeros that the line sums want around a band."""
ASYMMETRY = 0.8
"""Lost detail counts this much, and gained detail its inverse, where they are told apart."""


@dataclass(frozen=True)
class _Lines:
    """How the differences of one band count along lines."""

    dense: bool
    """All nine pixels of a line, or five."""
    above: float
    """Weight of the difference."""
    below: float
    """Weight of what is far too small or too large."""
    norm: float
    """Amplitude from which differences count less."""


def _lines(dense: bool, weight: float, asymmetry: float, norm: float) -> _Lines:
    scale = (0.39905817637 if dense else 0.611612573796) * norm / 8.5
    above = scale * (0.5 * weight * asymmetry) ** 0.5
    return _Lines(dense, above, scale * (0.33 * weight / asymmetry) ** 0.5, norm)


MIDDLE_LINES = (
    _lines(False, 8246.75321353, 1, 1009002.70582),
    _lines(False, 37.0819870399, 1, 130262059.556),
)
FINE_LINES = (
    _lines(False, 6923.99476109, ASYMMETRY**0.5, 8051.15833247),
    _lines(False, 18.7237414387, ASYMMETRY**0.5, 4498534.45232),
    _lines(True, 173.5, ASYMMETRY, 5.0),
    _lines(True, 1.10039032555, ASYMMETRY, 71.7800275169),
)
MIDDLE_SQUARES = (2150.0, 10.6195433239, 16.2176043152)
HIGH_SQUARES = (400 * 0.8, 1.50815703118 * 0.8)


@dataclass(frozen=True)
class Masked:
    """What is known of a reference."""

    bands: Bands
    mask: Plane
    """The least busy of a pixel's neighbours, softly."""


@dataclass(frozen=True)
class Comparison:
    """A decoded picture's distance from the reference, and what its gradient needs."""

    distance: Plane
    light: Planes
    bands: Bands
    high: Planes


def masked(light: Planes, workers: Workers) -> Masked:
    """Prepare a reference."""
    bands, _ = analysed(light, workers)
    mask = np.empty_like(bands.busy)

    def run(begin: int, end: int) -> None:
        _kernels.butteraugli_erode(bands.busy, begin, end, mask[begin:end])

    over_rows(len(mask), workers, run)
    return Masked(bands, mask)


def _differences(reference: Plane, decoded: Plane, lines: _Lines, begin: int, end: int) -> Plane:
    shape = (end - begin + 2 * MARGIN, decoded.shape[1] + 2 * MARGIN)
    out = np.empty(shape, np.float32)
    weights = (lines.above, lines.below, lines.norm)
    _kernels.butteraugli_malta_difference(reference, decoded, *weights, begin, end, out)
    return out


def compared(reference: Masked, light: Planes, workers: Workers) -> Comparison:
    """The map of distances between pictures of one size."""
    bands, high = analysed(light, workers)
    ours, distance = reference.bands, np.empty_like(reference.mask)

    def run(begin: int, end: int) -> None:
        rows = slice(begin, end)
        ac, dc = np.zeros((2, end - begin, distance.shape[1]), np.float32)
        _kernels.butteraugli_low_errors(ours.low[:, rows], bands.low[:, rows], dc)
        for a, b, weight in zip(ours.middle, bands.middle, MIDDLE_SQUARES, strict=True):
            _kernels.butteraugli_squares(a[rows], b[rows], weight, ac)
        for a, b, weight in zip(ours.fine, bands.fine, HIGH_SQUARES, strict=False):
            _kernels.butteraugli_squares(a[rows], b[rows], weight * ASYMMETRY, ac)
            _kernels.butteraugli_far_squares(a[rows], b[rows], weight / ASYMMETRY, ac)
        with_lines = (
            (ours.middle, bands.middle, MIDDLE_LINES),
            (ours.fine, bands.fine, FINE_LINES),
        )
        for planes, decoded, kinds in with_lines:
            for a, b, lines in zip(planes, decoded, kinds, strict=False):
                _kernels.butteraugli_malta(_differences(a, b, lines, begin, end), lines.dense, ac)
        masking = (ours.busy[rows], bands.busy[rows], reference.mask[rows])
        _kernels.butteraugli_combine(ac, dc, *masking, distance[rows])

    over_rows(len(distance), workers, run)
    return Comparison(distance, light, bands, high)


def compared_adjoint(
    reference: Masked, comparison: Comparison, gradient: Plane, workers: Workers
) -> Planes:
    """The gradient by light, of the one by distances."""
    ours, bands, (height, width) = reference.bands, comparison.bands, gradient.shape
    by_ac = np.zeros((height + 2 * MARGIN, width + 2 * MARGIN), np.float32)
    inside = by_ac[MARGIN:-MARGIN, MARGIN:-MARGIN]
    by_dc, by_busy = empty(2, gradient)

    def unmask(begin: int, end: int) -> None:
        rows = slice(begin, end)
        here = np.empty_like(gradient[rows])
        masking = (ours.busy[rows], bands.busy[rows], reference.mask[rows])
        to = (here, by_dc[rows], by_busy[rows])
        _kernels.butteraugli_combine_adjoint(
            comparison.distance[rows], *masking, gradient[rows], *to
        )
        inside[rows] = here

    over_rows(height, workers, unmask)

    def along_lines(a: Plane, b: Plane, lines: _Lines, begin: int, end: int, out: Plane) -> None:
        differences, by_difference = _differences(a, b, lines, begin, end), np.empty_like(out)
        framed = by_ac[begin : end + 2 * MARGIN]
        _kernels.butteraugli_malta_adjoint(differences, framed, lines.dense, by_difference)
        weights, rows = (lines.above, lines.below, lines.norm), slice(begin, end)
        _kernels.butteraugli_malta_difference_adjoint(
            a[rows], b[rows], by_difference, *weights, out
        )

    def low(begin: int, end: int, out: Planes) -> None:
        rows = slice(begin, end)
        pair = (ours.low[:, rows], bands.low[:, rows])
        _kernels.butteraugli_low_errors_adjoint(*pair, by_dc[rows], out)

    def middle(begin: int, end: int, out: Planes) -> None:
        rows = slice(begin, end)
        by = np.ascontiguousarray(inside[rows])
        for a, b, weight, to in zip(ours.middle, bands.middle, MIDDLE_SQUARES, out, strict=True):
            _kernels.butteraugli_squares_adjoint(a[rows], b[rows], by, weight, to)
        for a, b, lines, to in zip(ours.middle, bands.middle, MIDDLE_LINES, out, strict=False):
            along_lines(a, b, lines, begin, end, to)

    def fine(begin: int, end: int, out: Planes) -> None:
        rows = slice(begin, end)
        by = np.ascontiguousarray(inside[rows])
        for a, b, weight, to in zip(ours.fine, bands.fine, HIGH_SQUARES, out, strict=False):
            pair = (a[rows], b[rows], by)
            _kernels.butteraugli_squares_adjoint(*pair, weight * ASYMMETRY, to)
            _kernels.butteraugli_far_squares_adjoint(*pair, weight / ASYMMETRY, to)
        for a, b, lines, to in zip(ours.fine, bands.fine, FINE_LINES, out, strict=True):
            along_lines(a, b, lines, begin, end, to)

    by_bands = BandGradients(low, middle, fine, by_busy)
    return analysed_adjoint(comparison.light, bands, comparison.high, by_bands, workers)
