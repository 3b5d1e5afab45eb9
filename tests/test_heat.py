"""Bits by block: they are those of the file, block by block."""

from __future__ import annotations

import numpy as np
import pytest

from gradpress.jpeg.heat import bits_map, block_bits
from gradpress.jpeg.params import FACTORS, Layout, Symbols
from gradpress.jpeg.scans import Coder
from gradpress.jpeg.scripts import baseline_script
from gradpress.jpeg.writer import baseline_bits


def symbols(factors, height=50, width=70, density=0.1, seed=0):
    """Levels at random, with long runs of zeros and full blocks."""
    rng = np.random.default_rng(seed)
    layout = Layout(width, height, FACTORS[factors])
    levels = []
    for component in range(len(layout.factors)):
        shape = (*layout.blocks(component), 64)
        values = rng.integers(-40, 41, shape) * (rng.random(shape) < density)
        values[0, 0] = 0
        values[0, -1] = rng.integers(1, 1023, 64)
        values[-1, 0, 1:] = 0
        values[-1, 0, 63] = -1
        values[..., 0] = rng.integers(-900, 900, shape[:2])
        levels.append(values.astype(np.int16))
    steps = (np.ones(64, np.uint8),) * len(levels)
    return Symbols(layout, steps, tuple(levels))


def ac_bits(block, sizes):
    """A block's AC bits, symbol by symbol (T.81, F.1.2.2)."""
    bits, run = 0, 0
    for level in block[1:].tolist():
        if level == 0:
            run += 1
            continue
        while run > 15:
            bits, run = bits + int(sizes[0xF0]), run - 16
        size = abs(level).bit_length()
        bits, run = bits + int(sizes[run << 4 | size]) + size, 0
    return bits + (int(sizes[0]) if run else 0)


def _dc_bits(stored, component, sizes):
    """DC bits, block by block in the order of the interleaved scan (T.81, A.2.3 and F.1.2.1)."""
    levels = stored.levels[component]
    h, v = stored.layout.factors[component]
    bits, before = np.zeros(levels.shape[:2]), 0
    for row, column in np.ndindex(*stored.layout.mcus):
        for down, across in np.ndindex(v, h):
            place = row * v + down, column * h + across
            level = int(levels[place][0])
            size = abs(level - before).bit_length()
            bits[place], before = int(sizes[size]) + size, level
    return bits


@pytest.mark.parametrize("factors", FACTORS)
@pytest.mark.parametrize("density", [0.0, 0.05, 0.9])
def test_blocks_sum_up_to_the_scan(factors, density):
    stored = symbols(factors, density=density)
    total = sum(float(bits.sum(dtype=float)) for bits in block_bits(stored))
    assert total == baseline_bits(stored)


def test_every_block_is_charged_its_own_symbols():
    stored = symbols("420")
    (scan,) = baseline_script(Coder(stored))
    for component, bits in enumerate(block_bits(stored)):
        sizes = scan.ac[component].table.sizes
        ac = np.apply_along_axis(ac_bits, 2, stored.levels[component], sizes)
        dc = _dc_bits(stored, component, scan.dc[component].table.sizes)
        np.testing.assert_array_equal(bits, ac + dc)


@pytest.mark.parametrize("factors", FACTORS)
def test_a_map_shares_out_all_bits_over_the_picture(factors):
    stored = symbols(factors, height=64, width=96)  # whole MCUs: no padding
    spread = bits_map(stored)
    assert spread.shape == (8, 12)
    assert spread.sum() == pytest.approx(baseline_bits(stored), rel=1e-5)
    assert bits_map(stored, 1000.0).sum() == pytest.approx(1000, rel=1e-5)


def test_a_map_covers_the_picture_and_not_its_padding():
    assert bits_map(symbols("420", height=17, width=9)).shape == (3, 2)


def test_bits_lie_where_the_levels_are():
    layout = Layout(64, 64, FACTORS["444"])
    levels = [np.zeros((8, 8, 64), np.int16) for _ in range(3)]
    levels[0][5, 2, 1:30] = 7
    spread = bits_map(Symbols(layout, (np.ones(64, np.uint8),) * 3, tuple(levels)))
    assert np.unravel_index(spread.argmax(), spread.shape) == (5, 2)
    others = np.delete(spread.ravel(), 5 * 8 + 2)
    assert np.ptp(others) == 0
