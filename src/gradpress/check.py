"""What was written is decoded by another decoder and compared before it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile

from gradpress.errors import GradpressError
from gradpress.jpeg import model
from gradpress.jpeg.params import Symbols
from gradpress.workers import SERIAL, Workers

MAX_LIBJPEG_SIDE = 65500
"""libjpeg and with it Pillow refuse longer sides, though the standard allows 65,535."""
TOLERANCE = 1
"""Levels by which Pillow's decoder may differ from the model: other builds round elsewhere."""


@dataclass(frozen=True)
class Shown:
    """What a viewer shows."""

    pixels: NDArray[np.uint8]
    """``(H, W[, 3])``."""
    as_expected: bool
    """Whether they are the model's very pixels."""


def checked(data: bytes, symbols: Symbols, workers: Workers = SERIAL) -> Shown:
    """The file's pixels as Pillow decodes them, after comparing them with the model's."""
    expected = model.decode(symbols, workers)
    if max(expected.shape[:2]) > MAX_LIBJPEG_SIDE:
        return Shown(expected, as_expected=True)
    with JpegImageFile(BytesIO(data)) as picture:
        shown = np.asarray(picture)
    amiss = _largest_difference(shown, expected) if shown.shape == expected.shape else 255
    if amiss > TOLERANCE:
        raise GradpressError(
            "the file just written does not decode to the picture that was computed; "
            "nothing was kept, please report this with the picture"
        )
    return Shown(shown, as_expected=amiss == 0)


def _largest_difference(shown: NDArray[np.uint8], expected: NDArray[np.uint8]) -> int:
    """In levels; some rows at a time, for differences take more memory than levels."""
    pairs = ((shown[i : i + 256], expected[i : i + 256]) for i in range(0, len(shown), 256))
    return max(int(np.abs(ours.astype(np.int16) - theirs).max()) for ours, theirs in pairs)
