"""The quality that libjpeg would have called a file's tables.

libjpeg's quality scales the tables that ITU-T T.81 gives as examples (annex K, K.1 and K.2); other
encoders have tables of their own, to which the number applies only so far as they are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradpress.jpeg.params import ZIGZAG
from gradpress.jpeg.reader import Jpeg

LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""T.81, table K.1."""
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
"""T.81, table K.2."""

QUALITIES = np.arange(1, 101)
_PERCENT = np.where(QUALITIES < 50, 5000 // QUALITIES, 200 - 2 * QUALITIES)
"""By how much libjpeg scales the tables (its jcparam.c)."""

_LIMITS = np.array([255, 32767]).reshape(2, 1, 1, 1)
"""Of a step, as the encoder is told to stay within 8 bits or not."""


@dataclass(frozen=True)
class Quality:
    """How a file's tables compare with libjpeg's."""

    value: int
    """The quality whose tables are nearest, 1…100."""
    deviation: float
    """How far the steps are from those of that quality in the mean: 0.1 is a factor of 1.1."""

    @property
    def exact(self) -> bool:
        """Whether they are those tables."""
        return self.deviation == 0


def estimate(tables: Sequence[tuple[int, ...]]) -> Quality:
    """Compare tables of 64 steps each (zigzag order, 1 or more), that of luma first.

    The others are chroma's, or luma's again where that is nearer, as in RGB.
    """
    first, *others = map(_distances, tables)
    apart = [first[0], *(other.min(axis=0) for other in others)]
    distances: NDArray[np.float64] = np.mean(apart, axis=0)
    best = int(distances.argmin())
    return Quality(int(QUALITIES[best]), float(np.expm1(distances[best])))


def of_file(jpeg: Jpeg) -> Quality | None:
    """The quality of a file's tables; None where one of them is missing."""
    used = dict.fromkeys(table.steps for table in jpeg.steps if table is not None)
    return estimate(list(used)) if used and None not in jpeg.steps else None


def _distances(steps: tuple[int, ...]) -> NDArray[np.float64]:
    """Mean |log ratio| to libjpeg's luma and chroma table of each quality, ``(2, 100)``."""
    bases = np.array([LUMINANCE, CHROMINANCE]).reshape(2, 1, 64)[..., ZIGZAG]
    scaled = np.maximum((bases * _PERCENT[:, None] + 50) // 100, 1)
    limited = np.minimum(scaled, _LIMITS)
    distances: NDArray[np.float64] = np.abs(np.log(np.array(steps) / limited)).mean(axis=3)
    nearer: NDArray[np.float64] = distances.min(axis=0)
    return nearer


def scaled(base: NDArray[np.int64]) -> NDArray[np.int64]:
    """A table as libjpeg scales it for each quality 1…100, within 8 bits, ``(100, 64)``."""
    tables: NDArray[np.int64] = np.clip((base * _PERCENT[:, None] + 50) // 100, 1, 255)
    return tables
