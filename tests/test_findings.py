"""What a file's coefficients say: bits, tables, and signs of an earlier compression."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from conftest import scene
from jpeg_files import by_pillow, random_symbols

from gradpress.findings import find, tables_text, text
from gradpress.inspect import inspect
from gradpress.jpeg.decoder import decode
from gradpress.jpeg.earlier import earlier
from gradpress.jpeg.families import family
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.jpeg.reader import read
from gradpress.jpeg.writer import write

KODAK = Path(__file__).parents[2] / "shared" / "data" / "kodak"


def table_of(data):
    return read(data).steps[0].steps


@pytest.mark.parametrize("quality", [5, 30, 49, 50, 75, 92, 99])
def test_libjpegs_tables_are_recognised(quality):
    found = family(table_of(by_pillow(quality=quality)))
    assert (found.name, found.setting) == ("libjpeg's", f"quality {quality}")


@pytest.mark.parametrize(("table", "name"), [(2, "mozjpeg's table 2"), (3, "mozjpeg's default")])
@pytest.mark.parametrize("quality", [10, 30, 49, 75, 92])
def test_mozjpegs_tables_are_recognised(quality, table, name):
    pyvips = pytest.importorskip("pyvips")
    picture = pyvips.Image.new_from_array(scene(16, 16))
    found = family(table_of(picture.write_to_buffer(".jpg", Q=quality, quant_table=table)))
    assert (found.name, found.setting) == (name, f"quality {quality}")


@pytest.mark.parametrize("quality", [30, 50, 75, 85, 95])
def test_jpeglis_tables_are_recognised(quality):
    pyjpegli = pytest.importorskip("pyjpegli")
    found = family(table_of(pyjpegli.encode(scene(16, 16).tobytes(), 16, 16, quality)))
    distance = 0.1 + 0.09 * (100 - quality)
    assert found.name == "jpegli's 4:2:0"
    assert found.setting == f"distance {distance:.2f}, quality {quality}"


def test_flat_and_own_tables_are_told_apart():
    assert family((7,) * 64).setting == "step 7"
    rng = np.random.default_rng(0)
    assert family(tuple(rng.integers(2, 200, 64).tolist())) is None


def test_bits_by_frequency_make_up_the_scans():
    layout = Layout(100, 70, FACTORS["420"])
    symbols = random_symbols(layout, np.random.default_rng(1))
    for progressive in (False, True):
        written = write(symbols, progressive=progressive)
        found = find(read(written.data), ("Y", "Cb", "Cr"))
        assert sum(spent.bits for spent in found.spent) == sum(written.scan_bits)
        for spent in found.spent:
            assert spent.bits == spent.ends + sum(map(sum, spent.by_frequency))


def test_bits_are_put_down_to_the_coefficient_that_takes_them():
    layout = Layout(64, 64, FACTORS["grey"])
    symbols = random_symbols(layout, np.random.default_rng(1), density=0)
    symbols.levels[0][..., 0] = 0
    symbols.levels[0][..., 5] = 3  # row 0, column 2 is zigzag position 5
    for progressive in (False, True):
        (spent,) = find(read(write(symbols, progressive=progressive).data), ("Y",)).spent
        rows = np.array(spent.by_frequency)
        rows[0, 0] = 0
        assert np.argwhere(rows).tolist() == [[0, 2]]
        assert rows[0, 2] >= 3 * 64


def test_standard_huffman_tables_are_told_from_optimal_ones():
    assert "in the standard" in tables_text(find(read(by_pillow()), ("Y", "Cb", "Cr")))
    optimal = find(read(by_pillow(optimize=True)), ("Y", "Cb", "Cr"))
    assert tables_text(optimal) == "libjpeg's, quality 75; Huffman its own"


def judged(data):
    found = decode(data)
    return earlier(found.own_levels(0), found.steps[0])


def pictures():
    """Photographs if they are at hand, else drawn ones."""
    paths = sorted(KODAK.glob("*.png"))[::5] if KODAK.is_dir() else []
    for path in paths:
        with PIL.Image.open(path) as picture:
            yield np.asarray(picture.crop((100, 100, 356, 356)))
    if not paths:
        yield scene(256, 256)


@pytest.mark.parametrize(("first", "second"), [(50, 75), (60, 90), (75, 95), (70, 85)])
def test_an_earlier_compression_is_found_with_its_quality(first, second):
    for pixels in pictures():
        with PIL.Image.open(io.BytesIO(by_pillow(pixels, quality=first))) as once:
            found = judged(by_pillow(np.asarray(once), quality=second))
        assert found is not None
        assert abs(found.quality - first) <= 2


@pytest.mark.parametrize("quality", [50, 75, 85, 95])
def test_a_picture_compressed_once_shows_no_earlier_compression(quality):
    for pixels in pictures():
        assert judged(by_pillow(pixels, quality=quality)) is None


def test_inspection_tells_it_all():
    with PIL.Image.open(io.BytesIO(by_pillow(scene(256, 256), quality=50))) as once:
        lines = list(text(inspect(by_pillow(np.asarray(once), quality=90)).findings))
    assert "earlier compression" in lines[0]
    assert sum(line.startswith("  bits of ") for line in lines) == 3


def test_what_cannot_be_decoded_is_still_described():
    data = by_pillow(quality=60)
    at = data.index(b"\xff\xc0")
    found = inspect(data[:at] + b"\xff\xc9" + data[at + 2 :])
    assert found.findings.spent == ()
    assert "arithmetic" in found.findings.damage[0]
    cut = inspect(data[: len(data) * 2 // 3])
    assert any("near byte" in damage for damage in cut.findings.damage)
    assert sum(spent.bits for spent in cut.findings.spent) > 0
