"""EXIF blocks: patched in place, never trusted."""

import io
import struct

import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags

from gradpress.metadata import exif

THUMBNAIL = b"\xff\xd8 a stale little picture \xff\xd9"
MAKE = b"A maker of cameras\0"
NOTE = bytes(range(200))


def directory(order, entries, following=0):
    """A TIFF directory of (tag, type, count, 4-byte value) entries."""
    packed = [struct.pack(order + "HHI", *entry[:3]) + entry[3] for entry in entries]
    return struct.pack(order + "H", len(packed)) + b"".join(packed) + u32(order, following)


def u16(order, value):
    return struct.pack(order + "HH", value, 0)


def u32(order, value):
    return struct.pack(order + "I", value)


def block(order="<", orientation=6, thumbnail=THUMBNAIL, tail=b"", kind=3):
    """Directories 0 and Exif (with a maker note), the second directory, then the thumbnail."""
    pack = u16 if kind == 3 else u32
    header = (b"II*\0" if order == "<" else b"MM\0*") + u32(order, 8)
    first = 8 + 2 + 3 * 12 + 4
    sub = first + len(MAKE) + 1
    note = sub + 2 + 12 + 4
    second = note + len(NOTE)
    picture = second + 2 + 3 * 12 + 4
    first_directory = directory(
        order,
        [
            (0x010F, 2, len(MAKE), u32(order, first)),
            (0x0112, kind, 1, pack(order, orientation)),
            (0x8769, 4, 1, u32(order, sub)),
        ],
        second,
    )
    exif_directory = directory(order, [(0x927C, 7, len(NOTE), u32(order, note))])
    second_directory = directory(
        order,
        [
            (0x0112, 3, 1, u16(order, orientation)),
            (0x0201, 4, 1, u32(order, picture)),
            (0x0202, 4, 1, u32(order, len(thumbnail))),
        ],
    )
    body = header + first_directory + MAKE + b"\0" + exif_directory + NOTE
    assert len(body) == second
    return body + second_directory + thumbnail + tail


def tags(data):
    found = PIL.Image.Exif()
    found.load(b"Exif\0\0" + data)
    values = dict(found)
    values[ExifTags.IFD.Exif] = dict(found.get_ifd(ExifTags.IFD.Exif))
    return values, dict(found.get_ifd(ExifTags.IFD.IFD1))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [3, 4])
@pytest.mark.parametrize("orientation", range(10))
def test_orientation_is_read_and_reset(order, kind, orientation):
    data = block(order, orientation, kind=kind)
    assert exif.orientation(data) == (orientation if 1 <= orientation <= 8 else 1)
    assert exif.orientation(exif.upright(data)) == 1
    assert tags(exif.upright(data))[0][0x0112] == 1


@pytest.mark.parametrize("order", "<>")
def test_all_but_orientation_and_thumbnail_reads_as_before(order):
    data = block(order)
    before, small = tags(data)
    after, gone = tags(exif.upright(b"Exif\0\0" + data))
    assert small[0x0202] == len(THUMBNAIL)
    assert gone == {}
    assert after.pop(0x0112) == 1
    assert before.pop(0x0112) == 6
    assert after == before
    assert after[ExifTags.IFD.Exif][0x927C] == NOTE


def test_a_thumbnail_at_the_end_is_cut_off_with_its_directory():
    data = block()
    assert exif.upright(data) == exif.upright(block(thumbnail=THUMBNAIL * 9))
    assert len(exif.upright(data)) == len(data) - len(THUMBNAIL) - (2 + 3 * 12 + 4)


def test_a_thumbnail_in_the_middle_is_blanked():
    data = block(tail=b"something of the maker's")
    patched = exif.upright(data)
    assert len(patched) == len(data)
    assert patched.endswith(b"something of the maker's")
    assert THUMBNAIL[2:-2] not in patched


def test_a_thumbnail_that_claims_other_values_takes_nothing_with_it():
    data = bytearray(block())
    at = data.index(u32("<", len(THUMBNAIL)))
    offset = data.index(struct.pack("<HHI", 0x0201, 4, 1)) + 8
    data[offset : offset + 4] = u32("<", 8)
    data[at : at + 4] = u32("<", len(data) - 8)
    before, after = tags(bytes(data))[0], tags(exif.upright(bytes(data)))[0]
    assert {**before, 0x0112: 1} == after


@pytest.mark.parametrize("entry", [0x8769, 0x8825, 0xA005])
def test_directories_that_point_to_themselves_end(entry):
    header = b"II*\0" + u32("<", 8)
    data = header + directory("<", [(entry, 4, 1, u32("<", 8))] * 3, 8)
    assert exif.upright(data)[: len(header)] == header


def test_a_block_full_of_directories_is_quick_work():
    count = 5000
    entries = [(0x8769 + (i % 2) * 0xBC, 4, 0x10000, u32("<", 8)) for i in range(count)]
    data = b"II*\0" + u32("<", 8) + directory("<", entries, 8)
    assert len(exif.upright(data)) == len(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"II", b"II*\0", b"XX*\0" + bytes(20), b"MM\0*\0\0\0\x08", b"II*\0\xff\xff\xff\xff\1\0"],
)
def test_blocks_without_a_first_directory_are_refused(data):
    with pytest.raises(exif.ExifError):
        exif.upright(data)
    with pytest.raises(exif.ExifError):
        exif.orientation(data)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from("<>"),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8),
    st.integers(0, 400),
)
def test_damaged_blocks_are_patched_or_refused(order, changes, length):
    data = bytearray(block(order))
    for at, value in changes:
        data[at % len(data)] = value
    damaged = bytes(data[:length])
    try:
        patched = exif.upright(damaged)
    except exif.ExifError:
        return
    assert len(patched) <= len(damaged)
    assert exif.orientation(patched) == 1
    assert exif.upright(patched) == patched


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_random_directories_are_patched_or_refused(tail):
    data = b"MM\0*" + u32(">", 8) + tail
    try:
        assert exif.orientation(exif.upright(data)) == 1
    except exif.ExifError:
        assert len(tail) < 2 + 12 * max(1, int.from_bytes(tail[:2], "big"))


def test_a_tiff_gives_what_describes_it_and_no_layout():
    made, source = PIL.Image.Exif(), PIL.Image.Exif()
    made[0x010F], made[ExifTags.IFD.Exif] = "maker", {33434: 0.01}
    source.load(made.tobytes())
    file = io.BytesIO()
    PIL.Image.new("RGB", (4, 4)).save(file, "TIFF", exif=source)
    with PIL.Image.open(file) as picture:
        picture.load()
        found = exif.of_tiff(picture)
    assert found is not None
    values, _ = tags(found.removeprefix(b"Exif\0\0"))
    assert values[0x010F] == "maker"
    assert values[ExifTags.IFD.Exif] == {33434: 0.01}
    assert not {256, 257, 258, 273, 279} & set(values)


def place(order="<", tail=b""):
    """Maker and note as above, then a GPS directory with its values, then a thumbnail."""
    header = (b"II*\0" if order == "<" else b"MM\0*") + u32(order, 8)
    first = 8 + 2 + 4 * 12 + 4
    sub = first + len(MAKE) + 1
    note = sub + 2 + 12 + 4
    gps = note + len(NOTE)
    degrees = gps + 2 + 3 * 12 + 4
    second = degrees + 48
    picture = second + 2 + 2 * 12 + 4
    entries = [
        (0x010F, 2, len(MAKE), u32(order, first)),
        (0x8769, 4, 1, u32(order, sub)),
        (0x8825, 4, 1, u32(order, gps)),
        (0x8298, 2, 4, b"me.\0"),
    ]
    body = header + directory(order, entries, second) + MAKE + b"\0"
    body += directory(order, [(0x927C, 7, len(NOTE), u32(order, note))]) + NOTE
    body += directory(
        order,
        [
            (1, 2, 2, b"N\0\0\0"),
            (2, 5, 3, u32(order, degrees)),
            (4, 5, 3, u32(order, degrees + 24)),
        ],
    )
    body += struct.pack(order + "12I", *range(1001, 1013))
    assert len(body) == second
    small = [(0x0201, 4, 1, u32(order, picture)), (0x0202, 4, 1, u32(order, len(THUMBNAIL)))]
    return body + directory(order, small) + THUMBNAIL + tail


def taken_at(data):
    found = PIL.Image.Exif()
    found.load(b"Exif\0\0" + data)
    return dict(found.get_ifd(ExifTags.IFD.GPSInfo))


@pytest.mark.parametrize("order", "<>")
def test_the_place_goes_and_all_else_reads_as_before(order):
    data = place(order)
    assert taken_at(data)[1] == "N"
    assert exif.has_place(data)
    without = exif.without_place(b"Exif\0\0" + data)
    assert taken_at(without) == {}
    assert not exif.has_place(without)
    (before, small), (after, same) = tags(data), tags(without)
    assert before.pop(0x8825)
    assert (after, same) == (before, small)
    assert after[ExifTags.IFD.Exif][0x927C] == NOTE
    assert after[0x8298] == "me."
    assert len(without) == len(data)
    assert struct.pack(order + "I", 1001) not in without
    assert sum(a != b for a, b in zip(data, without, strict=True)) <= 12 * 4 + 4 + 42 + 48
    assert exif.without_place(without) == without


def test_a_place_at_the_end_is_cut_off():
    data = exif.without_thumbnail(place())
    without = exif.without_place(data)
    assert len(without) == len(data) - (2 + 3 * 12 + 4 + 48)


def test_a_block_of_nothing_but_a_place_goes():
    header = b"II*\0" + u32("<", 8)
    data = header + directory("<", [(0x8825, 4, 1, u32("<", 26))])
    data += directory("<", [(2, 5, 3, u32("<", 44))]) + bytes(24)
    assert exif.has_place(data)
    assert exif.without_place(data) is None


def test_a_version_alone_is_no_place():
    data = place().replace(struct.pack("<HH", 2, 5), struct.pack("<HH", 0, 1))
    data = data.replace(struct.pack("<HH", 4, 5), struct.pack("<HH", 29, 2))
    assert taken_at(data)
    assert not exif.has_place(data)


def test_what_others_claim_is_not_zeroed_with_the_place():
    data = bytearray(place())
    at = data.index(struct.pack("<HHI", 2, 5, 3)) + 8
    data[at : at + 4] = u32("<", data.index(MAKE))  # latitude points into the maker's name
    without = exif.without_place(bytes(data))
    assert tags(without)[0][0x010F] == MAKE[:-1].decode()


@pytest.mark.parametrize("order", "<>")
def test_a_few_entries_make_a_block_of_their_own(order):
    data = place(order)
    only = exif.only(data, (0x010F, 0x8298, 0x0112))
    assert tags(only)[0] == {0x010F: MAKE[:-1].decode(), 0x8298: "me.", ExifTags.IFD.Exif: {}}
    assert exif.only(data, (0x0112,)) is None
    turned = exif.only(block(order, 6), (0x0112,))
    assert (exif.orientation(turned), len(turned)) == (6, 8 + 2 + 12 + 4)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", [3, 6])
def test_sides_change_places_where_a_picture_is_turned_onto_its_side(order, orientation):
    made = PIL.Image.Exif()
    made[0x0112], made[0x011A], made[0x011B] = orientation, 300.0, 150.0
    made[ExifTags.IFD.Exif] = {0xA002: 64, 0xA003: 48}
    made.endian = order
    after, _ = tags(exif.upright(made.tobytes()))
    across, down = (150, 300) if orientation == 6 else (300, 150)
    assert (after[0x011A], after[0x011B]) == (across, down)
    sides = (48, 64) if orientation == 6 else (64, 48)
    assert tuple(after[ExifTags.IFD.Exif].values()) == sides


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from("<>"),
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=8),
    st.integers(0, 500),
)
def test_of_damaged_blocks_no_place_is_left(order, changes, length):
    data = bytearray(place(order))
    for at, value in changes:
        data[at % len(data)] = value
    damaged = bytes(data[:length])
    try:
        without = exif.without_place(damaged)
        few = exif.only(damaged, (0x0112, 0x010F, 0x8298))
    except exif.ExifError:
        return
    assert without is None or len(without) <= len(damaged)
    assert without is None or not exif.has_place(without)
    assert few is None or exif.only(few, (0x0112, 0x010F, 0x8298)) == few
