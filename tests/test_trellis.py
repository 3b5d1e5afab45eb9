"""The trellis and Viterbi's algorithm against plain enumeration, and prices against counts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradpress import _kernels
from gradpress.jpeg import rate
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.jpeg.trellis import quantise

SEEDS = st.integers(0, 2**32 - 1)


def block_bits(levels, bits, empty):
    """Price of one block's AC levels, symbol by symbol (T.81, F.1.2.2)."""
    total, run = 0.0, 0
    for level in levels[1:]:
        if level == 0:
            run += 1
            continue
        while run > 15:
            total += bits[0xF0]
            run -= 16
        total += bits[run * 16 + int(abs(level)).bit_length()]
        run = 0
    if not np.any(levels[1:]):
        return empty
    return total + (bits[0] if run else 0.0)


def cost(levels, target, curvature, steps, bits, empty, lagrangian):
    error = (levels * steps - target)[1:]
    distortion = 0.5 * (curvature[1:] * error**2).sum()
    return distortion + lagrangian * block_bits(levels, bits, empty)


def run_trellis(target, curvature, steps, bits, empty, lagrangian):
    levels = np.zeros((1, 1, 64), np.int16)
    value = _kernels.trellis_ac(
        target.reshape(1, 1, 64),
        curvature.reshape(1, 1, 64),
        steps,
        bits,
        empty,
        lagrangian,
        1,
        63,
        levels,
    )
    return levels[0, 0], value


def random_problem(rng, places):
    target = np.zeros(64, np.float32)
    spots = rng.choice(np.arange(1, 64), places, replace=False)
    target[spots] = rng.normal(0, 25, places)
    steps = rng.uniform(4, 14, 64).astype(np.float32)
    curvature = rng.uniform(0.5, 2, 64).astype(np.float32)
    bits = (rng.uniform(2, 9, 256) + np.arange(256) % 16).astype(np.float32)
    return target, curvature, steps, bits, float(rng.uniform(0.1, 8)), float(rng.uniform(1, 300))


@given(seed=SEEDS)
@settings(max_examples=60)
def test_no_other_choice_of_candidates_costs_less(seed):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, places=5)
    target, _, steps = problem[:3]
    levels, value = run_trellis(*problem)
    assert value == pytest.approx(cost(levels, *problem), rel=1e-4)
    spots = np.flatnonzero(target)
    choices = []
    for k in spots:
        top = int(np.floor(abs(target[k]) / steps[k] + 0.5))
        below = (1 << (top.bit_length() - 1)) - 1 if top else 0
        choices.append(sorted({0, top, max(top - 1, 0), below}))
    other = np.zeros(64)
    for magnitudes in itertools.product(*choices):
        other[spots] = np.sign(target[spots]) * magnitudes
        assert value <= cost(other, *problem) + 1e-3 * abs(value)


@given(seed=SEEDS, places=st.integers(6, 63))
def test_no_single_change_helps(seed, places):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, places)
    levels, value = run_trellis(*problem)
    assert value == pytest.approx(cost(levels, *problem), rel=1e-4)
    for k in range(1, 64):
        for level in {0, levels[k] - np.sign(levels[k])}:
            other = levels.astype(float)
            other[k] = level
            assert value <= cost(other, *problem) + 1e-3 * abs(value)


def test_without_a_price_it_rounds():
    rng = np.random.default_rng(0)
    target, curvature, steps, bits, empty, _ = random_problem(rng, 40)
    levels, _ = run_trellis(target, curvature, steps, bits, empty, 0.0)
    assert np.array_equal(levels[1:], np.rint(target / steps)[1:])


def test_at_any_price_nothing_is_left():
    rng = np.random.default_rng(0)
    target, curvature, steps, bits, _, _ = random_problem(rng, 40)
    levels, _ = run_trellis(target, curvature, steps, bits, 0.0, 1e9)
    assert not levels.any()


@given(seed=SEEDS)
@settings(max_examples=40)
def test_viterbi_is_the_best_of_all_paths(seed):
    rng = np.random.default_rng(seed)
    blocks, step, lagrangian = 6, 7.0, float(rng.uniform(0, 60))
    target = np.zeros((1, blocks, 64), np.float32)
    target[0, :, 0] = rng.normal(0, 30, blocks)
    bits = (rng.uniform(1, 5, 16) + np.arange(16)).astype(np.float32)
    order = rng.permutation(blocks).astype(np.int32)
    levels = np.zeros((1, blocks, 64), np.int16)
    curvature = np.full((1, 1, 64), 1.5, np.float32)
    value = _kernels.viterbi_dc(target, curvature, step, bits, lagrangian, order, levels)

    def price(path):
        differences = np.diff(np.concatenate([[0], path]))
        spent = sum(bits[int(abs(d)).bit_length()] for d in differences)
        return 0.75 * ((path * step - wanted) ** 2).sum() + lagrangian * spent

    wanted = target[0, order, 0].astype(float)
    rounded = np.floor(np.abs(wanted) / step + 0.5) * np.sign(wanted)
    best = min(
        price(rounded + np.array(offsets))
        for offsets in itertools.product((-1, 0, 1), repeat=blocks)
    )
    assert value == pytest.approx(best, rel=1e-4, abs=1e-2)
    assert price(levels[0, order, 0].astype(float)) == pytest.approx(best, rel=1e-4, abs=1e-2)


@given(
    width=st.integers(1, 60), height=st.integers(1, 60), name=st.sampled_from(list(FACTORS)),
)  # fmt: skip
def test_a_scan_order_visits_every_block_once(width, height, name):
    layout = Layout(width, height, FACTORS[name])
    for i in range(len(layout.factors)):
        rows, columns = layout.blocks(i)
        order = rate.scan_order(layout, i).ravel()
        assert sorted(order) == list(range(rows * columns))
        own = rate.raster(layout, i).block
        assert len(own) == np.prod(layout.own_blocks(i))
        assert set(own) <= set(order)
    assert len(rate.interleaved(layout).block) == sum(
        np.prod(layout.blocks(i)) for i in range(len(layout.factors))
    )


def test_blocks_outside_the_picture_cost_next_to_nothing():
    layout = Layout(9, 9, FACTORS["420"])
    target = np.random.default_rng(0).normal(0, 60, (2, 2, 64)).astype(np.float32)
    layout_of_one = Layout(8, 8, FACTORS["420"])
    ones = np.ones(64, np.float32)
    order = rate.scan_order(layout, 0).ravel()
    levels = quantise(
        target, ones.reshape(1, 1, 64), 4 * ones, rate.typical_bits(), 5.0, order, (1, 1)
    )
    assert layout_of_one.own_blocks(0) == (1, 1)
    assert not levels[1:, :, 1:].any()
    assert not levels[0, 1, 1:].any()
    assert set(levels[..., 0].ravel()) == {levels[0, 0, 0]}


@given(seed=SEEDS)
@settings(max_examples=30)
def test_ideal_bits_are_the_entropy(seed):
    rng = np.random.default_rng(seed)
    levels = rng.integers(-3, 4, (5, 7, 64)).astype(np.int16) * (rng.random((5, 7, 64)) < 0.3)
    order = np.arange(35, dtype=np.int32).reshape(-1, 1)
    counts = rate.count(levels.astype(np.int16), order, (5, 7))
    (band,), (prices,) = counts.bands, rate.ideal_bits(counts).bands
    frequencies = band.symbols[band.symbols > 0] / band.symbols.sum()
    entropy = -(band.symbols.sum() * frequencies * np.log2(frequencies)).sum()
    raw = (band.symbols * (np.arange(256) % 16)).sum()
    assert band.symbols @ prices.symbols.astype(float) == pytest.approx(entropy + raw, rel=1e-5)
    assert prices.empty == prices.symbols[0]


@given(seed=SEEDS, bands=st.sampled_from(rate.PROGRESSIVE), density=st.sampled_from([0.01, 0.2]))
@settings(max_examples=40)
def test_bands_are_counted_as_a_progressive_scan_codes_them(seed, bands, density):
    rng = np.random.default_rng(seed)
    levels = (rng.integers(-9, 10, (4, 9, 64)) * (rng.random((4, 9, 64)) < density)).astype(
        np.int16
    )
    order = np.arange(36, dtype=np.int32).reshape(-1, 1)
    sparse = _kernels.SparseLevels(levels, 3, 8)
    counts = rate.count(levels, order, (3, 8), bands)
    for band in counts.bands:
        expected = np.zeros(256, np.int64)
        sparse.count(band.band.first, band.band.last, 0, False, expected)
        assert np.array_equal(band.symbols, expected)
        part = levels[:3, :8, band.band.first : band.band.last + 1]
        assert band.empty == np.count_nonzero(~part.any(axis=-1))
        assert band.ended == np.count_nonzero(part.any(axis=-1) & (part[..., -1] == 0))


@given(seed=SEEDS, bands=st.sampled_from(rate.PROGRESSIVE))
@settings(max_examples=40)
def test_prices_of_bands_add_up_to_what_their_symbols_take(seed, bands):
    """Ends are shared out between blocks, but in sum they cost what the runs do."""
    rng = np.random.default_rng(seed)
    levels = (rng.integers(-9, 10, (6, 9, 64)) * (rng.random((6, 9, 64)) < 0.05)).astype(np.int16)
    levels[..., 0] = 0
    order = np.arange(54, dtype=np.int32).reshape(-1, 1)
    counts = rate.count(levels, order, (6, 9), bands)
    priced = 0.0
    for band, price in zip(counts.bands, rate.ideal_bits(counts).bands, strict=True):
        coded = band.symbols.copy()
        coded[16 * np.arange(15)] = 0
        priced += float(coded @ price.symbols.astype(float))
        priced += band.ended * float(price.symbols[0]) + band.empty * price.empty
    assert priced == pytest.approx(rate.total_bits(counts), rel=0.02, abs=30)


def test_counting_equals_its_slow_twin():
    rng = np.random.default_rng(4)
    levels = (rng.integers(-900, 900, (3, 4, 64)) * (rng.random((3, 4, 64)) < 0.08)).astype(
        np.int16
    )
    order = rng.permutation(12).astype(np.int32).reshape(-1, 1)
    counts = rate.count(levels, order, (3, 4))
    ac, dc, before = np.zeros(256, int), np.zeros(16, int), 0
    for index in order.ravel():
        block = levels.reshape(-1, 64)[index]
        dc[int(abs(int(block[0]) - before)).bit_length()] += 1
        before, run = int(block[0]), 0
        for level in block[1:]:
            if level == 0:
                run += 1
                continue
            ac[0xF0] += run // 16
            ac[run % 16 * 16 + int(abs(int(level))).bit_length()] += 1
            run = 0
        ac[0] += run > 0
    assert np.array_equal(counts.bands[0].symbols, ac)
    assert np.array_equal(counts.dc, dc)
