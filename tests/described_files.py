"""Pictures with much metadata in them, made by hand, and what other programs read from them."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import shutil
import struct
import subprocess

import PIL.Image
import PIL.ImageCms
from conftest import scene
from PIL import ExifTags

from gradpress.jpeg.segments import is_descriptive, walk
from gradpress.jpeg.writer import segment

EXIFTOOL = shutil.which("exiftool")
XMP = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"
MAKER_NOTE = bytes(range(1, 200))
SPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
    "Container": "http://ns.google.com/photos/1.0/container/",
}


@functools.cache
def profile(name="sRGB"):
    """A profile that LittleCMS makes."""
    return PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile(name)).tobytes()


def packet(attributes="", elements="", padding=2000):
    """An XMP packet of one description."""
    names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in SPACES.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {names}>'
        f'<rdf:Description rdf:about="" {attributes}>{elements}</rdf:Description>'
        f'</rdf:RDF></x:xmpmeta>{" " * padding}<?xpacket end="w"?>'
    ).encode()


def rich_packet(orientation=1, more=""):
    """Place, orientation, thumbnail, rights, and a label of one's own."""
    return packet(
        f'exif:GPSLatitude="48,8.5N" tiff:Orientation="{orientation}" photoshop:City="Town" {more}',
        "<exif:GPSLongitude>11,34.5E</exif:GPSLongitude>"
        "<xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType='Resource'>small</rdf:li></rdf:Alt>"
        "</xmp:Thumbnails>"
        "<dc:rights><rdf:Alt><rdf:li xml:lang='x-default'>© Somebody</rdf:li></rdf:Alt>"
        "</dc:rights><dc:subject><rdf:Bag><rdf:li>a keyword</rdf:li></rdf:Bag></dc:subject>",
    )


def exif_block(orientation=1, thumbnail=True, gps=True):
    """An EXIF block with a maker note and, if wanted, a place and a thumbnail."""
    made = PIL.Image.Exif()
    made[0x010F] = "a maker"
    made[0x0112] = orientation
    made[0x013B] = "Somebody"
    made[0x8298] = "(C) Somebody"
    made[0x011A], made[0x011B] = 300.0, 150.0
    made[ExifTags.IFD.Exif] = {0x9003: "2020:02:02 12:00:00", 0x927C: MAKER_NOTE, 0xA002: 64}
    if gps:
        made[ExifTags.IFD.GPSInfo] = {1: "N", 2: (48.0, 8.0, 30.0), 3: "E", 4: (11.0, 34.0, 30.0)}
    block = made.tobytes().removeprefix(b"Exif\0\0")
    if not thumbnail:
        return block
    sink = io.BytesIO()
    PIL.Image.new("RGB", (16, 12), "red").save(sink, "JPEG")
    return with_thumbnail(block, sink.getvalue())


def with_thumbnail(block, small):
    """The block with a second directory behind it that holds a small picture."""
    order = "<" if block[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "I", block, 4)
    (count,) = struct.unpack_from(order + "H", block, first)
    data = bytearray(block + b"\0" * (len(block) % 2))
    struct.pack_into(order + "I", data, first + 2 + 12 * count, len(data))
    begin = len(data) + 2 + 12 * 2 + 4
    entries = ((0x0201, 4, 1, begin), (0x0202, 4, 1, len(small)))
    table = b"".join(struct.pack(order + "HHII", *entry) for entry in entries)
    return bytes(data) + struct.pack(order + "H", 2) + table + bytes(4) + small


def photoshop(*more):
    """Image resources: IPTC's caption, by-line and copyright, a thumbnail, and others."""
    sets = b"".join(
        struct.pack(">BBBH", 0x1C, record, number, len(text)) + text
        for record, number, text in (
            (1, 90, b"\x1b%G"),
            (2, 80, b"Somebody"),
            (2, 116, "© Somebody".encode()),
            (2, 120, b"A caption"),
        )
    )
    resources = ((0x0404, sets), (0x040C, bytes(28) + b"\xff\xd8 small"), (0x0BB7, b"x"), *more)
    return b"Photoshop 3.0\0" + b"".join(
        struct.pack(">4sHHI", b"8BIM", identifier, 0, len(data)) + data + b"\0" * (len(data) % 2)
        for identifier, data in resources
    )


def extended(rest):
    """Attributes that name an XMP extension, and its segments."""
    name = hashlib.md5(rest, usedforsecurity=False).hexdigest().upper()
    half = len(rest) // 2
    pieces = [
        (0xE1, EXTENSION + name.encode() + struct.pack(">II", len(rest), at) + rest[at:end])
        for at, end in ((0, half), (half, len(rest)))
    ]
    return f'xmpNote:HasExtendedXMP="{name}"', pieces


def split(jpeg):
    """The file up to its tables, and the rest."""
    at = next(part.begin for part in tuple(walk(jpeg))[1:] if not is_descriptive(part))
    return jpeg[:at], jpeg[at:]


def with_segments(jpeg, segments, trailing=b""):
    """The file with segments behind those it has."""
    head, rest = split(jpeg)
    return head + b"".join(segment(*each) for each in segments) + rest + trailing


def jpeg_of(picture=None, **options):
    """What Pillow writes."""
    sink = io.BytesIO()
    picture = PIL.Image.fromarray(scene(48, 64)) if picture is None else picture
    picture.save(sink, "JPEG", **{"quality": 95, **options})
    return sink.getvalue()


def rich_jpeg(orientation=1, *, stored=None, trailing=b"", **options):
    """A JPEG file with all kinds of metadata in it."""
    rest = packet(
        "", "<exif:GPSAltitude>7/1</exif:GPSAltitude><dc:source>" + "y" * 99 + "</dc:source>"
    )
    link, pieces = extended(rest)
    data = jpeg_of(stored, dpi=(300, 150), icc_profile=profile(), **options)
    segments = [
        (0xE1, b"Exif\0\0" + exif_block(orientation)),
        (0xE1, XMP + rich_packet(orientation, link)),
        *pieces,
        (0xED, photoshop()),
        (0xFE, b"a comment"),
        (0xFE, b"another comment"),
    ]
    return with_segments(data, segments, trailing)


def read_by_exiftool(data):
    """What exiftool says, group by group, but for the file system; names as ``XMP-dc:Rights``."""
    done = subprocess.run(
        [EXIFTOOL, "-j", "-a", "-G1", "-struct", "-n", "-x", "System:all", "-"],
        input=data,
        capture_output=True,
        check=True,
    )
    (found,) = json.loads(done.stdout)
    return found
