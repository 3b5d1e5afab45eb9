"""Pictures without their colour profile look as with it."""

from __future__ import annotations

import io
import struct

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
from conftest import png, scene
from described_files import XMP, jpeg_of, packet, profile, with_segments
from PIL import ExifTags

import gradpress
from gradpress.errors import UsageError

FAST = {"effort": 1, "loss": "mse", "target": "psnr=34"}
FINE = FAST | {"target": "psnr=40"}


def saved(kind, **options):
    sink = io.BytesIO()
    PIL.Image.fromarray(scene(48, 64)).save(sink, kind, **options)
    return sink.getvalue()


def profile_of(data):
    with PIL.Image.open(io.BytesIO(data)) as picture:
        return picture.info.get("icc_profile")


def wide_gamut():
    """A profile of other primaries and another curve than sRGB's: sRGB's, with R and G swapped."""
    data = bytearray(profile())
    red, green = data.index(b"rXYZ"), data.index(b"gXYZ")
    data[red : red + 4], data[green : green + 4] = data[green : green + 4], data[red : red + 4]
    return bytes(data)


def seen(data):
    """The pixels as a colour-managed viewer shows them on an sRGB screen."""
    with PIL.Image.open(io.BytesIO(data)) as picture:
        icc = picture.info.get("icc_profile")
        if icc is None:
            return np.asarray(picture.convert("RGB")).astype(float)
        return np.asarray(
            PIL.ImageCms.profileToProfile(
                picture,
                PIL.ImageCms.ImageCmsProfile(io.BytesIO(icc)),
                PIL.ImageCms.createProfile("sRGB"),
                renderingIntent=PIL.ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
            )
        ).astype(float)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_without_its_profile_a_picture_looks_the_same(kind):
    data = saved(kind, icc_profile=wide_gamut(), **({"quality": 97} if kind == "JPEG" else {}))
    with PIL.Image.open(io.BytesIO(data)) as picture:
        assert np.abs(np.asarray(picture).astype(float) - seen(data)).mean() > 10
    result = gradpress.compress(data, strip_icc=True, **FINE)
    assert profile_of(result.data) is None
    assert "the colours were converted to sRGB" in result.notices
    assert np.abs(seen(result.data) - seen(data)).mean() < 3
    assert gradpress.compress(result.data, strip_icc=True, **FINE).data == (result.data)
    with pytest.raises(UsageError, match="strip_icc"):
        gradpress.compress(data, strip_icc=True, lossless=True)


def test_a_profile_goes_even_if_the_file_is_small_enough_or_done():
    data = jpeg_of(icc_profile=wide_gamut(), quality=90)
    fits = gradpress.compress(data, strip_icc=True, target_size=len(data), effort=1)
    assert profile_of(fits.data) is None
    marked = gradpress.compress(data, **FAST).data
    assert profile_of(marked) == wide_gamut()
    assert profile_of(gradpress.compress(marked, strip_icc=True, **FAST).data) is None


def grey_profile():
    """A profile of linear grey (ICC.1:2001-04): a white point and a curve of no points."""
    xyz = b"XYZ \0\0\0\0" + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    curve = b"curv\0\0\0\0" + bytes(4)
    begin = 128 + 4 + 2 * 12
    size = begin + len(xyz) + len(curve)
    head = struct.pack(
        ">I4sI4s4s4s12s4s", size, bytes(4), 0x2100000, b"mntr", b"GRAY", b"XYZ ", bytes(12), b"acsp"
    )
    head = head.ljust(68, b"\0") + xyz[8:]
    tags = struct.pack(">I4sII4sII", 2, b"wtpt", begin, len(xyz), b"kTRC", begin + len(xyz), 12)
    return head.ljust(128, b"\0") + tags + xyz + curve


def test_linear_grey_becomes_srgb():
    linear = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    sink = io.BytesIO()
    PIL.Image.fromarray(linear).save(sink, "PNG", icc_profile=grey_profile())
    image = gradpress.read_image(sink.getvalue(), srgb=True)
    light = linear / 255
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert image.icc is None
    assert np.abs(image.planes[0] - 255 * expected).max() < 0.6
    assert "the colours were converted to sRGB" in image.notices


def test_exif_and_xmp_say_the_same():
    exif = PIL.Image.Exif()
    exif[ExifTags.IFD.Exif] = {0xA001: 65535, 0x9003: "2020:02:02 12:00:00", 0xA005: {1: "R03"}}
    said = packet('exif:ColorSpace="65535" photoshop:ICCProfile="Adobe RGB" dc:a="1"')
    data = with_segments(jpeg_of(exif=exif, icc_profile=wide_gamut()), [(0xE1, XMP + said)])
    for options, space, rules in ({}, 65535, "R03"), ({"strip_icc": True}, 1, "R98"):
        result = gradpress.compress(data, **FAST, **options)
        with PIL.Image.open(io.BytesIO(result.data)) as picture:
            inner = picture.getexif().get_ifd(ExifTags.IFD.Exif)
            assert inner[0xA001] == space
            assert inner[0x9003] == "2020:02:02 12:00:00"
            assert picture.getexif().get_ifd(ExifTags.IFD.Interop)[1] == rules
            assert (b"Adobe RGB" in picture.info["xmp"]) == (not options)
            assert b'dc:a="1"' in picture.info["xmp"]


def test_without_a_profile_nothing_is_converted():
    source = png(scene(48, 64))
    plain = gradpress.compress(source, **FAST)
    same = gradpress.compress(source, strip_icc=True, **FAST)
    assert (same.data, same.notices) == (plain.data, ())
