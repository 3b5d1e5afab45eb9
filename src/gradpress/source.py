"""Where a picture comes from: a JPEG file's coefficients lie on a lattice, which the search knows.

What was decoded from a file is stored most cheaply in that file's own steps and sampling: there a
level is right to the last bit or one less, and nothing is spent on old rounding errors. So the
descent starts from the file's coefficients, once with its very tables and once with tables that
suit the goal, and the smaller file wins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradpress.errors import GradpressError
from gradpress.jpeg.decoder import decode
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.params import FACTORS, Layout, Steps
from gradpress.jpeg.qtables import Tables
from gradpress.transform import dequantise
from gradpress.workers import SERIAL, Workers

UNTURNED = 1
"""The EXIF orientation of a picture that is stored upright."""


@dataclass(frozen=True)
class Origin:
    """The coefficients that a picture was decoded from."""

    layout: Layout
    steps: tuple[Steps, ...]
    coefficients: Coefficients

    @property
    def tables(self) -> Tables:
        """The file's steps as a pair of tables."""
        return Tables(1, self.steps[0], self.steps[-1])

    def for_components(self, count: int) -> Origin:
        """Of the first components: one for a picture whose chroma is empty."""
        if count == len(self.steps):
            return self
        factors = FACTORS["grey"]
        layout = Layout(self.layout.width, self.layout.height, factors)
        rows, columns = layout.blocks(0)
        luma = np.ascontiguousarray(self.coefficients[0][:rows, :columns])
        return Origin(layout, self.steps[:1], (luma,))


def origin_of(jpeg: bytes, width: int, height: int, workers: Workers = SERIAL) -> Origin | None:
    """The file's coefficients, where they are those of upright YCbCr or grey pixels of that size.

    None where the file is of another kind, or has tables that no file of ours can have.
    """
    try:
        found = decode(jpeg)
    except GradpressError:
        return None
    kinds = {"grey": 1, "YCbCr": 3}
    known = found.layout.factors in FACTORS.values() and found.complete
    fitting = (found.layout.width, found.layout.height) == (width, height)
    plain = kinds.get(found.colour) == len(found.levels) and max(map(np.max, found.steps)) <= 255
    if not (known and fitting and plain) or _chroma_differs(found.steps):
        return None
    steps = tuple(step.astype(np.uint8) for step in found.steps)
    coefficients = tuple(
        dequantise(levels, step.astype(np.float32), workers)
        for levels, step in zip(found.levels, steps, strict=True)
    )
    return Origin(found.layout, steps, coefficients)


def _chroma_differs(steps: tuple[np.ndarray, ...]) -> bool:
    return len(steps) == 3 and not np.array_equal(steps[1], steps[2])
