"""What is told of JPEG files: the truth about Pillow's files, and something about any file."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner
from conftest import png, scene
from hypothesis import given, settings
from hypothesis import strategies as st
from test_reader import EOI, FILES, HEAD, PLAIN, SOI, jpeg, segment, sos

from gradpress.commands import answers, cli, verbs
from gradpress.errors import UnsupportedImage
from gradpress.inspect import OWN_TABLES, inspect, layout_name, text
from gradpress.jpeg.metadata import Icc, Jfif
from gradpress.jpeg.params import FACTORS
from gradpress.jpeg.quality import CHROMINANCE, LUMINANCE, estimate

ODD = Path(__file__).parents[2] / "shared" / "data" / "odd"
BASELINE = FILES["baseline"]


def line(data, start):
    """The line of the text that begins so."""
    (found,) = [each for each in text(inspect(data)) if each.strip().startswith(start)]
    return found


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0", "grey"])
def test_the_quality_that_pillow_wrote_is_found_exactly(subsampling):
    pixels = scene(16, 16)[..., 0] if subsampling == "grey" else scene(16, 16)
    options = {} if subsampling == "grey" else {"subsampling": subsampling}
    for quality in range(1, 101):
        found = inspect(jpeg(pixels, quality=quality, **options))
        assert (found.quality, found.quality_exact, found.layout) == (quality, True, subsampling)
        assert found.quality_deviation == 0


@pytest.mark.parametrize("quality", [5, 30, 50, 75, 90])
def test_a_changed_step_makes_the_quality_near_not_exact(quality):
    with PIL.Image.open(io.BytesIO(jpeg(quality=quality))) as picture:
        luma, chroma = (list(table) for table in picture.quantization.values())
    luma[5] += 1
    data = jpeg(qtables=[luma, chroma])
    found = inspect(data)
    assert (found.quality, found.quality_exact) == (quality, False)
    assert 0 < found.quality_deviation < 0.05
    assert f"about {quality} " in line(data, "quality")


@pytest.mark.parametrize("preset", ["web_low", "medium", "high"])
def test_tables_unlike_libjpegs_are_called_their_own(preset):
    data = jpeg(quality=preset)
    assert inspect(data).quality_deviation > OWN_TABLES
    assert "tables of its own" in line(data, "quality")


@given(st.lists(st.integers(1, 65535), min_size=64, max_size=64))
def test_any_table_has_a_nearest_quality(steps):
    judged = estimate([tuple(steps)])
    assert 1 <= judged.value <= 100
    assert judged.deviation >= 0


def test_steps_beyond_255_of_low_qualities_are_found_exactly():
    """libjpeg writes 16-bit tables where it is not told to stay within 8 bits."""
    tables = (np.array([LUMINANCE, CHROMINANCE]).reshape(2, 64) * (5000 // 4) + 50) // 100
    found = inspect(jpeg(qtables=tables.tolist()))
    assert (found.quality, found.quality_exact) == (4, True)
    assert (found.tables[1].bits, found.tables[1].steps[7][7]) == (16, 1238)


def test_tables_are_told_in_natural_order_with_their_users():
    found = inspect(BASELINE)
    with PIL.Image.open(io.BytesIO(BASELINE)) as picture:
        natural = {slot: np.reshape(t, (8, 8)) for slot, t in picture.quantization.items()}
    assert {table.slot: table.components for table in found.tables} == {
        0: ("Y",), 1: ("Cb", "Cr")
    }  # fmt: skip
    for table in found.tables:
        np.testing.assert_array_equal(table.steps, natural[table.slot])
        assert table.bits == 8


@pytest.mark.parametrize("layout", FACTORS)
def test_layouts_have_their_names(layout):
    assert layout_name(list(FACTORS[layout])) == (layout if layout == "grey" else ":".join(layout))


@pytest.mark.parametrize(
    ("factors", "name"),
    [
        (((2, 2), (2, 2), (2, 2)), "4:4:4"),
        (((1, 2), (1, 1), (1, 1)), "4:4:0"),
        (((4, 1), (1, 1), (1, 1)), "4:1:1"),
        (((4, 2), (1, 1), (1, 1)), "4:1:0"),
        (((4, 2), (2, 1), (2, 1)), "4:2:0"),
        (((2, 2), (1, 2), (2, 1)), None),
        (((1, 1), (2, 2), (2, 2)), None),
        (((3, 1), (2, 1), (2, 1)), None),
        (((1, 1), (1, 1), (1, 1), (1, 1)), None),
        (((1, 1), (1, 1)), None),
    ],
)
def test_odd_samplings_are_named_where_they_have_a_name(factors, name):
    assert layout_name(list(factors)) == name


@pytest.mark.parametrize("name", FILES)
def test_the_bytes_of_the_parts_make_up_the_file(name):
    found = inspect(FILES[name])
    assert found.bytes == len(FILES[name])
    assert sum(found.accounting.values()) == found.bytes
    assert sum(part.bytes for part in found.segments) == found.bytes
    assert sum(scan.bytes for scan in found.scans) == found.accounting["scan data"]
    assert found.bits_per_pixel == 8 * found.bytes / (found.width * found.height)


def test_scans_of_a_progressive_file():
    found = inspect(FILES["progressive"])
    assert (found.kind, found.entropy_coding, found.layout) == ("progressive", "Huffman", "4:4:4")
    first, *others = found.scans
    assert (first.components, first.begin, first.end) == (("Y", "Cb", "Cr"), 0, 0)
    assert (first.high, first.low) == (0, 1)
    assert {scan.end for scan in others if scan.begin} == {5, 63}
    assert "0, bits from 1" in line(FILES["progressive"], "1 ")


def test_restarts_are_told():
    found = inspect(FILES["restarts"])
    assert (found.restart_interval, found.scans[0].restarts) == (1, 11)
    assert line(FILES["restarts"], "restarts").endswith("every 1 MCU")


def test_metadata_that_pillow_wrote_is_told():
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    data = jpeg(
        dpi=(300, 72), comment="Grüße", exif=exif, icc_profile=bytes(100_000), xmp=b"<x:xmpmeta/>"
    )
    found = inspect(data)
    assert found.metadata.jfif == Jfif("1.01", "inch", (300, 72))
    assert found.metadata.orientation == 6
    assert found.metadata.icc == Icc(100_000, 2)
    assert found.metadata.comments == ("Grüße",)
    held = {(part.name, part.identifier) for part in found.segments if part.identifier}
    assert held == {("APP0", "JFIF"), ("APP1", "Exif"), ("APP1", "XMP"), ("APP2", "ICC profile")}
    assert "300 × 72 dots per inch" in line(data, "APP0")
    assert "2 segments, profile of 100000 bytes" in line(data, "APP2")
    assert "orientation 6" in line(data, "APP1        Exif")


def test_cmyk_and_rgb_are_told_by_adobes_marker_and_by_identifiers():
    sink = io.BytesIO()
    PIL.Image.new("CMYK", (8, 8)).save(sink, "JPEG")
    found = inspect(sink.getvalue())
    assert (found.colour, found.layout, found.metadata.adobe_transform) == ("CMYK", None, 0)
    assert [component.name for component in found.components] == ["C", "M", "Y", "K"]
    rgb = inspect(jpeg(keep_rgb=True))
    assert (rgb.colour, [c.name for c in rgb.components]) == ("RGB", ["R", "G", "B"])


@pytest.mark.parametrize(
    ("marker", "payload", "identifier"),
    [
        (0xE0, b"JFXX\0\x13", "JFIF extension"),
        (0xE2, b"MPF\0MM", "MPF"),
        (0xEB, b"JP\0\1", "JUMBF"),
        (0xED, b"Photoshop 3.0\0008BIM", "Photoshop"),
        (0xEE, b"Adobe\0\x64\0\0\0\0\1", "Adobe"),
        (0xE5, b"Someone's own\0rest", "Someone's own"),
        (0xE5, b"\x1b[31m", ""),
        (0xE5, b"\xff\xfe", ""),
        (0xE5, b"", ""),
        (0xE1, b"JFIF\0", "JFIF"),
    ],
)
def test_segments_are_named_by_what_they_hold(marker, payload, identifier):
    found = inspect(SOI + segment(marker, payload) + PLAIN[2:])
    assert found.segments[1].identifier == identifier
    assert found.accounting["metadata"] == len(payload) + 4


def test_short_and_damaged_metadata_is_no_reason_to_fail():
    pieces = [b"JFIF\0\1", b"Exif\0\0II", b"ICC_PROFILE\0", b"Adobe"]
    markers = (0xE0, 0xE1, 0xE2, 0xEE)
    data = b"".join(segment(m, p) for m, p in zip(markers, pieces, strict=True))
    found = inspect(SOI + data + PLAIN[2:])
    assert found.metadata.jfif is found.metadata.orientation is None
    assert found.metadata.adobe_transform is None
    assert found.metadata.icc == Icc(0, 1)


def test_what_a_file_says_cannot_steer_a_terminal():
    data = SOI + segment(0xFE, b"\x1b[2J\nx" * 90) + PLAIN[2:]
    told = "\n".join(text(inspect(data)))
    assert all(letter.isprintable() or letter == "\n" for letter in told)
    assert len(line(data, "comment")) < 700


def test_another_picture_behind_the_first_is_told():
    found = inspect(BASELINE + BASELINE)
    assert found.accounting["trailing bytes"] == len(BASELINE)
    assert found.trailing_jpeg
    assert "another JPEG" in "\n".join(text(found))
    assert not inspect(BASELINE + bytes(9)).trailing_jpeg


def test_many_defects_are_counted_not_told_one_by_one():
    found = inspect(HEAD + (b"x" + segment(0xFE)) * 1000 + sos() + EOI)
    lines = list(text(found))
    assert len(found.defects) == 1000
    assert len([each for each in lines if "stray" in each and "note" in each]) == 20
    more = 980 + len(found.findings.damage)
    assert lines[-1] == f"  note: and {more} defects more"


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_damaged_file_is_described_or_refused(data):
    bad = bytearray(FILES[data.draw(st.sampled_from(sorted(FILES)))])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(2, min(len(bad) - 1, 700)))
        bad[at] = data.draw(st.integers(0, 255))
    try:
        found = inspect(bytes(bad[: data.draw(st.integers(0, len(bad)))]))
    except UnsupportedImage:
        return
    assert sum(found.accounting.values()) == found.bytes
    assert all("\n" not in each for each in text(found))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command line in an empty folder; it must not end in a traceback."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, stdin=None):
        outcome = CliRunner().invoke(cli.main, list(arguments), input=stdin, prog_name="gradpress")
        assert isinstance(outcome.exception, SystemExit | None), outcome.exception
        return outcome

    return invoke


def test_the_verb_prints_what_each_file_holds(run):
    Path("a.jpg").write_bytes(BASELINE)
    outcome = run("inspect", "a.jpg", "-", stdin=FILES["grey"])
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    assert lines[0] == f"a.jpg: {len(BASELINE)} bytes"
    assert f"-: {len(FILES['grey'])} bytes" in lines


def test_the_verb_prints_json(run):
    Path("a.jpg").write_bytes(BASELINE)
    outcome = run("inspect", "--json", "a.jpg", "b.jpg")
    assert outcome.exit_code == 1
    whole = json.loads(outcome.stdout)
    assert whole["schema"] == answers.SCHEMA
    first, second = whole["files"]
    assert (first["input"], first["status"], first["quality"]) == ("a.jpg", "inspected", 60)
    assert sum(part["bytes"] for part in first["segments"]) == len(BASELINE)
    assert second["status"] == "failed"
    assert outcome.stderr == f"gradpress: b.jpg: {second['reason']}\n"


def test_a_file_that_fails_is_one_line_and_the_others_go_on(run):
    Path("a.png").write_bytes(png(scene(8, 8)))
    Path("b.jpg").write_bytes(BASELINE)
    Path("folder").mkdir()
    outcome = run("inspect", "a.png", "no\nfile", "folder", "b.jpg")
    assert outcome.exit_code == 1
    first, second, third = outcome.stderr.splitlines()
    assert first.startswith("gradpress: a.png: is not a JPEG file")
    assert second.startswith(r"gradpress: no\nfile: cannot be opened")
    assert third.startswith("gradpress: folder: is a folder")
    assert outcome.stdout.startswith("b.jpg: ")


@pytest.mark.parametrize("arguments", [[], ["-", "-"], ["--no-such", "x"]])
def test_wrong_usage_of_the_verb(run, arguments):
    outcome = run("inspect", *arguments, stdin=BASELINE)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert "gradpress inspect" in outcome.stderr


def test_a_defect_of_ours_is_one_line(run, monkeypatch):
    def fail(*_arguments):
        raise KeyError("x")

    monkeypatch.setattr(sys.modules["gradpress.inspect"], "inspect", fail)
    Path("a.jpg").write_bytes(BASELINE)
    outcome = run("inspect", "a.jpg")
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert "unexpected KeyError" in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1


def test_the_help_lists_the_verbs(run):
    for verb in verbs.COMMANDS:
        assert f"gradpress {verb} " in run("--help").stdout
        assert run(verb, "--help").stdout.startswith(f"Usage: gradpress {verb} ")
    assert tuple(verbs.COMMANDS) == cli.VERBS


def test_only_the_first_argument_is_a_verb_and_a_path_is_none(run):
    picture = png(scene(16, 16))
    for name in ("compare", "inspect"):
        Path(name).write_bytes(picture)
        assert run(f"./{name}", "-Q").exit_code == 0
        assert Path(f"{name}.jpg").is_file()
    assert run("-Q", "compare", "-o", "out.jpg").exit_code == 0
    assert Path("out.jpg").is_file()


@pytest.mark.skipif(not ODD.is_dir(), reason="the folder of odd files is not here")
def test_any_odd_file_is_described_or_refused_in_one_line(run):
    paths = sorted(str(path) for path in ODD.rglob("*") if path.is_file())
    outcome = run("inspect", "--json", *paths)
    entries = json.loads(outcome.stdout)["files"]
    failed = {entry["input"] for entry in entries if entry["status"] == "failed"}
    assert len(outcome.stderr.splitlines()) == len(failed)
    assert "unexpected" not in outcome.stderr
    jpegs = {path for path in paths if Path(path).read_bytes()[:3] == b"\xff\xd8\xff"}
    unreadable = {"cut_header.jpg", "random_after_soi.jpg"}
    assert {Path(path).name for path in failed & jpegs} <= unreadable
    assert not set(paths) - failed - jpegs
    described = {entry["input"]: entry for entry in entries if entry["input"] not in failed}
    for path in sorted(jpegs - failed):
        pillows = size_and_layers(path)
        layers = [tuple(component.values())[1:] for component in described[path]["components"]]
        size = (described[path]["width"], described[path]["height"])
        assert pillows is None or pillows == (size, layers), path


def size_and_layers(path):
    """Pillow's account of a JPEG file's frame; None if it cannot open it."""
    try:
        with PIL.Image.open(path) as picture:
            return picture.size, [tuple(layer) for layer in picture.layer]
    except (OSError, PIL.Image.DecompressionBombError):
        return None
