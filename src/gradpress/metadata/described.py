"""What a file says of its picture beside colour and density, as the segments of a JPEG file.

A JPEG file's own segments are taken as they are. What Pillow finds in files of other formats is put
into segments: EXIF, XMP, IPTC's records and comments.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import PIL.Image

from gradpress.jpeg.metadata import Segment, identifier
from gradpress.jpeg.segments import APP0, COM, is_descriptive, walk
from gradpress.jpeg.writer import MAX_SEGMENT
from gradpress.metadata import exif as exif_blocks
from gradpress.metadata import iptc, xmp

EXIF = b"Exif\0\0"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
PHOTOSHOP = b"Photoshop 3.0\0"
CARRIED = ("XMP", "XMP extension", "Photoshop")
"""Names of segments that go with the picture, beside EXIF."""
IPTC_TAG = 33723
"""TIFF's tag of IPTC's records."""
_TEXTS = ("Comment", "Description", "Title")
"""PNG's keywords that become comments (PNG, 11.3.3.2)."""
_OWNERS = {"Author": exif_blocks.ARTIST, "Copyright": exif_blocks.COPYRIGHT}
"""PNG's keywords that become EXIF tags."""


def of_jpeg(data: bytes) -> tuple[Segment, ...]:
    """XMP, IPTC and comments of a JPEG file."""
    segments = tuple(
        (part.marker, data[part.body : part.end]) for part in walk(data) if is_descriptive(part)
    )
    return tuple(each for each in segments if each[0] == COM or identifier(*each) in CARRIED)


def of_info(info: Mapping[Any, Any]) -> tuple[tuple[Segment, ...], str | None]:
    """What Pillow says of a picture but EXIF; and a notice if some of it is lost."""
    segments: list[Segment] = []
    notice = None
    packet = info.get("xmp")
    if isinstance(packet, str):
        packet = packet.encode()
    if isinstance(packet, bytes) and packet:
        if len(XMP) + len(xmp.trimmed(packet)) <= MAX_SEGMENT:
            segments.append((APP0 + 1, XMP + xmp.trimmed(packet)))
        else:
            notice = f"{len(packet):,} bytes of XMP data are too many for a JPEG"
    segments += photoshop_segments(_resources(info))
    segments += [
        (COM, text[i : i + MAX_SEGMENT])
        for text in _comments(info)
        for i in range(0, len(text), MAX_SEGMENT)
    ]
    return tuple(segments), notice


def owners_exif(info: Mapping[Any, Any]) -> bytes | None:
    """An EXIF block of the author and the copyright that a PNG file states as text."""
    block = PIL.Image.Exif()
    for keyword, tag in _OWNERS.items():
        text = info.get(keyword)
        if isinstance(text, str) and text:
            block[tag] = text.encode()
    return block.tobytes() if len(block) else None


def upright_exif(block: object) -> tuple[bytes | None, int, str | None]:
    """Return the block to keep, the orientation it stated, and a notice if it is not kept."""
    if not isinstance(block, bytes) or not block:
        return None, 1, None
    try:
        orientation = exif_blocks.orientation(block)
        if len(block) > exif_blocks.MAX_BYTES:
            return None, orientation, f"{len(block):,} bytes of EXIF data are too many for a JPEG"
        return exif_blocks.upright(block), orientation, None
    except exif_blocks.ExifError as error:
        return None, 1, f"the EXIF data is damaged and was left out ({error})"


def upright(
    segments: Sequence[Segment], *, srgb: bool = False
) -> tuple[tuple[Segment, ...], str | None]:
    """Leave the orientation out of XMP; and a notice if it cannot be read and is left out.

    With ``srgb`` the colours were converted, and what XMP says of them goes, too.
    """
    kept, notice = [], None
    for marker, payload in segments:
        if identifier(marker, payload) != "XMP":
            kept.append((marker, payload))
            continue
        try:
            packet = _upright_packet(payload[len(XMP) :], srgb=srgb)
        except xmp.XmpError as error:
            packet, notice = None, f"the XMP data is damaged and was left out ({error})"
        if packet is not None:
            kept.append((marker, XMP + packet))
    return tuple(kept), notice


def _upright_packet(packet: bytes, *, srgb: bool) -> bytes | None:
    colours = (b"ColorSpace", b"ICCProfile", b"ColorMode") if srgb else ()
    if not xmp.holds(packet, b"Orientation", *colours):
        return xmp.trimmed(packet)

    def unwanted(name: xmp.Property) -> bool:
        return xmp.is_oriented(name) or (srgb and xmp.is_colour(name))

    rest = xmp.without(packet, unwanted)
    return None if rest is None else xmp.trimmed(rest)


def photoshop_segments(block: bytes) -> list[Segment]:
    """Photoshop's resources in as many segments as they take."""
    room = MAX_SEGMENT - len(PHOTOSHOP)
    pieces = (block[i : i + room] for i in range(0, len(block), room))
    return [(APP0 + 13, PHOTOSHOP + piece) for piece in pieces]


def _resources(info: Mapping[Any, Any]) -> bytes:
    """Photoshop's resources that Pillow has read of a JPEG file, or IPTC's records of a TIFF."""
    found = info.get("photoshop")
    if isinstance(found, Mapping):
        pairs = ((k, v) for k, v in found.items() if isinstance(v, bytes))
        return b"".join(iptc.resource(identifier, data) for identifier, data in pairs)
    records = info.get("iptc")
    if isinstance(records, tuple) and all(isinstance(each, int) for each in records):
        records = struct.pack(f"<{len(records)}I", *(each & 0xFFFFFFFF for each in records))
    if isinstance(records, bytes) and records.startswith(b"\x1c"):
        return iptc.resource(iptc.RECORDS, records)
    return b""


def _comments(info: Mapping[Any, Any]) -> list[bytes]:
    found = [info.get("comment"), *(info.get(keyword) for keyword in _TEXTS)]
    texts = [text.encode() if isinstance(text, str) else text for text in found]
    return [text for text in texts if isinstance(text, bytes) and text]
