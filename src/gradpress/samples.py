"""Samples of a Pillow picture, whatever its mode, without losing bits on the way.

Pillow decodes 16-bit colour to 8 bits. Its unpackers come in pairs, though: ``RGB;16B`` keeps the
first byte of every sample and ``RGB;16L`` the second, so decoding twice gives both halves.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.ImageFile import ImageFile

from gradpress.metadata import profiles

if TYPE_CHECKING:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

_PLAIN = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "La": "LA",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "RGBa": "RGBA",
    "RGBX": "RGB",
    "YCbCr": "RGB",
    "HSV": "RGB",
}
"""The mode that Pillow converts an 8-bit mode to, exactly where it stores samples."""

_WIDE = re.compile("RGB[AaX]?;16[BLN]")
"""Unpackers of 16-bit colour."""

_OTHER_BYTE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
"""From an unpacker that keeps the high byte to the one that keeps the low byte."""

CONVERTED = ("CMYK", "LAB")
"""Modes whose samples are converted to sRGB."""

_WHITE_IS_ZERO = 0
_PHOTOMETRIC = 262
_BITS_PER_SAMPLE = 258
_PLANAR_CONFIGURATION = 284
"""TIFF 6.0, section 8."""


@dataclass(frozen=True)
class Samples:
    """Decoded samples as the file stores them."""

    colour: NDArray[Any]
    """``(H, W, C)``, C = 1 or 3, in [0, full]."""
    alpha: NDArray[Any] | None = None
    """``(H, W)`` in [0, full]."""
    full: float = 255
    premultiplied: bool = False
    """Whether the colour was already multiplied by alpha."""

    @property
    def transparent(self) -> bool:
        """Whether any pixel lets the background through."""
        return self.alpha is not None and bool(self.alpha.min() < self.full)


def samples_of(
    picture: PIL.Image.Image, again: Callable[[], ImageFile] | None = None
) -> tuple[Samples, str | None]:
    """Decode a picture; and a notice if it had to be converted.

    ``again`` opens the same file anew; without it (the picture is no file's) samples are as
    Pillow holds them.
    """
    if again and isinstance(picture, ImageFile) and (wide := _wide(picture, again)):
        return wide, None
    rawmode = _rawmode(picture)
    picture.load()
    if picture.mode.startswith("I;16"):
        return _grey16(picture, rawmode), None
    if picture.mode in ("I", "F"):
        return _numbers(picture)
    notice = "16-bit samples were read at 8 bits" if ";16" in rawmode else None
    if picture.mode in CONVERTED:
        picture, notice = _converted(picture)
    return _eight_bit(picture, rawmode), notice


def planes_of(
    samples: Samples, orientation: int, background: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Upright opaque planes ``(C, H, W)`` in [0, 255]; the background is R, G, B in [0, 255]."""
    planes = _floats(turned(samples.colour, orientation), samples.full)
    if samples.alpha is None or not samples.transparent:
        return planes
    if len(planes) == 1 and len(set(background)) > 1:
        planes = np.repeat(planes, 3, axis=0)
    alpha = _floats(turned(samples.alpha, orientation)[..., None], 255 * samples.full)[0]
    for plane, level in zip(planes, background, strict=False):
        _lay(plane, alpha, np.float32(level), premultiplied=samples.premultiplied)
    return planes


def _lay(
    plane: NDArray[np.float32],
    alpha: NDArray[np.float32],
    level: np.float32,
    *,
    premultiplied: bool,
) -> None:
    """Lay a plane on a level, in place: level + alpha (plane - level)."""
    if premultiplied:
        plane += level * (1 - alpha)
    else:
        plane -= level
        plane *= alpha
        plane += level
    np.clip(plane, 0, 255, out=plane)


def _floats(pixels: NDArray[Any], full: float) -> NDArray[np.float32]:
    """``(H, W, C)`` in [0, full] to ``(C, H, W)`` in [0, 255]."""
    height, width, channels = pixels.shape
    planes = np.empty((channels, height, width), np.float32)
    np.copyto(planes, np.moveaxis(pixels, 2, 0), casting="unsafe")
    planes /= full / 255
    return planes


def turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """View pixels ``(H, W, ...)`` upright, by EXIF orientation 1 to 8 (Exif 2.32, 4.6.4 A)."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _wide(picture: ImageFile, again: Callable[[], ImageFile]) -> Samples | None:
    """Colour of 16 bits per sample; None for all other files."""
    rawmode = _rawmode(picture)
    if rawmode == "LA;16B":
        return _grey_alpha16(picture)
    if (_WIDE.fullmatch(rawmode) and not _compressed_planes(picture)) or _wide_bands(picture):
        return _colour16(picture, again())
    if picture.mode == "RGB" and picture.tile and picture.tile[0].codec_name == "ppm":
        return _wide_ppm(picture)
    return None


def _rawmode(picture: PIL.Image.Image) -> str:
    """How Pillow will unpack the file's samples; empty once they are decoded."""
    if not isinstance(picture, ImageFile) or not picture.tile:
        return ""
    args = picture.tile[0].args
    return args if isinstance(args, str) else str(args[0]) if args else ""


def _unpack_as(picture: ImageFile, change: Callable[[str], str]) -> NDArray[np.uint8]:
    """Decode ``(H, W, C)`` with each part's unpacker changed."""
    picture.tile = [
        tile._replace(args=change(tile.args))
        if isinstance(tile.args, str)
        else tile._replace(args=(change(str((tile.args or ("",))[0])), *(tile.args or ())[1:]))
        for tile in picture.tile
    ]
    return np.asarray(picture)


def _tags(picture: PIL.Image.Image) -> ImageFileDirectory_v2 | dict[int, Any]:
    """Tags of a TIFF file; of anything else none."""
    if picture.format != "TIFF":
        return {}
    from PIL.TiffImagePlugin import TiffImageFile  # noqa: PLC0415 - Pillow has imported it by now

    return picture.tag_v2 if isinstance(picture, TiffImageFile) else {}


def _compressed_planes(picture: ImageFile) -> bool:
    """Whether libtiff unpacks a plane for each component: then Pillow has no choice of bytes."""
    return (
        picture.tile[0].codec_name == "libtiff" and _tags(picture).get(_PLANAR_CONFIGURATION) == 2
    )


def _wide_bands(picture: ImageFile) -> str:
    """Give the ending of the unpackers of a raw TIFF of 16-bit planes for R, G, B (and A).

    Pillow names those unpackers as if the samples had 8 bits. Empty for all other files.
    """
    tags = _tags(picture)
    if _rawmode(picture) != "R" or set(tags.get(_BITS_PER_SAMPLE, ())) != {16}:
        return ""
    return ";16L" if getattr(tags, "prefix", b"") == b"II" else ";16B"


def _colour16(picture: ImageFile, again: ImageFile) -> Samples:
    """RGB or RGBA of 16 bits, decoded once for the high bytes and once for the low ones."""
    ending = _wide_bands(picture)
    premultiplied = _rawmode(picture).startswith("RGBa")

    def high(rawmode: str) -> str:
        return rawmode.replace("a", "A") + ending

    def low(rawmode: str) -> str:
        return high(rawmode)[:-1] + _OTHER_BYTE[high(rawmode)[-1]]

    pixels = _unpack_as(picture, high).astype(np.uint16)
    pixels <<= 8
    pixels |= _unpack_as(again, low)
    alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
    key = picture.info.get("transparency") if alpha is None else None
    return _keyed(Samples(pixels[..., :3], alpha, 65535, premultiplied), key)


def _grey_alpha16(picture: ImageFile) -> Samples:
    """PNG's grey with alpha, 4 bytes to a pixel, passed through as if they were RGBA."""
    pixels = np.ascontiguousarray(_unpack_as(picture, lambda _: "RGBA")).view(">u2")
    return Samples(pixels[..., :1], pixels[..., 1], 65535)


def _wide_ppm(picture: ImageFile) -> Samples | None:
    """Binary PPM of more than 8 bits per sample: big-endian, up to the maximum it states."""
    tile = picture.tile[0]
    full = int((tile.args or (0,))[-1])
    if full < 256 or picture.fp is None:
        return None
    picture.fp.seek(tile.offset)
    data = picture.fp.read(6 * picture.width * picture.height)
    pixels = np.frombuffer(data, ">u2").reshape(picture.height, picture.width, 3)
    return Samples(np.minimum(pixels, full), full=full)


def _grey16(picture: PIL.Image.Image, rawmode: str) -> Samples:
    """Grey of 12 or 16 bits; a TIFF may count from white."""
    full = 4095 if rawmode.startswith("I;12") else 65535
    pixels = np.asarray(picture)[..., None]
    if _tags(picture).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        pixels = full - np.minimum(pixels, full)
    return _keyed(Samples(pixels, full=full), picture.info.get("transparency"))


def _numbers(picture: PIL.Image.Image) -> tuple[Samples, str | None]:
    """32-bit integers in 0 to 65535; floats in 0 to 1, or in 0 to 255."""
    pixels = np.asarray(picture)[..., None]
    low, high = float(pixels.min()), float(pixels.max())
    full = 65535 if picture.mode == "I" else 255 if high > 1 else 1
    if not 0 <= low <= high <= full:
        raise ValueError(f"samples reach from {low:g} to {high:g}, not within 0 to {full}")
    notice = f"float samples were taken as 0 to {full}" if picture.mode == "F" else None
    return Samples(pixels, full=full), notice


def _converted(picture: PIL.Image.Image) -> tuple[PIL.Image.Image, str]:
    if picture.mode == "LAB":
        return profiles.lab_to_srgb(picture)
    return profiles.cmyk_to_srgb(picture, picture.info.get("icc_profile"))


def _eight_bit(picture: PIL.Image.Image, rawmode: str) -> Samples:
    """Any mode of 8 bits or fewer per sample; palettes are looked up."""
    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    elif picture.mode not in _PLAIN:
        raise ValueError(f"pictures of mode {picture.mode} are not read")
    key = picture.info.get("transparency")
    plain = _PLAIN[picture.mode]
    pixels = np.asarray(picture if plain == picture.mode else picture.convert(plain))
    if pixels.ndim == 2:
        return _keyed(Samples(pixels[..., None]), _full_scale(key, rawmode))
    if pixels.shape[2] == 3:
        return _keyed(Samples(pixels), key)
    return Samples(pixels[..., :-1], pixels[..., -1])


def _full_scale(key: object, rawmode: str) -> object:
    """PNG states a transparent grey in the file's 2 or 4 bits; Pillow's samples have 8."""
    return key * {"L;2": 85, "L;4": 17}.get(rawmode, 1) if isinstance(key, int) else key


def _keyed(samples: Samples, key: object) -> Samples:
    """Make pixels of exactly the key colour (as stored) transparent; None is no key."""
    if key is None:
        return samples
    opaque = (samples.colour != np.asarray(key)).any(axis=2)
    return replace(samples, alpha=np.where(opaque, samples.full, 0).astype(np.float32))
