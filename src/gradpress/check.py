"""What was written is decoded by another decoder and compared before it is kept."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile

from gradpress.errors import GradpressError
from gradpress.jpeg import model
from gradpress.jpeg.params import Symbols

MAX_LIBJPEG_SIDE = 65500
"""libjpeg and with it Pillow refuse longer sides, though the standard allows 65,535."""
TOLERANCE = 1
"""Levels by which Pillow's decoder may differ from the model: other builds round elsewhere."""


def checked(data: bytes, symbols: Symbols) -> NDArray[np.uint8]:
    """The file's pixels as Pillow decodes them, after comparing them with the model's."""
    expected = model.decode(symbols)
    if max(expected.shape[:2]) > MAX_LIBJPEG_SIDE:
        return expected
    with JpegImageFile(BytesIO(data)) as picture:
        shown = np.asarray(picture)
    if shown.shape != expected.shape or not _close(shown, expected):
        raise GradpressError(
            "the file just written does not decode to the picture that was computed; "
            "nothing was kept, please report this with the picture"
        )
    return shown


def _close(shown: NDArray[np.uint8], expected: NDArray[np.uint8]) -> bool:
    if np.array_equal(shown, expected):
        return True
    difference = np.abs(shown.astype(np.int16) - expected)
    return int(difference.max()) <= TOLERANCE
