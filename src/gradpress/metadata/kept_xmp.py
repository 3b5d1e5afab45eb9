"""What stays of XMP: the packet in one segment, and its extension, which lies in pieces.

An extension is a packet of its own, cut into pieces; the first packet names it by its MD5 (XMP
specification, part 3, 1.1.3.1).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence

from gradpress.jpeg.metadata import Segment
from gradpress.jpeg.segments import APP0
from gradpress.jpeg.writer import MAX_SEGMENT
from gradpress.metadata import xmp
from gradpress.metadata.described import XMP, XMP_EXTENSION
from gradpress.metadata.policy import Policy

_PIECE = struct.Struct(">32sII")
"""The MD5 in hexadecimal digits, the length of the extension, and where the piece begins."""
_HEAD = len(XMP_EXTENSION) + _PIECE.size
_FURTHER = (b"hdr-gain-map", b"photos/1.0/container", b"MicroVideo", b"MotionPhoto")
_RIGHTS = (b"rights", b"creator")
_LINK = b"HasExtendedXMP"
DAMAGED = "the XMP data is damaged and was left out"

_Test = Callable[[xmp.Property], bool]


def xmp_segments(segments: Sequence[Segment], policy: Policy, notices: list[str]) -> list[Segment]:
    """Apply the policy to XMP's segments; what is damaged is left out with a notice."""
    mains = [payload[len(XMP) :] for _, payload in segments if payload.startswith(XMP)]
    pieces = [payload for _, payload in segments if not payload.startswith(XMP)]
    extension, name, new_name = pieces, b"", b""
    if pieces:
        name, packet = _joined(pieces)
        rest = _extension(packet, policy, notices)
        if rest is None:
            extension = []
        elif rest != packet:
            new_name = hashlib.md5(rest, usedforsecurity=False).hexdigest().upper().encode()
            extension = _cut(rest, new_name)
    gone = bool(pieces) and not extension
    after: list[Segment] = []
    for main in mains:
        kept = _edited(main, policy, notices, gone=gone)
        if kept is not None:
            after.append((APP0 + 1, XMP + (kept.replace(name, new_name) if new_name else kept)))
    return [*after, *((APP0 + 1, piece) for piece in extension)]


def _extension(packet: bytes, policy: Policy, notices: list[str]) -> bytes | None:
    if not policy.keeps("xmp"):
        return None
    if not packet:
        notices.append(DAMAGED)
        return None
    return _edited(packet, policy, notices, gone=False)


def _edited(packet: bytes, policy: Policy, notices: list[str], *, gone: bool) -> bytes | None:
    """Cut out of a packet what does not stay; ``gone``: its extension does not."""
    names, unwanted = _rules(policy, gone=gone)
    if not names or not xmp.holds(packet, *names):
        return packet if policy.keeps("xmp") else None
    try:
        return xmp.without(packet, unwanted)
    except xmp.XmpError as error:
        notices.append(f"{DAMAGED} ({error})")
        return None


def _rules(policy: Policy, *, gone: bool) -> tuple[tuple[bytes, ...], _Test]:
    """Names without which a packet has nothing to do with the policy, and what is cut out."""
    if policy.keeps("xmp"):
        cuts = (
            (xmp.PLACES, xmp.is_place, policy.keeps("gps")),
            ((b"Thumbnails",), xmp.is_thumbnail, policy.keeps("thumbnail")),
            (_FURTHER, xmp.is_of_further_pictures, policy.further),
            ((_LINK,), xmp.is_extension, not gone),
        )
        names = tuple(name for words, _, stays in cuts if not stays for name in words)
        tests = [test for _, test, stays in cuts if not stays]
        return names, lambda each: any(test(each) for test in tests)
    kept = (
        (_RIGHTS, xmp.is_right, policy.copyright),
        (_FURTHER, xmp.is_of_further_pictures, policy.further),
    )
    names = tuple(name for words, _, stays in kept if stays for name in words)
    tests = [test for _, test, stays in kept if stays]
    return names, lambda each: each.top and not any(test(each) for test in tests)


def _joined(pieces: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The name and the packet of an extension; an empty packet if a piece is missing."""
    heads = [_PIECE.unpack_from(piece.ljust(_HEAD), len(XMP_EXTENSION)) for piece in pieces]
    name, size, _ = heads[0]
    parts = {begin: piece[_HEAD:] for (_, _, begin), piece in zip(heads, pieces, strict=True)}
    at = 0
    for begin in sorted(parts):
        if begin != at:
            return name, b""
        at += len(parts[begin])
    same = {head[:2] for head in heads} == {(name, size)}
    return name, b"".join(parts[begin] for begin in sorted(parts)) if same and at == size else b""


def _cut(packet: bytes, name: bytes) -> list[bytes]:
    room = MAX_SEGMENT - _HEAD
    return [
        XMP_EXTENSION + _PIECE.pack(name, len(packet), at) + packet[at : at + room]
        for at in range(0, len(packet), room)
    ]
