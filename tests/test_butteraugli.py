"""Butteraugli against libjxl's program, and its gradient against autograd."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from conftest import png, scene
from hypothesis import given
from hypothesis import strategies as st

from gradpress import _kernels
from gradpress.distortion import butteraugli_bands as bands
from gradpress.distortion.butteraugli import butteraugli_error, butteraugli_scorer
from gradpress.workers import Workers

SHARED = Path(__file__).parents[2] / "shared" / "data"
BLURS = (bands.SURROUNDINGS, bands.BELOW_ULTRA, bands.BUSY, bands.BELOW_HIGH, bands.BELOW_MIDDLE)
SIZES = st.tuples(st.integers(1, 40), st.integers(1, 50), st.integers(0, 2**32 - 1))


def planes(pixels):
    return np.ascontiguousarray(
        pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1), np.float32
    )


def coarse(pixels):
    """A picture with few levels in each channel."""
    return np.clip(pixels.astype(int) // 24 * 24 + 7, 0, 255).astype(np.uint8)


def pattern(height, width):
    """Chirps that need no random numbers."""
    y, x = np.mgrid[:height, :width]
    colours = (x * y // 5 + 3 * x, y * y // 7 + 2 * x, 4 * x + 5 * y)
    return np.stack(colours, axis=-1).astype(np.uint8)


def score(original, decoded):
    return butteraugli_scorer(planes(original))(planes(decoded))


@pytest.mark.parametrize(
    ("size", "maximum", "norm3"),
    [
        ((8, 8), 1.411657, 1.013103),
        ((14, 40), 4.297925, 3.232945),
        ((15, 16), 3.429266, 2.516429),
        ((37, 29), 5.133932, 4.048787),
        ((64, 150), 5.88751, 3.435028),
    ],
)
def test_scores_are_those_that_libjxl_printed(size, maximum, norm3):
    picture = pattern(*size)
    ours = score(picture, coarse(picture))
    assert ours.maximum == pytest.approx(maximum, rel=1e-4)
    assert ours.norm3 == pytest.approx(norm3, rel=1e-4)


@pytest.mark.skipif(shutil.which("butteraugli_main") is None, reason="libjxl's tools are missing")
@pytest.mark.parametrize("size", [(8, 9), (23, 14), (100, 67), (17, 1100)])
def test_scores_are_those_that_libjxl_prints(size, tmp_path):
    original, decoded = scene(*size), scene(*size, seed=1)
    for name, pixels in (("a.png", original), ("b.png", decoded)):
        (tmp_path / name).write_bytes(png(pixels))
    command = ["butteraugli_main", str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
    ours = score(original, decoded)
    assert ours.maximum == pytest.approx(float(said[0]), rel=2e-4)
    assert ours.norm3 == pytest.approx(float(said[2]), rel=2e-4)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the pictures are not here")
def test_scores_of_photographs_are_those_of_the_reference_program():
    with (SHARED / "reference-metrics.tsv").open() as table:
        lines = (line for line in table if not line.startswith("#"))
        rows = list(csv.DictReader(lines, delimiter="\t"))[5::60]
    compared = 0
    for row in rows:
        original = PIL.Image.open(SHARED / "kodak" / f"{row['picture']}.png").convert("RGB")
        file = io.BytesIO()
        how = {"quality": int(row["q"]), "subsampling": row["subsampling"]}
        original.save(file, "JPEG", optimize=True, progressive=True, **how)
        decoded = np.asarray(PIL.Image.open(file).convert("RGB"))
        if hashlib.sha256(decoded.tobytes()).hexdigest() != row["pixels_sha256"]:
            continue
        ours = score(np.asarray(original), decoded)
        assert ours.maximum == pytest.approx(float(row["butteraugli_max"]), rel=1e-3)
        assert ours.norm3 == pytest.approx(float(row["butteraugli_3norm"]), rel=1e-4)
        compared += 1
    if compared == 0:
        pytest.skip("another JPEG library")


@pytest.mark.parametrize("size", [(8, 8), (14, 30), (15, 15), (61, 75), (130, 33), (9, 1050)])
def test_gradients_and_values_are_those_of_autograd_in_double_precision(size):
    torch = pytest.importorskip("torch")
    twin = pytest.importorskip("butteraugli_twin")
    original, decoded = planes(scene(*size)), planes(coarse(scene(*size)))
    x = torch.tensor(decoded.astype(float), requires_grad=True)
    maximum, norm3 = twin.butteraugli(torch.tensor(original.astype(float)), x)
    norm3.backward()
    pixels = size[0] * size[1]
    error = butteraugli_error(original)
    value, gradient = error.value_and_gradient(decoded)
    assert error.score(decoded).maximum == pytest.approx(maximum.item(), rel=1e-4)
    assert value == pytest.approx(norm3.item() * pixels, rel=1e-4)
    expected = x.grad.numpy() * pixels
    assert np.linalg.norm(gradient - expected) < 1e-3 * np.linalg.norm(expected)


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (7, 30), (12, 5), (20, 20)])
@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_equal_finite_differences(size, channels):
    original = planes(scene(*size)[..., :channels])
    decoded = planes(coarse(scene(*size))[..., :channels])
    error = butteraugli_error(original)
    value, gradient = error.value_and_gradient(decoded)
    assert value == error.value(decoded)
    step = np.float32(0.05) * np.sign(gradient)
    change = (error.value(decoded + step) - error.value(decoded - step)) / 2
    assert change == pytest.approx(np.vdot(gradient.astype(float), step), rel=5e-3)


def test_grey_is_the_same_in_red_green_and_blue():
    grey, other = scene(40, 30)[..., :1], coarse(scene(40, 30)[..., :1])
    in_colour = [planes(np.repeat(p, 3, axis=2)) for p in (grey, other)]
    value, gradient = butteraugli_error(planes(grey)).value_and_gradient(planes(other))
    same, by_colours = butteraugli_error(in_colour[0]).value_and_gradient(in_colour[1])
    assert value == same
    np.testing.assert_allclose(gradient[0], by_colours.sum(axis=0), rtol=1e-3, atol=1e-5)


def test_the_reference_itself_has_no_error_and_no_gradient():
    picture = planes(scene(40, 30))
    error = butteraugli_error(picture)
    value, gradient = error.value_and_gradient(picture)
    assert value == 0
    assert not gradient.any()
    assert error.score(picture).maximum == 0


def test_pictures_below_eight_pixels_are_extended_by_their_edges():
    small, other = scene(5, 6), coarse(scene(5, 6))
    frame = ((1, 2), (1, 1), (0, 0))
    extended = score(*(np.pad(p, frame, mode="edge") for p in (small, other)))
    assert 0 < score(small, other).maximum <= extended.maximum
    flat, brighter = (np.full((8, 8, 3), level, np.uint8) for level in (100, 120))
    pixel = score(flat[:1, :1], brighter[:1, :1])
    assert pixel.maximum == pytest.approx(score(flat, brighter).maximum, rel=1e-5)
    assert pixel.norm3 == pytest.approx(score(flat, brighter).norm3, rel=1e-5)


def test_descent_on_the_gradient_lowers_the_reported_norm():
    picture = scene(60, 80)
    error, decoded = butteraugli_error(planes(picture)), planes(coarse(picture))
    norms = [error.score(decoded).norm3]
    for _ in range(4):
        _, gradient = error.value_and_gradient(decoded)
        decoded -= gradient * (2 / np.abs(gradient).max())
        norms.append(error.score(decoded).norm3)
    assert norms == sorted(norms, reverse=True)
    assert norms[-1] < 0.9 * norms[0]


def test_any_number_of_threads_gives_the_same_bits():
    picture = scene(300, 70)
    alone = butteraugli_error(planes(picture))
    with Workers(3) as workers:
        shared = butteraugli_error(planes(picture), workers)
        results = [e.value_and_gradient(planes(coarse(picture))) for e in (alone, shared)]
        assert alone.score(planes(coarse(picture))) == shared.score(planes(coarse(picture)))
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_instruction_sets_give_the_same_bits():
    code = (
        "import sys, numpy as np;"
        "from gradpress.distortion.butteraugli import butteraugli_error;"
        "a, b = np.random.default_rng(0).uniform(0, 255, (2, 3, 45, 59)).astype(np.float32);"
        "value, gradient = butteraugli_error(a).value_and_gradient((3 * a + b) / 4);"
        "sys.stdout.buffer.write(np.float64(value).tobytes() + gradient.tobytes())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"GRADPRESS_ISA": isa},
            capture_output=True,
            check=True,
        ).stdout
        for isa in ("portable", "avx2", "avx512")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("taps", BLURS)
@given(size=SIZES)
def test_blurs_weigh_what_is_there(taps, size):
    height, width, seed = size
    plane = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
    matrices = []
    for n in (height, width):
        distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
        weights = np.pad(taps.astype(float), (0, n))[distance]
        matrices.append(weights / weights.sum(axis=1, keepdims=True))
    out = np.empty_like(plane)
    _kernels.butteraugli_blur(plane, taps, 0, height, out)
    np.testing.assert_allclose(out, matrices[0] @ plane @ matrices[1].T, atol=2e-6)


@pytest.mark.parametrize("taps", BLURS)
@pytest.mark.parametrize("width", [5, 40, 529, 1030])
def test_blurs_and_their_adjoints_agree(taps, width):
    x, y = np.random.default_rng(width).normal(size=(2, 23, width)).astype(np.float32)
    pairs = (
        (_kernels.butteraugli_blur, _kernels.butteraugli_blur_adjoint),
        (_kernels.butteraugli_blur_mirrored, _kernels.butteraugli_blur_mirrored),
    )
    for blur, adjoint in pairs:
        ax, ay = np.empty_like(x), np.empty_like(y)
        blur(x, taps, 0, 23, ax)
        adjoint(y, taps, 0, 23, ay)
        scale = float(np.linalg.norm(ax) * np.linalg.norm(y))
        assert np.vdot(ax, y) == pytest.approx(np.vdot(x, ay), abs=1e-5 * scale)


@given(size=SIZES, edge=st.sampled_from([1.0, 2.0]))
def test_halving_and_its_adjoint_agree(size, edge):
    height, width, seed = size
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(height, width)).astype(np.float32)
    y = rng.normal(size=(-(-height // 2), -(-width // 2))).astype(np.float32)
    small, large = np.empty_like(y), np.zeros_like(x)
    _kernels.butteraugli_halve(x, edge, 0, len(y), small)
    _kernels.butteraugli_halve_adjoint(y, edge, 0, len(x), large)
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    assert np.vdot(small, y) == pytest.approx(np.vdot(x, large), abs=1e-5 * scale)


def test_planes_that_do_not_fit_are_refused():
    plane, other = np.zeros((9, 10), np.float32), np.zeros((9, 11), np.float32)
    with pytest.raises(ValueError, match="one shape"):
        _kernels.butteraugli_light(plane, other)
    with pytest.raises(ValueError, match="taps"):
        _kernels.butteraugli_blur(plane, np.ones(6, np.float32), 0, 9, plane)
    with pytest.raises(ValueError, match="rows"):
        _kernels.butteraugli_blur(plane, bands.BUSY, 2, 10, plane)
    with pytest.raises(ValueError, match="margin"):
        _kernels.butteraugli_malta(plane, True, plane)
    stack = np.zeros((2, 9, 10), np.float32)
    with pytest.raises(ValueError, match="number of planes"):
        _kernels.butteraugli_opsin(stack, stack, stack)
