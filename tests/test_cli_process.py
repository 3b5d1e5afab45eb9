"""The command in a process of its own: streams that are closed or full, signals, terminals.

Most tests put a stand-in where the compression is; the last ones run the real thing.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from gradpress.commands import console

posix = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")

STAND_IN = """
import signal, sys, time, types
signal.signal(signal.SIGINT, signal.default_int_handler)
from gradpress.goal import Target
from gradpress.metrics import metric
from gradpress.result import Result, Status
def steps(source, **options):
    data = b"\\xff\\xd8" + bytes(options["seed"])
    goal = Target(metric("psnr"), 38.0)
    result = Result(data, Status.COMPRESSED, "the goal was reached", goal, 2, 1, 9,
                    {"psnr": 38.0}, "420", True, (), None, 0.1, 0.1)
    print("under way", file=sys.stderr, flush=True)
    if options["effort"] == 9:
        time.sleep(60)
    yield types.SimpleNamespace(step=None, measured=None, metric=metric("psnr"), best=result)
sys.modules["gradpress.pipeline"] = types.SimpleNamespace(steps=steps)
from gradpress.commands.cli import main
main(prog_name="gradpress")
"""
"""A process of its own with the stand-in: ``--seed`` is the picture's size, effort 9 is slow."""


def python(*arguments, **options):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, timeout=60, check=False, **options
    )


@pytest.mark.parametrize("option", ["--help", "--version", "-h"])
def test_help_and_version_import_no_numpy(option):
    code = f"""
import sys
from gradpress.commands.cli import main
try:
    main(["{option}"], prog_name="gradpress")
finally:
    heavy = {{"numpy", "PIL", "rich", "gradpress._kernels"}} & set(sys.modules)
    assert not heavy, heavy
"""
    outcome = python("-c", code)
    assert (outcome.returncode, outcome.stderr) == (0, b"")
    assert outcome.stdout.lower().startswith((b"usage: gradpress", b"gradpress "))


def test_the_module_is_the_command():
    outcome = python("-m", "gradpress", "--version")
    assert outcome.stdout.decode().split() == ["gradpress", console.installed_version()]


def closed_pipe():
    """Open the writing end of a pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    return os.fdopen(write, "wb")


def full_disk():
    """Open a device that has no space left."""
    return Path("/dev/full").open("wb")


@pytest.mark.parametrize("target", [closed_pipe, full_disk])
@pytest.mark.parametrize("option", ["-o-", "--json"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_an_output_that_is_closed_or_full_is_one_line(tmp_path, target, option, unbuffered):
    with target() as stdout:
        outcome = subprocess.run(
            [sys.executable, "-c", STAND_IN, "a.png", option, "--seed", "1000"],
            stdout=stdout, stderr=subprocess.PIPE, cwd=tmp_path, timeout=60, check=False,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert outcome.returncode == 1
    line = outcome.stderr.decode().splitlines()[-1]
    assert line.startswith("gradpress: ")
    assert "standard output cannot be written" in line
    assert b"Traceback" not in outcome.stderr


@pytest.mark.parametrize("target", [closed_pipe, full_disk])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_the_work_goes_on_when_nobody_listens(tmp_path, target):
    quiet = STAND_IN.replace('print("under way", file=sys.stderr, flush=True)', "pass")
    with target() as stderr:
        subprocess.run(
            [sys.executable, "-c", quiet, "a.png", "b.png", "-o", "out", "-j", "1"],
            stderr=stderr, cwd=tmp_path, timeout=60, check=False,
        )  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.jpg", "b.jpg"]


@posix
def test_ctrl_c_ends_with_130_and_nothing_half_written(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", STAND_IN, "a.png", "-e", "9"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
    ) as process:  # fmt: skip
        assert process.stderr.readline() == b"under way\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (130, b"")
    assert errors.decode().startswith("gradpress: interrupted")
    assert list(tmp_path.iterdir()) == []


@contextmanager
def terminal():
    """Open a terminal of 60 columns: our end, and the one that a program is given."""
    import pty  # noqa: PLC0415
    import termios  # noqa: PLC0415

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 60))
    try:
        yield ours, theirs
    finally:
        for end in (ours, theirs):
            os.close(end)


def in_terminal(cwd, *arguments, stream="stderr"):
    """Run the stand-in with one stream on a terminal; return what came out and what was shown."""
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with terminal() as (ours, theirs):
        process = subprocess.Popen(
            [sys.executable, "-c", STAND_IN, *arguments], cwd=cwd, **(streams | {stream: theirs}),
            env=os.environ | {"TERM": "xterm"},
        )  # fmt: skip
        output, errors = process.communicate(timeout=60)
        os.set_blocking(ours, False)
        try:
            shown = os.read(ours, 100_000)
        except BlockingIOError:
            shown = b""
    return process.returncode, output, errors, shown.decode()


@posix
def test_a_terminal_shows_progress_and_the_line_that_stays(tmp_path):
    code, output, _, shown = in_terminal(tmp_path, "[b]a.png", "--json")
    assert code == 0
    assert json.loads(output)["files"][0]["output"] == "[b]a.jpg"
    assert "\x1b[?25l" in shown
    assert "[b]a.png → [b]a.jpg  9 → 2 bytes" in shown


@posix
def test_a_quiet_terminal_stays_empty(tmp_path):
    code, _, _, shown = in_terminal(tmp_path, "a.png", "-Q")
    assert (code, shown.replace("under way", "").strip()) == (0, "")


@posix
@pytest.mark.parametrize("stream", ["stdout", "stdin"])
def test_a_terminal_neither_gives_nor_takes_a_picture(tmp_path, stream):
    code, _, errors, shown = in_terminal(tmp_path, "-", stream=stream)
    assert code == 2
    assert errors.decode().startswith("Usage")
    assert shown == ""
    assert list(tmp_path.iterdir()) == []


def picture(path):
    """Draw a small picture: two ramps."""
    Image.linear_gradient("L").resize((40, 24)).convert("RGB").save(path)


def test_the_real_thing_from_file_to_file(tmp_path):
    picture(tmp_path / "a b.png")
    outcome = python("-m", "gradpress", "a b.png", "--json", cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    (entry,) = json.loads(outcome.stdout)["files"]
    data = (tmp_path / "a b.jpg").read_bytes()
    assert entry["bytes_after"] == len(data)
    assert entry["metrics"]["ssimulacra2"] >= 80
    assert entry["metrics"]["psnr"] >= 32
    with Image.open(io.BytesIO(data)) as decoded:
        assert (decoded.format, decoded.size) == ("JPEG", (40, 24))


def test_the_real_thing_in_a_pipe_and_with_a_broken_picture(tmp_path):
    picture(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    good = python("-m", "gradpress", "-", cwd=tmp_path, input=whole)
    bad = python("-m", "gradpress", "-", cwd=tmp_path, input=whole[:60])
    assert (good.returncode, good.stdout[:2]) == (0, b"\xff\xd8")
    assert (bad.returncode, bad.stdout) == (1, b"")
    (line,) = bad.stderr.decode().splitlines()
    assert line.startswith("gradpress: -: ")
