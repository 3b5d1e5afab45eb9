"""The command line: purity of standard output, exit codes, one line for each failure.

A stand-in takes the place of the compression.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from gradpress.commands import cli, console
from gradpress.errors import UnsupportedImage, UsageError
from gradpress.goal import Target
from gradpress.image import DEFAULT_MAX_PIXELS
from gradpress.metrics import metric
from gradpress.result import Result, Status

JPEG = b"\xff\xd8 a picture \xff\xd9"


def result_of(data=JPEG, status=Status.COMPRESSED, notices=(), before=1000):
    return Result(
        data=data,
        status=status,
        reason="so it came",
        goal=Target(metric("psnr"), 38.0),
        width=20,
        height=10,
        bytes_before=before,
        metrics={"psnr": 38.01},
        subsampling="420",
        progressive=False,
        notices=notices,
        solution=None,
        seconds=0.5,
        cpu_seconds=0.4,
    )


class StandIn:
    """In place of the compression: what to do for a picture by its name."""

    def __init__(self):
        self.outcomes = {}
        self.calls = []

    def steps(self, source, **options):
        self.calls.append((source, options))
        outcome = self.outcomes.get(options["name"], result_of())
        if isinstance(outcome, BaseException):
            raise outcome
        for index in range(3):
            yield SimpleNamespace(
                step=SimpleNamespace(index=index),
                measured=SimpleNamespace(quality=38.0, bytes=len(JPEG)),
                metric=metric("psnr"),
                best=outcome,
            )


@pytest.fixture
def compress(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(console.DEBUG, raising=False)
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "gradpress.pipeline", stand_in)
    return stand_in


@pytest.fixture
def gradpress(compress):
    def run(*arguments, stdin=None):
        given = [*arguments] if "-j" in arguments else ["-j", "1", *arguments]
        outcome = CliRunner().invoke(cli.main, given, input=stdin, prog_name="gradpress")
        assert isinstance(outcome.exception, SystemExit | None), outcome.exception
        return outcome

    return run


def files():
    return sorted(path.name for path in Path().iterdir())


def test_one_picture_goes_beside_its_input(gradpress):
    outcome = gradpress("photo.png")
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert outcome.stderr == (
        f"photo.png → photo.jpg  1000 → {len(JPEG)} bytes  −98.5 %  38.01 dB  0 steps  0.50 s\n"
    )
    assert Path("photo.jpg").read_bytes() == JPEG
    assert files() == ["photo.jpg"]


def test_many_pictures_go_into_a_folder(gradpress):
    outcome = gradpress("a.png", "x/b.tif", "-o", "small")
    assert outcome.exit_code == 0
    assert [path.name for path in sorted(Path("small").iterdir())] == ["a.jpg", "b.jpg"]
    first, second, last = outcome.stderr.splitlines()
    assert "small/a.jpg" in first
    assert "small/b.jpg" in second
    assert last == f"2 files  2000 → {2 * len(JPEG)} bytes  −98.5 %"


@pytest.mark.parametrize("name", ["a b.png", "ä☃.png", "-v.png", "[red]x.png", "a\nb.png"])
def test_any_name_will_do(gradpress, compress, name):
    outcome = gradpress("--", name)
    assert outcome.exit_code == 0
    assert len(outcome.stderr.splitlines()) == 1
    assert compress.calls[0][0] == Path(name)
    assert Path(name).with_suffix(".jpg").read_bytes() == JPEG


def test_options_reach_the_library_under_their_own_names(gradpress, compress):
    arguments = """a.png --target psnr=42 --loss mae --chroma-subsampling 444 --progressive off
        -e 7 --threads 3 --seed 5 --background #102030 --max-pixels 99 --strip gps,xmp --strip exif
        --strip-icc --drop-gain-map --no-mark --force"""
    gradpress(*arguments.split())
    ((source, options),) = compress.calls
    assert source == Path("a.png")
    assert options == {
        "qtables": None,
        "importance": None,
        "freeze_tables": False,
        "target": "psnr=42",
        "quality": None,
        "distance": None,
        "lossless": False,
        "salvage": False,
        "deblock": False,
        "target_size": None,
        "lagrangian": None,
        "loss": "mae",
        "chroma_subsampling": "444",
        "progressive": "off",
        "effort": 7,
        "threads": 3,
        "method": None,
        "learning_rate": None,
        "schedule": None,
        "iterations": None,
        "tolerance": None,
        "start": "curvature",
        "seed": 5,
        "background": "#102030",
        "max_pixels": 99,
        "min_savings": 0.02,
        "strip": ("gps,xmp", "exif"),
        "keep": (),
        "preset": None,
        "strip_icc": True,
        "drop_gain_map": True,
        "no_mark": True,
        "force": True,
        "name": "a.png",
    }


def test_options_of_the_descent_reach_the_library(gradpress, compress):
    arguments = """a.png --method lbfgs --learning-rate auto --schedule cosine --iterations 9
        --tolerance 0.01 --start flat --qtables t.json --freeze-tables --lossless --salvage
        --deblock"""
    gradpress(*arguments.split())
    options = compress.calls[0][1]
    assert options | {
        "method": "lbfgs",
        "learning_rate": "auto",
        "schedule": "cosine",
        "iterations": 9,
        "tolerance": 0.01,
        "start": "flat",
        "qtables": "t.json",
        "freeze_tables": True,
        "lossless": True,
        "salvage": True,
        "deblock": True,
    } == options  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        ("--keep iptc --keep xmp,gps", "keep", ("iptc", "xmp,gps")),
        ("--preset web", "preset", "web"),
    ],
)
def test_what_alone_is_kept_reaches_the_library(gradpress, compress, arguments, name, value):
    gradpress("a.png", *arguments.split())
    assert compress.calls[0][1][name] == value


def test_other_spellings(gradpress, compress):
    gradpress("a.png", "--baseline", "--max-size", "9KB", "--chroma-subsampling", "keep")
    options = compress.calls[0][1]
    chosen = options["progressive"], options["target_size"], options["chroma_subsampling"]
    assert chosen == ("off", "9KB", "keep")
    assert "baseline" not in options
    contradiction = gradpress("a.png", "--baseline", "--progressive", "on")
    assert contradiction.exit_code == 2
    assert "--baseline contradicts --progressive on" in contradiction.stderr


def test_patterns_that_the_shell_left_alone_are_expanded(gradpress, compress):
    for name in ("a.png", "b.png", "c.gif", "[x].png"):
        Path(name).touch()
    gradpress("*.png", "[x].png", "-o", "small")
    assert [source.name for source, _ in compress.calls] == ["[x].png", "a.png", "b.png"]


def test_defaults_are_the_librarys(gradpress, compress):
    gradpress("a.png")
    options = compress.calls[0][1]
    assert options["max_pixels"] == DEFAULT_MAX_PIXELS
    assert options["target"] is options["target_size"] is options["lagrangian"] is None
    assert options["effort"] == 5
    assert 1 <= options["threads"] <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Missing argument"),
        (["a.png", "--no-such-option"], "No such option"),
        (["a.png", "--target", "38"], "ssimulacra2=80"),
        (["a.png", "--target", "psnr=0"], "out of range"),
        (["a.png", "--target-size", "big"], "120KB"),
        (["a.png", "--target-size", "0"], "at least 1 byte"),
        (["a.png", "--lagrangian", "nan"], "above 0"),
        (["a.png", "--lagrangian", "-1"], "above 0"),
        (["a.png", "--target", "psnr=38", "-q", "80"], "one goal only"),
        (["a.png", "-e", "0"], "effort"),
        (["a.png", "-e", "10"], "effort"),
        (["a.png", "--threads", "0"], "threads"),
        (["a.png", "--max-pixels", "0"], "max-pixels"),
        (["a.png", "--loss", "l2"], "mae"),
        (["a.png", "--strip", "gpx"], "gps"),
        (["a.png", "--strip", "all", "--keep", "exif"], "one of"),
        (["a.png", "--preset", "print"], "web"),
        (["a.png", "--overwrite", "larger"], "always"),
        (["a.png", "-o", "-", "--json"], "not both"),
        (["-", "--json"], "not both"),
        (["a.png", "b.png", "-o", "-"], "one picture only"),
        (["-", "b.png"], "on its own"),
        (["-", "-o", "folder/"], "is a folder"),
    ],
)
def test_wrong_usage_exits_2_and_does_nothing(gradpress, compress, arguments, complaint):
    outcome = gradpress(*arguments)
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert complaint in outcome.stderr
    assert (compress.calls, files()) == ([], [])


def test_a_value_that_only_the_library_can_judge_is_wrong_usage_too(gradpress, compress):
    compress.outcomes["a.png"] = UsageError("background 'greeen' is not a colour")
    outcome = gradpress("a.png")
    assert outcome.exit_code == 2
    assert "not a colour" in outcome.stderr


def test_a_failure_is_one_line_and_the_others_go_on(gradpress, compress):
    compress.outcomes["b.png"] = UnsupportedImage("b.png: is cut short; get it again")
    outcome = gradpress("a.png", "b.png", "c.png")
    assert outcome.exit_code == 1
    assert outcome.stderr.splitlines()[1] == "gradpress: b.png: is cut short; get it again"
    assert files() == ["a.jpg", "c.jpg"]


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (KeyError("x"), ["unexpected KeyError", "report it", console.DEBUG]),
        (RecursionError(), ["unexpected RecursionError;"]),
        (ValueError("two\nlines"), [r"two\nlines"]),
        (MemoryError(), ["not enough memory"]),
        (ImportError("no kernels"), ["unexpected ImportError: no kernels"]),
    ],
)
def test_no_traceback_reaches_the_user(gradpress, compress, error, parts):
    compress.outcomes["a.png"] = error
    outcome = gradpress("a.png")
    assert (outcome.exit_code, outcome.stdout, files()) == (1, "", [])
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("gradpress: a.png: ")
    for part in parts:
        assert part in line


def test_the_traceback_is_there_for_those_who_ask(gradpress, compress, monkeypatch):
    monkeypatch.setenv(console.DEBUG, "1")
    compress.outcomes["a.png"] = KeyError("x")
    outcome = gradpress("a.png")
    assert outcome.exit_code == 1
    assert "Traceback" in outcome.stderr


def test_a_goal_out_of_reach_exits_3_with_the_closest_file(gradpress, compress):
    compress.outcomes["a.png"] = result_of(status=Status.UNREACHABLE)
    outcome = gradpress("a.png", "b.png")
    assert outcome.exit_code == 3
    assert "goal not reached: so it came" in outcome.stderr
    assert files() == ["a.jpg", "b.jpg"]
    compress.outcomes["b.png"] = KeyError("x")
    assert gradpress("a.png", "b.png", "--overwrite", "always").exit_code == 1


def test_an_interrupt_exits_130_and_keeps_what_is_finished(gradpress, compress):
    compress.outcomes["b.png"] = KeyboardInterrupt()
    outcome = gradpress("a.png", "b.png", "c.png")
    assert outcome.exit_code == 130
    assert outcome.stderr.splitlines()[-1].startswith("gradpress: interrupted")
    assert files() == ["a.jpg"]


def test_an_existing_file_is_refused_before_any_work(gradpress, compress):
    Path("a.jpg").write_bytes(b"old")
    outcome = gradpress("a.png")
    assert outcome.exit_code == 1
    assert "--overwrite always" in outcome.stderr
    assert (compress.calls, Path("a.jpg").read_bytes()) == ([], b"old")
    assert gradpress("a.png", "--overwrite", "always").exit_code == 0
    assert Path("a.jpg").read_bytes() == JPEG


def test_two_pictures_never_share_an_output(gradpress):
    outcome = gradpress("a.png", "a.tif", "b/../a.png", "--overwrite", "always")
    assert outcome.exit_code == 0
    assert files() == ["a.jpg", "a.tif.jpg"]


def test_a_full_disk_is_one_line(gradpress, monkeypatch):
    def fail(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    outcome = gradpress("a.png")
    assert outcome.exit_code == 1
    assert "gradpress: a.png: a.jpg cannot be written: the disk is full" in outcome.stderr
    assert files() == []


def test_an_unchanged_picture_is_written_elsewhere_but_not_onto_itself(gradpress, compress):
    Path("a.jpg").write_bytes(JPEG)
    before = Path("a.jpg").stat()
    compress.outcomes["a.jpg"] = result_of(status=Status.PASSED_THROUGH, before=len(JPEG))
    outcome = gradpress("a.jpg", "--overwrite", "always")
    assert outcome.exit_code == 0
    assert "unchanged: so it came" in outcome.stderr
    assert Path("a.jpg").stat() == before
    assert gradpress("a.jpg", "-o", "b.jpg").exit_code == 0
    assert Path("b.jpg").read_bytes() == JPEG


@pytest.mark.parametrize("arguments", [["-"], ["-", "-o", "-"], ["a.png", "-o", "-"]])
def test_standard_output_carries_the_picture_alone(gradpress, compress, arguments):
    compress.outcomes |= dict.fromkeys(("-", "a.png"), result_of(notices=("a note",)))
    outcome = gradpress(*arguments, "-v", stdin=b"a picture")
    assert (outcome.exit_code, outcome.stdout_bytes, files()) == (0, JPEG, [])
    assert "note: a note" in outcome.stderr


def test_standard_input_is_handed_over_as_bytes(gradpress, compress):
    def echo(source, **_options):
        yield SimpleNamespace(
            best=result_of(source.read()), step=None, measured=None, metric=metric("psnr")
        )

    compress.steps = echo
    assert gradpress("-", stdin=b"\xff\x00\r\n\xfe").stdout_bytes == b"\xff\x00\r\n\xfe"


def test_json_is_all_there_is_on_standard_output(gradpress, compress):
    compress.outcomes["b.png"] = UnsupportedImage("b.png: is cut short")
    compress.outcomes["c.png"] = result_of(status=Status.UNREACHABLE)
    outcome = gradpress("a.png", "b.png", "c.png", "--json", "-v")
    assert outcome.exit_code == 1
    whole = json.loads(outcome.stdout)
    assert whole["version"] == console.installed_version()
    first, second, third = whole["files"]
    assert (first["input"], first["output"]) == ("a.png", "a.jpg")
    assert first["bytes_after"] == len(JPEG)
    assert first["goal"] == {"psnr": 38.0}
    assert first["peak_rss_bytes"] is None or first["peak_rss_bytes"] > 10**6
    assert (second["status"], second["reason"]) == ("failed", "is cut short")
    assert third["status"] == "goal-unreachable"


def test_json_of_standard_input(gradpress):
    (entry,) = json.loads(gradpress("-", "-o", "x.jpg", "--json", stdin=b"x").stdout)["files"]
    assert (entry["input"], entry["output"]) == ("-", "x.jpg")


def test_volumes(gradpress, compress):
    compress.outcomes["a.png"] = result_of(notices=("laid on white",))
    usual = gradpress("a.png").stderr
    verbose = gradpress("a.png", "-v", "-o", "v.jpg").stderr
    assert "note: laid on white" in usual
    assert "at least 38 dB" not in usual
    assert "at least 38 dB" in verbose
    assert gradpress("a.png", "-Q", "-o", "q.jpg").output == ""
    assert "exists already" in gradpress("a.png", "-Q").stderr


def test_peak_memory_is_counted_in_bytes():
    peak = console.peak_rss_bytes()
    assert peak is None or 10**7 < peak < 10**11


def test_without_an_account_of_memory_none_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert console.peak_rss_bytes() is None
