"""Entropy kernels against slow twins that walk every coefficient and spell out every bit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradpress import _kernels
from gradpress.jpeg.huffman import optimal_table

BANDS = st.tuples(st.integers(1, 63), st.integers(1, 63)).map(lambda edges: tuple(sorted(edges)))
DENSITIES = st.sampled_from([0, 0.002, 0.05, 0.3, 1])
AMPLITUDES = st.sampled_from([1, 2, 9, 1023])


def random_levels(seed, density, amplitude, shape=(5, 7)):
    rng = np.random.default_rng(seed)
    levels = rng.integers(-amplitude, amplitude + 1, (*shape, 64)) * (
        rng.random((*shape, 64)) < density
    )
    return levels.astype(np.int16)


class Tokens(list):
    """(symbol or None, text of the bits that follow it)."""

    def symbol(self, symbol, bits=""):
        self.append((symbol, bits))

    def raw(self, bits):
        self.append((None, "".join(map(str, bits))))

    def counts(self):
        return np.bincount([s for s, _ in self if s is not None], minlength=256)

    def raw_bits(self):
        return sum(len(bits) for _, bits in self)

    def coded(self, table):
        """All bits as text."""
        words, sizes = table.words(), table.sizes
        return "".join(
            bits if symbol is None else f"{words[symbol]:0{sizes[symbol]}b}{bits}"
            for symbol, bits in self
        )


def magnitude_text(value):
    size = abs(value).bit_length()
    return f"{value if value > 0 else value + (1 << size) - 1:0{size}b}" if size else ""


class Run:
    """An end-of-band run under way, with its correction bits."""

    def __init__(self, tokens):
        self.tokens, self.blocks, self.bits = tokens, 0, []

    def flush(self):
        if self.blocks:
            size = self.blocks.bit_length() - 1
            self.tokens.symbol(16 * size, f"{self.blocks - (1 << size):0{size}b}" if size else "")
            self.tokens.raw(self.bits)
        self.blocks, self.bits = 0, []

    def add(self, bits=()):
        self.blocks += 1
        self.bits += bits
        if self.blocks == 32767 or len(self.bits) > 937:
            self.flush()


def first_pass(blocks, begin, end, low):
    tokens = Tokens()
    run = Run(tokens)
    for block in blocks:
        zeros = 0
        for value in block[begin : end + 1]:
            shifted = int(np.sign(value)) * (abs(int(value)) >> low)
            if shifted == 0:
                zeros += 1
                continue
            run.flush()
            while zeros > 15:
                tokens.symbol(0xF0)
                zeros -= 16
            tokens.symbol(16 * zeros + abs(shifted).bit_length(), magnitude_text(shifted))
            zeros = 0
        if zeros:
            run.add()
    run.flush()
    return tokens


def refinement(blocks, begin, end, low):
    tokens = Tokens()
    run = Run(tokens)
    for block in blocks:
        magnitudes = np.abs(block.astype(int)) >> low
        new = [k for k in range(begin, end + 1) if magnitudes[k] == 1]
        zeros, corrections = 0, []
        for k in range(begin, end + 1):
            if magnitudes[k] == 0:
                zeros += 1
                continue
            while zeros > 15 and new and k <= new[-1]:
                run.flush()
                tokens.symbol(0xF0)
                tokens.raw(corrections)
                zeros, corrections = zeros - 16, []
            if magnitudes[k] > 1:
                corrections.append(magnitudes[k] & 1)
                continue
            run.flush()
            tokens.symbol(16 * zeros + 1, "1" if block[k] > 0 else "0")
            tokens.raw(corrections)
            zeros, corrections = 0, []
        if zeros or corrections:
            run.add(corrections)
    run.flush()
    return tokens


def sequential(block):
    tokens = Tokens()
    zeros = 0
    for value in map(int, block[1:]):
        if value == 0:
            zeros += 1
            continue
        while zeros > 15:
            tokens.symbol(0xF0)
            zeros -= 16
        tokens.symbol(16 * zeros + abs(value).bit_length(), magnitude_text(value))
        zeros = 0
    if zeros:
        tokens.symbol(0)
    return tokens


def differences(values):
    tokens = Tokens()
    for before, value in zip([0, *values[:-1]], values, strict=True):
        tokens.symbol(abs(value - before).bit_length(), magnitude_text(value - before))
    return tokens


def unstuffed(data):
    """Bits as text, after a check of the stuffing."""
    assert all(data[i + 1] == 0 for i, byte in enumerate(data) if byte == 0xFF)
    return "".join(f"{byte:08b}" for byte in data.replace(b"\xff\x00", b"\xff"))


def padded(text):
    return text + "1" * (-len(text) % 8)


@given(
    seed=st.integers(0, 2**32 - 1),
    density=DENSITIES,
    amplitude=AMPLITUDES,
    band=BANDS,
    low=st.integers(0, 5),
    refine=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_bands_are_counted_and_written_as_the_slow_twin_does(
    seed, density, amplitude, band, low, refine
):
    levels = random_levels(seed, density, amplitude)
    own = levels[:4, :6].reshape(-1, 64)
    tokens = (refinement if refine else first_pass)(own, *band, low)
    sparse = _kernels.SparseLevels(levels, 4, 6)
    counts = np.zeros(256, np.int64)
    assert sparse.count(*band, low, refine, counts) == tokens.raw_bits()
    assert np.array_equal(counts, tokens.counts())
    table = optimal_table(counts)
    data = sparse.write(*band, low, refine, table.words(), table.sizes)
    assert unstuffed(data) == padded(tokens.coded(table))


@pytest.mark.parametrize("refine", [False, True])
def test_runs_and_correction_bits_are_cut_where_they_must_be(refine):
    """More than 32767 empty blocks; and blocks that hold nothing but corrections."""
    levels = np.zeros((2, 32770, 64), np.int16)
    levels[1, 4:40, 20:] = 2
    blocks = levels.reshape(-1, 64)
    tokens = (refinement if refine else first_pass)(blocks, 1, 63, 0)
    counts = np.zeros(256, np.int64)
    raw_bits = _kernels.SparseLevels(levels, 2, 32770).count(1, 63, 0, refine, counts)
    assert raw_bits == tokens.raw_bits()
    assert np.array_equal(counts, tokens.counts())
    assert counts[0xE0] >= 2


@given(seed=st.integers(0, 2**32 - 1), density=DENSITIES, amplitude=AMPLITUDES)
@settings(max_examples=50, deadline=None)
def test_sequential_blocks_are_counted_as_the_slow_twin_does(seed, density, amplitude):
    levels = random_levels(seed, density, amplitude)
    counts = np.zeros(256, np.int64)
    _kernels.count_ac(levels, counts)
    expected = sum(sequential(block).counts() for block in levels.reshape(-1, 64))
    assert np.array_equal(counts, expected)


@given(seed=st.integers(0, 2**32 - 1), low=st.integers(0, 4))
@settings(max_examples=50, deadline=None)
def test_dc_scans_are_the_slow_twins(seed, low):
    levels = random_levels(seed, 1, 1023)
    order = np.random.default_rng(seed).permutation(35).astype(np.int32)
    component = np.zeros(35, np.uint8)
    values = [int(v) >> low for v in levels[..., 0].ravel()[order]]
    tokens = differences(values)
    counts = np.zeros((1, 256), np.int64)
    _kernels.count_dc([levels], component, order, low, counts)
    assert np.array_equal(counts[0], tokens.counts())
    table = optimal_table(counts[0])
    codes = table.words()[None], table.sizes[None]
    data = _kernels.write_dc([levels], component, order, low, *codes)
    assert unstuffed(data) == padded(tokens.coded(table))
    refined = _kernels.write_dc_refinement([levels], component, order, low)
    assert unstuffed(refined) == padded("".join(str(value & 1) for value in values))


@given(seed=st.integers(0, 2**32 - 1), density=DENSITIES, amplitude=AMPLITUDES)
@settings(max_examples=30, deadline=None)
def test_an_interleaved_scan_is_dc_and_ac_block_by_block(seed, density, amplitude):
    planes = [random_levels(seed + i, density, amplitude) for i in range(2)]
    component = np.tile(np.array([0, 0, 1], np.uint8), 17)
    block = np.concatenate([[2 * i, 2 * i + 1, i] for i in range(17)]).astype(np.int32)
    dc = np.zeros((2, 256), np.int64)
    _kernels.count_dc(planes, component, block, 0, dc)
    ac = np.zeros(256, np.int64)
    for plane in planes:
        _kernels.count_ac(plane, ac)
    dc_tables, ac_table = [optimal_table(counts) for counts in dc], optimal_table(ac)
    text, before = "", [0, 0]
    for c, b in zip(component, block, strict=True):
        coefficients = planes[c].reshape(-1, 64)[b]
        difference = int(coefficients[0]) - before[c]
        before[c] = int(coefficients[0])
        text += differences([difference]).coded(dc_tables[c])
        text += sequential(coefficients).coded(ac_table)
    data = _kernels.write_baseline(
        planes,
        component,
        block,
        np.stack([table.words() for table in dc_tables]),
        np.stack([table.sizes for table in dc_tables]),
        np.stack([ac_table.words()] * 2),
        np.stack([ac_table.sizes] * 2),
    )
    assert unstuffed(data) == padded(text)


def test_threads_count_the_same():
    sparse = _kernels.SparseLevels(random_levels(3, 0.2, 5, (40, 40)), 40, 40)

    def count(low):
        counts = np.zeros(256, np.int64)
        return sparse.count(1, 63, low, low > 0, counts), counts.tobytes()

    lows = [0, 1, 2] * 8
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(count, lows)) == [count(low) for low in lows]


def test_what_eight_bit_codes_cannot_hold_is_refused():
    levels = np.zeros((1, 2, 64), np.int16)
    where = ([levels], np.zeros(2, np.uint8), np.arange(2, dtype=np.int32))
    counts = np.zeros((1, 256), np.int64)
    levels[0, :, 0] = -1023, 1024
    _kernels.count_dc(*where, 0, counts)
    assert counts[0, 10] == 1
    assert counts[0, 11] == 1
    levels[0, :, 0] = -1024, 1024
    with pytest.raises(ValueError, match="11 bits"):
        _kernels.count_dc(*where, 0, counts)
    levels[0, :, 0] = 0
    levels[0, 1, 63] = -1024
    with pytest.raises(ValueError, match="10 bits"):
        _kernels.count_ac(levels, counts[0])
    with pytest.raises(ValueError, match="10 bits"):
        _kernels.SparseLevels(levels, 1, 2)


def test_arguments_out_of_bounds_are_refused():
    levels = np.zeros((3, 4, 64), np.int16)
    sparse, counts = _kernels.SparseLevels(levels, 3, 4), np.zeros(256, np.int64)
    words, sizes = np.zeros(256, np.uint16), np.zeros(256, np.uint8)
    with pytest.raises(ValueError, match="inside"):
        _kernels.SparseLevels(levels, 4, 4)
    for band in ((0, 63), (5, 4), (1, 64)):
        with pytest.raises(ValueError, match="band"):
            sparse.count(*band, 0, False, counts)
    with pytest.raises(ValueError, match="low"):
        sparse.count(1, 63, 14, False, counts)
    with pytest.raises(ValueError, match="256"):
        sparse.count(1, 63, 0, False, counts[:255])
    with pytest.raises(ValueError, match="no code"):
        sparse.write(1, 63, 0, False, words, sizes)
    for component, block in (([1], [0]), ([0], [12]), ([0], [-1]), ([0, 0], [0])):
        with pytest.raises(ValueError, match=r"range|pair"):
            _kernels.write_dc_refinement(
                [levels], np.array(component, np.uint8), np.array(block, np.int32), 0
            )
