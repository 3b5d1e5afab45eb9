"""Limits of time and least savings in the library: early ends keep every promise but the best."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

import gradpress
from gradpress.descent import Stop
from gradpress.errors import UsageError
from gradpress.result import Status
from tests.conftest import png, scene

HURRY = 1e-6


@pytest.mark.parametrize("loss", ["perceptual", "mse"])
def test_when_the_time_is_up_a_measured_file_is_given(photo, loss):
    snapshots = list(gradpress.steps(photo, effort=9, loss=loss, time_limit=HURRY))
    patient = sum(1 for _ in gradpress.steps(photo, effort=3, loss=loss))
    assert len(snapshots) < patient
    assert snapshots[-1].measured is not None
    result = snapshots[-1].best
    assert result.solution.stop is Stop.TIME_LIMIT
    with PIL.Image.open(io.BytesIO(result.data)) as picture:
        assert np.asarray(picture).shape == photo.shape
    if result.status is Status.UNREACHABLE:
        assert "the time was up" in result.reason
    else:
        assert result.metrics["ssimulacra2"] >= 80


def test_a_size_is_kept_however_little_time_there_is(photo):
    for size in (1500, 4000):
        result = gradpress.compress(photo, effort=9, target_size=size, time_limit=HURRY)
        assert len(result.data) <= size
    both = gradpress.compress(
        photo, effort=5, target="ssimulacra2=90", target_size=1500, time_limit=HURRY
    )
    assert len(both.data) <= 1500


def test_enough_time_changes_nothing(photo):
    free = gradpress.compress(photo, effort=2)
    bound = gradpress.compress(photo, effort=2, time_limit="10m")
    assert free.data == bound.data
    assert bound.solution.stop is Stop.CONVERGED


def jpeg(quality):
    sink = io.BytesIO()
    PIL.Image.fromarray(scene(48, 64)).save(sink, "JPEG", quality=quality)
    return sink.getvalue()


def test_a_jpeg_that_would_save_too_little_is_passed_through():
    original = jpeg(98)
    shrunk = gradpress.compress(original, effort=1)
    assert shrunk.status is Status.COMPRESSED
    saved = 1 - len(shrunk.data) / len(original)
    assert gradpress.compress(original, effort=1, min_savings=saved - 0.01).data == shrunk.data
    kept = gradpress.compress(original, effort=1, min_savings=f"{100 * saved + 1:.2f}%")
    assert kept.status is Status.PASSED_THROUGH
    assert kept.data == original


def test_savings_count_for_nothing_where_a_size_or_a_jpeg_is_to_be_made():
    original = jpeg(98)
    size = len(original) - 10
    assert len(gradpress.compress(original, target_size=size, min_savings=0.9).data) <= size
    picture = png(scene(48, 64))
    assert gradpress.compress(picture, effort=1, min_savings=0.99).status is Status.COMPRESSED


@pytest.mark.parametrize("options", [{"time_limit": 0}, {"time_limit": "x"}, {"min_savings": 1}])
def test_limits_out_of_range_are_refused(photo, options):
    with pytest.raises(UsageError):
        gradpress.compress(photo, **options)
