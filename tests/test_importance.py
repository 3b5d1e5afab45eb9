"""Importance: the weighted loss and its gradient, masks, and what they do to files."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner
from conftest import png, scene

import gradpress
from gradpress import bands
from gradpress.commands.cli import main
from gradpress.distortion import SquaredError, StructuralError
from gradpress.distortion.blend import Blend
from gradpress.distortion.importance import Important, emphasised, read_importance
from gradpress.distortion.recipes import PERCEPTUAL
from gradpress.errors import UsageError
from gradpress.jpeg.model import planes_of
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.jpeg.visibility import Sight, visibility
from gradpress.workers import SERIAL


@pytest.fixture(scope="module")
def photo():
    """A part of the example picture."""
    with PIL.Image.open("examples/coffee.png") as picture:
        return np.asarray(picture.convert("RGB"))[100:260, 150:350].copy()


def half_mask(height, width):
    """White on the left, black on the right."""
    mask = np.zeros((height, width), np.uint8)
    mask[:, : width // 2] = 255
    return mask


def errors(original, data):
    """Mean squared errors of the left half and of the right half."""
    with PIL.Image.open(io.BytesIO(data)) as picture:
        shown = np.asarray(picture.convert("RGB")).astype(float)
    square = np.square(shown - original)
    middle = original.shape[1] // 2
    return square[:, :middle].mean(), square[:, middle:].mean()


def test_squared_error_becomes_the_weighted_sum():
    reference, decoded = (planes_of(scene(20, 30, seed)) // 2 + 60 for seed in (0, 1))
    weights = np.random.default_rng(0).uniform(0, 1.5, (20, 30)).astype(np.float32)
    blend = emphasised(Blend(((1.0, SquaredError(reference)),)), reference, weights)
    expected = float((weights * (decoded - reference).astype(float) ** 2).sum())
    value, gradient = blend.value_and_gradient(decoded)
    assert value == blend.value(decoded) == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(gradient, 2 * weights * (decoded - reference), rtol=1e-3, atol=1e-2)


def test_the_gradient_is_that_of_the_value_with_any_loss():
    reference = planes_of(scene(24, 32)) / 2 + 60
    rng = np.random.default_rng(5)
    weights = rng.uniform(0.1, 2, (24, 32)).astype(np.float32)
    loss = Important(StructuralError.of(reference), reference, np.sqrt(weights))
    decoded = reference + rng.normal(0, 4, reference.shape).astype(np.float32)
    direction = rng.normal(0, 1, reference.shape).astype(np.float32)
    _, gradient = loss.value_and_gradient(decoded)
    ahead, behind = (
        loss.value(decoded + s * direction) for s in (np.float32(0.1), -np.float32(0.1))
    )
    assert (ahead - behind) / 0.2 == pytest.approx(float(np.vdot(gradient, direction)), rel=0.02)


def test_even_importance_changes_nothing():
    reference, decoded = (planes_of(scene(20, 30, seed)) for seed in (0, 1))
    blend = Blend(((1.0, SquaredError(reference)),))
    assert emphasised(blend, reference, None) is blend
    even = emphasised(blend, reference, np.ones((20, 30), np.float32))
    assert even.value(decoded) == pytest.approx(blend.value(decoded), rel=1e-6)


def test_the_quantiser_goes_by_the_means_of_blocks():
    planes = np.full((3, 32, 64), 128, np.float32)
    weights = np.random.default_rng(1).uniform(0.1, 3, (32, 64)).astype(np.float32)
    layout = Layout(64, 32, FACTORS["420"])
    plain = visibility(planes, layout, Sight())
    weighed = visibility(planes, layout, Sight(), SERIAL, weights)
    for i, size in enumerate((8, 16, 16)):
        means = weights.reshape(32 // size, size, 64 // size, size).mean(axis=(1, 3))
        np.testing.assert_allclose(weighed.strengths[i], plain.strengths[i] * means, rtol=1e-3)


def test_white_counts_four_times_and_black_a_quarter():
    mask = np.full((4, 6), 128, np.uint8)
    mask[0], mask[1] = 255, 0
    weights = read_importance(mask, 6, 4, 1000)
    assert weights.mean() == pytest.approx(1, rel=1e-6)
    assert weights[0, 0] / weights[2, 0] == pytest.approx(4, rel=0.01)
    assert weights[1, 0] / weights[2, 0] == pytest.approx(1 / 4, rel=0.01)
    colour = np.repeat(mask[..., np.newaxis], 3, axis=2)
    np.testing.assert_allclose(read_importance(colour, 6, 4, 1000), weights, rtol=1e-5)
    direct = read_importance(np.array([[1.0, 3.0]]), 2, 1, 1000)
    np.testing.assert_allclose(direct, [[0.5, 1.5]])


@pytest.mark.parametrize("loss", ["perceptual", "butteraugli", "ssim", "mse", "mae"])
def test_at_equal_bytes_what_matters_gets_better_and_the_rest_worse(photo, loss):
    mask = half_mask(*photo.shape[:2])
    options = {"target_size": 5000, "effort": 3, "loss": loss}
    plain = errors(photo, gradpress.compress(photo, **options).data)
    result = gradpress.compress(photo, importance=mask, **options)
    weighed = errors(photo, result.data)
    assert 0.97 * 5000 < len(result.data) <= 5000
    assert weighed[0] < 0.8 * plain[0]
    assert weighed[1] > 1.2 * plain[1]
    flipped = errors(photo, gradpress.compress(photo, importance=255 - mask, **options).data)
    assert flipped[0] > weighed[0]
    assert flipped[1] < weighed[1]


def test_a_part_of_no_importance_is_dropped_and_goals_are_met_as_ever(photo):
    weights = np.ones(photo.shape[:2])
    weights[:, 104:] = 0
    small = gradpress.compress(photo, importance=weights, lagrangian=30.0, effort=2)
    left, right = errors(photo, small.data)
    assert right > 10 * left
    mask = half_mask(*photo.shape[:2])
    result = gradpress.compress(photo, importance=mask, target="ssimulacra2=70", effort=2)
    assert result.metrics["ssimulacra2"] >= 70


@pytest.mark.parametrize("effort", [1, 2])
def test_mosaics_and_bands_take_their_part_of_the_mask(photo, effort, monkeypatch):
    big = np.tile(photo, (4, 4, 1))
    mask = half_mask(*big.shape[:2])
    options = {"target": "psnr=30", "effort": effort}
    plain = errors(big, gradpress.compress(big, importance=mask, **options).data)
    assert plain[0] < 0.7 * plain[1]
    monkeypatch.setattr("gradpress.job.BIG", 1 << 18)
    monkeypatch.setattr(bands, "BAND_PIXELS", 1 << 17)
    banded = errors(big, gradpress.compress(big, importance=mask, **options).data)
    assert banded[0] < 0.7 * banded[1]


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.zeros((160, 200), np.uint8), "0 everywhere"),
        (np.zeros((160, 200)), "0 everywhere"),
        (np.full((10, 20), 200, np.uint8), "20 x 10 pixels, the picture 200 x 160"),
        (np.full((160, 200), -1.0), "from 0 on"),
        (np.full((160, 200), np.nan), "from 0 on"),
        (np.ones((160, 200, 3)), r"\(H, W\)"),
    ],
)
def test_masks_that_cannot_be_are_refused(photo, mask, words):
    with pytest.raises(UsageError, match=words):
        gradpress.compress(photo, importance=mask)


def test_the_command_line_takes_a_mask(photo, tmp_path):
    (tmp_path / "a.png").write_bytes(png(photo))
    (tmp_path / "mask.png").write_bytes(png(half_mask(*photo.shape[:2])))
    command = [str(tmp_path / "a.png"), "-e", "2", "--target-size", "5000", "--importance"]
    done = CliRunner().invoke(main, [*command, str(tmp_path / "mask.png")])
    assert done.exit_code == 0, done.output
    left, right = errors(photo, (tmp_path / "a.jpg").read_bytes())
    assert left < right
    missing = CliRunner().invoke(main, [*command, str(tmp_path / "absent.png"), "-o", "b.jpg"])
    assert missing.exit_code != 0
    assert "absent.png" in missing.output


class OfEdges:
    """A loss in plain NumPy: squared error of differences between neighbours."""

    def __init__(self, scale=1.0, twist=lambda gradient: gradient):
        self.scale, self.twist, self.asked = scale, twist, 0

    def prepare(self, reference):
        self.reference = reference
        return self

    def value(self, decoded):
        return self.value_and_gradient(decoded)[0]

    def value_and_gradient(self, decoded):
        self.asked += 1
        error = (decoded - self.reference).astype(float)
        steps = np.diff(error, axis=2)
        gradient = np.zeros_like(error)
        gradient[..., 1:] += 2 * steps
        gradient[..., :-1] -= 2 * steps
        return self.scale * float(np.square(steps).sum()), self.twist(self.scale * gradient)


def test_a_loss_in_plain_numpy_is_descended_on(photo):
    def of_edges(data):
        with PIL.Image.open(io.BytesIO(data)) as picture:
            shown = planes_of(np.asarray(picture.convert("RGB")))
        return OfEdges().prepare(planes_of(photo)).value(shown)

    own = OfEdges()
    options = {"target_size": 5000, "effort": 4}
    result = gradpress.compress(photo, loss=own, **options)
    assert own.asked > 5
    assert of_edges(result.data) < of_edges(gradpress.compress(photo, **options).data)
    scaled = gradpress.compress(photo, loss=OfEdges(2.0**-20), **options)
    assert scaled.data == result.data


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (OfEdges(-1.0), "less for a better picture"),
        (OfEdges(float("inf")), "finite"),
        (OfEdges(0.0), "does not see"),
        (OfEdges(1.0, lambda gradient: gradient[:1]), "shape"),
        (OfEdges(1.0, lambda gradient: gradient * np.nan), "not finite"),
        (7, "neither known by name"),
        ("nowhere:loss", "cannot be imported"),
        ("math:absent", "has no 'absent'"),
        ("math:pi", "neither known by name"),
        ("vibes", "choose from"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_is_amiss_with_a_loss_is_said(photo, loss, words):
    with pytest.raises(gradpress.GradpressError, match=words):
        gradpress.compress(photo[:48, :48], loss=loss, effort=2)


def test_the_default_loss_has_nobody_elses_share():
    assert PERCEPTUAL.own is None
    assert PERCEPTUAL.brought == 0
