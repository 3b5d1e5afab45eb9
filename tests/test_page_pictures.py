"""The images of a page: exact where it says so, and within their share."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest
from conftest import scene
from hypothesis import given
from hypothesis import strategies as st

from gradpress.maps import decoded_planes, error_range, luma_error, pooled, shrunk
from gradpress.page import pictures
from gradpress.page.colours import DARKER_LIGHTER, FEW_MANY, Scale


def test_a_scale_is_fair_at_both_ends():
    signed = Scale(-4.0, 4.0, DARKER_LIGHTER, "")
    low, zero, high = (
        np.frombuffer(bytes.fromhex(signed.colour(v)[1:]), np.uint8).astype(int) for v in (-9, 0, 9)
    )
    assert low[2] > low[0]
    assert high[0] > high[2]
    assert np.ptp(zero) <= 2
    assert zero.min() > 240
    luma = FEW_MANY @ [0.299, 0.587, 0.114]
    assert (np.diff(luma) >= 0).all()


def test_a_scale_draws_its_values():
    scale = Scale(0.0, 255.0, FEW_MANY, "")
    values = np.arange(256, dtype=np.float32).reshape(16, 16)
    with PIL.Image.open(io.BytesIO(scale.png(values))) as picture:
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")).reshape(-1, 3), FEW_MANY)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))
def test_cells_hold_the_means_of_their_values(height, width, side):
    values = np.random.default_rng(height * 10 + width).normal(0, 9, (height, width))
    values = values.astype(np.float32)
    means, roots = shrunk(values[None], side)[0], pooled(values, side)
    for row, column in np.ndindex(means.shape):
        cell = values[row * side : (row + 1) * side, column * side : (column + 1) * side]
        assert means[row, column] == pytest.approx(cell.mean(), abs=1e-4)
        assert abs(roots[row, column]) == pytest.approx(np.sqrt((cell**2).mean()), rel=1e-4)


def test_the_error_is_signed():
    grey = np.full((3, 8, 8), 100, np.float32)
    error = luma_error(grey, grey + np.float32(5))
    np.testing.assert_allclose(error, 5, atol=1e-4)
    assert error_range(error) == 6
    assert error_range(np.zeros((2, 2), np.float32)) == 2


def jpeg_of(pixels, **options):
    sink = io.BytesIO()
    PIL.Image.fromarray(pixels).save(sink, "JPEG", **options)
    return sink.getvalue()


def test_metadata_is_left_out_and_nothing_else():
    exif = PIL.Image.Exif()
    exif[0x010F] = "a camera that nobody needs to know of"
    profile = b"profile " * 20
    data = jpeg_of(scene(40, 60), exif=exif, icc_profile=profile, comment=b"a secret")
    shown = pictures.bare(data + b"a trailing movie")
    assert b"camera" not in shown
    assert b"secret" not in shown
    assert b"movie" not in shown
    np.testing.assert_array_equal(decoded_planes(shown), decoded_planes(data))
    with PIL.Image.open(io.BytesIO(shown)) as picture:
        assert picture.info["icc_profile"] == profile
    assert b"profile " not in pictures.bare(data, profile=False)


def sheets(pixels, quality=70):
    data = jpeg_of(pixels, quality=quality)
    original = np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32)
    decoded = decoded_planes(data)
    error = luma_error(original, decoded)
    height, width = pixels.shape[:2]
    bits = np.abs(error[::8, ::8]) + 1
    assert bits.shape == (-(-height // 8), -(-width // 8))
    return pictures.Sheets(
        original, decoded, error, bits, Scale(-8, 8, DARKER_LIGHTER, ""),
        Scale(0, 9, FEW_MANY, ""), None, data,
    )  # fmt: skip


def planes_of(layer):
    with PIL.Image.open(io.BytesIO(layer.data)) as picture:
        return np.asarray(picture.convert("RGB")).transpose(2, 0, 1).astype(np.float32)


def test_a_small_picture_is_shown_as_it_is():
    shown = sheets(scene(90, 130))
    (view,) = pictures.views(shown, 1_000_000)
    before, after, error, bits = view.layers
    np.testing.assert_array_equal(planes_of(before), shown.original)
    np.testing.assert_array_equal(planes_of(after), shown.decoded)
    assert after.data == shown.jpeg  # Pillow wrote no metadata
    assert (error.size, bits.size) == ((130, 90), (136, 96))


@pytest.mark.parametrize("most", [60_000, 150_000, 400_000, 900_000])
def test_images_keep_to_their_share(most):
    noise = np.random.default_rng(1).integers(0, 256, (700, 900, 3), np.uint8)
    views = pictures.views(sheets(noise), most)
    assert sum(view.bytes for view in views) <= 1.02 * most


def test_details_are_exact_and_apart():
    noise = np.random.default_rng(1).integers(0, 256, (700, 900, 3), np.uint8)
    noise[300:420, 500:600] //= 4
    shown = sheets(noise)
    overview, *details = pictures.views(shown, 700_000)
    assert (overview.width, overview.height) == (900, 700)
    assert [view.title for view in details] == list(pictures.DETAILS)
    places = []
    for view in details:
        before, after, *_ = view.layers
        part = planes_of(before)
        found = [
            (row, column)
            for row in range(0, 700 - view.height + 1, 8)
            for column in range(0, 900 - view.width + 1, 8)
            if np.array_equal(shown.original[:, row, column : column + view.width], part[:, 0])
        ]
        ((row, column),) = found
        window = slice(row, row + view.height), slice(column, column + view.width)
        np.testing.assert_array_equal(part, shown.original[:, *window])
        np.testing.assert_array_equal(planes_of(after), shown.decoded[:, *window])
        places.append((row, column, view.height, view.width))
    for i, (row, column, height, width) in enumerate(places):
        for other_row, other_column, *_ in places[i + 1 :]:
            assert abs(row - other_row) >= height or abs(column - other_column) >= width
