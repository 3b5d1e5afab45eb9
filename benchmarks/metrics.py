"""How good a file is: metrics of the 8-bit pixels that a viewer shows.

Each takes the original and the shown pixels, uint8 ``(H, W, 3)`` sRGB; more is better.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Metric = Callable[[Pixels, Pixels], float]

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of R, G and B in luma: ITU-R BT.601-7, as JFIF takes it."""
MOST = 100.0
"""Decibels of pixels that are the same, so that curves stay finite."""


def read_pixels(path: Path) -> Pixels:
    """A picture's pixels as RGB; transparency, profiles and orientation are ignored."""
    with PIL.Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def shown_pixels(jpeg: bytes) -> Pixels:
    """A JPEG file's pixels as libjpeg-turbo decodes them: accurate IDCT, fancy upsampling."""
    with PIL.Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as picture:
        return np.asarray(picture.convert("RGB"))


def decibels(mean_squared_error: float) -> float:
    """The peak signal-to-noise ratio of 8-bit samples.

    >>> round(decibels(1.0), 2)
    48.13
    """
    if mean_squared_error == 0:
        return MOST
    return min(10 * math.log10(255**2 / mean_squared_error), MOST)


def psnr(original: Pixels, shown: Pixels) -> float:
    """The PSNR in dB, from the mean squared error over all three channels."""
    difference = np.subtract(shown, original, dtype=np.int32)
    return decibels(float(np.mean(np.square(difference))))


def psnr_y(original: Pixels, shown: Pixels) -> float:
    """The PSNR in dB of luma, which is not rounded."""
    difference = np.subtract(shown, original, dtype=np.float64) @ LUMA
    return decibels(float(np.mean(np.square(difference))))


METRICS: dict[str, Metric] = {"psnr": psnr, "psnr_y": psnr_y}
