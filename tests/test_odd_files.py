"""Files with odd properties: valid ones are read whole, broken ones are refused in one line."""

import re
import time
import warnings
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from gradpress.batches import batch
from gradpress.batches.batch import Ended, Means
from gradpress.batches.inputs import Gathering, Search, gather
from gradpress.batches.outputs import Placing, plan
from gradpress.batches.worker import Job
from gradpress.errors import GradpressError
from gradpress.image import read_image

ODD = Path(__file__).parents[2] / "shared" / "data" / "odd"
ROW = re.compile(
    r"\| (\S.*?/.*?) \|.*\| (opens \w+ \((\d+), (\d+)\) (\S+)|fails.*) \|$", re.MULTILINE
)
PLAIN = ("1", "L", "LA", "P", "RGB", "RGBA")
STRICTER = ("pngsuite/xcsn0g01.png",)
"""Pillow opens it, but a checksum is wrong."""
XMP_ORIENTED = "png/xmp_tags_orientation.png"
"""Pillow turns it as its XMP says; viewers heed EXIF only."""
TOLERANCE = {"tiff/tiff_16bit_RGBa.tiff": 3}
"""Samples; elsewhere 1, as Pillow rounds. Here it divides by alpha at 8 bits."""


def table():
    """(path, width, height, mode) of each file; no size for those that cannot be opened."""
    readme = ODD / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    return [(row[1].strip(), row[3], row[4], row[5]) for row in ROW.finditer(text)]


VALID = [row for row in table() if row[1] and row[0] not in STRICTER]
BROKEN = [row[0] for row in table() if not row[1] or row[0] in STRICTER]

pytestmark = pytest.mark.skipif(not VALID, reason="the folder of odd files is not here")


def names(rows):
    return [row if isinstance(row, str) else row[0] for row in rows]


def shown_by_pillow(path):
    """Pillow's own upright 8-bit picture on white, ``(H, W, 3)``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with PIL.Image.open(path) as picture:
            upright = PIL.ImageOps.exif_transpose(picture).convert("RGBA")
    white = PIL.Image.new("RGBA", upright.size, "white")
    return np.asarray(PIL.Image.alpha_composite(white, upright).convert("RGB"))


@pytest.mark.parametrize(("name", "width", "height", "mode"), VALID, ids=names(VALID))
def test_valid_files_are_read_in_their_size_and_colours(name, width, height, mode):
    image = read_image(ODD / name)
    sizes = {(int(width), int(height)), (int(height), int(width))}
    assert (image.width, image.height) in sizes
    assert image.planes.dtype == np.float32
    assert 0 <= image.planes.min() <= image.planes.max() <= 255
    if mode in PLAIN and name != XMP_ORIENTED:
        shown = shown_by_pillow(ODD / name)
        assert shown.shape[:2] == (image.height, image.width)
        difference = np.moveaxis(image.planes, 0, 2) - shown
        assert np.abs(difference).max() <= TOLERANCE.get(name, 1) + 0.01


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_in_one_line_and_at_once(name):
    start = time.perf_counter()
    with pytest.raises(GradpressError) as error:
        read_image(ODD / name)
    assert time.perf_counter() - start < 5
    assert str(error.value).startswith(str(ODD / name))
    assert "\n" not in str(error.value)


def test_16_bit_png_agrees_with_libpng_in_all_bits():
    codecs = pytest.importorskip("imagecodecs")
    paths = [*sorted((ODD / "pngsuite").glob("*16.png")), ODD / "png/monkey16.png"]
    assert len(paths) > 10
    for path in paths:
        pixels = codecs.png_decode(path.read_bytes()).astype(float)
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        if pixels.shape[2] in (2, 4):
            share = pixels[..., -1:] / 65535
            pixels = pixels[..., :-1] * share + 65535 * (1 - share)
        planes = np.moveaxis(pixels, 2, 0) * 255 / 65535
        np.testing.assert_allclose(read_image(path).planes, planes, atol=1e-4, err_msg=path.name)


def test_a_batch_gives_each_odd_file_its_due(tmp_path, monkeypatch):
    """Those that are quickly done: all that are broken, and some that are not."""
    monkeypatch.chdir(tmp_path)
    folders = [str(ODD / name) for name in ("broken", "notimage", "bomb")]
    found = gather(folders, Gathering(recursive=True), Search())
    job = Job({"effort": 1, "threads": 1, "max_pixels": 10**8, "loss": "mse"})
    events = batch.parallel(plan(found, Placing("out")), job, Means(jobs=2), lambda: False)
    ended = [event.record for event in events if isinstance(event, Ended)]
    records = {Path(record.input).relative_to(ODD).as_posix(): record for record in ended}
    assert len(records) > 40
    valid = {name: (int(width), int(height)) for name, width, height, _ in VALID}
    for name, record in records.items():
        if name in valid:
            assert record.status in {"compressed", "passed-through", "goal-unreachable"}, record
            with PIL.Image.open(record.output) as picture:
                assert picture.format == "JPEG"
                assert sorted(picture.size) == sorted(valid[name])
        else:
            assert (name in BROKEN, record.status, record.output) == (True, "failed", None)
            assert record.reason
