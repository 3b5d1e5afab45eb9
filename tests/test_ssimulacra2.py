"""SSIMULACRA2: the definition in double precision, published scores, gradients, bits."""

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
from gradpress.distortion.ssimulacra2 import (
    WEIGHTS,
    Ssimulacra2Error,
    scale_count,
    score_of,
    ssimulacra2_scorer,
    weights_for,
)
from gradpress.workers import Workers

DATA = Path(__file__).parents[2] / "shared" / "data"
SIZES = st.tuples(st.sampled_from([1, 3]), st.integers(1, 80), st.integers(1, 80))

# What the module leaves out of the 108 published weights: position in the list, weight.
SMALL_WEIGHTS = {
    1: 0.0007376606707406586,
    4: 0.0007793481682867309,
    7: 0.0004371155730107379,
    10: 0.00066284834129271,
    11: 0.00015231632783718752,
    13: 0.0016406437456599754,
    18: 0.0007989109436015163,
    19: 0.000176816438078653,
    24: 0.0007289346991508072,
    27: 0.00014003424285435884,
    29: 0.00031949755934435053,
    30: 0.0004550992113792063,
    33: 0.0013648766163243398,
    42: 0.0006235601634041466,
    46: 0.00037724407979611296,
    52: 0.0011401524586618361,
    53: 0.001237755635509985,
    59: 0.0004485436923833408,
    73: 0.0008680556573291698,
    79: 0.0005313191874358747,
    81: 0.00016533814161379112,
    87: 0.0004179171803251336,
    88: 0.0017290828234722833,
    90: 0.0020827005846636437,
    99: 0.0012286405048278493,
    105: 0.0005130064588990679,
    107: 0.00010854057858411537,
}


def planes_of(picture):
    return np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32)


def pair(shape, seed=0, noise=12):
    """A grainy scene, and the same blurred a little and with noise, ``(C, H, W)``.

    Grain keeps the samples off the kinks of |x|, where gradients have no single value.
    """
    rng = np.random.default_rng(seed)
    scenery = planes_of(scene(*shape[1:], seed))[: shape[0]]
    reference = np.clip(0.8 * scenery + 25 + rng.normal(0, 6, shape), 1, 254)
    decoded = np.clip(reference + rng.normal(0, noise, shape), 1, 254)
    return reference.astype(np.float32), decoded.astype(np.float32)


def blur_taps():
    """Middle to end: what the recursive Gaussian of sigma 1.5 amounts to.

    Charalampidis (2016): a sum of three cosines that ends after N = 5 samples; its weights follow
    from equations 37, 44, 50 and 52 to 56.
    """
    n, sigma = 5, 1.5
    omega = np.pi / (2 * n) * np.array([1, 3, 5])
    p = np.array([1, -1, 1]) / np.tan(omega / 2)
    r = np.array([1, -1, 1]) * p**2 / np.sin(omega)
    rho = np.exp(-(sigma**2) * omega**2 / 2) / n
    normal = np.cross(p, r)
    zeta = normal / normal[2]
    beta = np.linalg.solve(np.stack([p, r, zeta]), [1, n**2 - sigma**2, zeta @ rho])
    return np.cos(np.outer(np.arange(n), omega)) @ beta


def blur_matrix(side):
    taps = blur_taps()
    distance = np.abs(np.subtract.outer(np.arange(side), np.arange(side)))
    return np.where(distance < len(taps), taps[np.minimum(distance, len(taps) - 1)], 0)


def halving_matrix(side):
    rows = np.zeros((-(-side // 2), side))
    for i in range(2 * len(rows)):
        rows[i // 2, min(i, side - 1)] += 0.5
    return rows


def separably(matrix, planes, lib):
    down, along = (lib.asarray(matrix(side)) for side in planes.shape[1:])
    return down @ planes @ along.T


def linear(picture, lib):
    """Three planes of linear light."""
    v = picture.clip(0, 255) / 255
    light = lib.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    return light if len(light) == 3 else lib.stack([light[0]] * 3)


def positive_xyb(light, lib):
    bias = 0.0037930732552754493
    mixing = [[0.3, 0.622, 0.078], [0.23, 0.692, 0.078], [0.24342268924547819, 0.20476744424496821]]
    mixing[2].append(1 - sum(mixing[2]))
    long, middle, short = (
        (row[0] * light[0] + row[1] * light[1] + row[2] * light[2] + bias) ** (1 / 3)
        - bias ** (1 / 3)
        for row in mixing
    )
    x, y = (long - middle) / 2, (long + middle) / 2
    return lib.stack([14 * x + 0.42, y + 0.01, short - y + 0.55])


def norms(x, r, lib):
    """Of one scale's planes, for X, Y and B: 1- and 4-norm of three errors each, as lists."""
    mx, mr = separably(blur_matrix, x, lib), separably(blur_matrix, r, lib)
    xx, rr, xr = (separably(blur_matrix, p, lib) for p in (x * x, r * r, x * r))
    structure = (2 * (xr - mx * mr) + 0.0009) / ((xx - mx * mx) + (rr - mr * mr) + 0.0009)
    lacking = 1 - (1 - (mx - mr) ** 2) * structure
    edges = (1 + abs(x - mx)) / (1 + abs(r - mr)) - 1
    errors = [error.clip(0, None) for error in (lacking, edges, -edges)]
    return [
        [[e[c].mean() for e in errors], [fourth_root((e[c] ** 4).mean()) for e in errors]]
        for c in range(3)
    ]


def fourth_root(value):
    return value**0.25 if value > 0 else value


def total(decoded, reference, weights, lib=np):
    """The weighted sum that the score is made of; weights are ``(3, scales, 2, 3)``."""
    x, r = linear(decoded, lib), linear(reference, lib)
    found = 0.0
    for scale in range(weights.shape[1]):
        if scale:
            x, r = separably(halving_matrix, x, lib), separably(halving_matrix, r, lib)
        scale_norms = norms(positive_xyb(x, lib), positive_xyb(r, lib), lib)
        for index in np.ndindex(3, 2, 3):
            c, norm, error = index
            found = found + weights[c, scale, norm, error] * scale_norms[c][norm][error]
    return found


def weights_at(shape):
    return weights_for(scale_count(*shape[1:]))


@pytest.mark.parametrize("noise", [1, 5, 40])
@settings(deadline=None, max_examples=15)
@given(shape=SIZES)
def test_values_are_the_definition_at_any_size(noise, shape):
    check_value(shape, noise)


@pytest.mark.parametrize("shape", [(3, 270, 226), (3, 8, 300), (3, 257, 9), (1, 300, 16)])
def test_stripes_do_not_show(shape):
    check_value(shape, noise=12)


def check_value(shape, noise):
    reference, decoded = pair(shape, noise=noise)
    expected = total(decoded.astype(float), reference.astype(float), weights_at(shape))
    value = Ssimulacra2Error.of(reference).value(decoded)
    # Single precision makes errors of about 1e-5 where there are none.
    assert value == pytest.approx(
        expected * reference[0].size, rel=1e-3, abs=0.01 * reference[0].size
    )


def test_scores_are_those_of_all_published_weights():
    reference, decoded = pair((3, 232, 240))
    weights = WEIGHTS.ravel().copy()
    assert not weights[list(SMALL_WEIGHTS)].any()
    weights[list(SMALL_WEIGHTS)] = list(SMALL_WEIGHTS.values())
    assert np.count_nonzero(weights) == 52
    full = total(decoded.astype(float), reference.astype(float), weights.reshape(3, 6, 2, 3))
    assert ssimulacra2_scorer(reference)(decoded) == pytest.approx(score_of(full), abs=0.05)


def test_the_polynomial_is_the_published_one():
    assert score_of(0) == 100
    assert score_of(-1e-3) == 100
    t = 3 * 0.9562382616834844
    bent = 2.326765642916932 * t - 0.020884521182843837 * t**2 + 6.248496625763138e-05 * t**3
    assert score_of(3) == pytest.approx(100 - 10 * bent**0.6276336467831387)
    assert all(score_of(a) > score_of(b) for a, b in zip(range(1, 60), range(2, 60), strict=False))


@pytest.mark.skipif(not DATA.exists(), reason="the reference values are not here")
def test_scores_of_kodak_files_are_those_of_the_published_tool():
    lines = (DATA / "reference-metrics.tsv").read_text().splitlines()
    rows = csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t")
    apart = []
    for row in list(rows)[::13]:
        photo = PIL.Image.open(DATA / "kodak" / f"{row['picture']}.png").convert("RGB")
        decoded = compressed(
            photo, int(row["q"]), subsampling=row["subsampling"], optimize=True, progressive=True
        )
        if hashlib.sha256(decoded.tobytes()).hexdigest() == row["pixels_sha256"]:
            score = ssimulacra2_scorer(planes_of(np.asarray(photo)))(planes_of(decoded))
            apart.append(abs(score - float(row["ssimulacra2"])))
    if not apart:
        pytest.skip("this Pillow decodes other pixels")
    assert max(apart) < 0.005


def compressed(picture, quality, **options):
    sink = io.BytesIO()
    picture.save(sink, "JPEG", quality=quality, **options)
    return np.asarray(PIL.Image.open(sink))


@settings(deadline=None, max_examples=25)
@given(shape=SIZES, noise=st.sampled_from([5, 12, 25]))
def test_gradients_equal_autograd_at_any_size(shape, noise):
    check_gradient(shape, noise)


@pytest.mark.parametrize("shape", [(3, 150, 140), (3, 8, 300), (3, 257, 9), (1, 140, 16)])
def test_gradients_equal_autograd_across_stripes(shape):
    check_gradient(shape, noise=12)


def check_gradient(shape, noise):
    torch = pytest.importorskip("torch")
    reference, decoded = pair(shape, noise=noise)
    x = torch.tensor(decoded.astype(float), requires_grad=True)
    expected = total(x, torch.tensor(reference.astype(float)), weights_at(shape), torch)
    loss = Ssimulacra2Error.of(reference)
    value, gradient = loss.value_and_gradient(decoded)
    assert value == loss.value(decoded)
    assert gradient.shape == decoded.shape
    if not weights_at(shape).any():
        assert value == 0
        assert not gradient.any()
        return
    (expected * reference[0].size).backward()
    apart = np.linalg.norm(gradient - x.grad.numpy())
    assert apart <= 3e-3 * np.linalg.norm(x.grad.numpy())


@pytest.mark.parametrize("shape", [(3, 90, 70), (1, 20, 140), (3, 8, 11)])
def test_gradients_equal_finite_differences(shape):
    reference, decoded = pair(shape)
    loss = Ssimulacra2Error.of(reference)
    _, gradient = loss.value_and_gradient(decoded)
    direction = np.sign(gradient)
    ahead = loss.value(decoded + np.float32(0.0625) * direction)
    behind = loss.value(decoded - np.float32(0.0625) * direction)
    slope = np.vdot(gradient.astype(float), direction)
    assert (ahead - behind) / 0.125 == pytest.approx(slope, rel=1e-2)


@given(shape=SIZES)
def test_nothing_is_better_than_the_reference(shape):
    reference, _ = pair(shape)
    loss = Ssimulacra2Error.of(reference)
    value, gradient = loss.value_and_gradient(reference)
    assert value == 0
    assert np.isfinite(gradient).all()
    assert loss.score(reference) == 100


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_flat_pictures_have_finite_gradients(level):
    flat = np.full((3, 64, 80), level, np.float32)
    other = np.full((3, 64, 80), 40, np.float32)
    for reference, decoded in ((flat, other), (other, flat), (flat, flat)):
        value, gradient = Ssimulacra2Error.of(reference).value_and_gradient(decoded)
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()


def test_samples_count_as_far_as_they_are_shown():
    reference, decoded = pair((3, 40, 50))
    loss = Ssimulacra2Error.of(reference)
    bent = decoded + np.where(decoded > 128, 300, -300).astype(np.float32)
    value, gradient = loss.value_and_gradient(bent)
    assert value == loss.value(np.clip(bent, 0, 255))
    assert not gradient.any()


def test_worse_pictures_score_less():
    reference, _ = pair((3, 128, 150))
    score = ssimulacra2_scorer(reference)
    scores = [score(pair((3, 128, 150), noise=noise)[1]) for noise in (0.5, 2, 5, 10, 20, 40)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 90
    assert scores[-1] < 0


def test_pictures_too_small_to_judge_score_100():
    for shape in ((3, 1, 1), (3, 7, 300), (1, 90, 5)):
        reference, decoded = pair(shape, noise=40)
        assert ssimulacra2_scorer(reference)(decoded) == 100


def test_scales_are_as_many_as_the_published_tool_takes():
    counts = [scale_count(side, 500) for side in (7, 8, 14, 15, 28, 29, 56, 57, 112, 113, 500)]
    assert counts == [0, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]


def test_recursive_blurs_are_the_nine_taps():
    rng = np.random.default_rng(0)
    for height, width in ((1, 1), (3, 30), (40, 9), (70, 141)):
        first, second = rng.uniform(0, 1, (2, height, width)).astype(np.float32)
        along, both = np.empty_like(first), np.empty_like(first)
        for factor, product in ((None, first), (second, first * second)):
            _kernels.ssimulacra2_recursive_along(first, factor, 0, height, along)
            np.testing.assert_allclose(along, product @ blur_matrix(width), atol=1e-5)
        _kernels.ssimulacra2_recursive_across(along, 0, width, both)
        np.testing.assert_allclose(both, blur_matrix(height) @ along, atol=1e-5)


def test_any_number_of_threads_gives_the_same_bits():
    reference, decoded = pair((3, 300, 240))
    loss = Ssimulacra2Error.of(reference)
    value, gradient = loss.value_and_gradient(decoded)
    for threads in (2, 3):
        with Workers(threads) as workers:
            shared = Ssimulacra2Error.of(reference, workers)
            assert shared.score(decoded) == loss.score(decoded)
            other, other_gradient = shared.value_and_gradient(decoded)
        assert other == value
        np.testing.assert_array_equal(other_gradient, gradient)


def test_instruction_sets_give_the_same_bits():
    code = (
        "import sys, numpy as np\n"
        "from gradpress.distortion.ssimulacra2 import Ssimulacra2Error\n"
        "a, b = np.random.default_rng(0).uniform(0, 255, (2, 3, 133, 151)).astype(np.float32)\n"
        "x, loss = np.float32(0.8) * a + b / 5, Ssimulacra2Error.of(a)\n"
        "value, gradient = loss.value_and_gradient(x)\n"
        "sys.stdout.buffer.write(np.float64([value, loss.score(x)]).tobytes())\n"
        "sys.stdout.buffer.write(gradient.tobytes())\n"
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
    assert len(outputs.pop()) == 16 + 4 * 3 * 133 * 151


def test_memory_is_bounded():
    reference, decoded = pair((3, 400, 500))
    tracemalloc.start()
    try:
        Ssimulacra2Error.of(reference).value_and_gradient(decoded)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 150 * reference[0].size


def test_kernels_refuse_what_does_not_fit():
    planes, half = np.zeros((3, 8, 10), np.float32), np.zeros((3, 4, 5), np.float32)
    with pytest.raises(ValueError, match="components"):
        Ssimulacra2Error.of(np.zeros((2, 8, 10), np.float32))
    with pytest.raises(ValueError, match="half"):
        _kernels.ssimulacra2_halve(planes, 0, 4, planes)
    with pytest.raises(ValueError, match="rows"):
        _kernels.ssimulacra2_halve(planes, 0, 5, half)
    with pytest.raises(ValueError, match="reference"):
        _kernels.ssimulacra2_moments(half, planes[0], 0, 4, planes)
