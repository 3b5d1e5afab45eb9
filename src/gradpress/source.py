"""Where a picture comes from: a JPEG file's coefficients lie on a lattice, which the search knows.

What was decoded from a file is stored most cheaply near that file's own steps and sampling: there
a level is right to the last bit, and none is spent on old rounding errors. So the descent starts
from the file's coefficients, and takes no steps that are finer than its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradpress.check import TOLERANCE
from gradpress.distortion import Picture
from gradpress.errors import GradpressError
from gradpress.image import Image
from gradpress.jpeg import model
from gradpress.jpeg.decoder import decode
from gradpress.jpeg.params import FACTORS, ZIGZAG, Layout, Steps, Symbols
from gradpress.samples import turned
from gradpress.transform import Blocks
from gradpress.workers import SERIAL, Workers

TURNS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
"""By orientation: whether rows and columns change places, then rows and columns their order."""
TRANSPOSING = 5
"""The first orientation by which rows become columns."""
_PLACES = np.stack(np.divmod(ZIGZAG, 8))
"""Row and column of each zigzag position."""
TRANSPOSED = np.argsort(ZIGZAG)[8 * _PLACES[1] + _PLACES[0]]
"""Zigzag position of the frequency with row and column exchanged."""
SIGNS = (1 - 2 * (_PLACES % 2)).astype(np.float32)
"""What becomes of coefficients when rows, or columns, are mirrored: odd functions change sign."""
FREE = np.ones(64, np.uint8)
"""The finest steps there are."""


@dataclass(frozen=True)
class Component:
    """One component of a file."""

    size: tuple[int, int]
    """Height and width in samples."""
    coefficients: Blocks
    """Of the blocks that hold samples."""
    steps: Steps


@dataclass(frozen=True)
class Origin:
    """What a picture was decoded from; None for a component whose blocks are cut otherwise now."""

    components: tuple[Component | None, ...]
    chroma: tuple[int, int]
    """How many times the picture is wider and higher than chroma; 1, 1 for grey."""

    def suited(self, layouts: tuple[Layout, ...]) -> tuple[Layout, ...]:
        """Of several layouts those that do not store chroma finer than it was."""
        across, down = self.chroma
        coarse = [
            layout
            for layout in layouts
            if layout.ratio(-1)[0] >= across and layout.ratio(-1)[1] >= down
        ]
        return tuple(coarse) or layouts

    def started(
        self, layout: Layout, targets: model.Coefficients
    ) -> tuple[model.Coefficients, tuple[Steps, ...]]:
        """Targets that are the file's coefficients where a layout has such components.

        And the finest steps that are worth trying for each.
        """
        begun, finest = list(targets), [FREE] * len(targets)
        for i, known in enumerate(self.components[: len(targets)]):
            if known is not None and known.size == layout.size(i):
                rows, columns = known.coefficients.shape[:2]
                begun[i] = begun[i].copy()
                begun[i][:rows, :columns] = known.coefficients
                finest[i] = known.steps
        return tuple(begun), tuple(finest)


def origin_of(image: Image, planes: Picture, workers: Workers = SERIAL) -> Origin | None:
    """The coefficients, upright, of the file that ``(C, H, W)`` planes were read from.

    None where it is no JPEG file of grey or YCbCr samples in a layout of ours, has tables that
    baseline files cannot have, or shows anything but these planes.
    """
    if image.jpeg is None:
        return None
    try:
        found = decode(image.jpeg)
    except GradpressError:
        return None
    known = found.layout.factors in FACTORS.values() and found.colour in ("grey", "YCbCr")
    if not (known and found.complete and all(steps.max() <= 255 for steps in found.steps)):
        return None
    steps = tuple(each.astype(np.uint8) for each in found.steps)
    symbols = Symbols(found.layout, steps, found.levels)
    if not _shows(symbols, image.orientation, planes, workers):
        return None
    components = (_component(symbols, i, image.orientation) for i in range(len(steps)))
    across, down = found.layout.ratio(-1)
    sides = (down, across) if image.orientation >= TRANSPOSING else (across, down)
    return Origin(tuple(components), sides)


def _shows(symbols: Symbols, orientation: int, planes: Picture, workers: Workers) -> bool:
    shown = turned(model.decode(symbols, workers), orientation)
    planar = shown.transpose(2, 0, 1) if shown.ndim == 3 else shown[np.newaxis]
    if planar.shape[1:] != planes.shape[1:]:
        return False
    return all(
        int(np.abs(ours - theirs).max()) <= TOLERANCE
        for ours, theirs in zip(planar, planes, strict=False)
    )


def _component(symbols: Symbols, component: int, orientation: int) -> Component | None:
    """One component, upright; None where the turn leaves a part of a block at the wrong side."""
    layout = symbols.layout
    height, width = layout.size(component)
    rows, columns = layout.own_blocks(component)
    levels = symbols.levels[component][:rows, :columns]
    steps = symbols.steps[component]
    transposed, rows_flipped, columns_flipped = TURNS.get(orientation, (False, False, False))
    if transposed:
        levels, steps = levels.swapaxes(0, 1)[..., TRANSPOSED], steps[TRANSPOSED]
        height, width = width, height
    if (rows_flipped and height % 8) or (columns_flipped and width % 8):
        return None
    coefficients = levels * steps.astype(np.float32)
    if rows_flipped:
        coefficients = coefficients[::-1] * SIGNS[0]
    if columns_flipped:
        coefficients = coefficients[:, ::-1] * SIGNS[1]
    return Component((height, width), np.ascontiguousarray(coefficients), steps)
