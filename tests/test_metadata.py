"""What is kept and what is not, as other programs read the files: Pillow and exiftool."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageOps
import pytest
from click.testing import CliRunner
from conftest import png, scene
from described_files import (
    EXIFTOOL,
    MAKER_NOTE,
    exif_block,
    jpeg_of,
    packet,
    profile,
    read_by_exiftool,
    rich_jpeg,
    rich_packet,
    split,
)
from PIL import ExifTags
from PIL.PngImagePlugin import PngInfo

import gradpress
from gradpress.commands.cli import main
from gradpress.commands.metadata_arguments import METADATA
from gradpress.errors import UsageError
from gradpress.metadata.kept import PLACE_KEPT

FAST = {"effort": 1, "loss": "mse", "target": "psnr=34", "threads": 1}
WAYS = {"anew": FAST, "lossless": {"lossless": True}}

needs_exiftool = pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed")
both_ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def held(data):
    """What Pillow finds of each kind; empty or None where there is nothing."""
    with PIL.Image.open(io.BytesIO(data)) as picture:
        picture.load()
        exif = picture.getexif()
        info, xmp = picture.info, picture.info.get("xmp", b"")
        return {
            "maker": exif.get(0x010F),
            "copyright": exif.get(0x8298),
            "orientation": exif.get(0x0112, 1),
            "note": exif.get_ifd(ExifTags.IFD.Exif).get(0x927C),
            "gps": bool(exif.get_ifd(ExifTags.IFD.GPSInfo)) or b"GPS" in data,
            "thumbnail": bool(exif.get_ifd(ExifTags.IFD.IFD1)),
            "xmp": b"a keyword" in xmp,
            "rights": b"Somebody" in xmp,
            "thumbnails": b"Thumbnails" in xmp,
            "iptc": info.get("photoshop", {}).get(0x0404),
            "comments": [text for marker, text in picture.applist if marker == "COM"],
            "icc": info.get("icc_profile"),
            "dpi": info.get("dpi"),
        }


EVERYTHING = {
    "maker": "a maker",
    "copyright": "(C) Somebody",
    "note": MAKER_NOTE,
    "gps": True,
    "thumbnail": False,
    "xmp": True,
    "rights": True,
    "thumbnails": False,
    "icc": profile(),
}


def test_all_kinds_are_there_to_begin_with():
    found = held(rich_jpeg())
    assert {name: found[name] for name in EVERYTHING} == {
        **EVERYTHING,
        "thumbnail": True,
        "thumbnails": True,
    }
    assert b"A caption" in found["iptc"]
    assert found["comments"] == [b"a comment", b"another comment"]


@both_ways
@pytest.mark.parametrize("options", [{}, {"strip": "thumbnail"}, {"strip": ()}], ids=str)
def test_by_default_all_but_thumbnails_is_kept_and_a_place_is_told_of(way, options):
    result = gradpress.compress(rich_jpeg(), **way, **options)
    assert result.status.value == "compressed"
    found = held(result.data)
    assert {name: found[name] for name in EVERYTHING} == EVERYTHING
    assert b"A caption" in found["iptc"]
    assert found["comments"][:2] == [b"a comment", b"another comment"]
    assert tuple(map(round, found["dpi"])) == (300, 150)
    assert result.notices == (PLACE_KEPT,)


NOTHING = {
    "maker": None,
    "copyright": None,
    "note": None,
    "gps": False,
    "thumbnail": False,
    "xmp": False,
    "rights": False,
    "thumbnails": False,
    "iptc": None,
}
CASES = {
    "gps": ({"strip": "gps"}, {**EVERYTHING, "gps": False}),
    "exif": ({"strip": ["exif"]}, {**EVERYTHING, "maker": None, "copyright": None, "note": None}),
    "xmp": ({"strip": "xmp"}, {**EVERYTHING, "xmp": False, "rights": False}),
    "exif,xmp": ({"strip": ("exif", "xmp")}, {**NOTHING, "iptc": ...}),
    "iptc": ({"strip": "iptc"}, {**EVERYTHING, "iptc": None}),
    "comments": ({"strip": "comments"}, {**EVERYTHING, "comments": []}),
    "all": ({"strip": "all"}, {**NOTHING, "comments": [], "icc": profile()}),
    "web": (
        {"preset": "web"},
        {**NOTHING, "copyright": "(C) Somebody", "rights": True, "iptc": ..., "comments": []},
    ),
    "keep exif": (
        {"keep": "exif"},
        {**NOTHING, "maker": "a maker", "copyright": "(C) Somebody", "note": MAKER_NOTE},
    ),
    "keep all": ({"keep": "all"}, {**EVERYTHING, "thumbnail": True, "thumbnails": True}),
    "keep xmp, gps": ({"keep": "xmp, gps"}, {**NOTHING, "xmp": True, "rights": True, "gps": True}),
}


@both_ways
@pytest.mark.parametrize(("options", "expected"), CASES.values(), ids=CASES)
def test_each_kind_is_kept_or_not_by_itself(way, options, expected):
    result = gradpress.compress(rich_jpeg(), no_mark=True, **way, **options)
    found = held(result.data)
    for name, value in expected.items():
        if value is ...:
            assert found[name] is not None, name
        else:
            assert found[name] == value, name
    assert (PLACE_KEPT in result.notices) == found["gps"]
    assert found["icc"] == profile()
    assert tuple(map(round, found["dpi"])) == (300, 150)


@both_ways
def test_of_iptc_the_web_needs_the_owner_alone(way):
    records = held(gradpress.compress(rich_jpeg(), preset="web", **way).data)["iptc"]
    assert "© Somebody".encode() in records
    assert b"A caption" not in records


def complaints(found):
    """What exiftool finds wrong, but for a maker note that is no maker's."""
    named = {name: value for name, value in found.items() if name.startswith("ExifTool:")}
    named.pop("ExifTool:ExifToolVersion")
    return {name: each for name, each in named.items() if each != "[minor] Unrecognized MakerNotes"}


@needs_exiftool
@both_ways
def test_without_the_place_exiftool_reads_all_else_as_before(way):
    source = rich_jpeg()
    before = read_by_exiftool(source)
    after = read_by_exiftool(gradpress.compress(source, strip="gps", no_mark=True, **way).data)
    assert any("GPS" in name for name in before)
    assert not any("GPS" in name for name in after)
    left_out = ("GPS", "IFD1", "Thumbnail", "File:", "ExifTool:", "Composite", "HasExtended")
    orientation = ("XMP-tiff:Orientation",)
    kept = {
        name: value
        for name, value in before.items()
        if not any(part in name for part in (*left_out, *orientation))
    }
    assert kept.items() <= after.items()
    assert after["XMP-dc:Source"] == "y" * 99  # from the extension
    assert not complaints(after)


@needs_exiftool
@pytest.mark.parametrize("options", [{}, {"strip": "gps"}, {"strip": "all"}, {"preset": "web"}])
@both_ways
def test_exiftool_finds_nothing_amiss(way, options):
    found = read_by_exiftool(gradpress.compress(rich_jpeg(6), **way, **options).data)
    assert not complaints(found)
    assert found["IFD0:Copyright"] == "(C) Somebody" if options != {"strip": "all"} else True


def stored(orientation):
    """A picture that is upright once it is turned as that orientation says."""
    turns = {
        2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
        6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270",
    }  # fmt: skip
    picture = PIL.Image.fromarray(scene(48, 64))
    if orientation in turns:
        picture = picture.transpose(PIL.Image.Transpose[turns[orientation]])
    return picture


@pytest.mark.parametrize("options", [{}, {"strip": "all"}, {"preset": "web"}, {"keep": "all"}])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright_whatever_is_kept(orientation, options):
    data = rich_jpeg(orientation, stored=stored(orientation), subsampling=0)
    upright = scene(48, 64).astype(float)
    for way in WAYS.values():
        result = gradpress.compress(data, **way, **options)
        assert (result.width, result.height) == (64, 48)
        with PIL.Image.open(io.BytesIO(result.data)) as picture:
            stated = picture.getexif().get(0x0112, 1)
            assert stated == (orientation if "lossless" in way else 1)
            if "lossless" not in way:
                assert b"tiff:Orientation" not in result.data
            turned = PIL.ImageOps.exif_transpose(picture)
            dpi = tuple(map(round, picture.info["dpi"]))
        shown = np.asarray(turned.convert("RGB")).astype(float)
        assert np.abs(shown - upright).mean() < 12
        on_its_side = orientation >= 5 and "lossless" not in way
        assert dpi == ((150, 300) if on_its_side else (300, 150))


@needs_exiftool
def test_what_is_said_of_the_sides_turns_with_them():
    data = rich_jpeg(6, stored=stored(6))
    found = read_by_exiftool(gradpress.compress(data, **FAST).data)
    assert (found["IFD0:XResolution"], found["IFD0:YResolution"]) == (150, 300)
    assert (found["JFIF:XResolution"], found["JFIF:YResolution"]) == (150, 300)


def saved(kind, **options):
    sink = io.BytesIO()
    PIL.Image.fromarray(scene(48, 64)).save(sink, kind, **options)
    return sink.getvalue()


def test_other_formats_give_what_they_hold():
    text = PngInfo()
    text.add_text("Comment", "a comment")
    text.add_text("Copyright", "© Somebody")
    text.add_itxt("XML:com.adobe.xmp", rich_packet(6).decode())
    records = b"\x1c\x02\x78\0\x09A caption"
    sources = {
        "PNG": saved("PNG", pnginfo=text),
        "WEBP": saved("WEBP", xmp=rich_packet(6), exif=exif_block(), icc_profile=profile()),
        "TIFF": saved("TIFF", tiffinfo={700: rich_packet(6), 33723: records}),
        "GIF": saved("GIF", comment=b"a comment"),
    }
    found = {}
    for kind, data in sources.items():
        result = gradpress.compress(data, no_mark=True, **FAST)
        found[kind] = held(result.data)
        assert (found[kind]["xmp"], found[kind]["rights"]) == (kind != "GIF",) * 2
        assert b"Orientation=" not in result.data
        assert (PLACE_KEPT in result.notices) == (kind != "GIF")
        assert not held(gradpress.compress(data, strip="gps", **FAST).data)["gps"]
    assert found["PNG"]["comments"] == found["GIF"]["comments"] == [b"a comment"]
    assert b"\xc2\xa9 Somebody" in gradpress.compress(sources["PNG"], preset="web", **FAST).data
    assert found["WEBP"]["copyright"] == "(C) Somebody"
    assert b"A caption" in found["TIFF"]["iptc"]


def test_a_pillow_picture_gives_what_it_was_opened_with():
    with PIL.Image.open(io.BytesIO(rich_jpeg())) as picture:
        found = held(gradpress.compress(picture, no_mark=True, **FAST).data)
    assert (found["xmp"], found["copyright"]) == (True, "(C) Somebody")
    assert b"A caption" in found["iptc"]


def test_damaged_xmp_is_left_out_where_it_would_have_to_be_changed():
    broken = packet('tiff:Orientation="3"', padding=0)[:-60]
    result = gradpress.compress(jpeg_of(xmp=broken), **FAST)
    assert b"Orientation" not in result.data
    assert any("XMP data is damaged" in notice for notice in result.notices)
    other = jpeg_of(xmp=b"<not xmp")
    assert b"<not xmp" in gradpress.compress(other, **FAST).data
    with_type = packet().replace(b"<x:xmpmeta", b'<!DOCTYPE x [<!ENTITY e "GPS">]><x:xmpmeta', 1)
    left = gradpress.compress(jpeg_of(xmp=with_type), strip="gps", lossless=True)
    assert b"DOCTYPE" not in left.data
    assert any("document type" in notice for notice in left.notices)


def test_a_small_file_is_rid_of_metadata_and_its_picture_stays():
    small = gradpress.compress(scene(48, 64), no_mark=True, **FAST).data
    picture = split(small)[1]
    data = split(rich_jpeg())[0] + picture
    better = FAST | {"target": "psnr=60", "no_mark": True}
    kept = gradpress.compress(data, keep="all", **better)
    assert (kept.status.value, kept.data) == ("passed-through", data)
    assert kept.notices == (PLACE_KEPT,)
    stripped = gradpress.compress(data, strip="gps", **better)
    assert stripped.status.value == "compressed"
    assert "metadata" in stripped.reason
    found = held(stripped.data)
    assert {name: found[name] for name in EVERYTHING} == {**EVERYTHING, "gps": False}
    assert split(stripped.data)[1] == picture


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"strip": "gpx"}, "'gpx' is not known; choose from all, exif, gps"),
        ({"keep": ["exif,"]}, "'' is not known"),
        ({"preset": "print"}, "'print' is not known; choose from web"),
        ({"strip": "gps", "keep": "exif"}, "one of"),
        ({"strip": "all", "preset": "web"}, "one of"),
        ({"keep": "gps"}, "exif or xmp"),
        ({"keep": "thumbnail,comments"}, "exif or xmp or iptc"),
    ],
)
@both_ways
def test_contradictions_are_refused(way, options, complaint):
    with pytest.raises(UsageError, match=complaint):
        gradpress.compress(jpeg_of(), **way, **options)


def test_the_command_strips_and_tells(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").write_bytes(rich_jpeg())
    fast = "-e1 --loss mse --target psnr=34 -j1 a.jpg"

    def run(arguments):
        done = CliRunner().invoke(main, [*fast.split(), *arguments.split()])
        assert done.exit_code == 0, done.stderr
        return done.stderr

    assert PLACE_KEPT in run("-o kept.jpg")
    assert PLACE_KEPT not in run("-o none.jpg --strip gps,comments --strip iptc")
    found = held((tmp_path / "none.jpg").read_bytes())
    assert (found["gps"], found["iptc"], found["maker"]) == (False, None, "a maker")
    assert PLACE_KEPT in run("--in-place")
    assert PLACE_KEPT in run("--in-place")  # it is done now, and says so still
    before = (tmp_path / "a.jpg").stat().st_size
    assert "already done" in run("--in-place --strip gps -v")
    assert (tmp_path / "a.jpg").stat().st_size < before
    assert not held((tmp_path / "a.jpg").read_bytes())["gps"]
    done = CliRunner().invoke(main, ["a.jpg", "--strip", "nothing"])
    assert (done.exit_code, "choose from all" in done.stderr) == (2, True)


DOCUMENT = (Path(__file__).parent.parent / "docs" / "metadata.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    gradpress (.*\.jpg)  ", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_of_the_document_run(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(rich_jpeg())
    words = shlex.split(line.replace("*", "photo"))
    done = CliRunner().invoke(main, ["-e1", "--loss", "mse", "-j1", *words])
    assert done.exit_code == 0, done.stderr
    written = tmp_path / ("small.jpg" if "small.jpg" in line else "photo.jpg")
    assert not held(written.read_bytes())["thumbnail"]


def test_the_document_names_every_option():
    assert len(COMMANDS) == 4
    for option in METADATA:
        (declared,) = option(lambda: None).__click_params__
        assert declared.opts[0] in DOCUMENT


def test_a_png_says_nothing_and_nothing_is_said():
    result = gradpress.compress(png(scene(48, 64)), no_mark=True, **FAST)
    assert result.notices == ()
    assert held(result.data)["comments"] == []
