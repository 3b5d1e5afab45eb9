"""Large pictures in bands: the bands tile the picture, scores are the whole's, goals are kept."""

from __future__ import annotations

import itertools

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradpress
from gradpress import bands, job
from gradpress.jpeg import model
from gradpress.jpeg.model import planes_of
from gradpress.jpeg.params import FACTORS, Layout, Symbols
from gradpress.metrics import METRICS, metric
from gradpress.result import Status
from gradpress.studio import TILE, mosaic
from gradpress.workers import SERIAL


@pytest.fixture(scope="module")
def photo():
    """The example picture, high enough for several bands."""
    with PIL.Image.open("examples/coffee.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return np.concatenate([pixels, pixels[::-1], pixels])


@pytest.fixture
def small_bands(monkeypatch):
    """Take even small pictures in bands."""
    monkeypatch.setattr(bands, "BAND_PIXELS", 1 << 17)
    monkeypatch.setattr(job, "BIG", 1 << 18)


@given(st.integers(1, 65_535), st.integers(1, 65_535))
def test_bands_tile_the_picture(height, width):
    spans = bands.bands(height, width)
    assert spans[0][0] == 0
    assert spans[-1][1] == height
    assert all(end == begin for (_, end), (begin, _) in itertools.pairwise(spans))
    assert all(begin % bands.GRAIN == 0 and begin < end for begin, end in spans)
    if len(spans) > 1:
        assert min(end - begin for begin, end in spans) >= bands.LEAST_ROWS // 2


@pytest.mark.parametrize("name", [each.name for each in METRICS])
def test_scores_by_bands_are_near_those_of_the_whole(photo, small_bands, name):
    rng = np.random.default_rng(0)
    shown = np.clip(photo + rng.normal(0, 6, photo.shape), 0, 255).astype(np.uint8)
    each = metric(name)
    whole = each.prepare(planes_of(photo), SERIAL)(planes_of(shown))
    parts = bands.scored(each, planes_of(photo), lambda b, e: shown[b:e], SERIAL)
    if name == "ssimulacra2":
        assert whole - 2 * bands.DOUBT < parts <= whole
    else:
        assert parts == pytest.approx(whole, rel=0.02)


@pytest.mark.parametrize("subsampling", ["420", "422", "444", "grey"])
def test_cut_levels_decode_to_the_rows(subsampling):
    layout = Layout(48, 200, FACTORS[subsampling])
    rng = np.random.default_rng(1)
    count = len(layout.factors)
    levels = tuple(
        rng.integers(-3, 4, (*layout.blocks(i), 64)).astype(np.int16) for i in range(count)
    )
    symbols = Symbols(layout, (np.full(64, 9, np.uint8),) * count, levels)
    whole = model.decode(symbols)
    for begin, end in ((0, 64), (64, 128), (128, 200)):
        rows = model.decode(bands.cut(symbols, begin, end))
        inner = slice(1 if begin else 0, -1 if end < 200 else None)  # chroma looks a row beyond
        np.testing.assert_array_equal(rows[inner], whole[begin:end][inner])


@pytest.mark.parametrize("effort", [1, 2])
def test_a_quality_is_kept(photo, small_bands, effort):
    result = gradpress.compress(photo, target="ssimulacra2=60", effort=effort)
    assert result.status is Status.COMPRESSED
    scorer = metric("ssimulacra2").prepare(planes_of(photo), SERIAL)
    assert 60 <= scorer(planes_of(np.asarray(result.image))) < 60.6


def test_a_size_is_kept(photo, small_bands):
    result = gradpress.compress(photo, target_size=60_000, effort=1)
    assert 0.93 * 60_000 <= result.bytes_after <= 60_000


def test_a_mosaic_shows_tiles_of_the_picture():
    planes = np.arange(1024 * 1536, dtype=np.float32).reshape(1, 1024, 1536)
    shown = mosaic(planes)
    assert shown.size < planes.size / 4
    for row in range(0, shown.shape[1], TILE):
        for column in range(0, shown.shape[2], TILE):
            tile = shown[0, row : row + TILE, column : column + TILE]
            y, x = divmod(int(tile[0, 0]), 1536)
            np.testing.assert_array_equal(tile, planes[0, y : y + TILE, x : x + TILE])
            assert y % 16 == 0
            assert x % 16 == 0


def test_small_pictures_are_their_own_mosaic():
    planes = np.zeros((3, 300, 400), np.float32)
    assert mosaic(planes) is planes
