"""XMP packets: properties taken out, every other byte kept.

A packet is RDF in XML (ISO 16684-1): properties are the children and the attributes of those
``rdf:Description`` elements that stand directly in ``rdf:RDF``. The parser says where they lie, and
they are cut out of the text, so that what stays is as its author wrote it. The bytes are untrusted:
a packet with a document type, which could define entities, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

if TYPE_CHECKING:
    from xml.parsers.expat import XMLParserType

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NOTE = "http://ns.adobe.com/xmp/note/"
TIFF = "http://ns.adobe.com/tiff/1.0/"
EXIF = "http://ns.adobe.com/exif/1.0/"
PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
BASIC = "http://ns.adobe.com/xap/1.0/"
RIGHTS = "http://ns.adobe.com/xap/1.0/rights/"
CORE = "http://purl.org/dc/elements/1.1/"
GEO = "http://www.w3.org/2003/01/geo/wgs84_pos#"
PLACES = (b"GPS", b"Gps", b"gps", b"wgs84_pos")
"""What a packet holds that says where the picture was taken."""
CAMERA = "http://ns.google.com/photos/1.0/camera/"
GAIN_MAP = "http://ns.adobe.com/hdr-gain-map/1.0/"
CONTAINER = "http://ns.google.com/photos/1.0/container/"

_PAIR = rb"[^\s=<>/]+)\s*=\s*(?:\"[^\"]*\"|'[^']*')"
_ATTRIBUTE = re.compile(rb"\s(" + _PAIR)
_TAG = re.compile(rb"<[^\s/>]+(?:\s+(?:" + _PAIR + rb")*\s*/?>")
_DESCRIPTION = (RDF, "Description")
_DEPTH = 200
"""Elements within elements; real packets have about ten."""


class XmpError(ValueError):
    """The packet is not XML as XMP has it."""


@dataclass(frozen=True)
class Property:
    """The name of an element or an attribute."""

    space: str
    """The URI of its namespace."""
    name: str
    top: bool
    """Whether it is a property of the picture, not a part of one."""


Span = tuple[int, int]


def without(packet: bytes, unwanted: Callable[[Property], bool]) -> bytes | None:
    """Cut properties out, with all that is in them; None if none is left. Raises XmpError."""
    cutter = _Cutter(packet, unwanted)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.namespace_prefixes = True
    parser.StartElementHandler = lambda name, given: cutter.begin(parser, name, given)
    parser.EndElementHandler = lambda name: cutter.end(parser)
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(packet.rstrip(b"\0"), True)
    except (expat.ExpatError, UnicodeError) as error:
        raise XmpError(str(error)) from error
    if cutter.kept == 0:
        return None
    return b"".join(_rest(packet, cutter.cuts))


def trimmed(packet: bytes) -> bytes:
    """The packet without the blanks before its end, which are room for editing in place."""
    end = packet.rfind(b"<?xpacket")
    return packet if end < 0 else packet[:end].rstrip() + packet[end:].strip(b"\0 \n")


def holds(packet: bytes, *names: bytes) -> bool:
    """Whether any of these names may occur in it; a packet of 16-bit letters may hold all."""
    return b"\0" in packet.rstrip(b"\0") or any(name in packet for name in names)


def is_oriented(name: Property) -> bool:
    """Whether it is the orientation, as Exif has it."""
    return (name.space, name.name) == (TIFF, "Orientation")


def is_colour(name: Property) -> bool:
    """Whether it says in which colour space the samples are."""
    photoshop = name.space == PHOTOSHOP and name.name in ("ICCProfile", "ColorMode")
    return photoshop or (name.space, name.name) == (EXIF, "ColorSpace")


def is_place(name: Property) -> bool:
    """Whether it says where the picture was taken: as Exif's GPS tags do, or in a maker's way."""
    return name.name.lower().startswith("gps") or name.space == GEO


def is_thumbnail(name: Property) -> bool:
    """Whether it holds small pictures."""
    return (name.space, name.name) == (BASIC, "Thumbnails")


def is_of_further_pictures(name: Property) -> bool:
    """Whether it describes gain maps, videos and pictures behind the end of the first."""
    motion = name.space == CAMERA and name.name.startswith(("MicroVideo", "MotionPhoto"))
    return name.space in (GAIN_MAP, CONTAINER) or motion


def is_right(name: Property) -> bool:
    """Whether it says who made the picture and whose it is."""
    return name.space == RIGHTS or (name.space == CORE and name.name in ("rights", "creator"))


def is_extension(name: Property) -> bool:
    """Whether it names the extension that holds what a segment has no room for."""
    return (name.space, name.name) == (NOTE, "HasExtendedXMP")


@dataclass
class _Cutter:
    """Where the spans lie that are to be cut out."""

    packet: bytes
    unwanted: Callable[[Property], bool]
    cuts: list[Span] = field(default_factory=list)
    open: list[tuple[tuple[str, str], int | None]] = field(default_factory=list)
    """The elements that have begun: names, and the end of the tag of one that is to be cut."""
    begun: int = 0
    """Where the element begins that is being cut."""
    cutting: int = 0
    """The depth of that element; 0 outside of any."""
    kept: int = 0
    """Properties of the picture that stay."""

    def begin(self, parser: XMLParserType, qualified: str, given: dict[str, str]) -> None:
        space, name, _ = _parts(qualified)
        at = parser.CurrentByteIndex
        top = [each for each, _ in self.open[-2:]] == [(RDF, "RDF"), _DESCRIPTION]
        self.open.append(((space, name), None))
        if len(self.open) > _DEPTH:
            raise XmpError("elements lie too deep in each other")
        if self.cutting:
            return
        tag = _TAG.match(self.packet, at)
        if tag is None:
            raise XmpError(f"the tag at byte {at} cannot be read")
        if self.unwanted(Property(space, name, top)):
            self.cutting, self.begun = len(self.open), at
            self.open[-1] = ((space, name), tag.end() if tag[0].endswith(b"/>") else None)
            return
        self.kept += top
        parent = self.open[-2][0] if len(self.open) > 1 else None
        described = (space, name) == _DESCRIPTION and parent == (RDF, "RDF")
        self._attributes(tag, given, top=described)

    def _attributes(self, tag: re.Match[bytes], given: Iterable[str], *, top: bool) -> None:
        places = {found[1]: found.span() for found in _ATTRIBUTE.finditer(self.packet, *tag.span())}
        for each in given:
            space, name, prefix = _parts(each)
            if not prefix or space == RDF:
                continue
            if not self.unwanted(Property(space, name, top)):
                self.kept += top
            elif (word := f"{prefix}:{name}".encode()) in places:
                self.cuts.append(places[word])
            else:
                raise XmpError(f"the attribute {name} cannot be found")

    def end(self, parser: XMLParserType) -> None:
        _, tag_end = self.open.pop()
        if self.cutting != len(self.open) + 1:
            return
        end = tag_end or self.packet.index(b">", parser.CurrentByteIndex) + 1
        self.cuts.append((self.begun, end))
        self.cutting = 0


def _parts(qualified: str) -> tuple[str, str, str]:
    """Namespace, local name and prefix; empty where there is none."""
    parts = qualified.split(" ")
    if len(parts) == 1:
        return "", qualified, ""
    return parts[0], parts[1], parts[2] if len(parts) > 2 else ""


def _refuse(*_: object) -> None:
    raise XmpError("it has a document type")


def _rest(packet: bytes, cuts: Iterable[Span]) -> Iterable[bytes]:
    at = 0
    for begin, end in sorted(cuts):
        yield packet[at:begin]
        at = end
    yield packet[at:]
