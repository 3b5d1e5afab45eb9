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

from gradpress import _kernels
from gradpress.errors import GradpressError
from gradpress.jpeg.params import FACTORS, ZIGZAG, Layout, Symbols
from gradpress.jpeg.scans import Coder, Scan, progressive_script
from gradpress.jpeg.writer import Metadata, baseline_bits, write

jpeglib = pytest.importorskip("jpeglib")


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


def entropy_coded(data):
    """Bits of each scan's entropy-coded segment, unstuffed, with the last byte's padding."""
    bits, at = [], 2
    while data[at + 1] != 0xD9:
        length = int.from_bytes(data[at + 2 : at + 4])
        is_scan = data[at + 1] == 0xDA
        at += 2 + length
        if is_scan:
            start = at
            while data[at] != 0xFF or data[at + 1] == 0:
                at += 1
            bits.append(8 * len(data[start:at].replace(b"\xff\x00", b"\xff")))
    return bits


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


@pytest.mark.parametrize("low", [0, 1, 2, 3])
def test_every_depth_of_successive_approximation(low):
    """Scripts written by hand, for the search picks few of them."""
    layout = Layout(70, 50, FACTORS["grey"])
    symbols = symbols_of(layout, np.random.default_rng(low), 0.3, 20)
    coder = Coder(symbols)
    script = [Scan((0,), 0, 0, 0, low), Scan((0,), 1, 9, 0, low), Scan((0,), 10, 63, 0, low)]
    for bit in reversed(range(low)):
        script += [Scan((0,), 0, 0, bit + 1, bit), Scan((0,), 1, 63, bit + 1, bit)]
    assert_same(symbols, written_by_hand(symbols, coder, script))


def written_by_hand(symbols, coder, script):
    from gradpress.jpeg import writer  # noqa: PLC0415

    body = writer._frame(symbols, 0xC2)
    for scan in script:
        costed = coder.cost(scan)
        body += writer._scan_header(costed) + coder.write(costed)
    return b"\xff\xd8" + writer._application(Metadata()) + body + b"\xff\xd9"


def test_end_of_band_runs_longer_than_32767_blocks():
    layout = Layout(8 * 400, 8 * 100, FACTORS["grey"])
    symbols = symbols_of(layout, np.random.default_rng(0), 0, 1)
    symbols.levels[0][99, 399, 5] = 3
    assert_same(symbols, write(symbols, progressive=True).data)


def test_the_search_is_no_worse_than_one_scan_per_component():
    symbols = symbols_of(Layout(160, 120, FACTORS["420"]), np.random.default_rng(0), 0.1, 6)
    coder = Coder(symbols)
    plain = [Scan((0, 1, 2), 0, 0), *(Scan((i,), 1, 63) for i in range(3))]
    found = sum(costed.total_bits for costed in progressive_script(coder))
    assert found <= sum(coder.cost(scan).total_bits for scan in plain)


def test_counting_equals_writing_for_refinements_with_many_corrections():
    rng = np.random.default_rng(1)
    levels = (rng.integers(2, 8, (40, 40, 64)) * rng.choice([-1, 1], (40, 40, 64))).astype(np.int16)
    sparse = _kernels.SparseLevels(levels, 40, 40)
    counts = np.zeros(256, np.int64)
    raw = sparse.count(1, 63, 0, True, counts)
    assert raw >= 40 * 40 * 63  # one correction bit for each level


def test_metadata_arrives():
    symbols = symbols_of(Layout(20, 10, FACTORS["444"]), np.random.default_rng(0), 0.1, 5)
    icc = np.random.default_rng(0).bytes(150_000)
    exif = b"II*\0\x08\0\0\0\0\0\0\0\0\0"
    data = write(symbols, Metadata(icc=icc, exif=exif, density=(300, 200))).data
    with PIL.Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.info["icc_profile"] == icc
        assert picture.info["exif"] == b"Exif\0\0" + exif
        assert picture.info["dpi"] == (300, 200)
        assert picture.info["jfif_version"] == (1, 1)


def test_metadata_that_does_not_fit_is_refused_with_its_size():
    symbols = symbols_of(Layout(8, 8, FACTORS["grey"]), np.random.default_rng(0), 0.1, 5)
    with pytest.raises(GradpressError, match=r"70006"):
        write(symbols, Metadata(exif=bytes(70_000)))
    with pytest.raises(GradpressError, match="17000000"):
        write(symbols, Metadata(icc=bytes(17_000_000)))


def test_levels_that_no_baseline_code_holds_are_refused():
    symbols = symbols_of(Layout(8, 8, FACTORS["grey"]), np.random.default_rng(0), 0, 1)
    symbols.levels[0][0, 0, 7] = 1024
    for progressive in (True, False):
        with pytest.raises(ValueError, match="10 bits"):
            write(symbols, progressive=progressive)
