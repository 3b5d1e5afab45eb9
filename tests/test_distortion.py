"""Losses: values by their definition, gradients by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import scene
from hypothesis import given
from hypothesis import strategies as st

from gradpress.distortion import AbsoluteError, SquaredError, measured_squared_error, psnr
from gradpress.distortion.mse import LumaError
from gradpress.workers import Workers

PAIRS = st.tuples(st.integers(1, 9), st.integers(1, 40), st.integers(0, 2**32 - 1))


def pair(height, width, seed):
    rng = np.random.default_rng(seed)
    shape = (3, height, width)
    return rng.uniform(0, 255, shape).astype(np.float32), rng.uniform(0, 255, shape).astype(
        np.float32
    )


@given(PAIRS)
def test_values_are_the_definitions(size):
    decoded, reference = pair(*size)
    error = decoded.astype(float) - reference
    assert SquaredError(reference).value(decoded) == pytest.approx((error**2).sum(), rel=1e-5)
    assert AbsoluteError(reference).value(decoded) == pytest.approx(np.abs(error).sum(), rel=1e-5)
    luma = np.tensordot([0.299, 0.587, 0.114], error, 1)
    assert LumaError(reference).value(decoded) == pytest.approx((luma**2).sum(), rel=1e-5)
    grey = LumaError(reference[:1]).value(decoded[:1])
    assert grey == pytest.approx((error[0] ** 2).sum(), rel=1e-5)


@pytest.mark.parametrize("loss", [SquaredError, AbsoluteError, LumaError])
@given(size=PAIRS)
def test_gradients_equal_finite_differences(loss, size):
    decoded, reference = pair(*size)
    distortion = loss(reference)
    value, gradient = distortion.value_and_gradient(decoded)
    assert value == distortion.value(decoded)
    direction = np.sign(gradient)
    ahead = distortion.value(decoded + np.float32(0.125) * direction)
    behind = distortion.value(decoded - np.float32(0.125) * direction)
    kinks = 0.25 * np.count_nonzero(np.abs(decoded - reference) <= 0.125)
    slope = np.vdot(gradient.astype(float), direction)
    assert (ahead - behind) / 0.25 == pytest.approx(slope, rel=1e-3, abs=4 * kinks + 0.5)


@pytest.mark.parametrize("loss", [SquaredError, AbsoluteError, LumaError])
def test_nothing_is_better_than_the_reference(loss):
    picture = scene(20, 30).transpose(2, 0, 1).astype(np.float32)
    value, gradient = loss(picture).value_and_gradient(picture)
    assert value == 0
    assert not gradient.any()


def test_the_curvature_of_absolute_error_is_what_random_changes_see():
    rng = np.random.default_rng(0)
    reference = np.full((3, 300, 300), 128, np.float32)
    decoded = reference + rng.normal(0, 6, reference.shape).astype(np.float32)
    distortion = AbsoluteError(reference)
    change = rng.normal(0, 2, reference.shape).astype(np.float32)
    rise = (
        distortion.value(decoded + change) + distortion.value(decoded - change)
    ) / 2 - distortion.value(decoded)
    predicted = 0.5 * distortion.curvature(decoded) * (change.astype(float) ** 2).sum()
    assert rise == pytest.approx(predicted, rel=0.1)
    assert SquaredError(reference).curvature(decoded) == 2


def test_expected_curvature_agrees_with_the_measured_one_for_normal_errors():
    rng = np.random.default_rng(0)
    reference = np.full((3, 100, 100), 128, np.float32)
    decoded = reference + rng.normal(0, 7, reference.shape).astype(np.float32)
    distortion = AbsoluteError(reference)
    assert distortion.curvature_at(7) == pytest.approx(distortion.curvature(decoded), rel=0.03)


def test_measured_error_is_that_of_the_bytes_shown():
    picture = scene(45, 37)
    other = np.clip(picture.astype(int) + 3, 0, 255).astype(np.uint8)
    planes = picture.transpose(2, 0, 1).astype(np.float32).copy()
    expected = ((other.astype(float) - picture) ** 2).sum()
    with Workers(2) as workers:
        assert measured_squared_error(other, planes, workers) == expected
    assert measured_squared_error(other[..., 0].copy(), planes[:1]) == pytest.approx(
        ((other[..., 0].astype(float) - picture[..., 0]) ** 2).sum()
    )


@pytest.mark.parametrize("loss", [SquaredError, AbsoluteError])
def test_measured_values_are_those_of_the_same_picture_in_planes(loss):
    picture, other = scene(21, 17), scene(21, 17, seed=1)
    planes, shown = (p.transpose(2, 0, 1).astype(np.float32).copy() for p in (picture, other))
    assert loss(planes).measured(other) == pytest.approx(loss(planes).value(shown), rel=1e-6)


def test_psnr_of_known_errors():
    assert psnr(255.0**2 * 10, 10) == pytest.approx(0)
    assert psnr(10.0, 10) == pytest.approx(48.1308, abs=1e-4)
    assert psnr(0.0, 10) == 100
