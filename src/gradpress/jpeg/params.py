"""The shape of a JPEG file: component layout, quantisation steps, and quantised levels.

Every array that ends in 64 is in *zigzag* order (ITU-T T.81, Figure A.6). Block arrays are
``(block_rows, block_columns, 64)`` and padded to whole minimum coded units (MCUs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.int16]
Steps = NDArray[np.uint8]
WideSteps = NDArray[np.uint16]

GREY = ((1, 1),)
FACTORS: dict[str, tuple[tuple[int, int], ...]] = {
    "grey": GREY,
    "444": ((1, 1), (1, 1), (1, 1)),
    "422": ((2, 1), (1, 1), (1, 1)),
    "420": ((2, 2), (1, 1), (1, 1)),
}
"""Chroma subsampling by name: (horizontal, vertical) sampling factors of each component."""


def _zigzag() -> NDArray[np.intp]:
    """Natural (row-major) index of each zigzag position (T.81, Figure A.6)."""
    places = [(row, column) for row in range(8) for column in range(8)]
    places.sort(key=lambda p: (p[0] + p[1], p[0] if (p[0] + p[1]) % 2 else p[1]))
    return np.array([8 * row + column for row, column in places])


ZIGZAG = _zigzag()


@dataclass(frozen=True)
class Layout:
    """Picture size in pixels and the sampling factors of its components."""

    width: int
    height: int
    factors: tuple[tuple[int, int], ...]

    @property
    def max_factors(self) -> tuple[int, int]:
        """Largest horizontal and vertical sampling factor."""
        return max(h for h, _ in self.factors), max(v for _, v in self.factors)

    def ratio(self, component: int) -> tuple[int, int]:
        """How many times the picture is wider and higher than the component."""
        (h, v), (h_max, v_max) = self.factors[component], self.max_factors
        return h_max // h, v_max // v

    @property
    def mcus(self) -> tuple[int, int]:
        """Rows and columns of MCUs in an interleaved scan."""
        h, v = self.max_factors
        return -(-self.height // (8 * v)), -(-self.width // (8 * h))

    def size(self, component: int) -> tuple[int, int]:
        """Height and width of the component in samples (T.81, A.1.1)."""
        (h, v), (h_max, v_max) = self.factors[component], self.max_factors
        return -(-self.height * v // v_max), -(-self.width * h // h_max)

    def blocks(self, component: int) -> tuple[int, int]:
        """Block rows and columns of the component, padded to whole MCUs."""
        (h, v), (rows, columns) = self.factors[component], self.mcus
        return rows * v, columns * h

    def own_blocks(self, component: int) -> tuple[int, int]:
        """Block rows and columns that hold samples: what a non-interleaved scan codes."""
        height, width = self.size(component)
        return -(-height // 8), -(-width // 8)


class Quantised(Protocol):
    """What entropy coding sees of a picture."""

    @property
    def layout(self) -> Layout:
        """Its shape."""

    @property
    def levels(self) -> tuple[Levels, ...]:
        """``layout.blocks(i) + (64,)`` int16, zigzag order; DC is not differenced."""


@dataclass(frozen=True)
class Symbols:
    """A JPEG picture as it is stored: one table of steps and one array of levels by component."""

    layout: Layout
    steps: tuple[Steps, ...]
    """``(64,)`` uint8 in 1…255, zigzag order."""
    levels: tuple[Levels, ...]
    """``layout.blocks(i) + (64,)`` int16, zigzag order; DC is not differenced."""
