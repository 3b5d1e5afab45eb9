"""What there is to see of a compression, as plain arrays: the error, and pictures cut down."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile

from gradpress.color import luma_of
from gradpress.distortion import Picture

Plane = NDArray[np.float32]
"""``(H, W)``."""

RANGES = (2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0, 128.0, 255.0)
"""Ends of the error's scale."""
SHOWN = 98.0
"""Per cent of the pixels whose error the scale takes in."""


def decoded_planes(data: bytes) -> Picture:
    """``(C, H, W)`` planes in [0, 255] of a JPEG file as Pillow decodes it, grey or RGB."""
    with JpegImageFile(io.BytesIO(data)) as picture:
        pixels = np.asarray(picture if picture.mode == "L" else picture.convert("RGB"))
    planes = pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1)
    return np.ascontiguousarray(planes, dtype=np.float32)


def luma_error(original: Picture, decoded: Picture) -> Plane:
    """Y of the decoded picture less Y of the original: above 0 where it became lighter."""
    return luma_of(decoded) - luma_of(original)


def error_range(error: Plane) -> float:
    """Where the scale of an error ends: nearly all pixels lie between − and + of it."""
    most = float(np.percentile(np.abs(error), SHOWN))
    return next((limit for limit in RANGES if limit >= most), RANGES[-1])


def pooled(values: Plane, side: int) -> Plane:
    """Root mean square of every ``side`` × ``side`` values, with the sign of their mean."""
    if side == 1:
        return values
    squares = shrunk(np.square(values)[np.newaxis], side)[0]
    means: Plane = np.copysign(np.sqrt(squares), shrunk(values[np.newaxis], side)[0])
    return means


def shrunk(picture: Picture, side: int) -> Picture:
    """Means of every ``side`` × ``side`` samples of each plane, ``(C, H, W)``."""
    if side == 1:
        return picture
    height, width = picture.shape[1:]
    count = np.outer(_lengths(height, side), _lengths(width, side))
    sums = _summed(_summed(picture, side).swapaxes(1, 2), side).swapaxes(1, 2)
    return np.ascontiguousarray(sums / count, np.float32)


def _lengths(length: int, side: int) -> NDArray[np.intp]:
    """Of the pieces of a stretch: the last may be shorter."""
    return np.diff(np.arange(0, length, side), append=length)


def _summed(picture: Picture, side: int) -> Picture:
    """Sums of every ``side`` rows of each plane."""
    sums = np.zeros((len(picture), -(-picture.shape[1] // side), picture.shape[2]), np.float32)
    for row in range(min(side, picture.shape[1])):
        part = picture[:, row::side]
        sums[:, : part.shape[1]] += part
    return sums
