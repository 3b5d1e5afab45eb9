"""What the APPn and COM segments of a JPEG file say: what they are and, of some, the content."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from gradpress.jpeg.reader import Jpeg
from gradpress.jpeg.segments import APP0, COM
from gradpress.metadata import exif

IDENTIFIERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"JFIF\0", "JFIF"),
    (0, b"JFXX\0", "JFIF extension"),
    (1, b"Exif\0", "Exif"),
    (1, b"http://ns.adobe.com/xap/1.0/\0", "XMP"),
    (1, b"http://ns.adobe.com/xmp/extension/\0", "XMP extension"),
    (2, b"ICC_PROFILE\0", "ICC profile"),
    (2, b"MPF\0", "MPF"),
    (2, b"FPXR\0", "FlashPix"),
    (2, b"urn:iso:std:iso:ts:21496:-1\0", "ISO gain map"),
    (11, b"JP", "JUMBF"),
    (12, b"Ducky", "Ducky"),
    (13, b"Photoshop 3.0\0", "Photoshop"),
    (14, b"Adobe", "Adobe"),
)
"""n of APPn, how its payload begins, and what it is called."""
UNITS = ("", "inch", "cm")
"""Of JFIF's density; without one it is the shape of a pixel (JFIF 1.02)."""


@dataclass(frozen=True)
class Jfif:
    """The APP0 segment of JFIF 1.02."""

    version: str
    units: str
    """``inch``, ``cm``, or nothing: then the density is the shape of a pixel."""
    density: tuple[int, int]
    """Dots, across and down."""


@dataclass(frozen=True)
class Icc:
    """A colour profile in pieces (ICC.1:2010, annex B.4)."""

    bytes: int
    """Of the profile itself."""
    chunks: int
    """APP2 segments it lies in."""


@dataclass(frozen=True)
class Metadata:
    """What was found; None and empty stand for absence."""

    jfif: Jfif | None = None
    orientation: int | None = None
    """Exif's, 1 to 8; 1 also where an Exif segment states none."""
    icc: Icc | None = None
    adobe_transform: int | None = None
    """0: none (RGB or CMYK), 1: YCbCr, 2: YCCK."""
    comments: tuple[str, ...] = ()


Segment = tuple[int, bytes]
"""The marker (the byte after FF) and what follows the length."""


def identifier(marker: int, payload: bytes) -> str:
    """Name what an APPn segment holds: as it is known, else as it says itself; else empty."""
    if not APP0 <= marker <= APP0 + 15:
        return ""
    for n, prefix, name in IDENTIFIERS:
        if marker == APP0 + n and payload.startswith(prefix):
            return name
    own = payload[:64].split(b"\0")[0]
    return own.decode("ascii") if own.isascii() and own.decode("ascii").isprintable() else ""


def gather(segments: Sequence[Segment]) -> Metadata:
    """Read what the segments say; of several that say the same, the first counts."""
    named: dict[str, list[bytes]] = {}
    for marker, payload in segments:
        named.setdefault(identifier(marker, payload), []).append(payload)
    chunks = [payload[14:] for payload in named.get("ICC profile", ())]
    return Metadata(
        jfif=next(filter(None, map(_jfif, named.get("JFIF", ()))), None),
        orientation=next(map(_orientation, named.get("Exif", ())), None),
        icc=Icc(sum(map(len, chunks)), len(chunks)) if chunks else None,
        adobe_transform=next((p[11] for p in named.get("Adobe", ()) if len(p) >= 12), None),
        comments=tuple(_text(payload) for marker, payload in segments if marker == COM),
    )


def upright_size(jpeg: Jpeg) -> tuple[int, int]:
    """Width and height in pixels once the picture is turned as Exif says."""
    found = gather([(part.marker, jpeg.payload(part)) for part in jpeg.parts])
    width, height = jpeg.frame.width, jpeg.frame.height
    return (height, width) if (found.orientation or 1) >= 5 else (width, height)


def _jfif(payload: bytes) -> Jfif | None:
    if len(payload) < 12:
        return None
    major, minor, units, across, down = struct.unpack_from(">BBBHH", payload, 5)
    unit = UNITS[units] if units < len(UNITS) else ""
    return Jfif(f"{major}.{minor:02d}", unit, (across, down))


def _orientation(payload: bytes) -> int | None:
    try:
        return exif.orientation(payload)
    except exif.ExifError:
        return None


def _text(payload: bytes) -> str:
    """A comment; T.81 says nothing of its encoding."""
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        text = payload.decode("latin-1")
    return text.rstrip("\0")
