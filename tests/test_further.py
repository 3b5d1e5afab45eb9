"""Gain maps, previews and further pictures: never lost unsaid, and found where they are kept."""

from __future__ import annotations

import io
import struct

import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner
from conftest import scene
from described_files import (
    EXIFTOOL,
    ISO_GAIN_MAP,
    XMP,
    exif_block,
    jpeg_of,
    packet,
    read_by_exiftool,
    rich_packet,
    with_segments,
)
from PIL.MpoImagePlugin import MpoImageFile

import gradpress
from gradpress.commands.cli import main
from gradpress.errors import UnsupportedImage
from gradpress.jpeg import mpf
from gradpress.metadata.further import further, without_places
from gradpress.metadata.kept import PLACE_KEPT

FAST = {"effort": 1, "loss": "mse", "target": "psnr=34"}
GAIN = packet('hdrgm:Version="1.0" hdrgm:GainMapMax="3"')
LISTED = packet(
    'hdrgm:Version="1.0" dc:a="1"',
    "<Container:Directory><rdf:Seq><rdf:li rdf:parseType='Resource'/></rdf:Seq>"
    "</Container:Directory>",
)


def small(*segments):
    picture = PIL.Image.fromarray(scene(24, 32)).convert("L")
    return with_segments(jpeg_of(picture, quality=80), segments)


def indexed(first, others, kinds, order=">"):
    """The picture with others behind it and an index of them (CIPA DC-007)."""

    def file(at, sizes):
        count = len(others) + 1
        entries = struct.pack(order + "IIIHH", 0x030000, sizes[0], 0, 0, 0)
        begin = sizes[0]
        for kind, size in zip(kinds, sizes[1:], strict=True):
            entries += struct.pack(order + "IIIHH", kind, size, begin - at, 0, 0)
            begin += size
        tags = (
            struct.pack(order + "HHI4s", 0xB000, 7, 4, b"0100"),
            struct.pack(order + "HHII", 0xB001, 4, 1, count),
            struct.pack(order + "HHII", 0xB002, 7, 16 * count, 8 + 2 + 36 + 4),
        )
        head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(order + "I", 8)
        block = head + struct.pack(order + "H", 3) + b"".join(tags) + bytes(4) + entries
        return with_segments(first, [(0xE2, mpf.HEADER + block)])

    draft = file(0, [0] * (len(others) + 1))
    at = draft.index(mpf.HEADER) + 4
    return file(at, [len(draft), *map(len, others)]) + b"".join(others)


def ultra_hdr(order=">"):
    """A picture with a gain map, as phones write them."""
    first = with_segments(jpeg_of(), [(0xE1, XMP + LISTED), (0xE2, ISO_GAIN_MAP + bytes(4))])
    return indexed(first, [small((0xE1, XMP + GAIN))], [0], order)


def apples():
    """A gain map that only the second picture tells of."""
    mark = b"<x><y>urn:com:apple:photo:2020:aux:hdrgainmap</y></x>"
    return indexed(jpeg_of(), [small((0xE1, XMP + mark))], [0])


REFUSED = {
    "gain map": (ultra_hdr(), "an HDR gain map|the HDR gain map"),
    "little-endian": (ultra_hdr("<"), "the HDR gain map"),
    "Apple's": (apples(), "the HDR gain map"),
    "ISO's": (indexed(jpeg_of(), [small((0xE2, ISO_GAIN_MAP + bytes(9)))], [0]), "gain map"),
    "no index": (
        with_segments(jpeg_of(), [(0xE1, XMP + LISTED)]) + small((0xE1, XMP + GAIN)),
        "gain map",
    ),
    "stereo": (indexed(jpeg_of(), [small()], [0x020002]), "another picture"),
    "unsaid": (indexed(jpeg_of(), [small()], [0]), "another picture"),
    "behind the end": (jpeg_of() + bytes(9) + small(), "another picture"),
    "video": (
        with_segments(jpeg_of(), [(0xE1, XMP + b"<a GCamera:MotionPhoto='1'/>")])
        + b"\0\0\0\x18ftyp",
        "video",
    ),
}


@pytest.mark.parametrize(("data", "what"), REFUSED.values(), ids=REFUSED)
def test_what_would_be_missed_is_refused_by_name_unless_it_is_to_go(data, what, tmp_path):
    path = tmp_path / "phone.jpg"
    path.write_bytes(data)
    with pytest.raises(UnsupportedImage, match=what) as error:
        gradpress.compress(path, **FAST)
    assert str(path) in str(error.value)
    assert "--drop-gain-map" in str(error.value)
    assert "--lossless" in str(error.value)
    result = gradpress.compress(path, drop_gain_map=True, **FAST)
    assert result.status.value == "compressed"
    assert any("was left out" in notice for notice in result.notices)
    assert further(result.data).what == ""
    assert not any(word in result.data for word in (b"MPF\0", b"21496", b"hdrgm:V", b"Container:D"))


@pytest.mark.parametrize("data", [each[0] for each in REFUSED.values()], ids=REFUSED)
def test_without_loss_it_is_kept_or_goes(data):
    kept = gradpress.compress(data, lossless=True)
    assert kept.status.value == "compressed"
    assert further(kept.data) == further(data)
    gone = gradpress.compress(data, lossless=True, drop_gain_map=True)
    assert further(gone.data).what == ""
    assert not any(word in gone.data for word in (b"MPF\0", b"21496", b"hdrgm:V", b"Container:D"))
    with PIL.Image.open(io.BytesIO(data)) as before, PIL.Image.open(io.BytesIO(gone.data)) as after:
        assert np.array_equal(np.asarray(before), np.asarray(after))


@pytest.mark.parametrize("options", [{}, {"strip": "all"}, {"strip": "gps"}, {"preset": "web"}])
def test_a_gain_map_that_is_kept_is_found_by_others(options):
    data = gradpress.compress(ultra_hdr(), lossless=True, **options).data
    with MpoImageFile(io.BytesIO(data)) as picture:
        assert picture.n_frames == 2
        size = picture.size
        assert b'hdrgm:Version="1.0"' in picture.info["xmp"]
        assert b"Container:Directory" in picture.info["xmp"]
        assert (b'dc:a="1"' in picture.info["xmp"]) == (options in ({}, {"strip": "gps"}))
        picture.seek(1)
        picture.load()
        assert picture.size == (32, 24) != size
        assert b"GainMapMax" in picture.info["xmp"]


@pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed")
def test_exiftool_finds_the_pictures_that_are_kept_and_none_that_are_not():
    kept = read_by_exiftool(gradpress.compress(ultra_hdr(), lossless=True, strip="all").data)
    assert kept["MPF0:NumberOfImages"] == 2
    assert "MPImage2:MPImageStart" in kept
    gone = read_by_exiftool(gradpress.compress(ultra_hdr(), drop_gain_map=True, **FAST).data)
    assert not any(name.startswith("MP") or "hdrgm" in name for name in gone)
    for found in (kept, gone):
        assert "ExifTool:Warning" not in found


@pytest.mark.parametrize("kind", [0x010001, 0x010002])
def test_previews_are_left_out_and_told_of(kind):
    data = indexed(jpeg_of(), [small()], [kind])
    result = gradpress.compress(data, **FAST)
    assert result.status.value == "compressed"
    assert "a preview picture was left out" in result.notices
    assert further(result.data).what == ""
    assert further(gradpress.compress(data, lossless=True).data).what == "a preview picture"


def test_other_bytes_behind_the_end_are_told_of_and_filling_is_not():
    result = gradpress.compress(jpeg_of() + b"something else", **FAST)
    assert "what follows the picture (14 bytes) was left out" in result.notices
    assert gradpress.compress(jpeg_of() + bytes(99), **FAST).notices == ()


def test_a_small_enough_file_keeps_its_gain_map():
    data = ultra_hdr()
    fits = gradpress.compress(data, target_size=len(data))
    assert (fits.status.value, fits.data) == ("passed-through", data)


def test_properties_of_a_gain_map_that_is_not_there_are_no_reason_to_refuse():
    data = with_segments(jpeg_of(), [(0xE1, XMP + LISTED)])
    result = gradpress.compress(data, **FAST)
    assert result.status.value == "compressed"
    assert b"hdrgm:Version" not in result.data
    assert b'dc:a="1"' in result.data


def test_places_of_further_pictures_go_with_those_of_the_first():
    other = small((0xE1, b"Exif\0\0" + exif_block()), (0xE1, XMP + rich_packet()))
    assert PLACE_KEPT in gradpress.compress(jpeg_of() + other, lossless=True).notices
    data = indexed(with_segments(jpeg_of(), [(0xE1, b"Exif\0\0" + exif_block())]), [other], [0])
    kept = gradpress.compress(data, lossless=True)
    assert kept.notices == (PLACE_KEPT,)
    bare = gradpress.compress(data, lossless=True, strip="gps").data
    assert b"GPS" not in bare
    with MpoImageFile(io.BytesIO(bare)) as picture:
        picture.seek(1)
        picture.load()
        exif = picture.getexif()
        assert (exif[0x010F], 0x8825 in exif) == ("a maker", False)
        assert np.asarray(picture).shape == (24, 32)


def test_trailing_bytes_stay_in_their_places():
    trailing = bytes(5) + small((0xE1, b"Exif\0\0" + exif_block())) + b"\xff\xd8\xff" + bytes(9)
    after = without_places(trailing)
    assert len(after) == len(trailing)
    assert after != trailing
    assert without_places(after) == after
    assert without_places(b"\xff\xd8\xff\xd9" * 1000) == b"\xff\xd8\xff\xd9" * 1000


def test_the_command_refuses_and_obeys(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "phone.jpg"
    path.write_bytes(ultra_hdr())
    command = ["phone.jpg", "-e1", "--loss", "mse", "--target", "psnr=34", "-j1", "--in-place"]
    done = CliRunner().invoke(main, command)
    assert (done.exit_code, path.read_bytes()) == (1, ultra_hdr())
    assert "phone.jpg: holds the HDR gain map" in done.stderr
    done = CliRunner().invoke(main, [*command, "--drop-gain-map"])
    assert done.exit_code == 0
    assert "the HDR gain map was left out" in done.stderr
    assert path.stat().st_size < len(ultra_hdr())
