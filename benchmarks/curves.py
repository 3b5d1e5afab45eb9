"""How much smaller files get at equal quality: Bjøntegaard rates and rates at a quality.

A curve gives the logarithm of the size as a function of the quality, by monotone cubic (PCHIP)
interpolation through the measured points; nothing is extrapolated.  The size may be in bytes or in
bits per pixel: of one picture they differ by a factor, which cancels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

LEAST_OVERLAP = 0.02
"""Curves that share a smaller part of the anchor's range than this are not compared."""


@dataclass(frozen=True)
class Curve:
    """Log size over quality, between ``low`` and ``high``."""

    low: float
    high: float
    log_size: PchipInterpolator

    @classmethod
    def through(cls, points: Iterable[tuple[float, float]]) -> Curve | None:
        """Interpolate (size, quality) points; None where fewer than two of them are of use.

        A point that is no better than a cheaper one is dropped.
        """
        frontier = pareto(points)
        if len(frontier) < 2:
            return None
        sizes, qualities = np.array(frontier).T
        return cls(qualities[0], qualities[-1], PchipInterpolator(qualities, np.log(sizes)))

    def size_at(self, quality: float) -> float:
        """The size that a quality costs; nan outside the measured range."""
        if not self.low <= quality <= self.high:
            return math.nan
        return math.exp(float(self.log_size(quality)))

    def mean_log_size(self, low: float, high: float) -> float:
        """The mean of the log size over the qualities from ``low`` to ``high``."""
        return float(self.log_size.integrate(low, high)) / (high - low)


def pareto(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Order (size, quality) points by size, without those no better than a cheaper one.

    >>> pareto([(3, 31.0), (1, 30.0), (2, 29.5), (4, 31.0)])
    [(1, 30.0), (3, 31.0)]
    """
    kept: list[tuple[float, float]] = []
    for size, quality in sorted(points):
        if not kept or quality > kept[-1][1]:
            kept.append((size, quality))
    return kept


def bd_rate(curve: Curve | None, anchor: Curve | None) -> float:
    """Percent of the anchor's size that ``curve`` needs more at equal quality (less: negative).

    The mean of the difference of log sizes over the qualities that both reach; nan where they
    share next to none.  G. Bjøntegaard, VCEG-M33 (2001), with PCHIP in place of a cubic.
    """
    if curve is None or anchor is None:
        return math.nan
    low, high = max(curve.low, anchor.low), min(curve.high, anchor.high)
    if high - low < LEAST_OVERLAP * (anchor.high - anchor.low):
        return math.nan
    return 100 * math.expm1(curve.mean_log_size(low, high) - anchor.mean_log_size(low, high))
