"""Pillow's plug-in: what ``save`` takes is honoured or refused, and nothing else changes."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
from PIL import ExifTags, JpegImagePlugin

from gradpress import compare, pillow
from gradpress.errors import UsageError
from gradpress.image import read_image
from gradpress.metrics import METRICS
from tests.conftest import scene

PIXELS = scene(40, 56)


@pytest.fixture(autouse=True)
def registered():
    pillow.register()
    yield
    PIL.Image.SAVE.pop(pillow.FORMAT)
    PIL.Image.MIME.pop(pillow.FORMAT)


def written(image=None, **options):
    """Save at effort 1."""
    sink = io.BytesIO()
    image = image or PIL.Image.fromarray(PIXELS)
    image.save(sink, format="GRADPRESS", **{"effort": 1} | options)
    return sink.getvalue()


def saved(image=None, **options):
    """Save, and read with Pillow."""
    return PIL.Image.open(io.BytesIO(written(image, **options)))


def ssimulacra2(picture):
    decoded = read_image(picture)
    found = compare.compare(read_image(PIXELS), decoded, METRICS[:1], names=("a", "b"))
    return next(iter(found.scores.values()))


def test_a_target_is_reached(tmp_path):
    path = tmp_path / "a.jpg"
    PIL.Image.fromarray(PIXELS).save(path, format="GRADPRESS", target="ssimulacra2=75", effort=1)
    with PIL.Image.open(path) as picture:
        assert (picture.format, picture.size) == ("JPEG", (56, 40))
        assert 75 <= ssimulacra2(picture) < 80


def test_jpeg_stays_pillows_own_and_the_suffix_too(tmp_path):
    assert PIL.Image.SAVE["JPEG"] is JpegImagePlugin._save
    PIL.Image.fromarray(PIXELS).save(tmp_path / "a.jpg", quality=75)
    sink = io.BytesIO()
    PIL.Image.fromarray(PIXELS).save(sink, "JPEG", quality=75)
    assert (tmp_path / "a.jpg").read_bytes() == sink.getvalue()


def test_quality_is_that_of_ordinary_jpeg():
    ordinary = io.BytesIO()
    PIL.Image.fromarray(PIXELS).save(ordinary, "JPEG", quality=60)
    ours = written(quality=60)
    assert ssimulacra2(ours) >= ssimulacra2(ordinary.getvalue()) - 0.01
    assert len(ours) < len(ordinary.getvalue())


@pytest.mark.parametrize(
    ("wanted", "number"), [(0, 0), ("4:2:2", 1), ("4:2:0", 2), ("4:1:1", 2), (2, 2)]
)
def test_subsampling(wanted, number):
    assert JpegImagePlugin.get_sampling(saved(subsampling=wanted, target="psnr=20")) == number


def test_the_subsampling_of_a_jpeg_is_kept():
    sink = io.BytesIO()
    PIL.Image.fromarray(PIXELS).save(sink, "JPEG", subsampling="4:2:2")
    with PIL.Image.open(sink) as image:
        assert JpegImagePlugin.get_sampling(saved(image, subsampling="keep", target="psnr=20")) == 1


def test_progressive():
    assert saved(progressive=True).info.get("progressive") == 1
    assert "progressive" not in saved(progressive=False).info


def test_tables_are_used_as_they_are():
    luma, chroma = list(range(1, 65)), [20] * 64
    found = saved(qtables=[luma, chroma], target="psnr=30").quantization
    assert [list(found[0]), list(found[1])] == [luma, chroma]
    assert list(saved(qtables={0: chroma}, target="psnr=30").quantization[0]) == chroma


def test_metadata_are_written_or_left_out():
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    exif = PIL.Image.Exif()
    exif[ExifTags.Base.Artist] = "A. Painter"
    found = saved(exif=exif, icc_profile=profile, dpi=(72, 144))
    assert found.getexif()[ExifTags.Base.Artist] == "A. Painter"
    assert found.info["icc_profile"] == profile
    assert found.info["dpi"] == (72, 144)
    bare = saved(found, exif=None, icc_profile=None, dpi=None)
    assert not {"exif", "icc_profile", "dpi"} & bare.info.keys()


def test_a_comment_is_written():
    assert saved(comment="hello", no_mark=True).info["comment"] == b"hello"


def test_the_image_is_left_as_it_is():
    image = PIL.Image.fromarray(PIXELS)
    saved(image, dpi=(72, 72))
    assert image.info == {}
    assert np.array_equal(np.asarray(image), PIXELS)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"smooth": 3}, "cannot honour smooth"),
        ({"restart_marker_rows": 1, "extra": b"x"}, "extra, restart_marker_rows"),
        ({"quality": "web_low"}, "'web_low' is not a number"),
        ({"quality": "keep"}, "'keep' is not a number"),
        ({"subsampling": "4:1:0"}, "'4:1:0' cannot be had"),
        ({"subsampling": "keep"}, "'keep' cannot be had"),
        ({"qtables": [[1] * 63]}, "64 steps"),
        ({"qtables": [[1] * 64] * 3}, "one or two tables"),
        ({"qtables": [[256] * 64]}, "1 to 255"),
        ({"quality": 75, "target": "psnr=30"}, "one goal only"),
        ({"sise": 3}, "cannot honour sise"),
    ],
)
def test_what_cannot_be_honoured_is_refused(options, complaint):
    with pytest.raises(UsageError, match=complaint):
        saved(**options)


def test_a_goal_out_of_reach_is_warned_of():
    with pytest.warns(UserWarning, match="the picture: goal not reached"):
        saved(qtables=[[255] * 64], target="psnr=60")
