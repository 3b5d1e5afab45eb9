"""XMP packets, their extensions and IPTC's records: cut, never trusted."""

from __future__ import annotations

import struct
from xml.etree import ElementTree

import pytest
from described_files import SPACES, XMP, extended, packet, photoshop, rich_packet
from hypothesis import given, settings
from hypothesis import strategies as st

from gradpress.metadata import iptc, xmp
from gradpress.metadata.described import PHOTOSHOP
from gradpress.metadata.kept import PLACE_KEPT, kept
from gradpress.metadata.policy import DEFAULT, KINDS, Policy

NO_PLACE = Policy(DEFAULT.kinds - {"gps"})


def tree(text):
    """Elements and attributes by name, as another parser reads them."""
    body = text[text.index(b"<x:xmpmeta") : text.rindex(b"</x:xmpmeta>") + len(b"</x:xmpmeta>")]
    root = ElementTree.fromstring(body)
    return {
        name
        for each in root.iter()
        for name in (each.tag, *each.attrib)
        if not name.startswith((f"{{{SPACES['rdf']}}}", "{adobe"))
    }


def name(prefix, local):
    return f"{{{SPACES[prefix]}}}{local}"


def test_properties_go_and_the_rest_stays_to_the_letter():
    before = rich_packet(3)
    after = xmp.without(before, xmp.is_place)
    assert tree(before) - tree(after) == {
        name("exif", "GPSLatitude"),
        name("exif", "GPSLongitude"),
    }
    lost = [b' exif:GPSLatitude="48,8.5N"', b"<exif:GPSLongitude>11,34.5E</exif:GPSLongitude>"]
    for each in lost:
        before = before.replace(each, b"")
    assert after == before


@pytest.mark.parametrize(
    "element",
    [
        "<exif:GPSLatitude/>",
        "<exif:GPSLatitude />",
        "<exif:GPSLatitude>x</exif:GPSLatitude >",
        "<exif:GPSLatitude  a='&gt;>'\n b=\"<!-- -->\">x<y/></exif:GPSLatitude>".replace("<!", "!"),
        "<q:GPSLatitude xmlns:q='http://ns.adobe.com/exif/1.0/'>1</q:GPSLatitude>",
        "<GPSLatitude xmlns='http://ns.adobe.com/exif/1.0/'><exif:GPSLatitude/></GPSLatitude>",
        "<exif:GPSLatitude><![CDATA[</exif:GPSLatitude>]]></exif:GPSLatitude>",
        "<exif:GPSLatitude><!-- </exif:GPSLatitude> --></exif:GPSLatitude>",
    ],
)
def test_elements_go_however_they_are_written(element):
    whole = packet(elements=f"<dc:a/>{element}<dc:b>&amp;</dc:b>")
    assert xmp.without(whole, xmp.is_place) == packet(elements="<dc:a/><dc:b>&amp;</dc:b>")


@pytest.mark.parametrize(
    "attribute", ['exif:GPSLatitude="1"', "exif:GPSLatitude = '\"' ", "exif:GPSLatitude='a>b'"]
)
def test_attributes_go_however_they_are_written(attribute):
    decoy = "dc:a=' exif:GPSLatitude=\"2\"'"
    after = xmp.without(packet(f"{decoy} {attribute}"), xmp.is_place)
    assert tree(after) == {name("dc", "a")}
    assert b'exif:GPSLatitude="2"' in after  # the value of another


def test_places_within_other_properties_go_too():
    inner = "<rdf:Bag><rdf:li><rdf:Description exif:GPSLatitude='1' dc:b='2'/></rdf:li></rdf:Bag>"
    after = xmp.without(packet(elements=f"<dc:a>{inner}</dc:a>"), xmp.is_place)
    assert tree(after) == {name("dc", "a"), name("dc", "b")}


@pytest.mark.parametrize(
    "said",
    [
        "xmlns:drone='http://www.dji.com/drone-dji/1.0/' drone:GpsLatitude='+48.1'",
        "xmlns:geo='http://www.w3.org/2003/01/geo/wgs84_pos#' geo:lat='48.1'",
        "xmlns:any='any:' any:GPSLatitude='48.1'",
    ],
)
def test_places_in_a_makers_own_words_go(said):
    before = segments_of(packet(f"{said} dc:a='1'"))
    assert PLACE_KEPT in kept(before, DEFAULT).notices
    ((_, payload),) = kept(before, NO_PLACE).segments
    assert b"48.1" not in payload
    assert tree(payload) == {name("dc", "a")}


def test_a_packet_of_nothing_else_goes_whole():
    assert xmp.without(packet('exif:GPSLatitude="1"'), xmp.is_place) is None
    assert xmp.without(packet('dc:a="1"'), xmp.is_place) == packet('dc:a="1"')
    assert xmp.without(b"<a>no property is in it</a>", xmp.is_place) is None


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        packet(padding=0)[:-60],
        b"<!DOCTYPE x><a/>",
        b"<a>" * 300 + b"</a>" * 300,
        b"<nowhere:a/>",
    ],
)
def test_what_is_no_packet_is_refused(damaged):
    with pytest.raises(xmp.XmpError):
        xmp.without(damaged, xmp.is_place)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=4), st.booleans())
def test_damaged_packets_are_cut_or_refused(changes, top):
    data = bytearray(rich_packet())
    for at, value in changes:
        data[at % len(data)] = value
    try:
        after = xmp.without(bytes(data), lambda each: each.top == top)
    except xmp.XmpError:
        return
    assert after is None or len(after) <= len(data)


def test_long_runs_of_blanks_are_quick_work():
    blanks = " " * 60_000
    long = packet(f"{blanks}dc:a{blanks}={blanks}'{blanks}'", f"<dc:b{blanks}/>" * 2)
    assert xmp.without(long, xmp.is_place) == long
    assert len(xmp.trimmed(packet(padding=60_000))) < 2000


def test_room_for_editing_goes():
    assert xmp.trimmed(packet()) == packet(padding=0)
    assert xmp.trimmed(b"<a/>") == b"<a/>"


def segments_of(main, pieces=()):
    return [(0xE1, XMP + main), *pieces]


def test_an_extension_is_cut_and_named_anew():
    rest = packet("exif:GPSAltitude='7'", "<dc:source>" + "long " * 30_000 + "</dc:source>", 0)
    link, pieces = extended(rest)
    before = segments_of(packet(link), pieces)
    assert kept(before, DEFAULT).segments == tuple(before)
    after = kept(before, NO_PLACE).segments
    shorter = rest.replace(b" exif:GPSAltitude='7'", b"")
    _, expected = extended(after_text := b"".join(p[75:] for _, p in after[1:]))
    assert after_text == shorter
    named = expected[0][1][35:67]
    assert named in after[0][1]
    assert all(payload[35:67] == named for _, payload in after[1:])
    offset = 0
    for _, payload in after[1:]:
        assert struct.unpack_from(">II", payload, 67) == (len(shorter), offset)
        offset += len(payload) - 75


@pytest.mark.parametrize("harm", ["missing", "other name", "short"])
def test_a_damaged_extension_goes_with_its_name(harm):
    link, pieces = extended(packet("exif:GPSAltitude='7'"))
    if harm == "missing":
        pieces = pieces[1:]
    elif harm == "other name":
        pieces[1] = (0xE1, pieces[1][1].replace(pieces[1][1][35:67], b"0" * 32))
    else:
        pieces = [(0xE1, pieces[0][1][:50])]
    found = kept(segments_of(packet(link + " dc:a='1'"), pieces), NO_PLACE)
    assert len(found.segments) == 1
    assert tree(found.segments[0][1]) == {name("dc", "a")}
    assert found.notices == ("the XMP data is damaged and was left out",)


def test_owners_alone():
    web = Policy(frozenset(), copyright=True, others=False)
    ((_, payload),) = kept(segments_of(rich_packet()), web).segments
    assert tree(payload) == {name("dc", "rights"), "{http://www.w3.org/XML/1998/namespace}lang"}
    assert kept(segments_of(packet("dc:a='1'")), web).segments == ()


def test_16_bit_packets_are_not_taken_for_packets_without_a_place():
    wide = packet("exif:GPSLatitude='1'").decode().encode("utf-16")
    everything = Policy(frozenset(KINDS))
    assert kept(segments_of(wide), everything).segments == tuple(segments_of(wide))
    assert kept(segments_of(wide), NO_PLACE).segments == ()


BLOCK = photoshop()[len(PHOTOSHOP) :]


def test_resources_are_read_and_left_out():
    found = [each.identifier for each in iptc.resources(BLOCK)]
    assert found == [0x0404, 0x040C, 0x0BB7]
    assert b"".join(each.whole for each in iptc.resources(BLOCK)) == BLOCK
    assert [each.identifier for each in iptc.resources(iptc.without(BLOCK, {0x040C}))] == [
        0x0404,
        0x0BB7,
    ]


def test_named_resources_and_extended_records_are_understood():
    named = b"8BIM\x0b\xb7\x04name\0" + struct.pack(">I", 1) + b"x\0"
    long = b"\x1c\x02\x74\x80\x04" + struct.pack(">I", 6) + b"rights"
    block = named + iptc.resource(iptc.RECORDS, b"\x1c\x02\x78\0\1c" + long)
    assert next(iptc.resources(block)).data == b"x"
    (only,) = iptc.resources(iptc.rights(block))
    assert only.data == long


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, len(BLOCK)))
def test_damaged_resources_end_the_list(tail, length):
    block = BLOCK[:length] + tail
    whole = b"".join(each.whole for each in iptc.resources(block))
    assert block.startswith(whole)
    assert len(iptc.rights(block)) <= len(block) + 12


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE]),
            st.sampled_from([b"", b"Exif\0\0", XMP, PHOTOSHOP, b"MPF\0", b"ICC_PROFILE\0"]),
            st.binary(max_size=50),
        ),
        max_size=6,
    ),
    st.sampled_from([DEFAULT, NO_PLACE, Policy(frozenset(), copyright=True), Policy(frozenset())]),
)
def test_any_segments_are_kept_or_dropped_once_and_for_all(parts, policy):
    segments = tuple((marker, head + tail) for marker, head, tail in parts)
    once = kept(segments, policy).segments
    assert kept(once, policy).segments == once
    assert sum(len(p) for _, p in once) <= sum(len(p) for _, p in segments) + 12
