"""Files: what goes in comes out, in the number of bits that was counted."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_model import LAYOUTS

from gradpress.errors import GradpressError
from gradpress.jpeg import scripts, writer
from gradpress.jpeg.huffman import optimal_table
from gradpress.jpeg.params import FACTORS, ZIGZAG, Layout, Symbols
from gradpress.jpeg.scans import CodedScan, Coder, Scan, Slot
from gradpress.jpeg.scripts import baseline_script, progressive_script, script_bits
from gradpress.jpeg.writer import Metadata, baseline_bits, write

jpeglib = pytest.importorskip("jpeglib")

NUMBERS = (1, 2, 3)
"""Of components in files."""


def symbols_of(layout, rng, density, amplitude):
    """Random levels; the blocks outside the picture are empty, for foreign readers drop them."""
    levels = []
    for i in range(len(layout.factors)):
        shape = (*layout.blocks(i), 64)
        values = rng.integers(-amplitude, amplitude + 1, shape) * (rng.random(shape) < density)
        values[..., 0] = rng.integers(-1023, 1024, shape[:2])
        rows, columns = layout.own_blocks(i)
        values[rows:] = 0
        values[:, columns:] = 0
        levels.append(values.astype(np.int16))
    steps = tuple(rng.integers(1, 256, 64).astype(np.uint8) for _ in levels)
    return Symbols(layout, steps, tuple(levels))


def read_back(data):
    """Levels by component (their own blocks, zigzag order) and tables, as jpeglib reads them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.jpg")
        path.write_bytes(data)
        dct = jpeglib.read_dct(str(path))
    components = [c for c in (dct.Y, dct.Cb, dct.Cr) if c is not None]
    levels = [c.reshape(*c.shape[:2], 64)[..., ZIGZAG] for c in components]
    tables = [dct.qt[n].ravel()[ZIGZAG] for n in dct.quant_tbl_no[: len(levels)]]
    return levels, tables


def assert_same(symbols, data):
    levels, tables = read_back(data)
    for i, (ours, theirs) in enumerate(zip(symbols.levels, levels, strict=True)):
        rows, columns = symbols.layout.own_blocks(i)
        assert np.array_equal(ours[:rows, :columns], theirs[:rows, :columns])
        assert np.array_equal(symbols.steps[i], tables[i])


@given(
    layout=LAYOUTS,
    seed=st.integers(0, 2**32 - 1),
    density=st.sampled_from([0, 0.01, 0.1, 0.5, 1]),
    amplitude=st.sampled_from([1, 2, 8, 100, 1023]),
    progressive=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_a_foreign_reader_gets_the_same_levels_and_steps(
    layout, seed, density, amplitude, progressive
):
    symbols = symbols_of(layout, np.random.default_rng(seed), density, amplitude)
    written = write(symbols, progressive=progressive)
    assert written.progressive == progressive
    assert_same(symbols, written.data)


@given(layout=LAYOUTS, seed=st.integers(0, 2**32 - 1), density=st.sampled_from([0.02, 0.3]))
@settings(max_examples=30, deadline=None)
def test_pillow_shows_the_same_picture_from_both_kinds_of_file(layout, seed, density):
    symbols = symbols_of(layout, np.random.default_rng(seed), density, 30)
    shown = []
    for progressive in (False, True):
        data = write(symbols, progressive=progressive).data
        with PIL.Image.open(io.BytesIO(data)) as picture:
            assert picture.size == (layout.width, layout.height)
            assert picture.info.get("progressive", 0) == int(progressive)
            shown.append(np.asarray(picture))
    assert np.array_equal(*shown)


@given(layout=LAYOUTS, seed=st.integers(0, 2**32 - 1), amplitude=st.sampled_from([1, 30, 1023]))
@settings(max_examples=20, deadline=None)
def test_the_smaller_file_is_chosen_and_chosen_again(layout, seed, amplitude):
    symbols = symbols_of(layout, np.random.default_rng(seed), 0.2, amplitude)
    both = [len(write(symbols, progressive=progressive).data) for progressive in (False, True)]
    chosen = write(symbols)
    assert len(chosen.data) == min(both)
    assert write(symbols) == chosen


def segments(data):
    """Marker, payload and entropy-coded data behind it, of each segment between SOI and EOI."""
    found, at = [], 2
    while data[at + 1] != 0xD9:
        length = int.from_bytes(data[at + 2 : at + 4])
        marker, payload = data[at + 1], data[at + 4 : at + 2 + length]
        at = start = at + 2 + length
        while marker == 0xDA and (data[at] != 0xFF or data[at + 1] == 0):
            at += 1
        found.append((marker, payload, data[start:at]))
    assert data[at:] == b"\xff\xd9"
    return found


def entropy_coded(data):
    """Bits of each scan's entropy-coded segment, unstuffed, with the last byte's padding."""
    scans_data = [coded for marker, _, coded in segments(data) if marker == 0xDA]
    return [8 * len(coded.replace(b"\xff\x00", b"\xff")) for coded in scans_data]


@given(
    layout=LAYOUTS,
    seed=st.integers(0, 2**32 - 1),
    density=st.sampled_from([0, 0.1, 0.7]),
    amplitude=st.sampled_from([1, 30, 1023]),
)
@settings(max_examples=40, deadline=None)
def test_estimated_bits_are_the_segments_lengths(layout, seed, density, amplitude):
    symbols = symbols_of(layout, np.random.default_rng(seed), density, amplitude)
    baseline = write(symbols, progressive=False)
    assert baseline.scan_bits == (baseline_bits(symbols),)
    for written in (baseline, write(symbols, progressive=True)):
        padded = [8 * -(-bits // 8) for bits in written.scan_bits]
        assert entropy_coded(written.data) == padded


@given(layout=LAYOUTS, seed=st.integers(0, 2**32 - 1), grey_levels=st.sampled_from([0, 0.02, 0.5]))
@settings(max_examples=30, deadline=None)
def test_scripts_are_costed_as_they_are_written(layout, seed, grey_levels):
    """Headers and data; the padding is reckoned as half a byte."""
    symbols = symbols_of(layout, np.random.default_rng(seed), grey_levels, 9)
    coder = Coder(symbols)
    for script in (baseline_script(coder), progressive_script(coder)):
        data = write(symbols, progressive=len(script) > 1).data
        headers = sum(4 + len(body) for marker, body, _ in segments(data) if marker in (0xC4, 0xDA))
        bits = sum(coded.bits for coded in script)
        assert script_bits(script) == bits + 4 * len(script) + 8 * headers


def written_by_hand(symbols, script):
    """A progressive file by this script, each scan with tables of its own."""
    coder = Coder(symbols)
    frame = writer.frame(symbols.layout, symbols.steps, 0xC2, NUMBERS[: len(symbols.steps)])
    parts = [b"\xff\xd8", frame]
    for scan in script:
        counted = coder.count(scan)
        dc = tuple(Slot(False, i, optimal_table(counts)) for i, counts in enumerate(counted.dc))
        ac = tuple(Slot(True, i, optimal_table(counts)) for i, counts in enumerate(counted.ac))
        coded = CodedScan(scan, dc, ac, dc + ac, 0)
        parts += [writer._dht(coded.new), writer._sos(coded, NUMBERS), coder.write(coded)]
    return b"".join(parts) + b"\xff\xd9"


@given(
    layout=LAYOUTS,
    seed=st.integers(0, 2**32 - 1),
    density=st.sampled_from([0, 0.05, 0.6]),
    amplitude=st.sampled_from([3, 20, 1023]),
    dc_low=st.integers(0, 3),
    cuts=st.sets(st.integers(1, 62), max_size=4),
    lows=st.lists(st.integers(0, 6), min_size=5, max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_any_script_is_written_right(layout, seed, density, amplitude, dc_low, cuts, lows):
    """Any cuts, any depth of each band: the search picks few of them."""
    symbols = symbols_of(layout, np.random.default_rng(seed), density, amplitude)
    everything = tuple(range(len(layout.factors)))
    script = [Scan(everything, 0, 0, 0, dc_low)]
    script += [Scan(everything, 0, 0, bit + 1, bit) for bit in reversed(range(dc_low))]
    edges = [0, *sorted(cuts), 63]
    for component in everything:
        for begin, end, low in zip(edges[:-1], edges[1:], lows, strict=False):
            band = ((component,), begin + 1, end)
            script.append(Scan(*band, 0, low))
            script += [Scan(*band, bit + 1, bit) for bit in reversed(range(low))]
    assert_same(symbols, written_by_hand(symbols, script))


def test_more_tables_than_a_decoder_holds_come_by_fours():
    """Bands and components as unlike as can be: five tables and more of AC."""
    layout = Layout(320, 320, FACTORS["444"])
    rng = np.random.default_rng(0)
    levels = [np.zeros((*layout.blocks(i), 64), np.int16) for i in range(3)]
    for level, spread in zip(levels, (60, 8, 1), strict=True):
        for begin, end, scale in ((1, 3, spread), (3, 13, spread / 4), (13, 64, spread / 40)):
            noise = rng.laplace(0, scale, (*level.shape[:2], end - begin))
            level[..., begin:end] = noise.round().clip(-1023, 1023)
    symbols = Symbols(layout, (np.ones(64, np.uint8),) * 3, tuple(levels))
    script = progressive_script(Coder(symbols))
    defined = [id(slot.table) for coded in script for slot in coded.new]
    used = {id(slot.table) for coded in script for slot in coded.dc + coded.ac}
    assert sorted(defined) == sorted(used)
    assert sum(slot.ac for coded in script for slot in coded.new) > 4
    assert all(slot.index < 4 for coded in script for slot in coded.new)
    assert_same(symbols, write(symbols, progressive=True).data)


def test_end_of_band_runs_longer_than_32767_blocks():
    layout = Layout(8 * 400, 8 * 100, FACTORS["grey"])
    symbols = symbols_of(layout, np.random.default_rng(0), 0, 1)
    symbols.levels[0][99, 399, 5] = 3
    assert_same(symbols, write(symbols, progressive=True).data)


def test_the_search_is_no_worse_than_one_scan_per_component():
    symbols = symbols_of(Layout(160, 120, FACTORS["420"]), np.random.default_rng(0), 0.1, 6)
    plain = [Scan((0, 1, 2), 0, 0), *(Scan((i,), 1, 63) for i in range(3))]
    assert len(write(symbols, progressive=True).data) <= len(written_by_hand(symbols, plain))


@pytest.mark.parametrize("name", ["grey", "420", "422"])
def test_a_large_picture_is_searched_on_some_of_its_rows(name):
    layout = Layout(1003, 777, FACTORS[name])
    symbols = symbols_of(layout, np.random.default_rng(1), 0.05, 6)
    thin, share = scripts._thinned(symbols)
    assert share > 1
    factor = layout.max_factors[1]
    assert thin.layout.mcus == (len(range(0, 777 // (8 * factor), share)), layout.mcus[1])
    for i, (kept, level) in enumerate(zip(thin.levels, symbols.levels, strict=True)):
        assert kept.shape == (*thin.layout.blocks(i), 64)
        assert thin.layout.own_blocks(i)[0] == len(kept)
        height = layout.factors[i][1]
        assert np.array_equal(kept[height : 2 * height], level[share * height :][:height])
    assert_same(symbols, write(symbols, progressive=True).data)


def test_padding_is_coded_in_interleaved_scans_only():
    symbols = symbols_of(Layout(8, 8, FACTORS["420"]), np.random.default_rng(0), 0.1, 5)
    bits, progressive = baseline_bits(symbols), write(symbols, progressive=True)
    assert symbols.layout.own_blocks(0) == (1, 1)
    symbols.levels[0][1, 1, 40] = 7
    assert baseline_bits(symbols) > bits
    assert write(symbols, progressive=True) == progressive


def test_metadata_arrives():
    symbols = symbols_of(Layout(20, 10, FACTORS["444"]), np.random.default_rng(0), 0.1, 5)
    icc = np.random.default_rng(0).bytes(150_000)
    exif = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"
    data = write(symbols, Metadata(icc=icc, segments=((0xE1, exif),), density=(300, 200))).data
    with PIL.Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.info["icc_profile"] == icc
        assert picture.info["exif"] == exif
        assert picture.info["dpi"] == (300, 200)
        assert picture.info["jfif_version"] == (1, 1)


def test_metadata_that_does_not_fit_is_refused_with_its_size():
    symbols = symbols_of(Layout(8, 8, FACTORS["grey"]), np.random.default_rng(0), 0.1, 5)
    with pytest.raises(GradpressError, match="70000"):
        write(symbols, Metadata(segments=((0xE1, bytes(70_000)),)))
    with pytest.raises(GradpressError, match="17000000"):
        write(symbols, Metadata(icc=bytes(17_000_000)))


def test_levels_that_no_baseline_code_holds_are_refused():
    symbols = symbols_of(Layout(8, 8, FACTORS["grey"]), np.random.default_rng(0), 0, 1)
    symbols.levels[0][0, 0, 7] = 1024
    for progressive in (True, False):
        with pytest.raises(ValueError, match="10 bits"):
            write(symbols, progressive=progressive)


@pytest.mark.parametrize("progressive", [True, False])
def test_dc_differences_beyond_11_bits_are_refused(progressive):
    symbols = symbols_of(Layout(16, 8, FACTORS["grey"]), np.random.default_rng(0), 0, 1)
    symbols.levels[0][0, :, 0] = -1024, 1024
    with pytest.raises(ValueError, match="11 bits"):
        write(symbols, progressive=progressive)
    symbols.levels[0][0, :, 0] = -1024, 1023
    assert_same(symbols, write(symbols, progressive=progressive).data)


@pytest.mark.parametrize(("width", "height"), [(65536, 1), (1, 65536)])
def test_a_picture_too_long_for_jpeg_is_refused(width, height):
    layout = Layout(width, height, FACTORS["grey"])
    levels = np.zeros((*layout.blocks(0), 64), np.int16)
    with pytest.raises(GradpressError, match="65536"):
        write(Symbols(layout, (np.ones(64, np.uint8),), (levels,)))


@pytest.mark.parametrize(("width", "height"), [(65500, 1), (1, 65500)])
def test_the_longest_pictures_that_libjpeg_reads_are_written(width, height):
    layout = Layout(width, height, FACTORS["420"])
    symbols = symbols_of(layout, np.random.default_rng(0), 0.01, 5)
    assert_same(symbols, write(symbols).data)


def test_equal_steps_share_a_table_and_headers_are_minimal():
    layout = Layout(16, 16, FACTORS["420"])
    symbols = symbols_of(layout, np.random.default_rng(0), 0.1, 5)
    for tables in (1, 2, 3):
        steps = tuple(np.full(64, 1 + min(i, tables - 1), np.uint8) for i in range(3))
        data = write(Symbols(layout, steps, symbols.levels), progressive=False).data
        found = segments(data)
        assert [marker for marker, *_ in found] == [0xE0, 0xDB, 0xC0, 0xC4, 0xDA]
        assert [len(body) for _, body, _ in found[:3]] == [14, 65 * tables, 15]
