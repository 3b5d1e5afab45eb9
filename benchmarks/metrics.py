"""How good a file is: metrics of the 8-bit pixels that a viewer shows.

PSNR is computed here. SSIMULACRA2, Butteraugli and MS-SSIM are gradpress's own, which its tests
hold to the reference implementations' numbers. Witnesses, which no loss of gradpress contains, come
from ``piq`` where that is installed.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Measure = Callable[[Pixels], float]

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of R, G and B in luma: ITU-R BT.601-7, as JFIF takes it."""
MOST = 100.0
"""Decibels of pixels that are the same, so that curves stay finite."""


@dataclass(frozen=True)
class Metric:
    """How pixels are measured, and on which axis a curve is drawn."""

    name: str
    prepare: Callable[[Pixels], Measure]
    """From the original to what measures shown pixels."""
    axis: Callable[[float], float] = float
    """More is better, and no end of the range dominates."""


def read_pixels(path: Path) -> Pixels:
    """A picture's pixels as RGB; transparency, profiles and orientation are ignored."""
    with PIL.Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def shown_pixels(data: bytes) -> Pixels:
    """A file's pixels as Pillow decodes them (JPEG: libjpeg-turbo), JPEG XL's as libjxl does."""
    if data[:2] == b"\xff\x0a" or data[4:8] == b"JXL ":
        import imagecodecs  # noqa: PLC0415

        return np.asarray(imagecodecs.jpegxl_decode(data))
    with PIL.Image.open(io.BytesIO(data), formats=["JPEG", "WEBP", "AVIF"]) as picture:
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


def similarity(value: float) -> float:
    """Decibels of what a similarity lacks to 1."""
    return -10 * math.log10(max(1 - value, 1e-9))


def distance(value: float) -> float:
    """Decibels of a distance."""
    return -10 * math.log10(max(value, 1e-9))


def own(name: str) -> Callable[[Pixels], Measure]:
    """Prepare one of gradpress's metrics."""

    def prepare(original: Pixels) -> Measure:
        from gradpress.jpeg.model import planes_of  # noqa: PLC0415
        from gradpress.metrics import metric  # noqa: PLC0415
        from gradpress.workers import SERIAL  # noqa: PLC0415

        scorer = metric(name).prepare(planes_of(original), SERIAL)
        return lambda shown: scorer(planes_of(shown))

    return prepare


def witness(name: str) -> Callable[[Pixels], Measure]:
    """Prepare one of piq's similarities."""

    def prepare(original: Pixels) -> Measure:
        import piq  # noqa: PLC0415
        import torch  # noqa: PLC0415

        torch.set_num_threads(1)

        def tensor(pixels: Pixels) -> torch.Tensor:
            return torch.tensor(pixels).permute(2, 0, 1)[None].double() / 255

        reference = tensor(original)
        return lambda shown: float(getattr(piq, name)(tensor(shown), reference, data_range=1.0))

    return prepare


PANEL = (
    Metric("ssimulacra2", own("ssimulacra2")),
    Metric("butteraugli", own("butteraugli"), distance),
    Metric("ms_ssim", own("ms-ssim"), similarity),
    Metric("psnr_y", lambda original: lambda shown: psnr_y(original, shown)),
)
"""Whose mean BD-rate says who is ahead: no one of them is people's eyes."""
METRICS = (*PANEL, Metric("psnr", lambda original: lambda shown: psnr(original, shown)))
WITNESSES = tuple(
    Metric(name, witness(name), similarity) for name in ("haarpsi", "vsi", "fsim", "dss")
)
"""Of no part in any loss."""
