"""Keeping a JPEG file's own chroma sampling."""

from __future__ import annotations

import io

import PIL.Image
import pytest
from PIL.ExifTags import Base
from PIL.JpegImagePlugin import get_sampling

import gradpress
from gradpress.sampling import own_sampling
from tests.conftest import scene

PICTURE = PIL.Image.fromarray(scene(40, 56))


def jpeg(picture=PICTURE, orientation=1, **options):
    exif = PIL.Image.Exif()
    exif[Base.Orientation] = orientation
    sink = io.BytesIO()
    picture.save(sink, "JPEG", quality=90, exif=exif, **options)
    return sink.getvalue()


@pytest.mark.parametrize("name", ["4:4:4", "4:2:2", "4:2:0"])
def test_a_files_sampling_is_kept(name):
    data = jpeg(subsampling=name)
    assert own_sampling(data) == (name.replace(":", ""),)
    kept = gradpress.compress(data, chroma_subsampling="keep", effort=1, target="psnr=25")
    assert kept.subsampling == name.replace(":", "")
    assert get_sampling(kept.image) == get_sampling(PIL.Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("source", [None, b"no picture", jpeg(PICTURE.convert("L"))])
def test_what_has_none_of_ours_leaves_the_choice(source):
    assert own_sampling(source) == ()


def test_a_sampling_that_is_none_of_ours_once_the_picture_is_upright():
    assert own_sampling(jpeg(subsampling="4:2:2", orientation=6)) == ()
    assert own_sampling(jpeg(subsampling="4:2:2", orientation=3)) == ("422",)
    assert own_sampling(jpeg(subsampling="4:2:0", orientation=6)) == ("420",)


def test_pixels_are_sampled_as_suits_them():
    result = gradpress.compress(scene(40, 56), chroma_subsampling="keep", effort=1)
    assert result.subsampling in ("444", "422", "420")
