"""The decoder: its bytes are libjpeg-turbo's, its adjoint is its transpose."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest
from conftest import scene
from hypothesis import given
from hypothesis import strategies as st

from gradpress.color import RGB_FROM_YCC, YCC_FROM_RGB
from gradpress.jpeg import model
from gradpress.jpeg.objective import dequantised
from gradpress.jpeg.params import FACTORS, ZIGZAG, Layout, Symbols
from gradpress.jpeg.writer import write
from gradpress.transform import (
    box_downsample,
    forward_dct,
    inverse_dct,
    pad_to_blocks,
    upsample,
    upsample_adjoint,
)
from gradpress.workers import Workers

LAYOUTS = st.builds(
    Layout,
    width=st.integers(1, 50),
    height=st.integers(1, 50),
    factors=st.sampled_from(list(FACTORS.values())),
)


def random_symbols(layout, rng, density=0.2, amplitude=40):
    levels = []
    for i in range(len(layout.factors)):
        shape = (*layout.blocks(i), 64)
        values = rng.integers(-amplitude, amplitude + 1, shape) * (rng.random(shape) < density)
        values[..., 0] = rng.integers(-200, 200, shape[:2])
        levels.append((values // (1 + np.arange(64) // 6)).astype(np.int16))
    steps = tuple(rng.integers(1, 12, 64).astype(np.uint8) for _ in levels)
    return Symbols(layout, steps, tuple(levels))


def shown(data):
    return np.asarray(PIL.Image.open(io.BytesIO(data)))


@given(layout=LAYOUTS, seed=st.integers(0, 2**32 - 1), progressive=st.booleans())
def test_decode_gives_libjpeg_turbos_bytes(layout, seed, progressive):
    symbols = random_symbols(layout, np.random.default_rng(seed))
    expected = shown(write(symbols, progressive=progressive).data)
    assert np.array_equal(model.decode(symbols), expected)


@given(layout=LAYOUTS, seed=st.integers(0, 2**32 - 1))
def test_render_is_decode_but_for_rounding(layout, seed):
    symbols = random_symbols(layout, np.random.default_rng(seed), density=0.05, amplitude=8)
    rendered = model.render(dequantised(symbols), layout).decoded
    decoded = model.decode(symbols).reshape(layout.height, layout.width, -1).transpose(2, 0, 1)
    # Half a level in luma, and 1.772 times half a level and an upsampling's rounding in chroma.
    assert np.abs(rendered - decoded).max() <= 3.5


def smooth_coefficients(layout, rng):
    """Small enough that no clamp is active."""
    return tuple(
        (rng.normal(0, 12, (*layout.blocks(i), 64)) / (1 + np.arange(64))).astype(np.float32)
        for i in range(len(layout.factors))
    )


@given(layout=LAYOUTS, seed=st.integers(0, 2**32 - 1))
def test_pull_back_is_the_adjoint_of_render(layout, seed):
    rng = np.random.default_rng(seed)
    here = smooth_coefficients(layout, rng)
    there = smooth_coefficients(layout, rng)
    at_here, at_there = model.render(here, layout), model.render(there, layout)
    dual = rng.normal(size=at_here.decoded.shape).astype(np.float32)
    moved = np.vdot(at_there.decoded.astype(float) - at_here.decoded, dual)
    pulled = model.pull_back(at_here.samples, dual, layout)
    expected = sum(
        np.vdot(b.astype(float) - a, g) for a, b, g in zip(here, there, pulled, strict=True)
    )
    assert moved == pytest.approx(expected, rel=1e-3, abs=0.05)


@given(
    width=st.integers(1, 40), height=st.integers(1, 40), v=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_upsampling_and_its_adjoint(width, height, v, seed):
    rng = np.random.default_rng(seed)
    size = (-(-height // v), -(-width // 2))
    padded = (8 * -(-size[0] // 8), 8 * -(-size[1] // 8))
    plane = rng.normal(size=padded).astype(np.float32)
    dual = rng.normal(size=(height, width)).astype(np.float32)
    forward = upsample(plane, size, (height, width), v)
    backward = upsample_adjoint(dual, size, padded, v)
    left, right = np.vdot(forward.astype(float), dual), np.vdot(plane.astype(float), backward)
    assert left == pytest.approx(right, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("v", [1, 2])
def test_upsampling_equals_its_slow_twin(v):
    rng = np.random.default_rng(3)
    plane = rng.random((9, 11)).astype(np.float32)
    fast = upsample(np.pad(plane, ((0, 7), (0, 5))), (9, 11), (9 * v - (v == 2), 21), v)
    assert np.allclose(fast, slow_upsample(plane, fast.shape, v), atol=1e-6)


def slow_upsample(plane, out_size, v):
    """Three quarters of the nearest sample and a quarter of the next, in each direction."""

    def mix(n_out, n_in):
        matrix = np.zeros((n_out, n_in))
        for i in range(n_out):
            other = i // 2 + (1 if i % 2 else -1)
            matrix[i, i // 2] += 0.75
            matrix[i, min(max(other, 0), n_in - 1)] += 0.25
        return matrix

    down = mix(out_size[0], plane.shape[0]) if v == 2 else np.eye(out_size[0])
    return down @ plane @ mix(out_size[1], plane.shape[1]).T


def dct_matrix():
    u, x = np.mgrid[:8, :8]
    matrix = np.cos((2 * x + 1) * u * np.pi / 16) / 2
    matrix[0] /= np.sqrt(2)
    return matrix


def test_dct_equals_its_slow_twin_and_inverts():
    plane = np.random.default_rng(1).normal(0, 50, (24, 40)).astype(np.float32)
    blocks = forward_dct(plane, 128.0)
    basis = dct_matrix()
    for row in range(3):
        for column in range(5):
            samples = plane[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] - 128.0
            expected = (basis @ samples @ basis.T).ravel()[ZIGZAG]
            assert np.allclose(blocks[row, column], expected, atol=2e-3)
    assert np.allclose(inverse_dct(blocks, 128.0), plane, atol=2e-3)


def test_colour_matrices_invert_each_other():
    assert np.allclose(RGB_FROM_YCC @ YCC_FROM_RGB, np.eye(3), atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["444", "422", "420"])
def test_clamps_stop_the_gradient_as_finite_differences_say(seed, name):
    rng = np.random.default_rng(seed)
    layout = Layout(24, 20, FACTORS[name])
    coefficients = tuple(c * 30 for c in smooth_coefficients(layout, rng))
    rendering = model.render(coefficients, layout)
    dual = rng.normal(size=rendering.decoded.shape).astype(np.float32)
    gradient = model.pull_back(rendering.samples, dual, layout)
    direction = smooth_coefficients(layout, rng)
    slope = sum(np.vdot(g.astype(float), d) for g, d in zip(gradient, direction, strict=True))
    ahead, behind = (
        model.render(
            tuple(c + np.float32(e) * d for c, d in zip(coefficients, direction, strict=True)),
            layout,
        ).decoded.astype(float)
        for e in (1e-2, -1e-2)
    )
    change = (ahead - behind) / 2e-2
    # A few samples pass a clamp between the two sides; a missing clamp would be far off.
    kinks = 0.04 * np.linalg.norm(change) * np.linalg.norm(dual)
    assert slope == pytest.approx(np.vdot(change, dual), abs=kinks)
    active = (rendering.decoded > 0) & (rendering.decoded < 255)
    assert 0.02 < 1 - active.mean() < 0.95


@pytest.mark.parametrize("name", list(FACTORS))
def test_gain_is_the_energy_of_a_unit_coefficient_inside_a_picture(name):
    layout = Layout(80, 80, FACTORS[name])
    zero = [np.zeros((*layout.blocks(i), 64), np.float32) for i in range(len(layout.factors))]
    base = model.render(tuple(zero), layout).decoded.astype(float)
    for i, gain in enumerate(model.gain(layout)):
        for k in (0, 1, 5, 20, 63):
            zero[i][2, 2, k] = 16
            energy = ((model.render(tuple(zero), layout).decoded - base) ** 2).sum() / 256
            zero[i][2, 2, k] = 0
            assert energy == pytest.approx(gain[k], rel=0.35)


def test_chroma_in_luma_is_what_the_decoder_mixes():
    layout = Layout(45, 37, FACTORS["420"])
    rng = np.random.default_rng(5)
    c = smooth_coefficients(layout, rng)
    nothing = tuple(np.zeros_like(a) for a in c)
    grey = model.render(nothing, layout).decoded.astype(float)
    coloured = model.render((nothing[0], c[1], c[2]), layout)
    by_hand = model.pull_back(
        coloured.samples, (coloured.decoded - grey).astype(np.float32), layout
    )[0]
    assert np.allclose(model.chroma_in_luma((c[1], c[2]), layout), by_hand, atol=1e-2)


def test_any_number_of_threads_gives_the_same_bits():
    layout = Layout(200, 300, FACTORS["420"])
    rng = np.random.default_rng(0)
    c = smooth_coefficients(layout, rng)
    with Workers(3) as three:
        one, many = model.render(c, layout), model.render(c, layout, three)
        assert np.array_equal(one.decoded, many.decoded)
        left = model.pull_back(one.samples, one.decoded, layout)
        right = model.pull_back(one.samples, one.decoded, layout, three)
    assert all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def test_downsampling_and_padding_repeat_the_border():
    plane = scene(5, 7)[..., 0].astype(np.float32)
    small = box_downsample(plane, 2, 2)
    assert small.shape == (3, 4)
    assert small[2, 3] == plane[4, 6]
    assert small[0, 0] == pytest.approx(plane[:2, :2].mean())
    padded = pad_to_blocks(plane, (1, 1))
    assert np.array_equal(padded[5:, 0], np.full(3, plane[4, 0]))
