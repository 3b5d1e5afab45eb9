"""A JPEG file cut into its parts: markers with their segments, scan data, and what lies between.

The bytes are untrusted. The walk goes from segment to segment by the lengths that they state, each
checked against the end of the file; only what states no length (the data of a scan, and bytes that
belong nowhere) is searched for the next marker. T.81 is ITU-T T.81, annex B.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

SOI, EOI, SOS, DQT, DHT, DAC, DRI, DNL = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xCC, 0xDD, 0xDC
DHP, EXP = 0xDE, 0xDF
APP0, APP15, COM = 0xE0, 0xEF, 0xFE
FRAMES = frozenset(range(0xC0, 0xD0)) - {DHT, 0xC8, DAC}
"""Start of frame, SOF0…SOF15 (T.81, table B.1)."""

_ALONE = frozenset((0x01, *range(0xD0, 0xD8), EOI))
"""Markers without a segment: TEM, RST0…RST7, EOI; SOI opens the file and is met nowhere else."""
_MARKER = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
"""In scan data FF 00 stands for a byte FF, and RST markers belong to the data (T.81, B.1.1.5)."""

_NAMES = {
    0x01: "TEM",
    DHT: "DHT",
    0xC8: "JPG",
    DAC: "DAC",
    SOI: "SOI",
    EOI: "EOI",
    SOS: "SOS",
    DQT: "DQT",
    DNL: "DNL",
    DRI: "DRI",
    DHP: "DHP",
    EXP: "EXP",
    COM: "COM",
}
_FAMILIES = (("SOF", 0xC0, 0xCF), ("RST", 0xD0, 0xD7), ("APP", APP0, APP15))


class Kind(Enum):
    """What a part of a file is."""

    MARKER = "marker"
    """A marker with its segment, if it has one, and the fill bytes before it."""
    SCAN = "scan data"
    STRAY = "stray bytes"
    """Bytes between segments that decoders skip."""
    TRAILING = "trailing bytes"
    """After the end of the picture."""
    UNREADABLE = "unreadable"
    """From here on nothing can be made out."""


@dataclass(frozen=True, slots=True)
class Part:
    """A run of bytes, ``data[begin:end]``; the parts of a file follow each other without gaps."""

    kind: Kind
    begin: int
    end: int
    marker: int = 0
    """The byte after FF; 0 where there is no marker."""
    body: int = 0
    """Where the payload of a marker's segment begins, behind its length."""
    defect: str = ""
    """What is wrong with it."""


def walk(data: bytes) -> Iterator[Part]:
    """Split a file that begins with SOI into its parts, in order, from first to last byte."""
    marker, at = SOI, 2
    yield Part(Kind.MARKER, 0, at, SOI)
    while at < len(data) or marker == SOS:
        if marker == EOI:
            part = Part(Kind.TRAILING, at, len(data))
        elif marker == SOS:
            part = Part(Kind.SCAN, at, _before_marker(_SCAN_END, data, at)[0])
        else:
            part = _part(data, at)
        yield part
        marker, at = part.marker, part.end


def is_descriptive(part: Part) -> bool:
    """Whether it is an APPn or COM segment: it describes the picture and is not needed for it."""
    return part.kind is Kind.MARKER and (APP0 <= part.marker <= APP15 or part.marker == COM)


def marker_name(marker: int) -> str:
    """Name a marker as T.81, table B.1, does, such as SOF0 or APP14."""
    if marker in _NAMES:
        return _NAMES[marker]
    for family, first, last in _FAMILIES:
        if first <= marker <= last:
            return f"{family}{marker - first}"
    return f"marker FF{marker:02X}"


def _before_marker(pattern: re.Pattern[bytes], data: bytes, at: int) -> tuple[int, int]:
    """Where the next marker begins, fill bytes included, and where it ends; else the file's end."""
    found = pattern.search(data, at)
    if found is None:
        return len(data), len(data)
    return at + len(data[at : found.start()].rstrip(b"\xff")), found.end()


def _part(data: bytes, at: int) -> Part:
    """The part that begins outside of any other: a marker, or bytes that belong nowhere."""
    begin, body = _before_marker(_MARKER, data, at)
    if begin > at:
        count = begin - at
        defect = f"{count} stray byte{'' if count == 1 else 's'} at byte {at}"
        return Part(Kind.STRAY, at, begin, defect=defect)
    return _segment(data, begin, body)


def _segment(data: bytes, begin: int, body: int) -> Part:
    """The segment of the marker that ends at ``body``."""
    marker = data[body - 1]
    if marker in _ALONE:
        return Part(Kind.MARKER, begin, body, marker)
    length = int.from_bytes(data[body : body + 2])
    defect = None
    if marker == SOI:
        defect = "begins a second picture before the first has ended"
    elif marker < 0xC0:
        defect = "has no known meaning"
    elif len(data) < body + 2 or len(data) < body + length:
        defect = "is cut short: the file ends in its segment"
    elif length < 2:
        defect = f"states a length of {length}"
    if defect:
        where = f"{marker_name(marker)} at byte {begin} {defect}"
        return Part(Kind.UNREADABLE, begin, len(data), defect=where)
    return Part(Kind.MARKER, begin, body + length, marker, body + 2)
