"""Gradpress as a format of Pillow's, if asked for: ``register()``, then ``format="GRADPRESS"``.

>>> from gradpress import pillow
>>> pillow.register()
>>> image.save("photo.jpg", format="GRADPRESS", target="ssimulacra2=75")  # doctest: +SKIP

Beside gradpress's own options, ``save`` takes Pillow's for JPEG, in this meaning:

* ``quality``, 1…100: as good as ordinary JPEG of it is on this very picture;
* ``subsampling``: as Pillow has it; ``-1`` leaves the choice to gradpress;
* ``progressive``: true or false; left out, whichever is smaller;
* ``qtables``: the tables that are used, not just started from;
* ``exif``, ``icc_profile``, ``xmp``, ``comment``, ``dpi``: instead of the image's own; None: none;
* ``optimize``: always done.

What has no counterpart is refused. Pillow itself opens the file, so an existing one is replaced.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import IO, Any

import numpy as np
import PIL.Image
from PIL.JpegImagePlugin import JpegImageFile, get_sampling

from gradpress.errors import UsageError
from gradpress.jpeg.params import ZIGZAG
from gradpress.jpeg.qtables import Tables
from gradpress.options import DEFAULTS
from gradpress.pipeline import compress
from gradpress.result import Status

FORMAT = "GRADPRESS"
DESCRIBING = ("dpi", "exif", "icc_profile", "xmp", "comment")
"""Pillow's names of what goes with the picture."""
SAMPLINGS: dict[Any, str] = {
    **{-1: "auto", 0: "444", 1: "422", 2: "420"},
    **{"4:4:4": "444", "4:2:2": "422", "4:2:0": "420", "4:1:1": "420"},
}
"""By Pillow's numbers and texts; its 4:1:1 is 4:2:0 by an older name."""


def register() -> None:
    """Add the format to Pillow's; its own ``JPEG`` stays as it is."""
    PIL.Image.register_save(FORMAT, _save)
    PIL.Image.register_mime(FORMAT, "image/jpeg")


def _save(image: PIL.Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """Write the picture, as Pillow asks for it."""
    given = dict(image.encoderinfo)
    picture = image.copy()
    picture.info.update(_description(given))
    name = filename.decode(errors="replace") if isinstance(filename, bytes) else filename
    options = {"name": name or "the picture", **_options(image, given)}
    result = compress(picture, **options)
    if result.status is Status.UNREACHABLE:
        warnings.warn(f"{options['name']}: goal not reached: {result.reason}", stacklevel=3)
    file.write(result.data)


def _description(given: dict[str, Any]) -> dict[str, Any]:
    """Take out what goes with the picture."""
    described = {name: given.pop(name) for name in DESCRIBING if name in given}
    exif = described.get("exif")
    if isinstance(exif, PIL.Image.Exif):
        described["exif"] = exif.tobytes()
    return described


def _options(image: PIL.Image.Image, given: dict[str, Any]) -> dict[str, Any]:
    """Gradpress's options in place of Pillow's; raises UsageError for what has no counterpart."""
    given.pop("optimize", None)
    scans = [given.pop(name) for name in ("progression", "progressive") if name in given]
    if scans:
        given["progressive"] = {True: "on", False: "off"}.get(scans[-1], scans[-1])
    if "subsampling" in given:
        given["chroma_subsampling"] = _sampling(image, given.pop("subsampling"))
    if isinstance(given.get("quality"), str):
        raise UsageError(f"quality {given['quality']!r} is not a number from 1 to 100")
    if isinstance(given.get("qtables"), list | tuple | dict):
        given |= {"qtables": _tables(given["qtables"]), "freeze_tables": True}
    strange = ", ".join(sorted(given.keys() - DEFAULTS.keys()))
    if strange:
        raise UsageError(f"format {FORMAT} cannot honour {strange}; leave that out")
    return given


def _sampling(image: PIL.Image.Image, wanted: Any) -> str:  # noqa: ANN401
    if wanted == "keep" and isinstance(image, JpegImageFile):
        return SAMPLINGS.get(get_sampling(image), "auto")
    if wanted not in SAMPLINGS:
        raise UsageError(f"subsampling {wanted!r} cannot be had; choose 4:4:4, 4:2:2 or 4:2:0")
    return SAMPLINGS[wanted]


def _tables(given: Sequence[Sequence[int]] | Mapping[int, Sequence[int]]) -> Tables:
    """Read one or two tables in natural order, as Pillow takes them."""
    several = [given[key] for key in sorted(given)] if isinstance(given, Mapping) else [*given]
    if not 1 <= len(several) <= 2 or any(map(_is_strange, several)):
        raise UsageError("qtables are one or two tables of 64 steps from 1 to 255")
    luma, chroma = (np.array(each, np.uint8)[ZIGZAG] for each in (several[0], several[-1]))
    return Tables(1, luma, chroma)


def _is_strange(table: Sequence[int]) -> bool:
    return len(table) != 64 or not all(1 <= step <= 255 for step in table)
