"""Photoshop's image resources, in which IPTC's records lie, as APP13 segments hold them.

A resource is ``8BIM``, an identifier, a name and its data, each padded to an even length (Adobe
Photoshop File Formats, "Image Resource Blocks"); IPTC's data sets follow IIM 4.2. The bytes are
untrusted: what cannot be made out ends the list.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

RECORDS, DIGEST, COPYRIGHT_FLAG, URL = 0x0404, 0x0425, 0x040A, 0x040B
"""Of resources: IPTC's records and their MD5; whether the picture is protected, and by whom."""
THUMBNAILS = (0x0409, 0x040C)
COPIES = (0x0422, 0x0423, 0x0424)
"""EXIF and XMP, which stand in segments of their own."""
RIGHTS = ((1, 90), (2, 80), (2, 85), (2, 110), (2, 116))
"""Data sets: coded character set; by-line, its title, credit, copyright notice."""

_TYPES = (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR")


@dataclass(frozen=True)
class Resource:
    """One of Photoshop's image resources."""

    identifier: int
    data: bytes
    whole: bytes
    """With its header and padding, as it stands."""


def resources(block: bytes) -> Iterator[Resource]:
    """Read resources from first to last, so far as they can be made out."""
    at = 0
    while block[at : at + 4] in _TYPES:
        begin, name = at, block[at + 6 : at + 7]
        at += 6 + _even(1 + (name[0] if name else 0))
        if at + 4 > len(block):
            return
        identifier, size = struct.unpack_from(">H", block, begin + 4)[0], _u32(block, at)
        if at + 4 + size > len(block):
            return
        data = block[at + 4 : at + 4 + size]
        at += 4 + _even(size)
        yield Resource(identifier, data, block[begin:at])


def without(block: bytes, identifiers: Iterable[int]) -> bytes:
    """Leave resources out."""
    dropped = frozenset(identifiers)
    return b"".join(each.whole for each in resources(block) if each.identifier not in dropped)


def rights(block: bytes) -> bytes:
    """Keep what says who made the picture and whose it is."""
    kept = []
    for each in resources(block):
        if each.identifier in (COPYRIGHT_FLAG, URL):
            kept.append(each.whole)
        elif each.identifier == RECORDS:
            sets = _records(each.data, RIGHTS.__contains__)
            kept.append(resource(RECORDS, sets) if sets else b"")
    return b"".join(kept)


def resource(identifier: int, data: bytes) -> bytes:
    """A resource without a name."""
    size = len(data)
    return struct.pack(">4sHHI", b"8BIM", identifier, 0, size) + data.ljust(_even(size), b"\0")


def _records(data: bytes, wanted: Callable[[tuple[int, int]], bool]) -> bytes:
    """The data sets of wanted (record, number); nothing if none describes the picture."""
    kept, at, found = [], 0, False
    while at + 5 <= len(data) and data[at] == 0x1C:
        begin, name = at, (data[at + 1], data[at + 2])
        size = struct.unpack_from(">H", data, at + 3)[0]
        at += 5
        if size & 0x8000:  # an extended set: the length has a length
            long = size & 0x7FFF
            size = int.from_bytes(data[at : at + long])
            at += long
        at += size
        if at <= len(data) and wanted(name):
            kept.append(data[begin:at])
            found = found or name[0] == 2
    return b"".join(kept) if found else b""


def _even(size: int) -> int:
    return size + (size & 1)


def _u32(block: bytes, at: int) -> int:
    value: int = struct.unpack_from(">I", block, at)[0]
    return value
