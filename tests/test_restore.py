"""Deblocking: the smoothest picture within the intervals of quantisation."""

import io

import numpy as np
import PIL.Image
import pytest

import gradpress
from gradpress.image import read_image
from gradpress.jpeg.model import analyse
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.restore import Smoothness, deblocked, total_variation
from gradpress.source import origin_of
from gradpress.transform import forward_dct


def smooth_scene(height: int = 96, width: int = 120) -> np.ndarray:
    """Slow waves and one soft edge, where blocks show."""
    y, x = np.mgrid[:height, :width]
    planes = [x * 0.9 + 40, y * 1.1 + 60, 128 + 70 * np.tanh((x - y) / 6)]
    return np.clip(np.stack(planes, axis=-1), 0, 255).astype(np.uint8)


def saved(pixels: np.ndarray, quality: int, subsampling: int = 2) -> bytes:
    sink = io.BytesIO()
    PIL.Image.fromarray(pixels).save(sink, "JPEG", quality=quality, subsampling=subsampling)
    return sink.getvalue()


def test_total_variation_has_the_slope_it_says():
    rng = np.random.default_rng(0)
    plane = rng.normal(0, 5, (16, 24)).astype(np.float32)
    move = rng.normal(0, 1, plane.shape).astype(np.float32)
    _, slope = total_variation(plane)
    ahead, behind = (total_variation(plane + s * move)[0] for s in (0.02, -0.02))
    assert np.vdot(slope, move) == pytest.approx((ahead - behind) / 0.04, rel=1e-2)


def test_the_objective_has_the_slope_it_says_and_a_safe_rate():
    rng = np.random.default_rng(1)
    stored = forward_dct(rng.normal(0, 9, (24, 32)).astype(np.float32))
    steps = rng.integers(2, 30, 64).astype(np.uint8)
    objective = Smoothness(stored, steps, 3.0)
    at = stored + rng.normal(0, 1, stored.shape).astype(np.float32)
    here = objective.evaluate(at)
    move = rng.normal(0, 1, stored.shape).astype(np.float32)
    ahead, behind = (objective.evaluate(at + np.float32(s) * move).value for s in (0.02, -0.02))
    assert np.vdot(here.gradient, move) == pytest.approx((ahead - behind) / 0.04, rel=1e-2)
    downhill = at - np.float32(objective.rate) * here.gradient
    drop = 0.5 * objective.rate * float(np.vdot(here.gradient, here.gradient))
    assert objective.evaluate(downhill).value <= here.value - 0.99 * drop


def test_nothing_leaves_its_interval():
    rng = np.random.default_rng(2)
    stored = rng.normal(0, 50, (2, 3, 64)).astype(np.float32)
    steps = rng.integers(1, 40, 64).astype(np.uint8)
    moved = Smoothness(stored, steps, 1.0).prox(stored, rng.normal(0, 99, stored.shape), 1.0)
    assert (np.abs(moved - stored) <= steps / 2 + 1e-3).all()


@pytest.mark.parametrize("quality", [10, 30, 60])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_the_restored_picture_is_nearer_to_the_one_before(quality, subsampling):
    before = smooth_scene()
    image = read_image(saved(before, quality, subsampling))
    planes, said = deblocked(image)
    original = before.transpose(2, 0, 1).astype(np.float32)
    assert "restored" in said
    assert np.mean((planes - original) ** 2) < 0.9 * np.mean((image.planes - original) ** 2)


def test_the_restored_picture_is_quantised_to_the_same_file():
    image = read_image(saved(smooth_scene(), 30, 0))
    planes, _ = deblocked(image)
    layout = Layout(image.width, image.height, FACTORS["444"])
    known = origin_of(image, image.planes).components
    before, after = (analyse(each, layout) for each in (image.planes, planes))
    for i, (was, now) in enumerate(zip(before, after, strict=True)):
        rows, columns = image.height // 8, image.width // 8  # whole blocks
        moved = np.abs(now - was)[:rows, :columns].reshape(-1, 64) / known[i].steps
        assert np.quantile(moved, 0.999) <= 0.5 + 0.2  # but for rounding and clamping of colours


def test_other_pictures_are_left_as_they_are():
    pixels = smooth_scene()
    image = read_image(pixels)
    planes, said = deblocked(image)
    assert planes is image.planes
    assert "nothing was deblocked" in said


def test_compressing_what_was_deblocked():
    data = saved(smooth_scene(), 20)
    result = gradpress.compress(data, deblock=True, target="ssimulacra2=70")
    assert any("restored" in notice for notice in result.notices)
    assert result.bytes_after <= len(data)
    drawn = gradpress.compress(smooth_scene(), deblock=True, target="ssimulacra2=70")
    assert any("nothing was deblocked" in notice for notice in drawn.notices)
