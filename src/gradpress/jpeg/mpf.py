"""The index of a file that holds several pictures (CIPA DC-007, Multi-Picture Format).

The further pictures lie behind the end of the first and are found by offsets from the index, so
that these must change when the first picture's bytes do.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEADER = b"MPF\0"
ENTRIES = 0xB002
"""The tag of the table of pictures: 16 bytes each (5.2.3.3)."""


@dataclass(frozen=True)
class Move:
    """How a file has changed: offsets from its beginning."""

    index_before: int
    """Of the byte order mark behind ``MPF\\0``, which offsets count from (5.2.1)."""
    index_after: int
    end_before: int
    """Of the first picture."""
    end_after: int


def moved(payload: bytes, move: Move) -> bytes | None:
    """The segment's payload for the changed file; None if it cannot be made out."""
    try:
        return _moved(payload, move)
    except (struct.error, KeyError):
        return None


def types(payload: bytes) -> tuple[int, ...]:
    """What the further pictures are for: their type codes (5.2.3.3.1); none if there is no index.

    1.1 and 1.2 (0x010001 and 0x010002) are previews, 2.x the views of a panorama or a stereo pair.
    """
    block = bytearray(payload[len(HEADER) :])
    try:
        order = {b"II": "<", b"MM": ">"}[bytes(block[:2])]
        size, at = _entries(block, order)
        entries = [struct.unpack_from(f"{order}III", block, e) for e in range(at, at + size, 16)]
    except (struct.error, KeyError):
        return ()
    return tuple(attribute & 0xFFFFFF for attribute, _, offset in entries if offset)


def _moved(payload: bytes, move: Move) -> bytes:
    block = bytearray(payload[len(HEADER) :])
    order = {b"II": "<", b"MM": ">"}[bytes(block[:2])]
    size, at = _entries(block, order)
    for entry in range(at, at + size, 16):
        length, offset = struct.unpack_from(f"{order}II", block, entry + 4)
        if offset == 0:  # the first picture itself
            length += move.end_after - move.end_before
        elif offset + move.index_before >= move.end_before:
            offset += move.end_after - move.end_before - move.index_after + move.index_before
        else:
            raise KeyError(offset)
        struct.pack_into(f"{order}II", block, entry + 4, length, offset)
    return HEADER + bytes(block)


def _entries(block: bytearray, order: str) -> tuple[int, int]:
    """Bytes of the table of pictures, and where it begins."""
    (directory,) = struct.unpack_from(f"{order}I", block, 4)
    (count,) = struct.unpack_from(f"{order}H", block, directory)
    for at in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, _, size, place = struct.unpack_from(f"{order}HHII", block, at)
        if tag == ENTRIES and size % 16 == 0 and place + size <= len(block):
            return size, place
    raise KeyError(ENTRIES)
