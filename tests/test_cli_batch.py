"""The options about files, limits and telling, each doing what its help says, on tiny pictures."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import PIL.Image
import pytest
from click.testing import CliRunner

from gradpress import pipeline
from gradpress.commands import cli, console
from tests.conftest import scene

posix = pytest.mark.skipif(os.name != "posix", reason="signals and links of POSIX")


def draw(path, size=24, seed=0, **options):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(scene(size, size, seed)).save(path, **options)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw("in/a.png", seed=1)
    draw("in/x/b.png", seed=2)
    draw("in/x/c.jpg", seed=3, quality=98)
    return tmp_path


@pytest.fixture
def gradpress(here):
    def run(*arguments, stdin=None):
        given = ["-j", "1", "-e", "1", *map(str, arguments)]
        if {"-n", "--check"} & set(given):
            given = ["-j", "1", *map(str, arguments)]
        outcome = CliRunner().invoke(cli.main, given, input=stdin, prog_name="gradpress")
        assert isinstance(outcome.exception, SystemExit | None), outcome.exception
        return outcome

    return run


def tree(folder="."):
    return sorted(p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file())


INPUTS = ["in/a.png", "in/x/b.png", "in/x/c.jpg"]


def test_a_tree_is_repeated_and_a_second_run_has_nothing_to_do(gradpress):
    outcome = gradpress("-r", "in", "-o", "out")
    assert outcome.exit_code == 0, outcome.stderr
    assert tree("out") == ["a.jpg", "x/b.jpg", "x/c.jpg"]
    before = {path: Path("out", path).stat() for path in tree("out")}
    outcome = gradpress("--recursive", "in", "--output", "out")
    assert outcome.exit_code == 0
    assert outcome.stderr.splitlines()[-1] == "3 files  3 skipped"
    assert {path: Path("out", path).stat() for path in tree("out")} == before


def test_an_interrupted_tree_is_completed(gradpress):
    gradpress("-r", "in", "-o", "out")
    Path("out/x/b.jpg").unlink()
    outcome = gradpress("-r", "in", "-o", "out")
    assert outcome.exit_code == 0
    assert "2 skipped" in outcome.stderr
    assert tree("out") == ["a.jpg", "x/b.jpg", "x/c.jpg"]


def test_processes_say_the_same_in_the_same_order(gradpress):
    alone = gradpress("-r", "in", "-o", "one", "--json")
    many = gradpress("-r", "in", "-o", "two", "--json", "-j", "3", "--threads", "1")
    drop = ("output", "seconds", "cpu_seconds", "peak_rss_bytes")
    one, two = (
        [{k: v for k, v in entry.items() if k not in drop} for entry in json.loads(each)["files"]]
        for each in (alone.stdout, many.stdout)
    )
    assert [entry["input"] for entry in one] == INPUTS
    assert one == two
    assert [Path("one", p).read_bytes() for p in tree("one")] == [
        Path("two", p).read_bytes() for p in tree("two")
    ]


def test_lists_and_exclusions(gradpress):
    Path("list").write_text("in/a.png\nin/x/c.jpg\n")
    assert gradpress("--files-from", "list", "--exclude", "*.jpg", "-o", "out").exit_code == 0
    assert tree("out") == ["a.jpg"]
    outcome = gradpress("--files-from", "-", "-0", "-o", "two", stdin=b"in/x/b.png\0")
    assert outcome.exit_code == 0
    assert tree("two") == ["b.jpg"]


def test_nothing_to_do_is_no_error(gradpress):
    outcome = gradpress("-r", "in", "--exclude", "*", "-o", "out")
    assert outcome.exit_code == 0
    assert "no pictures" in outcome.stderr
    assert tree("out") == [] if Path("out").exists() else True


def test_a_suffix_marks_outputs_and_they_are_no_inputs(gradpress):
    assert gradpress("-r", "in", "--suffix", "-small").exit_code == 0
    made = ["in/a-small.jpg", "in/x/b-small.jpg", "in/x/c-small.jpg"]
    assert tree() == sorted([*INPUTS, *made])
    assert "3 skipped" in gradpress("-r", "in", "--suffix", "-small").stderr
    assert tree() == sorted([*INPUTS, *made])


def test_in_place_replaces_jpeg_files_by_smaller_ones(gradpress):
    path = Path("in/x/c.jpg")
    original, others = path.read_bytes(), Path("in/a.png").read_bytes()
    path.chmod(0o640)
    outcome = gradpress("-r", "in", "--in-place", "--backup")
    assert outcome.exit_code == 0, outcome.stderr
    assert tree() == sorted([*INPUTS, "in/x/c.jpg.orig"])
    assert Path("in/x/c.jpg.orig").read_bytes() == original
    assert path.stat().st_size < 0.98 * len(original)
    assert path.stat().st_mode & 0o777 == 0o640
    assert Path("in/a.png").read_bytes() == others
    with PIL.Image.open(path) as picture:
        assert picture.size == (24, 24)


@posix
def test_in_place_refuses_what_is_no_jpeg_or_a_link(gradpress):
    Path("link.jpg").symlink_to("in/x/c.jpg")
    content = Path("in/x/c.jpg").read_bytes()
    outcome = gradpress("in/a.png", "link.jpg", "--in-place")
    assert outcome.exit_code == 1
    assert "in/a.png: is not a JPEG file" in outcome.stderr
    assert "link.jpg is a symbolic link" in outcome.stderr
    assert Path("in/x/c.jpg").read_bytes() == content


@pytest.mark.parametrize("savings", ["99%", "0.99"])
def test_what_saves_too_little_stays_as_it_is(gradpress, savings):
    content = Path("in/x/c.jpg").read_bytes()
    outcome = gradpress("in/x/c.jpg", "--in-place", "--backup", "--min-savings", savings)
    assert outcome.exit_code == 0
    assert "unchanged" in outcome.stderr
    assert Path("in/x/c.jpg").read_bytes() == content
    assert not Path("in/x/c.jpg.orig").exists()
    assert gradpress("in/x/c.jpg", "-o", "out/", "--min-savings", savings).exit_code == 0
    assert Path("out/c.jpg").read_bytes() == content


def test_in_place_a_missed_goal_changes_nothing(gradpress):
    content = Path("in/x/c.jpg").read_bytes()
    outcome = gradpress("in/x/c.jpg", "--in-place", "--target-size", "10")
    assert outcome.exit_code == 3
    assert Path("in/x/c.jpg").read_bytes() == content


def test_in_place_a_file_that_changes_meanwhile_is_left_alone(gradpress, monkeypatch):
    steps, path = pipeline.steps, Path("in/x/c.jpg")

    def disturbed(source, **options):
        for snapshot in steps(source, **options):
            path.write_bytes(b"edited by somebody")
            yield snapshot

    monkeypatch.setattr(pipeline, "steps", disturbed)
    outcome = gradpress(path, "--in-place")
    assert outcome.exit_code == 1
    assert "was changed meanwhile" in outcome.stderr
    assert path.read_bytes() == b"edited by somebody"


@pytest.mark.parametrize(("size", "status"), [(1, "skipped"), (10**5, "compressed")])
def test_only_smaller_files_replace(gradpress, size, status):
    Path("a.jpg").write_bytes(bytes(size))
    outcome = gradpress("in/a.png", "-o", "a.jpg", "--overwrite", "smaller", "--json")
    (entry,) = json.loads(outcome.stdout)["files"]
    assert (outcome.exit_code, entry["status"]) == (0, status)
    assert (Path("a.jpg").stat().st_size == size) == (status == "skipped")


@posix
def test_times_and_mode_are_preserved(gradpress):
    source = Path("in/a.png")
    source.chmod(0o600)
    os.utime(source, ns=(10**18, 10**18))
    gradpress(source, "-o", "plain.jpg")
    gradpress(source, "-o", "kept.jpg", "-p")
    assert Path("plain.jpg").stat().st_mtime_ns != 10**18
    kept = Path("kept.jpg").stat()
    assert (kept.st_mtime_ns, kept.st_mode & 0o777) == (10**18, 0o600)


@pytest.mark.parametrize("option", ["-n", "--dry-run", "--check"])
def test_a_dry_run_writes_nothing(gradpress, option):
    before = {path: Path(path).read_bytes() for path in tree()}
    outcome = gradpress("-r", "in", "-o", "out", option, "--json")
    assert outcome.exit_code == (4 if option == "--check" else 0)
    entries = json.loads(outcome.stdout)["files"]
    assert all(entry["output"] is None for entry in entries)
    assert all(entry["bytes_after"] < entry["bytes_before"] for entry in entries)
    assert not Path("out").exists()
    assert {path: Path(path).read_bytes() for path in tree()} == before


def test_a_dry_run_is_cheap_unless_told_otherwise(gradpress, monkeypatch):
    efforts, steps = [], pipeline.steps

    def watched(source, **options):
        efforts.append(options["effort"])
        return steps(source, **options)

    monkeypatch.setattr(pipeline, "steps", watched)
    gradpress("in/a.png", "-n")
    gradpress("in/a.png", "-n", "-e", "2")
    gradpress("in/a.png", "--check")
    assert efforts == [1, 2, 1]


def test_check_passes_where_too_little_would_be_saved(gradpress):
    assert gradpress("in/x/c.jpg", "--check").exit_code == 4
    assert gradpress("-r", "in", "--check").exit_code == 4
    assert gradpress("in/x/c.jpg", "--check", "--min-savings", "99%").exit_code == 0


HOOKS = Path(__file__).parents[1] / ".pre-commit-hooks.yaml"


def test_the_hooks_of_pre_commit_check_and_do_the_work(gradpress):
    entries = re.findall(r"entry: gradpress (.*)", HOOKS.read_text(encoding="utf-8"))
    codes = [gradpress(*entry.split(), "in/x/c.jpg").exit_code for entry in entries]
    assert codes == [4, 0]
    assert tree() == INPUTS


def test_a_stream_of_events(gradpress):
    Path("in/broken.png").write_bytes(b"\x89PNG")
    outcome = gradpress("-r", "in", "-o", "out", "--json=lines")
    assert outcome.exit_code == 1
    events = [json.loads(line) for line in outcome.stdout.splitlines()]
    kinds = {}
    for event in events:
        kinds.setdefault(event.get("input"), []).append(event["event"])
    assert kinds.pop(None) == ["summary"]
    assert kinds.pop("in/broken.png") == ["start", "failed"]
    assert sorted(kinds) == INPUTS
    for each in kinds.values():
        assert each == ["start", *["step"] * (len(each) - 2), "finished"]
        assert len(each) > 2
    assert events[-1]["files"] == 4
    assert events[-1]["failed"] == 1
    ends = [event for event in events if event["event"] == "finished"]
    assert ends[0]["metrics"]["ssimulacra2"] >= 80


def test_limits_of_time(gradpress):
    outcome = gradpress("in/a.png", "--time-limit", "1ms", "-e", "9", "-o", "a.jpg", "--json")
    assert outcome.exit_code in (0, 3)
    (entry,) = json.loads(outcome.stdout)["files"]
    assert Path("a.jpg").stat().st_size == entry["bytes_after"]
    outcome = gradpress("-r", "in", "-o", "out", "--total-time", "0.001ms")
    assert outcome.exit_code == 1
    assert "3 not started" in outcome.stderr


def test_a_limit_of_memory(gradpress):
    outcome = gradpress("in/a.png", "--memory-limit", "100MB")
    assert outcome.exit_code == 1
    assert "raise --memory-limit" in outcome.stderr
    assert gradpress("in/a.png", "--memory-limit", "1GB").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["in/a.png", "-j", "0"], "number of jobs"),
        (["in/a.png", "--jobs", "many"], "number of jobs"),
        (["in/a.png", "--time-limit", "soon"], "30s"),
        (["in/a.png", "--total-time", "0"], "10m"),
        (["in/a.png", "--memory-limit", "2%"], "2GB"),
        (["in/a.png", "--min-savings", "200%"], "2%"),
        (["in/a.png", "--in-place", "-o", "x"], "--in-place"),
        (["in/a.png", "--backup"], "--in-place"),
        (["in/a.png", "-0"], "--files-from"),
        (["-r", "in"], "--suffix or --in-place"),
        (["-", "--files-from", "-"], "either a picture or the list"),
        (["-", "--in-place"], "in place"),
    ],
)
def test_wrong_usage_exits_2_and_does_nothing(gradpress, arguments, complaint):
    before = tree()
    outcome = gradpress(*arguments)
    assert outcome.exit_code == 2
    assert complaint in outcome.stderr.replace("\n", " ")
    assert tree() == before


def test_jobs_are_no_more_than_there_is_work_and_share_the_cores(here, monkeypatch):
    seen = []

    def watched(tasks, job, means, _stop):
        seen.append((means.jobs, job.options["threads"]))
        yield from ()

    monkeypatch.setattr(cli, "available_cores", lambda: 8)
    monkeypatch.setattr(cli.batch, "parallel", watched)
    monkeypatch.setattr(cli.batch, "serial", watched)
    for options in (["-j", "2"], ["-j", "100"], ["-j", "2", "--threads", "1"], ["-j", "1"]):
        CliRunner().invoke(cli.main, ["-r", "in", "-o", "out", *options], prog_name="gradpress")
    assert seen == [(2, 4), (3, 2), (2, 1), (1, 8)]
    assert console.available_cores() >= 1


def start(*arguments, cwd):
    return subprocess.Popen(
        [sys.executable, "-m", "gradpress", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd, text=True,
    )  # fmt: skip


def wait_for(process, kind):
    """Read events until one of a kind comes."""
    for line in process.stdout:
        if json.loads(line)["event"] == kind:
            return
    raise AssertionError(process.stderr.read())


@posix
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_once_takes_the_best_so_far(here, jobs):
    for name in "abc":
        draw(here / "big" / f"{name}.png", size=160)
    arguments = ["-r", "big", "-o", "out", "-j", jobs, "-e", "9", "--json=lines"]
    with start(*arguments, cwd=here) as process:
        wait_for(process, "step")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1].startswith("gradpress: interrupted")
    made = tree(here / "out")
    assert made
    assert not [name for name in made if not name.endswith(".jpg")]
    for name in made:
        with PIL.Image.open(here / "out" / name) as picture:
            picture.load()
    last = json.loads(output.splitlines()[-1])
    assert last["event"] == "summary"
    assert last["not_started"] == 3 - len(made)


@posix
def test_ctrl_c_twice_ends_at_once(here):
    for name in "abc":
        draw(here / "big" / f"{name}.png", size=700)
    arguments = ["-r", "big", "-o", "out", "-j", "2", "-e", "9", "--json=lines"]
    with start(*arguments, cwd=here) as process:
        wait_for(process, "step")
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, errors = process.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert [name for name in tree(here / "out") if not name.endswith(".jpg")] == []
