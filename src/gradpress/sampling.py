"""How finely a JPEG file keeps its colour."""

from __future__ import annotations

import io

import PIL.Image
from PIL.ExifTags import Base
from PIL.JpegImagePlugin import JpegImageFile, get_sampling

_NAMES = {0: "444", 1: "422", 2: "420"}
"""By Pillow's numbers."""
_TURNED = 5
"""EXIF orientations from here on swap width and height."""


def own_sampling(jpeg: bytes | None) -> tuple[str, ...]:
    """The file's sampling, as the upright picture has it, if it is one of ours; else nothing."""
    if jpeg is None:
        return ()
    try:
        with PIL.Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as picture:
            assert isinstance(picture, JpegImageFile)
            name = _NAMES.get(get_sampling(picture), "")
            turned = picture.getexif().get(Base.Orientation, 1) >= _TURNED
    except Exception:  # damaged metadata make Pillow raise nearly anything
        return ()
    return () if not name or (turned and name == "422") else (name,)
