"""Taking JPEG files apart: Pillow's and our own writer's account agree, and no bytes do harm."""

from __future__ import annotations

import io
import re
import struct
import time

import numpy as np
import PIL.Image
import pytest
from conftest import scene
from hypothesis import given, settings
from hypothesis import strategies as st

from gradpress.errors import UnsupportedImage
from gradpress.jpeg.params import FACTORS, ZIGZAG, Layout, Symbols
from gradpress.jpeg.reader import Component, read
from gradpress.jpeg.segments import Kind, marker_name, walk
from gradpress.jpeg.writer import write

SOI, EOI = b"\xff\xd8", b"\xff\xd9"


def jpeg(pixels=None, **options):
    """A file that Pillow writes of a small picture."""
    sink = io.BytesIO()
    picture = PIL.Image.fromarray(scene(40, 56) if pixels is None else pixels)
    picture.save(sink, "JPEG", **options)
    return sink.getvalue()


def segment(marker, payload=b""):
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def dqt(slot=0, step=7, wide=False):
    return segment(0xDB, bytes((wide << 4 | slot,)) + struct.pack(">H" if wide else "B", step) * 64)


def sof(components=((1, 0x11, 0),), marker=0xC0, height=8, width=8, precision=8):
    head = struct.pack(">BHHB", precision, height, width, len(components))
    return segment(marker, head + b"".join(map(bytes, components)))


def sos(identifiers=(1,), data=b"\x12\x34"):
    slots = b"".join(bytes((i, 0x10)) for i in identifiers)
    return segment(0xDA, bytes((len(identifiers),)) + slots + bytes((0, 63, 0))) + data


DHT = segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\x05")
PLAIN = SOI + dqt() + sof() + DHT + sos() + EOI
FILES = {
    "plain": PLAIN,
    "baseline": jpeg(quality=60),
    "progressive": jpeg(progressive=True, subsampling=0, comment=b"\xff\xd9 in a comment"),
    "restarts": jpeg(restart_marker_blocks=1),
    "grey": jpeg(scene(30, 20)[..., 0], icc_profile=bytes(90_000)),
}


def assert_whole(data, parts):
    """The parts follow each other from the first byte to the last."""
    assert [part.begin for part in parts] == [0, *(part.end for part in parts[:-1])]
    assert parts[-1].end == len(data)
    assert all(part.begin <= part.end for part in parts)


@pytest.mark.parametrize("name", FILES)
def test_the_parts_of_a_file_are_the_file(name):
    found = read(FILES[name])
    assert_whole(FILES[name], found.parts)
    assert found.defects == ()
    assert {part.kind for part in found.parts} == {Kind.MARKER, Kind.SCAN}


@pytest.mark.parametrize("name", [name for name in FILES if name != "plain"])
def test_frame_tables_and_segments_are_those_that_pillow_reads(name):
    found = read(FILES[name])
    with PIL.Image.open(io.BytesIO(FILES[name])) as picture:
        assert (found.frame.width, found.frame.height) == picture.size
        assert found.frame.precision == picture.bits
        assert found.frame.progressive == bool(picture.info.get("progressive"))
        assert [(c.identifier, c.h, c.v, c.slot) for c in found.frame.components] == picture.layer
        tables = {table.slot: table.steps for table in found.quantisation}
        natural = {slot: list(steps) for slot, steps in picture.quantization.items()}
        places = np.argsort(ZIGZAG)
        assert {slot: [s[i] for i in places] for slot, s in tables.items()} == natural
        told = [(m, p) for m, p in picture.applist if m != "COM"]
    kept = [(marker_name(part.marker), found.payload(part)) for part in found.parts]
    assert [(name, payload) for name, payload in kept if name.startswith("APP")] == told


@pytest.mark.parametrize("layout", FACTORS)
@pytest.mark.parametrize("progressive", [False, True])
def test_scans_are_those_that_our_writer_wrote(layout, progressive):
    rng = np.random.default_rng(5)
    shape = Layout(70, 33, FACTORS[layout])
    count = len(shape.factors)
    levels = [rng.integers(-9, 10, (*shape.blocks(i), 64)) for i in range(count)]
    steps = tuple(np.full(64, 3 + i, np.uint8) for i in range(count))
    symbols = Symbols(shape, steps, tuple(level.astype(np.int16) for level in levels))
    written = write(symbols, progressive=progressive)
    found = read(written.data)
    assert tuple(stored.scan for stored in found.scans) == written.scans
    assert [table.steps for table in found.steps] == [tuple(table.tolist()) for table in steps]
    for stored, bits in zip(found.scans, written.scan_bits, strict=True):
        data = written.data[stored.begin : stored.end]
        assert len(data) - data.count(b"\xff\x00") == -(-bits // 8)
        for component, (dc, ac) in zip(stored.scan.components, stored.slots, strict=True):
            assert component < count
            needed = [(False, dc)] * (stored.scan.begin == 0 and stored.scan.high == 0)
            needed += [(True, ac)] * (stored.scan.end > 0)
            assert set(needed) <= stored.tables.huffman.keys()


def test_huffman_tables_are_read_as_they_are_defined():
    found = read(FILES["baseline"])
    assert [(code.ac, code.slot) for code in found.huffman] == [
        (False, 0), (True, 0), (False, 1), (True, 1)
    ]  # fmt: skip
    for code in found.huffman:
        assert sum(code.counts) == len(code.symbols) == len(set(code.symbols))
    assert found.huffman[0].symbols == bytes(range(12))


def test_restart_markers_belong_to_the_data():
    found = read(FILES["restarts"])
    (scan,) = found.scans
    assert scan.tables.restart_interval == 1
    assert scan.restarts == 3 * 4 - 1
    assert FILES["restarts"][scan.end :] == EOI


def test_fill_bytes_belong_to_the_marker_and_stuffed_ones_to_the_data():
    data = (
        SOI
        + b"\xff\xff"
        + dqt()
        + sof()
        + DHT
        + sos(data=b"\x01\xff\x00\xff\xff\x00\xff\xff")
        + EOI
    )
    found = read(data)
    assert found.defects == ()
    (scan,) = found.scans
    assert data[scan.begin : scan.end] == b"\x01\xff\x00\xff\xff\x00"
    assert found.parts[1].end - found.parts[1].begin == 2 + 69
    assert data[found.parts[-1].begin :] == b"\xff\xff" + EOI


def test_the_table_of_a_component_is_that_before_its_first_scan():
    components = ((1, 0x11, 0), (2, 0x11, 0))
    scans = [dqt(step=5), sos((1,)), dqt(step=9), sos((2,)), dqt(step=2), sos((1,))]
    found = read(SOI + sof(components) + DHT + b"".join(scans) + EOI)
    assert [table.steps[0] for table in found.steps] == [5, 9]
    assert [table.steps[0] for table in found.quantisation] == [5, 9, 2]
    assert found.tables.steps[0].steps[0] == 2


def test_tables_of_16_bits_and_a_height_that_comes_late():
    late = segment(0xDC, struct.pack(">H", 300))
    found = read(SOI + dqt(step=700, wide=True) + sof(height=0) + DHT + sos() + late + EOI)
    assert (found.quantisation[0].bits, found.quantisation[0].steps) == (16, (700,) * 64)
    assert found.frame.height == 300
    assert found.defects == ()


@pytest.mark.parametrize(
    ("marker", "progressive", "arithmetic", "lossless"),
    [
        (0xC0, False, False, False),
        (0xC1, False, False, False),
        (0xC2, True, False, False),
        (0xC3, False, False, True),
        (0xC9, False, True, False),
        (0xCA, True, True, False),
        (0xCB, False, True, True),
    ],
)
def test_kinds_of_frames(marker, progressive, arithmetic, lossless):
    frame = read(SOI + dqt() + sof(marker=marker) + sos() + EOI).frame
    assert (frame.progressive, frame.arithmetic, frame.lossless) == (
        progressive, arithmetic, lossless
    )  # fmt: skip
    assert frame.components == (Component(1, 1, 1, 0),)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n", "not a JPEG"),
        (b"xx" + PLAIN, "not a JPEG"),
        (SOI, "it ends before one"),
        (SOI + EOI, "no frame header"),
        (SOI + dqt()[:20], "is cut short"),
        (SOI + dqt() + sof(()) + EOI, "no pixels"),
        (SOI + sof(width=0) + EOI, "no pixels"),
        (SOI + sof(((1, 0x51, 0),)) + EOI, "out of range"),
        (SOI + sof(((1, 0x01, 0),)) + EOI, "out of range"),
        (SOI + segment(0xC0, b"\x08\0\x08") + EOI, "too short"),
    ],
)
def test_what_holds_no_picture_is_refused_by_name(data, complaint):
    with pytest.raises(UnsupportedImage, match=complaint) as error:
        read(data, "x.jpg")
    assert str(error.value).startswith("x.jpg: ")


HEAD = SOI + dqt() + sof() + DHT


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (HEAD + sos(), "no end marker"),
        (HEAD + EOI, "no scans"),
        (HEAD + sos()[:2], "cut short"),
        (HEAD + sos()[:7], "cut short"),
        (HEAD + b"\xff\xdb\x00\x01" + EOI, "length of 1"),
        (HEAD + b"\xff\x02\x00\x02" + EOI, "FF02 at byte 106 has no known meaning"),
        (HEAD + sos() + PLAIN, "second picture"),
        (HEAD + sof() + sos() + EOI, "second frame"),
        (HEAD + b"junk" + sos() + EOI, "4 stray bytes at byte 106"),
        (HEAD + b"\xff" + b"\0" + sos() + EOI, "2 stray bytes"),
        (HEAD + dqt(step=0) + sos() + EOI, "step of 0"),
        (HEAD + dqt(slot=4) + sos() + EOI, "unknown kind"),
        (HEAD + segment(0xDB, bytes((0x20,)) + bytes(64)) + sos() + EOI, "unknown kind"),
        (HEAD + segment(0xDB, b"\0" + b"\1" * 63) + sos() + EOI, "DQT .* too short"),
        (HEAD + segment(0xC4, b"\0" + b"\1" * 16 + b"\1" * 15) + sos() + EOI, "DHT .* too short"),
        (HEAD + segment(0xC4, b"\0" + b"\1" * 9) + sos() + EOI, "DHT .* too short"),
        (HEAD + segment(0xC4, b"\x24" + bytes(16)) + sos() + EOI, "unknown kind"),
        (HEAD + segment(0xDD, b"\0") + sos() + EOI, "DRI .* too short"),
        (HEAD + sos((2,)) + EOI, "frame does not have"),
        (HEAD + sos(()) + EOI, "frame does not have"),
        (HEAD + segment(0xDA, b"\2\1\0\1") + EOI, "SOS .* too short"),
        (SOI + dqt() + sos() + sof() + EOI, "before the frame"),
        (SOI + dqt() + sof(height=0) + sos() + EOI, "height is stated nowhere"),
    ],
)
def test_what_is_wrong_is_said_and_the_rest_is_read(data, complaint):
    found = read(data)
    assert_whole(data, found.parts)
    assert (found.frame.width, found.frame.components) == (8, (Component(1, 1, 1, 0),))
    assert any(re.search(complaint, defect) for defect in found.defects), found.defects


def test_bytes_after_the_end_are_set_apart():
    found = read(PLAIN + PLAIN)
    assert found.parts[-1].kind is Kind.TRAILING
    assert found.parts[-1].end - found.parts[-1].begin == len(PLAIN)
    assert (len(found.scans), found.defects) == (1, ())


def test_markers_have_the_standards_names():
    names = {0xC0: "SOF0", 0xC4: "DHT", 0xCF: "SOF15", 0xD7: "RST7", 0xEE: "APP14", 0xFE: "COM"}
    assert {marker: marker_name(marker) for marker in names} == names
    assert len({marker_name(marker) for marker in range(256)}) == 256


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_file_cut_anywhere_is_refused_or_told(data):
    whole = FILES[data.draw(st.sampled_from(sorted(FILES)))]
    short = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        found = read(short)
    except UnsupportedImage:
        return
    assert_whole(short, found.parts)
    assert found.defects


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_damaged_file_is_refused_or_read_whole(data):
    bad = bytearray(FILES[data.draw(st.sampled_from(sorted(FILES)))])
    interesting = st.sampled_from([0, 1, 0xFF, 0xD8, 0xD9, 0xDA, 0xC0, 0xC2, 0xC4, 0xDB])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(2, min(len(bad) - 1, 700)))
        bad[at] = data.draw(interesting | st.integers(0, 255))
    try:
        found = read(bytes(bad))
    except UnsupportedImage:
        return
    assert_whole(bad, found.parts)
    assert all(table is None or len(table.steps) == 64 for table in found.steps)
    assert all(scan.begin <= scan.end <= len(bad) for scan in found.scans)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300))
def test_random_bytes_after_soi_split_without_gaps(tail):
    assert_whole(SOI + tail, list(walk(SOI + tail)))


@pytest.mark.parametrize(
    "filler",
    [
        b"\xff",
        b"\xff\x00",
        b"\x00",
        b"\xff\xff\x00",
        b"\xff\xd0",
        dqt()[:4],
        DHT,
        sos(),
        b"\0\xff\xd0",
    ],
)
def test_time_is_linear_in_bytes_whatever_they_are(filler):
    filling = filler * (300_000 // len(filler))
    start = time.process_time()
    for data in (HEAD + filling, HEAD + sos() + filling + EOI):
        assert_whole(data, read(data).parts)
    assert time.process_time() - start < 5
