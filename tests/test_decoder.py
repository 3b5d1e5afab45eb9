"""Levels read from files: another library's, whoever wrote them, and no bytes do harm."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import scene
from hypothesis import given, settings
from hypothesis import strategies as st
from jpeg_files import assert_as_jpeglib, by_pillow, random_symbols
from test_model import LAYOUTS

from gradpress import _kernels
from gradpress.errors import GradpressError, ImageTooLarge, UnsupportedImage
from gradpress.jpeg.decoder import Limits, decode
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.jpeg.reader import read
from gradpress.jpeg.writer import write

ODD = Path(__file__).parents[2] / "shared" / "data" / "odd"
EOI = b"\xff\xd9"


def segment(marker, payload=b""):
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def same_levels(one, other):
    return all(
        np.array_equal(one.own_levels(i), other.own_levels(i)) for i in range(len(one.levels))
    )


# ---- another library's account ------------------------------------------------------------------

BY_PILLOW = [
    {"quality": 75},
    {"quality": 1},
    {"quality": 100, "subsampling": 0},
    {"quality": 90, "subsampling": "4:2:2", "optimize": True},
    {"quality": 85, "subsampling": "4:1:1"},
    {"quality": 30, "progressive": True},
    {"quality": 95, "progressive": True, "subsampling": 0},
    {"quality": 60, "restart_marker_blocks": 1},
    {"quality": 60, "restart_marker_rows": 1, "progressive": True},
    {"quality": 80, "mode": "L", "progressive": True},
    {"quality": 80, "mode": "L"},
    {"quality": 80, "mode": "CMYK"},
    {"quality": 80, "mode": "CMYK", "progressive": True},
    {"quality": 80, "keep_rgb": True},
]


@pytest.mark.parametrize("options", BY_PILLOW, ids=str)
@pytest.mark.parametrize("size", [(61, 83), (16, 16), (1, 1), (9, 130)])
def test_levels_of_libjpeg_turbos_files_are_those_that_jpeglib_reads(options, size):
    pytest.importorskip("jpeglib")
    data = by_pillow(scene(*size), **options)
    found = decode(data)
    assert found.complete
    assert_as_jpeglib(found, data)


@pytest.mark.parametrize("quality", [20, 75, 97])
@pytest.mark.parametrize("subsampling", ["on", "off"])
@pytest.mark.parametrize("baseline", [False, True])
def test_levels_of_mozjpegs_files_are_those_that_jpeglib_reads(quality, subsampling, baseline):
    pytest.importorskip("jpeglib")
    pyvips = pytest.importorskip("pyvips")
    data = pyvips.Image.new_from_array(scene(70, 93)).write_to_buffer(
        ".jpg",
        Q=quality,
        subsample_mode=subsampling,
        interlace=not baseline,
        optimize_scans=not baseline,
        trellis_quant=True,
        overshoot_deringing=True,
    )
    assert_as_jpeglib(decode(data), data)


@pytest.mark.parametrize("quality", [30, 90])
def test_levels_of_jpeglis_files_are_those_that_jpeglib_reads(quality):
    pytest.importorskip("jpeglib")
    pyjpegli = pytest.importorskip("pyjpegli")
    data = pyjpegli.encode(scene(70, 93).tobytes(), 93, 70, quality)
    assert_as_jpeglib(decode(data), data)


@pytest.mark.skipif(not ODD.is_dir(), reason="the folder of odd files is not here")
def test_odd_files_are_read_as_jpeglib_reads_them_or_refused():
    pytest.importorskip("jpeglib")
    refused = []
    for path in sorted((ODD / "jpeg").iterdir()):
        data = path.read_bytes()
        try:
            found = decode(data)
        except UnsupportedImage:
            refused.append(path.stem)
        else:
            assert_as_jpeglib(found, data)
    assert refused == [
        "hopper_bad_exif",  # its entropy-coded data are damaged
        "lossless_sof3",
        "made_arith",
        "made_arith_prog",
        "monkey12",
        "testimgari",
    ]


# ---- our own files ------------------------------------------------------------------------------


@given(
    layout=LAYOUTS,
    seed=st.integers(0, 2**32 - 1),
    density=st.sampled_from([0, 0.01, 0.1, 0.5, 1]),
    amplitude=st.sampled_from([1, 2, 8, 100, 1023]),
    progressive=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_what_was_written_is_read(layout, seed, density, amplitude, progressive):
    symbols = random_symbols(layout, np.random.default_rng(seed), density, amplitude)
    written = write(symbols, progressive=progressive)
    found = decode(written.data)
    assert sum(int(bits.sum()) for bits in found.spent) == sum(written.scan_bits)
    assert found.layout == layout
    assert found.complete
    for ours, read_steps in zip(symbols.steps, found.steps, strict=True):
        assert np.array_equal(ours, read_steps)
    for ours, read_levels in zip(symbols.levels, found.levels, strict=True):
        assert np.array_equal(ours, read_levels)


def test_colour_identifiers_and_trailing_bytes_are_told():
    cmyk = decode(by_pillow(mode="CMYK") + b"more")
    assert (cmyk.colour, cmyk.identifiers, cmyk.trailing) == ("CMYK", tuple(b"CMYK"), b"more")
    assert decode(by_pillow()).colour == "YCbCr"
    assert decode(by_pillow(mode="L")).colour == "grey"
    rgb = decode(by_pillow(keep_rgb=True))
    assert (rgb.colour, rgb.identifiers) == ("RGB", tuple(b"RGB"))


def test_fill_bytes_before_restart_markers_change_nothing():
    data = by_pillow(restart_marker_blocks=2)
    (scan,) = read(data).scans
    coded = data[scan.begin : scan.end]
    for number in range(8):
        coded = coded.replace(
            bytes((0xFF, 0xD0 + number)), bytes((0xFF, 0xFF, 0xFF, 0xD0 + number))
        )
    filled = data[: scan.begin] + coded + data[scan.end :]
    assert len(filled) > len(data)
    assert same_levels(decode(data), decode(filled))


def test_a_height_that_comes_behind_the_first_scan_is_heeded():
    data = by_pillow(quality=50)
    at = data.index(b"\xff\xc0") + 5
    late = segment(0xDC, data[at : at + 2])
    assert data.endswith(EOI)
    assert same_levels(decode(data), decode(data[:at] + b"\0\0" + data[at + 2 : -2] + late + EOI))


def test_where_no_huffman_tables_are_defined_the_standards_are_meant():
    """As in frames of Motion JPEG."""
    data = by_pillow(quality=50)
    bare = b"".join(data[part.begin : part.end] for part in read(data).parts if part.marker != 0xC4)
    assert len(bare) < len(data) - 400
    assert same_levels(decode(data), decode(bare))


def test_components_of_a_sequential_file_may_have_scans_of_their_own():
    symbols = random_symbols(Layout(50, 37, FACTORS["420"]), np.random.default_rng(3))
    grey = [
        write(type(symbols)(Layout(w, h, FACTORS["grey"]), (steps,), (own,)), progressive=False)
        for (h, w), steps, own in (
            (symbols.layout.size(i), symbols.steps[i], _own(symbols, i)) for i in range(3)
        )
    ]
    whole = write(symbols, progressive=False).data
    head = whole[: whole.index(b"\xff\xc4")]
    scans = []
    for number, written in enumerate(grey, 1):
        tail = written.data[written.data.index(b"\xff\xc4") : -2]
        at = tail.index(b"\xff\xda") + 5
        scans.append(tail[:at] + bytes((number,)) + tail[at + 1 :])
    found = decode(head + b"".join(scans) + EOI)
    for i in range(3):
        assert np.array_equal(found.own_levels(i), _own(symbols, i))


def _own(symbols, i):
    rows, columns = symbols.layout.own_blocks(i)
    return np.ascontiguousarray(symbols.levels[i][:rows, :columns])


# ---- what is refused ----------------------------------------------------------------------------

PLAIN = by_pillow(scene(24, 24))
OPTIMAL = by_pillow(scene(24, 24), optimize=True)
PROGRESSIVE = by_pillow(scene(24, 24), progressive=True)
RESTARTS = by_pillow(scene(96, 64), restart_marker_blocks=2)


def patched(data, marker, offset, values):
    """The segment's payload with some bytes replaced."""
    at = data.index(bytes((0xFF, marker))) + 4 + offset
    return data[:at] + bytes(values) + data[at + len(values) :]


def with_frame(marker):
    at = PLAIN.index(b"\xff\xc0")
    return PLAIN[:at] + bytes((0xFF, marker)) + PLAIN[at + 2 :]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (with_frame(0xC9), "arithmetic coding"),
        (with_frame(0xCA), "arithmetic coding"),
        (with_frame(0xC3), "lossless"),
        (with_frame(0xC5), "hierarchical"),
        (PLAIN[:2] + segment(0xDE, bytes(12)) + PLAIN[2:], "hierarchical"),
        (patched(PLAIN, 0xC0, 0, [12]), "12 bits"),
        (patched(PLAIN, 0xC0, 1, [0, 0]), "height"),
        (PLAIN[: PLAIN.index(b"\xff\xda")] + EOI, "no scan"),
        (PLAIN.replace(b"\xff\xdb", b"\xff\xef"), "no quantisation table 0"),
        (OPTIMAL.replace(b"\xff\xc4", b"\xff\xef", 1), "DC table 0, which the file has not"),
        (patched(PLAIN, 0xC4, 1, [5, 1, 0]), "more words than fit"),
        (patched(PLAIN, 0xDA, 3, [1]), "codes a component twice"),
        (patched(PROGRESSIVE, 0xDA, 7, [0, 63]), "mixes DC and AC"),
        (patched(PROGRESSIVE, 0xDA, 7, [1, 63]), "interleaves AC"),
        (patched(PROGRESSIVE, 0xDA, 7, [9, 5]), "do not exist"),
        (patched(PROGRESSIVE, 0xDA, 7, [0, 64]), "do not exist"),
        (patched(PROGRESSIVE, 0xDA, 9, [0x0E]), "do not exist"),
        (patched(PROGRESSIVE, 0xDA, 9, [0x31]), "refines from bit 3 to bit 1"),
        (patched(PROGRESSIVE, 0xDA, 9, [0x21]), "does not continue"),
        (patched(RESTARTS, 0xDD, 0, [0, 3]), "restart marker|ends too early"),
    ],
)
def test_what_cannot_be_decoded_is_refused_by_name(data, complaint):
    with pytest.raises(UnsupportedImage, match=complaint) as error:
        decode(data, name="x.jpg")
    assert str(error.value).startswith("x.jpg: ")


def test_limits_are_checked_before_anything_is_decoded():
    huge = patched(PLAIN, 0xC0, 1, [0xFF, 0xDC, 0xFF, 0xDC])
    with pytest.raises(ImageTooLarge, match="pixels exceed the limit"):
        decode(huge)
    narrow = patched(patched(PLAIN, 0xC0, 1, [0xFF, 0xFF, 0, 1]), 0xC0, 7, [0x41])
    with pytest.raises(ImageTooLarge, match="levels take"):
        decode(narrow, limits=Limits(memory=1_000_000))
    with pytest.raises(UnsupportedImage, match="10 scans, more than 9"):
        decode(PROGRESSIVE, limits=Limits(scans=9))


def test_many_scans_over_a_large_picture_take_little_time():
    shape = Layout(4000, 4000, FACTORS["grey"])
    levels = (np.zeros((*shape.blocks(0), 64), np.int16),)
    symbols = random_symbols(Layout(8, 8, FACTORS["grey"]), np.random.default_rng(0))
    empty = write(type(symbols)(shape, symbols.steps, levels), progressive=True).data
    start = time.process_time()
    assert decode(empty).complete
    bomb = empty[:-2] + empty[empty.rindex(b"\xff\xda") : -2] * 400 + EOI
    with pytest.raises(UnsupportedImage, match="does not continue"):
        decode(bomb)
    assert time.process_time() - start < 2


# ---- damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [PLAIN, PROGRESSIVE, RESTARTS], ids=["plain", "prog", "rst"])
def test_a_file_cut_short_is_an_error_with_its_offset_and_can_be_salvaged(whole):
    begin = read(whole).scans[0].begin
    for end in range(begin, len(whole) - 2, 97):
        with pytest.raises(UnsupportedImage, match=r"byte \d+"):
            decode(whole[:end])
        found = decode(whole[:end], salvage=True)
        assert found.damage
        assert not found.complete


def test_salvage_keeps_the_blocks_before_the_cut():
    whole = by_pillow(mode="L")
    intact = decode(whole).levels[0].reshape(-1, 64)
    begin, before = read(whole).scans[0].begin, 0
    for end in range(begin, len(whole) - 2, 50):
        found = decode(whole[:end], salvage=True).levels[0].reshape(-1, 64)
        right = (found == intact).all(axis=1)
        kept = len(right) if right.all() else int(right.argmin())
        assert kept >= before
        assert not found[kept + 1 :].any()
        before = kept
    assert before > len(intact) // 2


def test_a_missing_end_marker_is_no_damage_where_everything_is_there():
    assert decode(PLAIN[:-2]).complete
    assert decode(PROGRESSIVE[:-2]).complete


def test_missing_refinements_leave_a_file_incomplete():
    last = PROGRESSIVE.rindex(b"\xff\xc4")
    found = decode(PROGRESSIVE[:last] + EOI)
    assert not found.complete
    with pytest.raises(UnsupportedImage, match="scans are missing"):
        decode(PROGRESSIVE[:last])


@pytest.mark.parametrize("damage", ["noise", "lost", "doubled"])
def test_salvage_goes_on_behind_the_next_restart_marker(damage):
    (scan,) = read(RESTARTS).scans
    coded = RESTARTS[scan.begin : scan.end]
    third, fourth = (coded.index(bytes((0xFF, 0xD0 + n))) for n in (2, 3))
    change = {
        "noise": coded[: third + 2] + b"\xff\x00" * 40 + coded[fourth:],
        "lost": coded[:third] + coded[fourth:],
        "doubled": coded[:fourth] + coded[third:],
    }[damage]
    bad = RESTARTS[: scan.begin] + change + RESTARTS[scan.end :]
    with pytest.raises(UnsupportedImage):
        decode(bad)
    found, intact = decode(bad, salvage=True), decode(RESTARTS)
    differing = np.argwhere((found.levels[1] != intact.levels[1]).any(axis=2))
    columns = intact.levels[1].shape[1]
    units = [row * columns + column for row, column in differing.tolist()]
    if damage == "doubled":
        assert all(unit >= 6 for unit in units)
    else:
        assert set(units) <= {6, 7}


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_damaged_file_is_read_or_refused(data):
    whole = bytearray(data.draw(st.sampled_from([PLAIN, PROGRESSIVE, RESTARTS])))
    begin = data.draw(st.sampled_from([2, read(bytes(whole)).scans[0].begin]))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(begin, len(whole) - 1))
        whole[at] = data.draw(st.sampled_from([0, 1, 0xFF, 0xD0, 0xDA]) | st.integers(0, 255))
    limits = Limits(pixels=1_000_000, memory=20_000_000)
    try:
        strict = decode(bytes(whole), limits=limits)
    except GradpressError:
        strict = None
    try:
        salvaged = decode(bytes(whole), salvage=True, limits=limits)
    except GradpressError:
        assert strict is None
        return
    assert strict is None or same_levels(strict, salvaged)
    assert strict is None or not salvaged.damage


def kernel(**changes):
    """One block, by the kernel itself."""
    given_to_it = {
        "data": b"\0",
        "begin": 0,
        "end": 1,
        "levels": [np.zeros((1, 1, 64), np.int16)],
        "shapes": np.array([[1, 1, 1, 1, 0, 0]], np.int32),
        "counts": np.array([[1] + [0] * 15], np.uint8),
        "symbols": np.zeros((1, 256), np.uint8),
        "progressive": False,
        "band": (0, 63, 0, 0),
        "mcus": (1, 1),
        "restart_interval": 0,
        "salvage": False,
    }
    return _kernels.decode_scan(**{**given_to_it, **changes})


def test_the_kernel_decodes_one_block():
    assert kernel() == (0, 0, 1, 1, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"end": 2},
        {"begin": 2},
        {"shapes": np.array([[2, 1, 1, 1, 0, 0]], np.int32)},
        {"shapes": np.array([[1, -1, 1, 1, 0, 0]], np.int32)},
        {"shapes": np.array([[1, 1, 5, 1, 0, 0]], np.int32)},
        {"shapes": np.array([[1, 1, 1, 1, 0, 1]], np.int32)},
        {"band": (0, 64, 0, 0)},
        {"band": (5, 4, 0, 0)},
        {"band": (0, 63, 0, 14)},
        {"progressive": True},
        {"restart_interval": -1},
        {"levels": []},
        {"counts": np.zeros((0, 16), np.uint8)},
        {"spent": np.zeros((1, 64), np.int64)},
        {"levels": [np.zeros((1, 1, 64), np.int16)] * 2,
         "shapes": np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 2, 0, 0]], np.int32)},
    ],
)  # fmt: skip
def test_the_kernel_refuses_what_is_out_of_bounds(changes):
    with pytest.raises(
        ValueError, match=r"must|cannot|out of range|one to four|a progressive scan"
    ):
        kernel(**changes)
