"""A JPEG file with other segments around the same picture: its coefficients are not touched."""

from __future__ import annotations

from dataclasses import dataclass

from gradpress.errors import UnsupportedImage
from gradpress.jpeg import mpf
from gradpress.jpeg.metadata import Segment, identifier
from gradpress.jpeg.reader import Jpeg
from gradpress.jpeg.segments import Kind, is_descriptive
from gradpress.jpeg.writer import SOI, segment
from gradpress.metadata import mark
from gradpress.metadata.further import without_places
from gradpress.metadata.kept import PLACE_KEPT, kept
from gradpress.metadata.policy import Policy

LEFT_OUT = "of its metadata some was left out"


@dataclass(frozen=True)
class Restated:
    """A file and what was found on the way."""

    data: bytes
    notices: tuple[str, ...]


@dataclass(frozen=True)
class Surroundings:
    """What stands before and behind a picture's tables and scans."""

    segments: tuple[Segment, ...]
    trailing: bytes

    @property
    def head(self) -> bytes:
        """The file up to its tables."""
        return SOI + b"".join(segment(*each) for each in self.segments)


def restated(jpeg: Jpeg, policy: Policy, name: str = "the picture") -> Restated:
    """Apply a policy to a JPEG file; it is the very file if nothing is taken from it.

    Raises UnsupportedImage if an index of further pictures cannot be corrected.
    """
    found, notices = surroundings(jpeg, policy)
    if found == _around(jpeg):
        return Restated(jpeg.data, notices)
    bare = (
        part
        for part in jpeg.parts[1:]
        if part.kind is not Kind.TRAILING and not is_descriptive(part)
    )
    picture = b"".join(jpeg.data[part.begin : part.end] for part in bare)
    whole = framed(jpeg, found, picture)
    if whole is None:
        raise UnsupportedImage(
            f"{name}: refers to other pictures in a way that cannot be kept; --drop-gain-map "
            "leaves them out"
        )
    return Restated(whole, notices)


def _around(jpeg: Jpeg) -> Surroundings:
    """A file's own."""
    segments = tuple((p.marker, jpeg.payload(p)) for p in jpeg.parts if is_descriptive(p))
    last = jpeg.parts[-1]
    trailing = jpeg.data[last.begin : last.end] if last.kind is Kind.TRAILING else b""
    return Surroundings(segments, trailing)


def surroundings(jpeg: Jpeg, policy: Policy) -> tuple[Surroundings, tuple[str, ...]]:
    """Those that stay, and notices."""
    before = _around(jpeg)
    stays = kept(before.segments, policy, mark.found(jpeg.data) if policy.mark else None)
    trailing = before.trailing if policy.further else b""
    bare, notices = without_places(trailing), stays.notices
    if not policy.keeps("gps"):
        trailing = bare
    elif bare != trailing:
        notices = tuple(dict.fromkeys((*notices, PLACE_KEPT)))
    return Surroundings(stays.segments, trailing), notices


def framed(jpeg: Jpeg, around: Surroundings, picture: bytes) -> bytes | None:
    """Put a picture's tables and scans, with its end marker, into its new surroundings.

    The index of further pictures is corrected; None if that cannot be done.
    """
    whole = bytearray(around.head + picture)
    end_before = len(jpeg.data) - len(_around(jpeg).trailing)
    places = [p.body for p in jpeg.parts if identifier(p.marker, jpeg.payload(p)) == "MPF"]
    at = len(SOI)
    for marker, payload in around.segments:
        begin, at = at + 4, at + 4 + len(payload)
        if identifier(marker, payload) != "MPF":
            continue
        skipped = len(mpf.HEADER)
        move = mpf.Move(places.pop(0) + skipped, begin + skipped, end_before, len(whole))
        changed = mpf.moved(payload, move)
        if changed is None:
            return None
        whole[begin:at] = changed
    return bytes(whole) + around.trailing
