"""From a picture in any common format to float planes: the way in.

Samples stay as the file encodes them: the profile travels with the planes, and PNG's gAMA and cHRM
are not applied, as viewers ignore them too where no profile is given. Transparency is laid on the
background in that same encoding.
"""

from __future__ import annotations

import io
import os
import re
import stat
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import PIL.Image
import PIL.ImageColor
from numpy.typing import NDArray
from PIL.ImageFile import ImageFile

from gradpress import remote
from gradpress.errors import GradpressError, ImageTooLarge, UnsupportedImage, UsageError
from gradpress.jpeg.metadata import Segment
from gradpress.jpeg.segments import APP0
from gradpress.metadata import described, profiles
from gradpress.metadata import exif as exif_blocks
from gradpress.metadata.further import Further, further
from gradpress.samples import CONVERTED, Samples, planes_of, samples_of

DEFAULT_MAX_PIXELS = 100_000_000
MAX_SIDE = 65535
"""Samples per line and lines of a JPEG frame are 16-bit numbers (ITU-T T.81, B.2.2)."""
MAX_SCANS = 500
"""A JPEG of more scans is built to waste time: real ones have about a dozen."""
BYTES_PER_PIXEL = 16
"""A file larger than this times the pixel limit is refused before it is read."""

FORMATS = {
    "PNG": "PngImagePlugin",
    "JPEG": "JpegImagePlugin",
    "GIF": "GifImagePlugin",
    "WEBP": "WebPImagePlugin",
    "TIFF": "TiffImagePlugin",
    "AVIF": "AvifImagePlugin",
    "BMP": "BmpImagePlugin",
    "DIB": "BmpImagePlugin",
    "PPM": "PpmImagePlugin",
    "QOI": "QoiImagePlugin",
    "ICO": "IcoImagePlugin",
    "SGI": "SgiImagePlugin",
    "PSD": "PsdImagePlugin",
}
"""The formats that are read, with Pillow's module for each, most frequent first."""

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG"
_SCAN = re.compile(rb"\xff\xda\0[\x06\x08\x0a\x0c]")
"""Start of a scan of 1 to 4 components (ITU-T T.81, B.2.3)."""

Source = str | Path | bytes | BinaryIO | PIL.Image.Image | NDArray[np.uint8]

_QUIET = threading.Lock()
"""Python's warning filters belong to the whole process: one thread at a time changes them."""


@dataclass(frozen=True)
class Image:
    """A picture as the encoder takes it, upright and opaque."""

    planes: NDArray[np.float32]
    """``(C, H, W)``, C = 1 (grey) or 3 (R, G, B): encoded samples in [0, 255], not rounded."""
    icc: bytes | None = None
    """The profile that describes the planes; None means sRGB."""
    segments: tuple[Segment, ...] = ()
    """EXIF (orientation 1), XMP, IPTC's records and comments as segments of a JPEG file."""
    density: tuple[int, int] | None = None
    """Dots per inch, across and down."""
    notices: tuple[str, ...] = ()
    """Plain phrases: what the user should know about how the picture was read."""
    file_bytes: int | None = None
    """Size of the input file; None for pixels."""
    jpeg: bytes | None = None
    """The untouched input if it is a JPEG file that shows these planes."""
    orientation: int = 1
    """EXIF's, 1 to 8, by which the picture was turned upright."""
    further: Further = field(default_factory=Further)
    """What the file holds beside this picture."""

    @property
    def exif(self) -> bytes | None:
        """The EXIF block, a TIFF without ``Exif`` prefix."""
        blocks = (payload for _, payload in self.segments if payload.startswith(described.EXIF))
        return next((block[len(described.EXIF) :] for block in blocks), None)

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.planes.shape[2])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.planes.shape[1])


@dataclass(frozen=True)
class _Reading:
    """What the caller asked for."""

    name: str
    background: tuple[int, int, int]
    """R, G, B in [0, 255]."""
    background_name: str
    max_pixels: int
    srgb: bool = False
    """Whether other colours are converted."""


@dataclass(frozen=True)
class _Decoded:
    """What Pillow said of a picture."""

    samples: Samples
    notices: tuple[str | None, ...] = ()
    mode: str = ""
    info: Mapping[Any, Any] = field(default_factory=dict)
    """Pillow's: ``icc_profile``, ``exif``, ``dpi`` and more, unchecked."""
    segments: tuple[Segment, ...] = ()
    """XMP and the like."""


def read_image(
    source: Source,
    *,
    background: str = "white",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    name: str | None = None,
    srgb: bool = False,
) -> Image:
    """Read a picture from a path, bytes, a binary file, a Pillow image or a uint8 array.

    ``background`` is any colour that CSS names; ``name`` is what messages call the picture; with
    ``srgb`` one that has a colour profile is converted.
    Raises UnsupportedImage, ImageTooLarge or UsageError.
    """
    reading = _Reading(name or name_of(source), _colour(background), background, max_pixels, srgb)
    if isinstance(source, np.ndarray):
        return _finished(_from_array(source, reading), reading)
    if isinstance(source, PIL.Image.Image):
        return _finished(_from_pillow(source, reading), reading)
    return _from_file(_bytes_of(source, reading), reading)


def read_bytes(
    source: str | Path | bytes | BinaryIO,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    name: str | None = None,
) -> bytes:
    """Read a file whole, as ``read_image`` does before it decodes; raises the same errors."""
    return _bytes_of(source, _Reading(name or name_of(source), (0, 0, 0), "", max_pixels))


def name_of(source: Source) -> str:
    """What messages call a picture that was given no name."""
    if isinstance(source, (str, Path)):
        return str(remote.place(source) if isinstance(source, str) else source)
    return "the array" if isinstance(source, np.ndarray) else "the picture"


def _colour(background: str) -> tuple[int, int, int]:
    try:
        red, green, blue = PIL.ImageColor.getrgb(background)[:3]
    except ValueError as error:
        raise UsageError(
            f"background {background!r} is not a colour; write a name or #rrggbb"
        ) from error
    return red, green, blue


def _bytes_of(source: str | Path | bytes | BinaryIO, reading: _Reading) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    try:
        where = remote.place(source) if isinstance(source, str) else source
        if isinstance(where, remote.Url):
            data = remote.read(where, BYTES_PER_PIXEL * reading.max_pixels)
        elif isinstance(where, os.PathLike):
            data = _path_bytes(Path(where), reading)
        else:
            data = where.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnsupportedImage(f"{reading.name}: cannot be opened ({reason})") from error
    except AttributeError as error:
        raise UsageError(f"a {type(source).__name__} is not a picture") from error
    if not isinstance(data, bytes):
        raise UsageError(f"{reading.name}: gives no bytes; open it in binary mode")
    return data


def _path_bytes(path: Path, reading: _Reading) -> bytes:
    status = path.stat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a device"
        raise UnsupportedImage(f"{reading.name}: is {what}, not a picture file")
    if status.st_size > BYTES_PER_PIXEL * reading.max_pixels:
        raise ImageTooLarge(
            f"{reading.name}: {status.st_size:,} bytes are more than a picture of "
            f"{reading.max_pixels:,} pixels needs; raise --max-pixels to read it"
        )
    return path.read_bytes()


def _from_array(pixels: NDArray[np.uint8], reading: _Reading) -> _Decoded:
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)):
        raise UsageError(
            f"{reading.name}: {pixels.dtype} of shape {pixels.shape} is not a picture; "
            "give uint8 of shape (H, W) or (H, W, 3)"
        )
    _check_size((pixels.shape[1], pixels.shape[0]), reading)
    return _Decoded(Samples(pixels.reshape(*pixels.shape[:2], -1)))


def _from_pillow(picture: PIL.Image.Image, reading: _Reading) -> _Decoded:
    _check_size(picture.size, reading)
    with _guarded(reading):
        samples, notice = samples_of(picture)
        segments, lost = described.of_info(picture.info)
    return _Decoded(samples, (notice, lost), picture.mode, picture.info, segments)


def _from_file(data: bytes, reading: _Reading) -> Image:
    decoded = _decoded(data, reading)
    image = replace(_finished(decoded, reading), file_bytes=len(data))
    if not data.startswith(_JPEG):
        return image
    beside = further(data)
    converted = reading.srgb and "icc_profile" in decoded.info
    notices = (*image.notices, *filter(None, (beside.notice,)))
    return replace(image, jpeg=None if converted else data, further=beside, notices=notices)


def _decoded(data: bytes, reading: _Reading) -> _Decoded:
    with _guarded(reading):
        picture = _open(data, reading)
        _check_size(picture.size, reading)
        _check_whole(data, reading)
        samples, notice = samples_of(picture, lambda: _open(data, reading))
        info, exif_notice = _with_tiff_tags(picture)
        segments, lost = _segments(data, info)
        notices = (notice, _frames_notice(picture), exif_notice, lost)
    return _Decoded(samples, notices, picture.mode, info, segments)


def _segments(data: bytes, info: Mapping[Any, Any]) -> tuple[tuple[Segment, ...], str | None]:
    """Describe a picture as a JPEG file's segments do, but for EXIF; and a notice."""
    if data.startswith(_JPEG):
        return described.of_jpeg(data), None
    return described.of_info(info)


@contextmanager
def _guarded(reading: _Reading) -> Iterator[None]:
    """Silence Pillow's warnings and turn its errors, of whatever kind, into one clear line."""
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except GradpressError:
            raise
        except PIL.Image.DecompressionBombError as error:
            raise ImageTooLarge(f"{reading.name}: has too many pixels ({_line(error)})") from error
        except MemoryError as error:
            raise ImageTooLarge(f"{reading.name}: does not fit into memory") from error
        except Exception as error:  # damaged data makes Pillow raise nearly anything
            raise UnsupportedImage(
                f"{reading.name}: cannot be decoded, as it is damaged, cut short or unusual "
                f"({_line(error)}); use an intact copy, or convert it to PNG"
            ) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _open(data: bytes, reading: _Reading) -> ImageFile:
    """Read the header by the first format whose signature fits.

    ``PIL.Image.open`` would do, but its limit on pixels is one for the whole process.
    """
    for name, module in FORMATS.items():
        import_module(f"PIL.{module}")
        factory, accept = PIL.Image.OPEN[name]
        accepted = accept is None or accept(data[:16].ljust(16, b"\0"))
        if isinstance(accepted, str):
            raise UnsupportedImage(f"{reading.name}: {accepted}; convert it to PNG")
        if accepted:
            return factory(io.BytesIO(data), "")
    formats = ", ".join(FORMATS)
    what = f"in none of the formats that are read ({formats}); convert it to PNG first"
    raise UnsupportedImage(f"{reading.name}: is {what if data else 'empty'}")


def _check_size(size: tuple[int, int], reading: _Reading) -> None:
    width, height = size
    if min(size) < 1:
        raise UnsupportedImage(f"{reading.name}: has no pixels ({width} x {height})")
    if max(size) > MAX_SIDE:
        raise ImageTooLarge(
            f"{reading.name}: {width} x {height} pixels; a JPEG has at most {MAX_SIDE} on a side: "
            "scale it down"
        )
    if width * height > reading.max_pixels:
        raise ImageTooLarge(
            f"{reading.name}: {width} x {height} = {width * height:,} pixels exceed the limit of "
            f"{reading.max_pixels:,}; raise it with --max-pixels"
        )


def _check_whole(data: bytes, reading: _Reading) -> None:
    """Check what Pillow's decoders leave unchecked: PNG checksums, and a sane number of scans."""
    if data.startswith(_PNG):
        _open(data, reading).verify()
    scans = sum(1 for _ in _SCAN.finditer(data)) if data.startswith(_JPEG) else 0
    if scans > MAX_SCANS:
        raise ValueError(f"{scans} scans, more than {MAX_SCANS}")


def _with_tiff_tags(picture: ImageFile) -> tuple[Mapping[Any, Any], str | None]:
    """Return what Pillow says of a picture, and for a TIFF what its tags say."""
    if picture.format != "TIFF":
        return picture.info, None
    try:
        records = picture.getexif().get(described.IPTC_TAG)
        return {**picture.info, "exif": exif_blocks.of_tiff(picture), "iptc": records}, None
    except Exception:  # as above, but the pixels were read
        return picture.info, "the EXIF data is damaged and was left out"


def _frames_notice(picture: ImageFile) -> str | None:
    """Say that there are further pictures; a PSD's frames are the layers of the one picture."""
    if picture.format == "PSD":
        return None
    try:
        frames = getattr(picture, "n_frames", 1)
    except Exception:  # as above, but the first frame was read
        return "only the first frame could be read"
    return f"the first of {frames} frames was taken" if frames > 1 else None


def _finished(decoded: _Decoded, reading: _Reading) -> Image:
    """Upright opaque planes, and the metadata that describes them."""
    samples, info = decoded.samples, decoded.info
    block = info.get("exif") or described.owners_exif(info)
    exif, orientation, exif_notice = described.upright_exif(block)
    planes = planes_of(samples, orientation, reading.background)
    converted = decoded.mode in CONVERTED
    icc, icc_notice = profiles.fitting(None if converted else info.get("icc_profile"), len(planes))
    if icc is not None and reading.srgb:
        with _guarded(reading):
            profiles.planes_to_srgb(planes, icc)
        icc, icc_notice, converted = None, "the colours were converted to sRGB", True
    segments, xmp_notice = described.upright(decoded.segments, srgb=converted)
    if exif is not None:
        exif = exif_blocks.as_srgb(exif) if converted else exif
        segments = ((APP0 + 1, described.EXIF + exif), *segments)
    laid = f"transparency was laid on {reading.background_name}" if samples.transparent else None
    notices = (*decoded.notices, laid, icc_notice, exif_notice, xmp_notice)
    density = _density(info.get("dpi"), orientation)
    told = tuple(filter(None, notices))
    return Image(planes, icc, segments, density, told, orientation=orientation)


def _density(dpi: object, orientation: int) -> tuple[int, int] | None:
    if not isinstance(dpi, tuple):
        return None
    try:
        across, down = (round(float(value)) for value in dpi)
    except (TypeError, ValueError, ArithmeticError):
        return None
    if not (0 < across <= 65535 and 0 < down <= 65535):
        return None
    return (down, across) if orientation >= 5 else (across, down)
