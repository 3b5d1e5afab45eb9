"""Whose quantisation tables a file has: libjpeg's, mozjpeg's or jpegli's, and at which setting.

The first component's table is compared with those that each encoder makes. The numbers are facts of
mozjpeg's jcparam.c and of jpegli's lib/jpegli/quant.cc.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gradpress.jpeg.params import ZIGZAG
from gradpress.jpeg.quality import LUMINANCE, QUALITIES, scaled

MOZJPEG = (
    (16,),
    (16, 17),
    (16, 20, 24),
    (18, 27, 31, 40),
    (25, 34, 43, 53, 69),
    (37, 40, 62, 74, 94, 124),
    (56, 53, 91, 106, 131, 169, 226),
    (85, 75, 135, 156, 189, 238, 311, 418),
)
"""mozjpeg's table 3, its default, for all components: rows to the diagonal, about which it is
symmetric (by N. Robidoux)."""
MOZJPEG_2 = (
    (12, 17, 20, 21, 30, 34, 56, 63),
    (18, 20, 20, 26, 28, 51, 61, 55),
    (19, 20, 21, 26, 33, 58, 69, 55),
    (26, 26, 26, 30, 46, 87, 86, 66),
    (31, 33, 36, 40, 46, 96, 100, 73),
    (40, 35, 46, 62, 81, 100, 111, 91),
    (46, 66, 76, 86, 102, 121, 120, 101),
    (68, 90, 90, 96, 113, 102, 105, 103),
)
"""mozjpeg's table 2, for luma."""
JPEGLI = (
    (1.240,),
    (1.723, 2.093),
    (2.921, 2.846, 2.959),
    (2.813, 2.705, 3.386, 3.380),
    (3.340, 3.441, 3.620, 4.168, 4.580),
    (3.464, 3.166, 3.905, 4.806, 4.923, 5.439),
    (3.841, 4.025, 3.758, 4.784, 5.574, 5.094, 5.438),
    (3.870, 4.035, 4.237, 4.606, 5.485, 6.087, 5.404, 4.378),
)
"""jpegli's base for luma, to the diagonal, at distance 1 and a global scale of 1."""
JPEGLI_SCALE, JPEGLI_420 = 1.7396601, 1.22
"""Its global scale for YCbCr, and by how much more it scales 4:2:0."""
JPEGLI_LINEAR = 1.5
"""The distance from which on low frequencies rise less than linearly, by these exponents."""
JPEGLI_EXPONENTS = {
    (0, 1): 0.51, (0, 2): 0.67, (0, 3): 0.74, (1, 0): 0.51, (1, 1): 0.66, (1, 2): 0.69,
    (1, 3): 0.87, (2, 0): 0.67, (2, 1): 0.69, (2, 2): 0.84, (2, 3): 0.83, (2, 4): 0.96,
    (3, 0): 0.74, (3, 1): 0.87, (3, 2): 0.83, (3, 5): 0.91, (3, 6): 0.91, (4, 2): 0.96,
    (5, 3): 0.91, (6, 3): 0.91,
}  # fmt: skip
JPEGLI_DISTANCES = np.arange(1, 2501) / 100

NEAREST = 0.9
"""Part of the steps that must be equal, the others differing by 1 at most."""


@dataclass(frozen=True)
class Family:
    """Tables that an encoder makes."""

    name: str
    setting: str
    """What it was asked for."""


_Candidates = tuple[str, Sequence[str], NDArray[np.int64]]
"""A name, settings, and for each the table, ``(settings, 64)`` in natural order."""


def family(steps: tuple[int, ...]) -> Family | None:
    """Recognise the first component's table, 64 steps in zigzag order; None for one's own."""
    natural = np.zeros(64, np.int64)
    natural[ZIGZAG] = steps
    best, found = NEAREST, None
    for name, settings, tables in _candidates():
        apart = np.abs(tables - natural)
        equal = np.where(apart.max(axis=1) <= 1, (apart == 0).mean(axis=1), 0)
        nearest = int(equal.argmax())
        if equal[nearest] > best or (found is None and equal[nearest] == best):
            best, found = float(equal[nearest]), Family(name, settings[nearest])
    if len(set(steps)) == 1 and (found is None or steps[0] > 1):
        return Family("flat", f"step {steps[0]}")
    return found


@cache
def _candidates() -> list[_Candidates]:
    qualities = [f"quality {quality}" for quality in QUALITIES.tolist()]
    bases = {
        "libjpeg's": np.array(LUMINANCE),
        "mozjpeg's default": _symmetric(MOZJPEG),
        "mozjpeg's table 2": np.array(MOZJPEG_2),
    }
    return [
        *((name, qualities, scaled(base.ravel().astype(np.int64))) for name, base in bases.items()),
        ("jpegli's", [_jpegli_setting(d) for d in JPEGLI_DISTANCES], _jpegli(1)),
        ("jpegli's 4:2:0", [_jpegli_setting(d) for d in JPEGLI_DISTANCES], _jpegli(JPEGLI_420)),
    ]


def _symmetric(rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    square = np.zeros((8, 8))
    for i, row in enumerate(rows):
        square[i, : i + 1] = square[: i + 1, i] = row
    return square


def _jpegli(scale: float) -> NDArray[np.int64]:
    """Its luma tables by distance."""
    exponents = np.ones((8, 8))
    for place, exponent in JPEGLI_EXPONENTS.items():
        exponents[place] = exponent
    distance = JPEGLI_DISTANCES[:, None]
    risen = JPEGLI_LINEAR ** (1 - exponents.ravel()) * distance ** exponents.ravel()
    slowed = np.maximum(distance / 2, risen)
    scales = np.where(distance < JPEGLI_LINEAR, distance, slowed)
    tables = np.rint(JPEGLI_SCALE * scale * scales * _symmetric(JPEGLI).ravel())
    limited: NDArray[np.int64] = np.clip(tables, 1, 255).astype(np.int64)
    return limited


def _jpegli_setting(distance: float) -> str:
    """The distance, and the quality that jpegli takes for it from 30 on."""
    quality = 100 - (distance - 0.1) / 0.09
    return f"distance {distance:.2f}" + (f", quality {quality:.0f}" if round(quality) >= 30 else "")
