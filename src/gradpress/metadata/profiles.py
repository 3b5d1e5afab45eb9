"""ICC colour profiles: what they describe, and pictures that only they can turn into RGB.

LittleCMS is reached through Pillow and imported when a picture needs it.
"""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
from numpy.typing import NDArray

MAX_BYTES = 255 * 65519
"""What 255 APP2 segments of a JPEG file hold (ICC.1:2010, annex B.4)."""

ROWS = 512
"""Converted at a time."""

_SPACES = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4, b"Lab ": 3}
_DESCRIBES = {1: b"GRAY", 3: b"RGB "}


def colour_space(profile: bytes) -> bytes | None:
    """Read the data colour space of a profile, such as ``b"RGB "``; None if it is not a profile.

    ICC.1:2010, section 7.2: a header of 128 bytes and a tag count, ``acsp`` at byte 36.
    """
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return None
    return profile[16:20] if profile[16:20] in _SPACES else None


def fitting(profile: bytes | None, planes: int) -> tuple[bytes | None, str | None]:
    """Keep the profile if it describes a picture of 1 or 3 planes; else None and the reason."""
    if not profile:
        return None, None
    space = colour_space(profile)
    if space is None:
        return None, "the colour profile is damaged and was left out"
    if space != _DESCRIBES[planes]:
        kind = "grey" if planes == 1 else "RGB"
        name = space.decode().strip()
        return None, f"the colour profile is for {name}, the picture is {kind}: it was left out"
    if len(profile) > MAX_BYTES:
        return None, f"the colour profile of {len(profile):,} bytes is too large for a JPEG file"
    return profile, None


def cmyk_to_srgb(picture: PIL.Image.Image, profile: bytes | None) -> tuple[PIL.Image.Image, str]:
    """Make an 8-bit sRGB picture of a CMYK one, and say how.

    Relative colorimetric with black point compensation, as viewers do it.
    """
    if profile and colour_space(profile) == b"CMYK":
        return _to_srgb(picture, profile), "CMYK was converted to sRGB through its profile"
    return picture.convert("RGB"), "CMYK without a profile was converted to sRGB by a plain formula"


def lab_to_srgb(picture: PIL.Image.Image) -> tuple[PIL.Image.Image, str]:
    """Make an 8-bit sRGB picture of a CIE L*a*b* (D50) one, and say so."""
    return _to_srgb(picture, None), "Lab was converted to sRGB"


def planes_to_srgb(planes: NDArray[np.float32], profile: bytes) -> None:
    """Convert planes ``(C, H, W)`` in [0, 255], C = 1 or 3, in place and by their profile.

    Some rows at a time; to whole levels, as the conversion knows no others.
    """
    for top in range(0, planes.shape[1], ROWS):
        stripe = planes[:, top : top + ROWS]
        levels = np.rint(stripe).astype(np.uint8).transpose(1, 2, 0)
        picture = PIL.Image.fromarray(levels if len(planes) > 1 else levels[..., 0])
        converted = np.asarray(_to_srgb(picture, profile, exactly=True))
        stripe[:] = converted.transpose(2, 0, 1)[: len(planes)]


def _to_srgb(
    picture: PIL.Image.Image, profile: bytes | None, *, exactly: bool = False
) -> PIL.Image.Image:
    """Convert a picture; ``exactly`` without tables, which are coarse in the shadows."""
    from PIL import ImageCms  # noqa: PLC0415 - LittleCMS is needed for few pictures

    source = (
        ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("LAB")
    )
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    converted = ImageCms.profileToProfile(
        picture,
        source,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=flags | ImageCms.Flags.NOOPTIMIZE if exactly else flags,
    )
    if converted is None:
        raise ValueError("the colour profile could not be applied")
    return converted
