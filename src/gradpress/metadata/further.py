"""What a JPEG file holds beside its picture: gain maps, further pictures, previews, videos.

It stands behind the end of the picture. An HDR gain map brightens that very picture: it says so in
a segment of its own or in XMP (ISO 21496-1, and Adobe's, Google's and Apple's before it). Other
pictures are listed in an index (CIPA DC-007), which states what they are for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from gradpress.jpeg import mpf
from gradpress.jpeg.metadata import Segment, identifier
from gradpress.jpeg.segments import Kind, Part, is_descriptive, walk
from gradpress.metadata import exif, xmp
from gradpress.metadata.described import EXIF, XMP

GAIN_MAPS = (
    xmp.GAIN_MAP.encode(),
    b"hdrgm:Version",
    b"urn:com:apple:photo:2020:aux:hdrgainmap",
    b"http://ns.apple.com/HDRGainMap/1.0/",
)
"""Of XMP packets: namespaces, and what Apple calls such a picture."""
VIDEOS = (b"MicroVideo", b"MotionPhoto")
PREVIEWS = frozenset((0x010001, 0x010002))
"""Types of pictures in an index that show the first one in another size (DC-007, 5.2.3.3.1)."""

MAX_PICTURES = 100
"""More of them are not looked at."""

_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True)
class Further:
    """What a file holds beside its picture."""

    what: str = ""
    """``an HDR gain map`` or the like; empty if nothing."""
    matters: bool = False
    """Whether leaving it out is a loss to whoever looks at the picture."""

    @property
    def notice(self) -> str | None:
        """What is said when it is left out."""
        return f"{self.what} was left out" if self.what else None


def further(data: bytes) -> Further:
    """Say what a JPEG file holds beside its picture."""
    segments, trailing = _split(data)
    pictures = [payload for at in _pictures(trailing) for _, payload in _split(trailing[at:])[0]]
    packets = [payload for _, payload in segments]
    if pictures and any(map(_tells_of_gain_map, (*packets, *pictures))):
        return Further("the HDR gain map", matters=True)
    if any(p.startswith(XMP) and xmp.holds(p, *VIDEOS) for p in packets) and trailing.strip(b"\0"):
        return Further("the video of a moving photo", matters=True)
    types = next((mpf.types(p) for p in packets if p.startswith(mpf.HEADER)), ())
    if types and set(types) <= PREVIEWS:
        return Further("a preview picture")
    if pictures or types:
        return Further("another picture", matters=True)
    rest = len(trailing.strip(b"\0\r\n"))
    return Further(f"what follows the picture ({rest:,} bytes)") if rest else Further()


def without_places(trailing: bytes) -> bytes:
    """Blank where further pictures were taken; every byte stays in its place."""
    changed = bytearray(trailing)
    for at in _pictures(trailing):
        for part in walk(trailing[at:]):
            if is_descriptive(part):
                begin, end = at + part.body, at + part.end
                changed[begin:end] = _blanked((part.marker, trailing[begin:end]))
    return bytes(changed)


def _blanked(segment: Segment) -> bytes:
    """The payload without places, of the same length."""
    payload = segment[1]
    match identifier(*segment):
        case "Exif":
            try:
                block = EXIF + (exif.without_place(payload[len(EXIF) :]) or b"")
            except exif.ExifError:
                return payload
            return block.ljust(len(payload), b"\0")
        case "XMP" if xmp.holds(payload, *xmp.PLACES):
            try:
                packet = XMP + (xmp.without(payload[len(XMP) :], xmp.is_place) or b"")
            except xmp.XmpError:
                packet = XMP
            return packet.ljust(len(payload))
    return payload


def _tells_of_gain_map(payload: bytes) -> bool:
    held = identifier(0xE2, payload) == "ISO gain map"
    return held or (payload.startswith(XMP) and any(mark in payload for mark in GAIN_MAPS))


def _split(data: bytes) -> tuple[list[Segment], bytes]:
    """The segments that describe a picture, and what follows its end."""
    parts: tuple[Part, ...] = tuple(walk(data))
    segments = [(p.marker, data[p.body : p.end]) for p in parts if is_descriptive(p)]
    last = parts[-1]
    return segments, data[last.begin : last.end] if last.kind is Kind.TRAILING else b""


def _pictures(trailing: bytes) -> Iterator[int]:
    return islice(_beginnings(trailing), MAX_PICTURES)


def _beginnings(trailing: bytes) -> Iterator[int]:
    """Where JPEG files begin behind the first one, filling between them or not."""
    at = trailing.find(_JPEG)
    while at >= 0:
        yield at
        whole = tuple(walk(trailing[at:]))
        if whole[-1].kind is not Kind.TRAILING:
            return
        at = trailing.find(_JPEG, at + whole[-1].begin)
