"""EXIF blocks: the orientation read and reset, the thumbnail dropped, every other byte kept.

A block is a small TIFF file (Exif 2.32, section 4.5): a header, then directories of 12-byte
entries that point to values by their offset from the header. Writing it anew would move those
values and break maker notes, which hold offsets of their own, so the block is patched in place.
The bytes are untrusted: every offset is checked, and no chain of directories is followed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

import PIL.Image

ORIENTATION = 0x0112
EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
"""Entries that point to a directory."""
DESCRIPTIVE = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
"""Of a TIFF's own entries: description, make, model, software, date, artist, copyright."""
THUMBNAIL = ((0x0201, 0x0202), (0x0111, 0x0117))
"""(offset, length) entries of the thumbnail: as JPEG, or as one strip of samples."""
MAX_BYTES = 65527
"""What one APP1 segment holds beside its length (2 bytes) and ``Exif`` with two zeros (6)."""

_PREFIX = b"Exif\0\0"
_BYTES = (1, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8)
"""Size of one value by TIFF field type (TIFF 6.0, section 2); unknown types count as bytes."""
_INTEGERS = {1: "B", 3: "H", 4: "I"}
"""struct codes of the unsigned field types."""


class ExifError(ValueError):
    """The block has no readable header or first directory."""


Span = tuple[int, int]
"""First byte and one past the last, counted from the TIFF header."""


@dataclass(frozen=True)
class _Entry:
    tag: int
    kind: int
    """TIFF field type."""
    count: int
    at: int
    """Offset of the entry's 4-byte value field."""


@dataclass(frozen=True)
class _Directory:
    entries: tuple[_Entry, ...]
    span: Span
    """Of the table, without the 4 bytes that point to the next directory."""


@dataclass(frozen=True)
class _Block:
    """Bytes with their byte order (``<`` or ``>``)."""

    data: bytes
    order: str

    def number(self, code: str, at: int) -> int:
        """Read the unsigned integer at an offset; 0 where the block has ended."""
        if not 0 <= at <= len(self.data) - struct.calcsize(code):
            return 0
        value: int = struct.unpack_from(self.order + code, self.data, at)[0]
        return value

    def directory(self, at: int) -> _Directory | None:
        """Read the directory at an offset; None if it does not lie in the block."""
        count = self.number("H", at)
        end = at + 2 + 12 * count
        if at < 8 or count == 0 or end > len(self.data):
            return None
        return _Directory(tuple(map(self._entry, range(at + 2, end, 12))), (at, end))

    def _entry(self, at: int) -> _Entry:
        return _Entry(
            self.number("H", at), self.number("H", at + 2), self.number("I", at + 4), at + 8
        )

    def value(self, entry: _Entry) -> int:
        """Read the first value of an entry if it is an unsigned integer in its field; else 0."""
        code = _INTEGERS.get(entry.kind)
        return self.number(code, entry.at) if code else 0

    def spans(self, directory: _Directory | None) -> list[Span]:
        """List where a directory and the values outside its table lie."""
        if directory is None:
            return []
        outside = [self._span(entry) for entry in directory.entries]
        return [directory.span, *(span for span in outside if span)]

    def _span(self, entry: _Entry) -> Span | None:
        size = entry.count * (_BYTES[entry.kind] if entry.kind < len(_BYTES) else 1)
        start = self.number("I", entry.at)
        return (start, start + size) if 4 < size <= len(self.data) - start else None


def orientation(exif: bytes) -> int:
    """How the picture is to be turned, 1 to 8 (Exif tag 0x0112); 1 if nothing valid is said."""
    block = _block(exif)
    return next(filter(range(1, 9).__contains__, map(block.value, _orientations(block))), 1)


def upright(exif: bytes) -> bytes:
    """Return the block as a TIFF with orientation 1 and no thumbnail; all else stays in place.

    The thumbnail's bytes are cut off where they end the block and zeroed where they do not.
    """
    block = _block(exif)
    data = bytearray(block.data)
    for entry in _orientations(block):
        code = _INTEGERS[entry.kind]
        struct.pack_into(block.order + code, data, entry.at, 1)
    return bytes(_without_thumbnail(block, data))


def of_tiff(picture: PIL.Image.Image) -> bytes | None:
    """Gather a block from a TIFF picture: its Exif and GPS directories and what describes it."""
    tags = picture.getexif()
    block = PIL.Image.Exif()
    for tag in DESCRIPTIVE:
        if tag in tags:
            block[tag] = tags[tag]
    for tag in (EXIF, GPS):
        if directory := tags.get_ifd(tag):
            block[tag] = directory
    return block.tobytes() if len(block) else None


def _block(exif: bytes) -> _Block:
    data = exif.removeprefix(_PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        raise ExifError("no TIFF header")
    block = _Block(data, order)
    if _first(block) is None:
        raise ExifError("the first directory does not lie in the block")
    return block


def _first(block: _Block) -> _Directory | None:
    return block.directory(block.number("I", 4))


def _orientations(block: _Block) -> list[_Entry]:
    first = _first(block)
    entries = first.entries if first else ()
    return [e for e in entries if e.tag == ORIENTATION and e.kind in _INTEGERS and e.count == 1]


def _without_thumbnail(block: _Block, data: bytearray) -> bytearray:
    """Unlink the second directory and remove what only it refers to."""
    first = _first(block)
    if first is None or not (second := block.number("I", first.span[1])):
        return data
    struct.pack_into("4x", data, first.span[1])
    claimed = _claimed(block, first)
    dropped = [span for span in _thumbnail_spans(block, second) if claimed.find(1, *span) < 0]
    for start, end in dropped:
        data[start:end] = bytes(end - start)
    return data[: _end_without(len(data), dropped)]


def _claimed(block: _Block, first: _Directory) -> bytearray:
    """1 for each byte that the header, the first directory or one below it lays claim to."""
    exif = _child(block, first, EXIF)
    below = (exif, _child(block, first, GPS), _child(block, exif, INTEROPERABILITY))
    spans = [span for each in (first, *below) for span in block.spans(each)]
    mask = bytearray(len(block.data))
    for start, end in ((0, 8), (first.span[1], first.span[1] + 4), *spans):
        mask[start:end] = b"\1" * (end - start)
    return mask


def _child(block: _Block, directory: _Directory | None, tag: int) -> _Directory | None:
    entries = directory.entries if directory else ()
    return next((block.directory(block.value(e)) for e in entries if e.tag == tag), None)


def _thumbnail_spans(block: _Block, at: int) -> list[Span]:
    directory = block.directory(at)
    if directory is None:
        return []
    table, *outside = block.spans(directory)
    spans = [(table[0], min(table[1] + 4, len(block.data))), *outside]
    values = {entry.tag: block.value(entry) for entry in directory.entries}
    for offset, length in THUMBNAIL:
        start, size = values.get(offset, 0), values.get(length, 0)
        if start and 0 < size <= len(block.data) - start:
            spans.append((start, start + size))
    return spans


def _end_without(end: int, dropped: Iterable[Span]) -> int:
    """Where the block ends once the spans at its very end are cut off."""
    for start, stop in sorted(dropped, key=lambda span: span[1], reverse=True):
        if stop < end:
            break
        end = min(end, start)
    return end
