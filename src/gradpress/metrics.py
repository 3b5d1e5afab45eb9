"""Metrics by name: how much a picture differs from its original, as one number.

What a metric needs is imported when it is prepared, so that names and descriptions cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gradpress.errors import UsageError

if TYPE_CHECKING:
    from gradpress.distortion import Picture
    from gradpress.workers import Workers

Scorer = Callable[["Picture"], float]
"""Scores a picture of the reference's shape."""

MOST_DECIBELS = 100.0
"""PSNR of pictures that are the same, or nearly."""


@dataclass(frozen=True)
class Metric:
    """How a picture is scored against a reference.

    Pictures are ``(C, H, W)`` float32 planes, grey or RGB, in [0, 255] as encoded (sRGB).
    """

    name: str
    description: str
    unit: str
    """``dB``, or nothing."""
    higher_is_better: bool
    digits: int
    """Places behind the decimal point that mean something."""
    prepare: Callable[[Picture, Workers], Scorer]
    """From a reference to its scorer, once for many pictures."""


def metric(name: str) -> Metric:
    """Look a metric up; raises UsageError."""
    for candidate in METRICS:
        if candidate.name == name.strip().lower():
            return candidate
    raise UsageError(f"there is no metric {name.strip()!r}; choose from {', '.join(NAMES)}")


def metrics(names: str) -> tuple[Metric, ...]:
    """Look up metrics by their names, between commas, each once; raises UsageError."""
    return tuple(dict.fromkeys(metric(name) for name in names.split(",")))


def _psnr(reference: Picture, workers: Workers) -> Scorer:
    """Decibels from the mean squared error over all components."""
    from gradpress.distortion.mse import SquaredError, psnr  # noqa: PLC0415

    error = SquaredError(reference, workers)
    return lambda picture: min(psnr(error.value(picture), reference.size), MOST_DECIBELS)


def _psnr_y(reference: Picture, workers: Workers) -> Scorer:
    """Decibels from the mean squared error of luma, which is not rounded."""
    score = _psnr(_luma(reference), workers)
    return lambda picture: score(_luma(picture))


def _luma(picture: Picture) -> Picture:
    from gradpress.color import component_from_rgb  # noqa: PLC0415

    return picture if len(picture) == 1 else component_from_rgb(picture, 0)[None]


METRICS: tuple[Metric, ...] = (
    Metric(
        name="psnr",
        description="peak signal-to-noise ratio over R, G and B, at most 100",
        unit="dB",
        higher_is_better=True,
        digits=3,
        prepare=_psnr,
    ),
    Metric(
        name="psnr-y",
        description="the same over luma (ITU-R BT.601)",
        unit="dB",
        higher_is_better=True,
        digits=3,
        prepare=_psnr_y,
    ),
)
"""In the order in which they are told."""

NAMES = tuple(candidate.name for candidate in METRICS)
