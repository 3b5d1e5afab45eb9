"""Which segments of a JPEG file stay: the policy, applied.

What says how the samples are shown (JFIF, the colour profile, Adobe's transform, the orientation)
always stays; segments that nothing is taken from stay byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradpress.jpeg.metadata import Segment, identifier
from gradpress.jpeg.segments import APP0, COM
from gradpress.metadata import exif, iptc, mark, xmp
from gradpress.metadata.described import EXIF, PHOTOSHOP, XMP, photoshop_segments
from gradpress.metadata.kept_xmp import xmp_segments
from gradpress.metadata.policy import Policy

PLACE_KEPT = "it keeps the place where the picture was taken; --strip gps removes it"

LATITUDES = (b"GPSLatitude", b"GpsLatitude", b"gpsLatitude", b"wgs84_pos")
"""Of these one is in XMP that says where the picture was taken."""

_GROUPS = {"XMP": "XMP", "XMP extension": "XMP", "Photoshop": "Photoshop"}
"""Segments that are one thing in pieces."""
_ALWAYS = ("ICC profile", "Adobe")
_FURTHER = ("MPF", "ISO gain map")
"""What belongs to further pictures."""
_JFIF_BYTES = 14
"""Of JFIF's segment without its thumbnail (JFIF 1.02)."""


@dataclass(frozen=True)
class Kept:
    """What stays."""

    segments: tuple[Segment, ...]
    notices: tuple[str, ...] = ()
    """What the user should know: damaged data that was left out, and a place that is kept."""


def kept(segments: Sequence[Segment], policy: Policy, marked: bytes | None = None) -> Kept:
    """Apply the policy; of comments that are marks only ``marked`` stays."""
    notices: list[str] = []
    before = {
        name: [each for each in segments if _GROUPS.get(identifier(*each)) == name]
        for name in ("XMP", "Photoshop")
    }
    after = {
        "XMP": xmp_segments(before["XMP"], policy, notices),
        "Photoshop": _photoshop(before["Photoshop"], policy),
    }
    changed = {name for name in before if before[name] != after[name]}
    rest: list[Segment] = []
    for each in segments:
        group = _GROUPS.get(identifier(*each), "")
        if group in changed:
            rest += after.pop(group, ())
        elif group:
            rest.append(each)
        else:
            rest += _one(each, policy, marked, notices)
    if any(map(_has_place, rest)):
        notices.append(PLACE_KEPT)
    return Kept(tuple(rest), tuple(dict.fromkeys(notices)))


def _one(
    segment: Segment, policy: Policy, marked: bytes | None, notices: list[str]
) -> tuple[Segment, ...]:
    """What stays of a segment that stands for itself."""
    marker, payload = segment
    held = identifier(marker, payload)
    if marker == COM and mark.is_mark(payload):
        stays = payload == marked
    elif marker == COM:
        stays = policy.keeps("comments")
    elif held == "Exif":
        block = _exif(payload[len(EXIF) :], policy, notices)
        return ((marker, EXIF + block),) if block else ()
    elif held == "JFIF":
        return ((marker, payload if policy.keeps("thumbnail") else _without_picture(payload)),)
    elif held == "JFIF extension":
        stays = policy.keeps("thumbnail")
    elif held in _FURTHER:
        stays = policy.further
    else:
        stays = held in _ALWAYS or policy.others
    return (segment,) if stays else ()


def _exif(block: bytes, policy: Policy, notices: list[str]) -> bytes | None:
    rest: bytes | None = block
    try:
        if policy.keeps("exif"):
            if not policy.keeps("thumbnail"):
                rest = exif.without_thumbnail(block)
            return rest if policy.keeps("gps") or rest is None else exif.without_place(rest)
        tags = {exif.ARTIST, exif.COPYRIGHT} if policy.copyright else set()
        if exif.orientation(block) != 1:
            tags.add(exif.ORIENTATION)
        return exif.only(block, tags)
    except exif.ExifError as error:
        if policy.keeps("exif") and policy.keeps("gps"):
            return block
        if policy.keeps("exif"):
            notices.append(f"the EXIF data is damaged and was left out ({error})")
        return None


def _photoshop(segments: Sequence[Segment], policy: Policy) -> list[Segment]:
    block = b"".join(payload[len(PHOTOSHOP) :] for _, payload in segments)
    if not policy.keeps("iptc"):
        return photoshop_segments(iptc.rights(block)) if policy.copyright else []
    copies = not all(map(policy.keeps, ("exif", "gps", "xmp")))
    dropped = (
        *(() if policy.keeps("thumbnail") else iptc.THUMBNAILS),
        *(iptc.COPIES if copies else ()),
    )
    if not any(each.identifier in dropped for each in iptc.resources(block)):
        return list(segments)
    return photoshop_segments(iptc.without(block, dropped))


def _without_picture(jfif: bytes) -> bytes:
    return jfif if jfif[12:] == b"\0\0" else jfif[: _JFIF_BYTES - 2] + b"\0\0"


def _has_place(segment: Segment) -> bool:
    marker, payload = segment
    if marker != APP0 + 1:
        return False
    if payload.startswith(EXIF):
        try:
            return exif.has_place(payload[len(EXIF) :])
        except exif.ExifError:
            return False
    return xmp.holds(payload[len(XMP) :], *LATITUDES) if payload.startswith(XMP) else False
