"""Signs that a picture had been a JPEG before it was compressed as it is now.

A coefficient that was once a multiple of another step falls, divided by the present step, on some
levels more often than on others: the histogram has gaps or peaks at regular places (Lukáš and
Fridrich, 2003). For each quality of libjpeg the expected pattern is laid over a smooth histogram,
and the likelihoods are compared. What is found are tables like libjpeg's on an unmoved grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gradpress.jpeg.params import ZIGZAG, Levels, WideSteps
from gradpress.jpeg.quality import LUMINANCE, QUALITIES, scaled

FREQUENCIES = np.arange(1, 16)
"""Zigzag positions that are looked at: low ones, which have enough levels other than 0."""
MOST = 24
"""Greatest magnitude of a level that is looked at."""
NOISE = 0.6
"""Standard deviation of what a coefficient changed by between the compressions, in its own unit:
rounding to whole pixel values and back from another colour space."""
FEWEST = 50
"""Levels other than 0 that a frequency must have."""
EVIDENCE = 0.03
"""Mean logarithm of the likelihood ratio by level, from which on a sign is one."""


@dataclass(frozen=True)
class Earlier:
    """An earlier compression, most likely."""

    quality: int
    """libjpeg's, 1…100."""
    evidence: float
    """Mean logarithm of the likelihood ratio, by level other than 0."""


def earlier(levels: Levels, steps: WideSteps) -> Earlier | None:
    """Signs in the first component of a file; None where there are none."""
    ratios, number = np.zeros(len(QUALITIES)), 0
    former = scaled(np.array(LUMINANCE).ravel()[ZIGZAG])
    for k in FREQUENCIES.tolist():
        histogram = np.bincount(np.abs(levels[..., k].ravel()), minlength=MOST + 1)[1 : MOST + 1]
        if histogram.sum() < FEWEST:
            continue
        smooth = _smooth(histogram)
        number += int(histogram.sum())
        for i, step in enumerate(former[:, k].tolist()):
            pattern = smooth * _pattern(step, int(steps[k]))
            ratios[i] += histogram @ np.log(pattern / pattern.sum() / smooth)
    if not number:
        return None
    best = int(ratios.argmax())
    evidence = float(ratios[best] / number)
    return Earlier(int(QUALITIES[best]), evidence) if evidence >= EVIDENCE else None


def _smooth(histogram: NDArray[np.int64]) -> NDArray[np.float64]:
    """The geometric distribution of the same mean over magnitudes 1…MOST."""
    mean = histogram @ np.arange(1, MOST + 1) / histogram.sum()
    falling = (1 - 1 / max(mean, 1.05)) ** np.arange(MOST)
    smooth: NDArray[np.float64] = falling / falling.sum()
    return smooth


@cache
def _pattern(former: int, present: int) -> NDArray[np.float64]:
    """How much of each level 1…MOST can come from multiples of the former step; 1 in the mean."""
    edges = (np.arange(1, MOST + 2, dtype=np.float64) - 0.5) * present
    places = former * np.arange(int(edges[-1] // former) + 2, dtype=np.float64)
    away: NDArray[np.float64] = (edges[:, None] - places) / NOISE
    below = _below(away).sum(axis=1)
    share: NDArray[np.float64] = np.diff(below) * former / present
    return np.maximum(share, 1e-3)


def _below(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The normal distribution function, by its logistic approximation."""
    below: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(1.702 * x, -40, 40)))
    return below
