"""Metrics by name: how much a picture differs from its original, as one number.

What a metric needs is imported when it is prepared, so that names and descriptions cost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gradpress.errors import UsageError

if TYPE_CHECKING:
    from gradpress.distortion import Picture
    from gradpress.workers import Workers

Scorer = Callable[["Picture"], float]
"""Scores a picture of the reference's shape."""

Pool = Callable[[Sequence[float], Sequence[float]], float]
"""Makes one score of several; the second are their shares of the pixels, 1 together."""

MOST_DECIBELS = 100.0
"""PSNR of pictures that are the same, or nearly."""


def _mean(scores: Sequence[float], shares: Sequence[float], power: float = 1.0) -> float:
    total = sum(share * score**power for score, share in zip(scores, shares, strict=True))
    return float(total ** (1 / power))


def _worst(distances: Sequence[float], _: Sequence[float]) -> float:
    return max(distances)


def _decibels(scores: Sequence[float], shares: Sequence[float]) -> float:
    return -10 * math.log10(_mean([10 ** (-score / 10) for score in scores], shares))


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
    goals: tuple[float, float]
    """The least and the most that can be asked for."""
    pool: Pool
    """Of the scores of a picture's parts, near the whole's."""
    estimate: Callable[[Picture, Workers], Scorer] | None = None
    """A quicker scorer, nearly as good."""

    def reaches(self, value: float, goal: float) -> bool:
        """Whether a value is at least as good as the goal."""
        return value >= goal if self.higher_is_better else value <= goal

    def axis(self, value: float) -> float:
        """The value where more is better and a given factor in bytes is about as far everywhere.

        Similarities and distances go by 10 log10 of what is amiss, in dB.
        """
        if self.unit or self.name == "ssimulacra2":
            return value
        amiss = 1 - value if self.higher_is_better else value
        return -10 * math.log10(max(amiss, 1e-10))


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


def _ssim(reference: Picture, workers: Workers) -> Scorer:
    from gradpress.distortion.ssim import ssim_scorer  # noqa: PLC0415

    return ssim_scorer(reference, workers)


def _ms_ssim(reference: Picture, workers: Workers) -> Scorer:
    from gradpress.distortion.ssim import ms_ssim_scorer  # noqa: PLC0415

    return ms_ssim_scorer(reference, workers)


def _ssimulacra2(reference: Picture, workers: Workers) -> Scorer:
    from gradpress.distortion.ssimulacra2 import ssimulacra2_scorer  # noqa: PLC0415

    return ssimulacra2_scorer(reference, workers)


def _quick_ssimulacra2(reference: Picture, workers: Workers) -> Scorer:
    from gradpress.distortion.ssimulacra2 import Ssimulacra2Error  # noqa: PLC0415

    return Ssimulacra2Error.of(reference, workers).quick_score


def _butteraugli(reference: Picture, workers: Workers) -> Scorer:
    from gradpress.distortion.butteraugli import butteraugli_scorer  # noqa: PLC0415

    score = butteraugli_scorer(reference, workers)
    return lambda picture: score(picture).norm3


def _butteraugli_max(reference: Picture, workers: Workers) -> Scorer:
    from gradpress.distortion.butteraugli import butteraugli_scorer  # noqa: PLC0415

    score = butteraugli_scorer(reference, workers)
    return lambda picture: score(picture).maximum


def _luma(picture: Picture) -> Picture:
    from gradpress.color import luma_of  # noqa: PLC0415

    return luma_of(picture)[None]


METRICS: tuple[Metric, ...] = (
    Metric(
        name="ssimulacra2",
        description="SSIMULACRA2 2.1: 90 cannot be told from the original, 70 is high quality",
        unit="",
        higher_is_better=True,
        digits=2,
        prepare=_ssimulacra2,
        goals=(-100.0, 100.0),
        pool=_mean,
        estimate=_quick_ssimulacra2,
    ),
    Metric(
        name="butteraugli",
        description="Butteraugli's distance, the 3-norm (libjxl, 80 nits): 1 is hard to see",
        unit="",
        higher_is_better=False,
        digits=4,
        prepare=_butteraugli,
        goals=(0.01, 100.0),
        pool=partial(_mean, power=3),
    ),
    Metric(
        name="butteraugli-max",
        description="the same, at its worst place",
        unit="",
        higher_is_better=False,
        digits=4,
        prepare=_butteraugli_max,
        goals=(0.01, 200.0),
        pool=_worst,
    ),
    Metric(
        name="ms-ssim",
        description="MS-SSIM of luma (Wang, Simoncelli and Bovik 2003)",
        unit="",
        higher_is_better=True,
        digits=5,
        prepare=_ms_ssim,
        goals=(0.0, 1.0),
        pool=_mean,
    ),
    Metric(
        name="ssim",
        description="SSIM of luma (Wang et al. 2004)",
        unit="",
        higher_is_better=True,
        digits=5,
        prepare=_ssim,
        goals=(0.0, 1.0),
        pool=_mean,
    ),
    Metric(
        name="psnr",
        description="peak signal-to-noise ratio over R, G and B, at most 100",
        unit="dB",
        higher_is_better=True,
        digits=3,
        prepare=_psnr,
        goals=(1.0, MOST_DECIBELS),
        pool=_decibels,
    ),
    Metric(
        name="psnr-y",
        description="the same over luma (ITU-R BT.601)",
        unit="dB",
        higher_is_better=True,
        digits=3,
        prepare=_psnr_y,
        goals=(1.0, MOST_DECIBELS),
        pool=_decibels,
    ),
)
"""In the order in which they are told."""

NAMES = tuple(candidate.name for candidate in METRICS)
