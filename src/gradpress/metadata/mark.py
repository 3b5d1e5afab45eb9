"""The mark of a file that is done: a comment that says for which goal.

    gradpress 1 ssimulacra2=80 5f0c72a1

The first number rises when files are worth doing again. The last is a CRC-32 of the picture itself
(everything but APPn and COM segments and what follows the end), so that a file that another program
has written with our comment in it is not taken for ours.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable

from gradpress.goal import Lagrangian, QualityRequest, Request, SizeRequest, Target
from gradpress.jpeg.segments import COM, Kind, Part, is_descriptive, walk
from gradpress.jpeg.writer import segment

GENERATION = 1

_MARK = re.compile(rb"gradpress (\d{1,9}) ([!-~]{1,80}(?: [!-~]{1,80}){0,2}) ([0-9a-f]{8})")


def goal_text(request: Request, *, deblock: bool = False) -> str:
    """Write down what was asked for, always in the same way: ``ssimulacra2=80``."""
    goal = request.goal
    match goal:
        case Target():
            words = [f"{goal.metric.name}={goal.value:.12g}"]
        case QualityRequest():
            words = [f"quality={goal.quality}"]
        case Lagrangian():
            words = [f"lagrangian={goal.value:.12g}"]
        case SizeRequest():
            words = [_size_text(goal)]
        case _:
            words = [f"target-size={goal.bytes}"]
    if request.ceiling is not None:
        words.append(_size_text(request.ceiling))
    if deblock:
        words.append("deblock")
    return " ".join(words)


def size(goal: str) -> int:
    """Bytes that the mark takes in a file; none for no goal."""
    return len(segment(COM, f"gradpress {GENERATION} {goal} {0:08x}".encode())) if goal else 0


def stamped(data: bytes, goal: str) -> bytes:
    """Put the mark behind the segments that describe the picture; ``data`` has none yet."""
    parts = tuple(walk(data))
    at = next(part.begin for part in parts[1:] if not is_descriptive(part))
    return data[:at] + segment(COM, _payload(goal, data, parts)) + data[at:]


def is_mark(payload: bytes) -> bool:
    """Whether a comment is a mark, of whatever goal and picture."""
    return _MARK.fullmatch(payload) is not None


def found(data: bytes) -> bytes | None:
    """The mark of a JPEG file whose picture is still the one that was marked."""
    parts = tuple(walk(data))
    marks = [
        data[part.body : part.end]
        for part in parts
        if part.marker == COM and is_mark(data[part.body : part.end])
    ]
    valid = (mark for mark in marks if mark.endswith(b" %08x" % _checksum(data, parts)))
    return next(valid, None)


def goal_of(mark: bytes) -> str:
    """The goal that a mark of this generation states; empty for another generation."""
    match = _MARK.fullmatch(mark)
    if match is None or int(match[1]) != GENERATION:
        return ""
    return match[2].decode("ascii")


def renewed(mark: bytes, data: bytes) -> bytes:
    """The file with a mark in it made valid: the same coefficients are coded in another way."""
    checksum = b"%08x" % _checksum(data, tuple(walk(data)))
    return data.replace(mark, mark[:-8] + checksum, 1)


def _payload(goal: str, data: bytes, parts: Iterable[Part]) -> bytes:
    return f"gradpress {GENERATION} {goal} {_checksum(data, parts):08x}".encode("ascii")


def _checksum(data: bytes, parts: Iterable[Part]) -> int:
    """CRC-32 of the picture's tables, frame and scans."""
    checksum = 0
    for part in parts:
        if part.kind is not Kind.TRAILING and not is_descriptive(part):
            checksum = zlib.crc32(memoryview(data)[part.begin : part.end], checksum)
    return checksum


def _size_text(size: SizeRequest) -> str:
    unit = "" if size.unit == "bytes" else size.unit
    return f"target-size={float(size.amount):.12g}{unit}"
