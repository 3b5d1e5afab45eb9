"""SSIM and MS-SSIM: the definition in double precision, published numbers, gradients, bits."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from conftest import scene
from hypothesis import given, settings
from hypothesis import strategies as st

from gradpress import _kernels
from gradpress.distortion.ssim import (
    MultiScaleStructuralError,
    StructuralError,
    ms_ssim_scorer,
    scale_weights,
    ssim_scorer,
)
from gradpress.workers import Workers

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
LOSSES = (StructuralError, MultiScaleStructuralError)
SIZES = st.tuples(st.sampled_from([1, 3]), st.integers(1, 70), st.integers(1, 70))


def planes_of(picture):
    return np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32)


def pair(shape, seed=0, noise=12):
    """A scene and the same with noise, ``(C, H, W)``."""
    rng = np.random.default_rng(seed)
    reference = planes_of(scene(*shape[1:], seed))[: shape[0]]
    decoded = np.clip(reference + rng.normal(0, noise, shape), 0, 255)
    return np.ascontiguousarray(reference), decoded.astype(np.float32)


def window_matrix(side):
    """A Gaussian mean (sigma 1.5) around every sample where the window fits, as a matrix."""
    reach = (min(side, 11) - 1) // 2
    window = np.exp(-(np.arange(-reach, reach + 1) ** 2) / 4.5)
    rows = np.zeros((side - 2 * reach, side))
    for i, row in enumerate(rows):
        row[i : i + len(window)] = window / window.sum()
    return rows


def halving_matrix(side):
    rows = np.zeros((-(-side // 2), side))
    for i in range(2 * len(rows)):
        rows[i // 2, min(i, side - 1)] += 0.5
    return rows


def means(x, y, to):
    """Mean of the structure term and of SSIM; x, y are luma planes, NumPy's or PyTorch's."""
    down, along = to(window_matrix(x.shape[0])), to(window_matrix(x.shape[1]))

    def mean(plane):
        return down @ plane @ along.T

    mx, my = mean(x), mean(y)
    structure = 2 * (mean(x * y) - mx * my) + 58.5225
    structure = structure / (mean(x * x) - mx**2 + mean(y * y) - my**2 + 58.5225)
    luminance = (2 * mx * my + 6.5025) / (mx**2 + my**2 + 6.5025)
    return structure.mean(), (luminance * structure).mean()


def luma_of(picture):
    if len(picture) == 1:
        return picture[0]
    return 0.299 * picture[0] + 0.587 * picture[1] + 0.114 * picture[2]


def ssim(decoded, reference, to=np.asarray):
    return means(luma_of(decoded), luma_of(reference), to)[1]


def ms_ssim(decoded, reference, to=np.asarray):
    x, y = luma_of(decoded), luma_of(reference)
    weights = scale_weights(*x.shape)
    product = 1.0
    for scale, weight in enumerate(weights):
        structure, whole = means(x, y, to)
        term = whole if scale == len(weights) - 1 else structure
        product = product * max(term, 0) ** weight
        down, along = to(halving_matrix(x.shape[0])), to(halving_matrix(x.shape[1]))
        x, y = down @ x @ along.T, down @ y @ along.T
    return product


DEFINITIONS = {StructuralError: ssim, MultiScaleStructuralError: ms_ssim}
SCORERS = ((ssim_scorer, ssim), (ms_ssim_scorer, ms_ssim))


@pytest.mark.parametrize(("scorer", "definition"), SCORERS)
@settings(deadline=None, max_examples=20)
@given(shape=SIZES, noise=st.sampled_from([0.01, 3, 40]))
def test_scores_are_the_definition_at_any_size(scorer, definition, shape, noise):
    reference, decoded = pair(shape, noise=noise)
    expected = definition(decoded.astype(float), reference.astype(float))
    assert scorer(reference)(decoded) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("shape", [(3, 170, 530), (1, 300, 161), (3, 5, 530), (3, 530, 6)])
@pytest.mark.parametrize(("scorer", "definition"), SCORERS)
def test_tiles_and_stripes_do_not_show(scorer, definition, shape):
    reference, decoded = pair(shape)
    expected = definition(decoded.astype(float), reference.astype(float))
    assert scorer(reference)(decoded) == pytest.approx(expected, abs=2e-6)


def compressed(picture, quality, **options):
    sink = io.BytesIO()
    picture.save(sink, "JPEG", quality=quality, **options)
    return np.asarray(PIL.Image.open(sink))


@pytest.mark.parametrize("quality", [5, 90])
def test_scores_equal_pytorch_msssim(quality):
    torch = pytest.importorskip("torch")
    published = pytest.importorskip("pytorch_msssim")
    photo = PIL.Image.open(ROOT / "examples" / "coffee.png").convert("RGB")
    photo = photo.crop((0, 0, 352, 192))  # even at every scale: odd sides are padded otherwise
    reference, decoded = planes_of(np.asarray(photo)), planes_of(compressed(photo, quality))
    luma = [torch.tensor(luma_of(p.astype(float)))[None, None] for p in (decoded, reference)]
    window = torch.tensor(window_matrix(11))[None, None]  # its own is of single precision
    expected = (float(of(*luma, win=window)) for of in (published.ssim, published.ms_ssim))
    found = (scorer(reference)(decoded) for scorer, _ in SCORERS)
    assert list(found) == pytest.approx(list(expected), abs=1e-7)


@pytest.mark.skipif(not DATA.exists(), reason="the reference values are not here")
def test_scores_of_kodak_files_are_the_recorded_ones():
    lines = (DATA / "reference-metrics.tsv").read_text().splitlines()
    rows = csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t")
    compared = 0
    for row in list(rows)[::19]:
        photo = PIL.Image.open(DATA / "kodak" / f"{row['picture']}.png").convert("RGB")
        decoded = compressed(
            photo, int(row["q"]), subsampling=row["subsampling"], optimize=True, progressive=True
        )
        if hashlib.sha256(decoded.tobytes()).hexdigest() != row["pixels_sha256"]:
            continue
        # A window whose weights do not quite add up to 1 made those of bright flat areas imprecise.
        reference, planes = planes_of(np.asarray(photo)), planes_of(decoded)
        assert ssim_scorer(reference)(planes) == pytest.approx(float(row["ssim"]), abs=3e-5)
        assert ms_ssim_scorer(reference)(planes) == pytest.approx(float(row["ms_ssim"]), abs=3e-5)
        compared += 1
    if not compared:
        pytest.skip("this Pillow decodes other pixels")


@pytest.mark.parametrize("loss", LOSSES)
@settings(deadline=None, max_examples=20)
@given(shape=SIZES, noise=st.sampled_from([1, 10, 40]))
def test_gradients_equal_autograd_at_any_size(loss, shape, noise):
    check_gradient(loss, *pair(shape, noise=noise))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(3, 170, 530), (1, 300, 161), (3, 5, 530)])
def test_gradients_equal_autograd_across_tiles_and_stripes(loss, shape):
    check_gradient(loss, *pair(shape))


def check_gradient(loss, reference, decoded):
    torch = pytest.importorskip("torch")
    x = torch.tensor(decoded.astype(float), requires_grad=True)
    definition = DEFINITIONS[loss](x, torch.tensor(reference.astype(float)), torch.tensor)
    expected = reference[0].size * (1 - definition)
    expected.backward()
    expected = expected.item()
    value, gradient = loss.of(reference).value_and_gradient(decoded)
    assert value == loss.of(reference).value(decoded)
    assert value == pytest.approx(expected, rel=1e-3, abs=1e-6 * reference[0].size)
    assert gradient.shape == decoded.shape
    largest = float(x.grad.abs().max())
    assert np.abs(gradient - x.grad.numpy()).max() <= 2e-4 * largest + 1e-9


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(3, 161, 163), (1, 20, 40), (3, 7, 9), (3, 1, 1)])
def test_gradients_equal_finite_differences(loss, shape):
    reference, decoded = pair(shape)
    distortion = loss.of(reference)
    _, gradient = distortion.value_and_gradient(decoded)
    direction = np.sign(gradient)
    ahead = distortion.value(decoded + np.float32(0.0625) * direction)
    behind = distortion.value(decoded - np.float32(0.0625) * direction)
    slope = np.vdot(gradient.astype(float), direction)
    assert (ahead - behind) / 0.125 == pytest.approx(slope, rel=5e-3)


@pytest.mark.parametrize("loss", LOSSES)
@given(shape=SIZES)
def test_nothing_is_better_than_the_reference(loss, shape):
    reference, _ = pair(shape)
    value, gradient = loss.of(reference).value_and_gradient(reference)
    assert value == 0
    assert not gradient.any()


@pytest.mark.parametrize("scorer", [ssim_scorer, ms_ssim_scorer])
def test_of_flat_pictures_luminance_counts(scorer):
    light, dark = (np.full((1, 20, 30), level, np.float32) for level in (200, 100))
    ratio = (2 * 200 * 100 + 6.5025) / (200**2 + 100**2 + 6.5025)
    assert scorer(light)(dark) == pytest.approx(ratio, abs=1e-4)
    assert scorer(light)(light) == 1


def test_inverted_pictures_are_as_bad_as_can_be():
    reference = np.random.default_rng(0).uniform(0, 255, (3, 180, 180)).astype(np.float32)
    inverted = 255 - reference
    assert ssim_scorer(reference)(inverted) < -0.5
    assert ms_ssim_scorer(reference)(inverted) == 0
    value, gradient = MultiScaleStructuralError.of(reference).value_and_gradient(inverted)
    assert value == 180 * 180
    assert not gradient.any()


@pytest.mark.parametrize("loss", LOSSES)
def test_only_luma_counts(loss):
    reference, decoded = pair((3, 40, 50))
    distortion = loss.of(reference)
    value, gradient = distortion.value_and_gradient(decoded)
    np.testing.assert_allclose(gradient[0] / 0.299, gradient[1] / 0.587, rtol=1e-5)
    other = decoded + np.array([0.587, -0.299, 0], np.float32)[:, None, None] * 9
    assert distortion.value(other) == pytest.approx(value, rel=1e-4)
    grey = luma_of(decoded)[None].astype(np.float32)
    grey_value, grey_gradient = distortion.value_and_gradient(grey)
    assert grey_value == pytest.approx(value, rel=1e-4)
    np.testing.assert_allclose(grey_gradient[0], gradient.sum(0), rtol=1e-3, atol=1e-6)


def test_scales_are_as_many_as_hold_a_window():
    assert len(scale_weights(161, 300)) == 5
    assert len(scale_weights(300, 160)) == 4
    assert len(scale_weights(1, 1)) == len(scale_weights(20, 4000)) == 1
    for side in (1, 11, 21, 41, 81, 161):
        assert scale_weights(side, side).sum() == pytest.approx(1.0001)
    np.testing.assert_array_equal(scale_weights(512, 768), [0.0448, 0.2856, 0.3001, 0.2363, 0.1333])


@pytest.mark.parametrize("loss", LOSSES)
def test_any_number_of_threads_gives_the_same_bits(loss):
    reference, decoded = pair((3, 530, 600))
    value, gradient = loss.of(reference).value_and_gradient(decoded)
    for threads in (2, 3):
        with Workers(threads) as workers:
            other, shared = loss.of(reference, workers).value_and_gradient(decoded)
        assert other == value
        np.testing.assert_array_equal(shared, gradient)


def test_instruction_sets_give_the_same_bits():
    code = (
        "import sys, numpy as np\n"
        "from gradpress.distortion.ssim import *\n"
        "a, b = np.random.default_rng(0).uniform(0, 255, (2, 3, 175, 533)).astype(np.float32)\n"
        "for loss in (StructuralError, MultiScaleStructuralError):\n"
        "    value, gradient = loss.of(a).value_and_gradient(np.float32(0.8) * a + b / 5)\n"
        "    sys.stdout.buffer.write(np.float64(value).tobytes() + gradient.tobytes())\n"
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
    assert len(outputs.pop()) == 2 * (8 + 4 * 3 * 175 * 533)


@pytest.mark.parametrize("loss", LOSSES)
def test_memory_is_bounded(loss):
    reference, decoded = pair((3, 400, 500))
    tracemalloc.start()
    try:
        loss.of(reference).value_and_gradient(decoded)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 60 * reference[0].size


def test_kernels_refuse_what_does_not_fit():
    plane, planes = np.zeros((8, 9), np.float32), np.zeros((3, 8, 9), np.float32)
    for down, along in ((6, 0), (0, 6), (4, 0), (0, 5), (-1, 0)):
        with pytest.raises(ValueError, match="window"):
            _kernels.ssim_errors(planes, plane, down, along, True, 0, 8, None)
    with pytest.raises(ValueError, match="rows"):
        _kernels.ssim_errors(planes, plane, 0, 0, True, 0, 9, None)
    with pytest.raises(ValueError, match="reference"):
        _kernels.ssim_errors(planes, plane[:7], 0, 0, True, 0, 7, None)
    with pytest.raises(ValueError, match="gradient"):
        _kernels.ssim_errors(planes, plane, 0, 0, True, 0, 8, plane[:7])
    with pytest.raises(ValueError, match="half"):
        _kernels.ssim_halve(plane, 0, 4, np.zeros((4, 4), np.float32))
    with pytest.raises(ValueError, match="components"):
        StructuralError.of(planes).value(np.zeros((2, 8, 9), np.float32))
