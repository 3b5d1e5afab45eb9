"""Tables in files: what is written is read, hostile text is refused, foreign readers agree."""

from __future__ import annotations

import io
import json

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradpress.errors import UsageError
from gradpress.jpeg import qtables
from gradpress.jpeg.params import ZIGZAG
from gradpress.jpeg.qtables import Tables

STEPS = st.lists(st.integers(1, 255), min_size=64, max_size=64).map(
    lambda values: np.array(values, np.uint8)
)
TABLES = st.builds(Tables, st.integers(1, 100), STEPS, STEPS)


def same(ours, theirs):
    return (
        ours.quality == theirs.quality
        and np.array_equal(ours.luma, theirs.luma)
        and np.array_equal(ours.chroma, theirs.chroma)
    )


@given(st.lists(TABLES, min_size=1, max_size=4, unique_by=lambda each: each.quality))
def test_what_is_written_is_read(tmp_path_factory, tables):
    path = tmp_path_factory.mktemp("tables") / "tables.json"
    path.write_text(qtables.to_json(tables, {"seed": 0}))
    expected = sorted(tables, key=lambda each: each.quality)
    assert all(map(same, qtables.read(path), expected))


@pytest.mark.parametrize("quality", [5, 30, 50, 75, 92, 100])
def test_standard_tables_are_libjpegs(quality):
    sink = io.BytesIO()
    PIL.Image.new("RGB", (16, 16)).save(sink, "JPEG", quality=quality)
    with PIL.Image.open(sink) as picture:
        luma, chroma = (np.array(picture.quantization[slot])[ZIGZAG] for slot in (0, 1))
    np.testing.assert_array_equal(qtables.standard(quality), [luma, chroma])


@given(TABLES)
def test_pillow_takes_the_line(tables):
    image, sink = PIL.Image.new("RGB", (16, 16)), io.BytesIO()
    line = qtables.pillow_line(tables).replace('"photo.jpg"', 'sink, "JPEG"')
    exec(line, {"image": image, "sink": sink})
    with PIL.Image.open(sink) as picture:
        np.testing.assert_array_equal(np.array(picture.quantization[0])[ZIGZAG], tables.luma)
        np.testing.assert_array_equal(np.array(picture.quantization[1])[ZIGZAG], tables.chroma)


@given(TABLES)
def test_cjpegs_text_holds_both_tables_row_by_row(tables):
    text = qtables.cjpeg_text(tables)
    rows = [line for line in text.splitlines() if not line.startswith("#")]
    numbers = np.array([[int(word) for word in row.split()] for row in rows])
    assert numbers.shape == (16, 8)
    np.testing.assert_array_equal(numbers[:8].ravel()[ZIGZAG], tables.luma)
    np.testing.assert_array_equal(numbers[8:].ravel()[ZIGZAG], tables.chroma)


ENTRY = {"quality": 70, "luma": [1] * 64, "chroma": [255] * 64}


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "{}",
        "nonsense",
        "[" * 100_000,
        json.dumps({"schema": 2, "tables": [ENTRY]}),
        json.dumps({"schema": 1, "tables": []}),
        json.dumps({"schema": 1, "tables": [ENTRY | {"luma": [1] * 63}]}),
        json.dumps({"schema": 1, "tables": [ENTRY | {"luma": [0] * 64}]}),
        json.dumps({"schema": 1, "tables": [ENTRY | {"luma": [256] * 64}]}),
        json.dumps({"schema": 1, "tables": [ENTRY | {"luma": [1.5] * 64}]}),
        json.dumps({"schema": 1, "tables": [ENTRY | {"quality": True}]}),
        json.dumps({"schema": 1, "tables": 5}),
    ],
)
def test_what_is_no_file_of_tables_is_refused_by_name(tmp_path, document):
    path = tmp_path / "tables.json"
    path.write_text(document)
    with pytest.raises(UsageError, match=r"tables\.json"):
        qtables.read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        qtables.read(tmp_path / "nowhere.json")


@given(TABLES, TABLES, st.floats(2, 100))
def test_the_nearest_tables_are_taken(one, other, step):
    steps = [np.full(64, step)] * 3
    found = qtables.nearest((one, other), steps, scaled=False)
    away = [abs(np.log(each.luma).mean() - np.log(step)) for each in (one, other)]
    chosen = (one, other)[int(np.argmin(away))]
    np.testing.assert_allclose(found[0], chosen.luma)
    np.testing.assert_allclose(found[2], chosen.chroma)
    for table in qtables.nearest((one, other), steps, scaled=True):
        assert np.log(table).mean() == pytest.approx(np.log(step))
