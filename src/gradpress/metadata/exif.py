"""EXIF blocks: orientation reset, thumbnail or place taken out, every other byte kept.

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
ARTIST, COPYRIGHT = 0x013B, 0x8298
EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
"""Entries that point to a directory."""
DESCRIPTIVE = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
"""Of a TIFF's own entries: description, make, model, software, date, artist, copyright."""
THUMBNAIL = ((0x0201, 0x0202), (0x0111, 0x0117))
"""(offset, length) entries of the thumbnail: as JPEG, or as one strip of samples."""
SIDES = ((0x0100, 0x0101), (0x011A, 0x011B), (0xA002, 0xA003))
"""(across, down): pixels, density, and pixels again in the Exif directory."""
COLOUR_SPACE, SRGB = 0xA001, 1
DCF = 0x0001
"""Of the interoperability directory: ``R98`` stands for sRGB, ``R03`` for Adobe RGB (DCF 2.0)."""
PLACE = (0x0002, 0x0004)
"""Latitude and longitude, of the GPS directory; it may hold no more than its version."""
MAX_BYTES = 65527
"""What one APP1 segment holds beside its length (2 bytes) and ``Exif`` with two zeros (6)."""

_PREFIX = b"Exif\0\0"
_BYTES = (1, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8)
"""Size of one value by TIFF field type (TIFF 6.0, section 2); unknown types count as bytes."""
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I"}
"""struct codes of the unsigned field types; 13 points to a directory."""


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

    def content(self, entry: _Entry) -> bytes:
        """Read an entry's value as it is stored; empty if it does not lie in the block."""
        size = self._size(entry)
        begin = entry.at if size <= 4 else self.number("I", entry.at)
        return self.data[begin : begin + size] if size <= len(self.data) - begin else b""

    def _size(self, entry: _Entry) -> int:
        return entry.count * (_BYTES[entry.kind] if entry.kind < len(_BYTES) else 1)

    def _span(self, entry: _Entry) -> Span | None:
        size, start = self._size(entry), self.number("I", entry.at)
        return (start, start + size) if 4 < size <= len(self.data) - start else None


def orientation(exif: bytes) -> int:
    """How the picture is to be turned, 1 to 8 (Exif tag 0x0112); 1 if nothing valid is said."""
    block = _block(exif)
    return next(filter(range(1, 9).__contains__, map(block.value, _orientations(block))), 1)


def upright(exif: bytes) -> bytes:
    """Return the block as a TIFF with orientation 1; all else stays in place.

    Where the picture is turned onto its side, what is said of its two sides changes places, and a
    thumbnail, which would have to be turned as well, is dropped.
    """
    block = _block(exif)
    turned = orientation(exif)
    data = bytearray(block.data)
    for entry in _orientations(block):
        code = _INTEGERS[entry.kind]
        struct.pack_into(block.order + code, data, entry.at, 1)
    if turned >= 5:
        _swap_sides(block, data)
    return bytes(data) if turned == 1 else without_thumbnail(bytes(data))


def as_srgb(exif: bytes) -> bytes:
    """Let the block say that the samples are sRGB, where it says anything of their colours."""
    block = _block(exif)
    data = bytearray(block.data)
    inner = _child(block, _first(block), EXIF)
    for entry in inner.entries if inner else ():
        if entry.tag == COLOUR_SPACE and (entry.kind, entry.count) == (3, 1):
            struct.pack_into(block.order + "H", data, entry.at, SRGB)
    rules = _child(block, inner, INTEROPERABILITY)
    for entry in rules.entries if rules else ():
        if entry.tag == DCF and (entry.kind, entry.count) == (2, 4):
            data[entry.at : entry.at + 4] = b"R98\0"
    return bytes(data)


def without_thumbnail(exif: bytes) -> bytes:
    """Take the thumbnail out; all else stays in place.

    Its bytes are cut off where they end the block and zeroed where they do not.
    """
    block = _block(exif)
    first = _first(block)
    data = bytearray(block.data)
    if first is None or not (second := block.number("I", first.span[1])):
        return block.data
    struct.pack_into("4x", data, first.span[1])
    return _freed(data, _thumbnail_spans(block, second), _claimed(block, first))


def without_place(exif: bytes) -> bytes | None:
    """Take the GPS directory out; all else stays in place. None if nothing is left.

    What only that directory refers to is cut off where it ends the block and else zeroed.
    """
    block = _block(exif)
    holders = [each for each in _described(block) if any(e.tag == GPS for e in each.entries)]
    if not holders:
        return block.data
    data = bytearray(block.data)
    for holder in holders:
        _unlink(holder, GPS, block, data)
    rest = _Block(bytes(data), block.order)
    first = _first(rest)
    if first is None:
        return None
    claimed = _claimed(rest, first)
    for start, end in _thumbnail_spans(rest, rest.number("I", first.span[1])):
        claimed[start:end] = b"\1" * (end - start)
    freed = _freed(
        data, [span for place in _places(block) for span in _whole(block, place)], claimed
    )
    return None if has_place(freed) else freed


def has_place(exif: bytes) -> bool:
    """Whether the block says where the picture was taken."""
    return any(entry.tag in PLACE for place in _places(_block(exif)) for entry in place.entries)


def only(exif: bytes, tags: Iterable[int]) -> bytes | None:
    """Make a block of a few of the first directory's entries; None if it has none of them."""
    block = _block(exif)
    first, wanted = _first(block), frozenset(tags)
    found = [e for e in first.entries if e.tag in wanted] if first else []
    entries = [entry for entry in found if block.content(entry)]
    table, outside = b"", b""
    begin = 8 + 2 + 12 * len(entries) + 4
    for entry in entries:
        value = block.content(entry)
        table += struct.pack(block.order + "HHI", entry.tag, entry.kind, entry.count)
        if len(value) <= 4:
            table += value.ljust(4, b"\0")
        else:
            table += struct.pack(block.order + "I", begin + len(outside))
            outside += value + b"\0" * (len(value) % 2)
    head = block.data[:4] + struct.pack(block.order + "IH", 8, len(entries))
    return head + table + bytes(4) + outside if entries else None


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


def _described(block: _Block) -> list[_Directory]:
    """The first directory and those that may stand below or behind it."""
    first = _first(block)
    exif = _child(block, first, EXIF)
    second = block.directory(block.number("I", first.span[1])) if first else None
    directories = (first, exif, _child(block, exif, INTEROPERABILITY), second)
    return [directory for directory in directories if directory]


def _places(block: _Block) -> list[_Directory]:
    """The GPS directories."""
    entries = [e for each in _described(block) for e in each.entries if e.tag == GPS]
    return list(filter(None, (block.directory(block.value(entry)) for entry in entries)))


def _whole(block: _Block, directory: _Directory) -> list[Span]:
    """Its spans, and that of a pointer to no next directory."""
    end = directory.span[1]
    pointer = [(end, end + 4)] if block.data[end : end + 4] == bytes(4) else []
    return block.spans(directory) + pointer


def _swap_sides(block: _Block, data: bytearray) -> None:
    """Let what is said of the two sides change places."""
    for directory in _described(block)[:2]:
        entries = {entry.tag: entry for entry in directory.entries}
        for pair in SIDES:
            across, down = (entries.get(tag) for tag in pair)
            if across and down and (across.kind, across.count) == (down.kind, down.count):
                a, b = across.at, down.at
                data[a : a + 4], data[b : b + 4] = data[b : b + 4], data[a : a + 4]


def _unlink(directory: _Directory, tag: int, block: _Block, data: bytearray) -> None:
    """Take entries out of a table; those behind them move up, and what gets free is zeroed."""
    begin, end = directory.span
    kept = [e for e in directory.entries if e.tag != tag]
    table = struct.pack(block.order + "H", len(kept))
    table += b"".join(block.data[e.at - 8 : e.at + 4] for e in kept)
    table += block.data[end : end + 4]
    data[begin : end + 4] = table.ljust(end + 4 - begin, b"\0")[: len(data) - begin]


def _freed(data: bytearray, spans: Iterable[Span], claimed: bytearray) -> bytes:
    """Zero the spans that nobody lays claim to, and cut them off where they end the block."""
    free = [span for span in spans if claimed.find(1, *span) < 0]
    for start, end in free:
        data[start:end] = bytes(end - start)
    return bytes(data[: _end_without(len(data), free)])


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
