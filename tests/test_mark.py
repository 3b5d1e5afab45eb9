"""Files that are done: marked for their goal, and left alone by later runs."""

from __future__ import annotations

import io
import sys
import time

import PIL.Image
import pytest
from click.testing import CliRunner
from conftest import png, scene
from described_files import jpeg_of, rich_jpeg, split, with_segments

import gradpress
from gradpress.commands.cli import main
from gradpress.goal import request_from_options
from gradpress.jpeg import reader
from gradpress.metadata import mark

FAST = {"effort": 1, "loss": "mse"}
GOALS = {
    "ssimulacra2=80": {},
    "psnr=34": {"target": "psnr = 34.0"},
    "quality=60": {"quality": 60},
    "butteraugli=2": {"distance": 2},
    "target-size=50%": {"target_size": "50%"},
    "target-size=2000": {"target_size": "2KB"},
    "lagrangian=200": {"lagrangian": 200.0},
    "psnr=34 target-size=9000": {"target": "PSNR=34", "target_size": "9kb"},
}


def comments(data):
    with PIL.Image.open(io.BytesIO(data)) as picture:
        return [text for marker, text in picture.applist if marker == "COM"]


def asked(**given):
    names = ("target", "quality", "distance", "target_size", "lagrangian")
    return request_from_options(*(given.get(name) for name in names))


@pytest.mark.parametrize(("text", "options"), GOALS.items(), ids=GOALS)
def test_a_file_states_its_goal_and_a_second_run_leaves_it_alone(text, options):
    first = gradpress.compress(jpeg_of(quality=97), **FAST, **options)
    (told,) = comments(first.data)
    assert told.decode().rsplit(" ", 1)[0] == f"gradpress 1 {text}"
    again = gradpress.compress(first.data, **FAST, **options)
    assert (again.status.value, again.reason) == ("passed-through", "it was already done")
    assert again.data == first.data
    assert again.solution is None
    assert (again.width, again.height) == (64, 48)


@pytest.mark.parametrize("options", [{}, {"quality": 70}, {"target_size": "60%"}], ids=str)
def test_ten_runs_are_as_one(options):
    data = gradpress.compress(rich_jpeg(6), **FAST, **options).data
    for _ in range(10):
        again = gradpress.compress(data, **FAST, **options).data
        assert again == data


def test_deblocking_is_another_goal():
    poor, goal = jpeg_of(quality=30), {"target": "psnr=32", "effort": 1}
    plain, smooth = (gradpress.compress(poor, **goal, deblock=each) for each in (False, True))
    for file, deblock in ((plain, True), (smooth, False)):
        other = gradpress.compress(file.data, **goal, deblock=deblock)
        assert other.reason != "it was already done"
    again = gradpress.compress(smooth.data, **goal, deblock=True)
    assert (again.data, again.reason) == (smooth.data, "it was already done")
    text = mark.goal_text(asked(target="psnr=32", target_size="9KB"), deblock=True)
    assert text == "psnr=32 target-size=9000 deblock"
    assert mark.goal_of(mark.found(mark.stamped(poor, text))) == text


def test_ten_runs_in_place_are_as_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.jpg"
    path.write_bytes(rich_jpeg())
    command = ["--in-place", "-e1", "--loss", "mse", "-j1", "a.jpg"]
    assert CliRunner().invoke(main, command).exit_code == 0
    first, status = path.read_bytes(), path.stat()
    for _ in range(10):
        assert CliRunner().invoke(main, command).exit_code == 0
    assert path.read_bytes() == first
    assert path.stat().st_mtime_ns == status.st_mtime_ns


def test_another_goal_force_or_no_mark_do_the_work():
    source = jpeg_of(quality=97)
    done = gradpress.compress(source, target="psnr=38", **FAST)
    other = gradpress.compress(done.data, target="psnr=30", **FAST)
    assert (other.status.value, len(other.data) < len(done.data)) == ("compressed", True)
    assert [text.split()[2] for text in comments(other.data)] == [b"psnr=30"]
    forced = gradpress.compress(done.data, target="psnr=38", force=True, **FAST)
    assert forced.reason != "it was already done"
    bare = gradpress.compress(source, target="psnr=38", no_mark=True, **FAST)
    assert comments(bare.data) == []
    assert len(done.data) == len(bare.data) + mark.size("psnr=38")
    assert gradpress.compress(bare.data, target="psnr=38", **FAST).reason != "it was already done"


def test_a_mark_on_another_picture_is_not_believed():
    done = gradpress.compress(jpeg_of(), target="psnr=34", **FAST).data
    (told,) = comments(done)
    other = with_segments(jpeg_of(quality=99), [(0xFE, told)])
    result = gradpress.compress(other, target="psnr=34", **FAST)
    assert result.status.value == "compressed"
    assert comments(result.data) != [told]
    assert len(comments(result.data)) == 1
    assert mark.found(done[:-20] + b"\0" + done[-19:]) is None


def test_a_mark_of_another_generation_is_not_believed():
    done = gradpress.compress(jpeg_of(), target="psnr=34", **FAST).data
    (told,) = comments(done)
    later = told.replace(b"gradpress 1", b"gradpress 2")
    assert mark.found(done.replace(told, later)) == later
    assert mark.goal_of(later) == ""
    redone = gradpress.compress(done.replace(told, later), target="psnr=34", **FAST)
    assert redone.reason != "it was already done"


def test_of_a_png_a_mark_is_no_comment():
    source = PIL.Image.open(io.BytesIO(gradpress.compress(jpeg_of(), **FAST).data))
    assert mark.is_mark(source.info["comment"])
    result = gradpress.compress(source, **FAST)
    assert len(comments(result.data)) == 1


def test_what_is_marked_is_stripped_all_the_same():
    done = gradpress.compress(rich_jpeg(6), **FAST).data
    bare = gradpress.compress(done, strip="all", **FAST)
    assert bare.status.value == "compressed"
    assert bare.reason.startswith("it was already done;")
    assert split(bare.data)[1] == split(done)[1]
    assert b"a maker" not in bare.data
    assert gradpress.compress(bare.data, strip="all", **FAST).data == bare.data
    unmarked = gradpress.compress(bare.data, strip="all", no_mark=True, **FAST).data
    assert comments(unmarked) == []
    assert split(unmarked)[1] == split(done)[1]


def test_recoding_without_loss_keeps_the_mark_and_it_stays_true():
    done = gradpress.compress(jpeg_of(), target="psnr=34", progressive="off", **FAST).data
    slow = with_restarts(done)
    recoded = gradpress.compress(slow, lossless=True)
    assert recoded.status.value == "compressed"
    assert mark.goal_of(mark.found(recoded.data)) == "psnr=34"
    without = gradpress.compress(slow, lossless=True, no_mark=True)
    assert comments(without.data) == []


def with_restarts(data):
    """The file with its picture coded in another way, and its mark made true for that."""
    with PIL.Image.open(io.BytesIO(data)) as picture:
        sink = io.BytesIO()
        picture.save(sink, "JPEG", quality="keep", optimize=False, comment=b"")
    head = split(data)[0]
    return mark.renewed(mark.found(data), head + split(sink.getvalue())[1])


def test_it_is_found_out_before_anything_is_decoded():
    big = PIL.Image.fromarray(scene(1500, 2000))
    data = mark.stamped(jpeg_of(big), "ssimulacra2=80")
    start = time.process_time()
    assert gradpress.compress(data).reason == "it was already done"
    assert time.process_time() - start < 0.5


def test_a_stream_that_is_marked_is_read_once(tmp_path, monkeypatch):
    done = gradpress.compress(jpeg_of(), **FAST).data
    assert gradpress.compress(io.BytesIO(done), **FAST).data == done
    fresh = io.BytesIO(jpeg_of())
    assert gradpress.compress(fresh, **FAST).status.value == "compressed"
    monkeypatch.setattr(sys, "stdin", None)
    path = tmp_path / "done.jpg"
    path.write_bytes(done)
    assert (
        gradpress.compress(path, **FAST).data == gradpress.compress(str(path), **FAST).data == done
    )


def test_a_picture_that_is_worth_no_work_is_not_made_larger_by_a_mark():
    small = gradpress.compress(scene(48, 64), target="psnr=30", no_mark=True, **FAST).data
    result = gradpress.compress(small, target="psnr=60", **FAST)
    assert (result.status.value, result.data) == ("passed-through", small)


def test_a_size_is_kept_with_the_mark_in_it():
    source = png(scene(48, 64))
    for size in range(1200, 1300, 9):
        result = gradpress.compress(source, target_size=size, effort=1)
        assert len(result.data) <= size
        assert comments(result.data)


def test_what_missed_its_goal_is_not_marked():
    result = gradpress.compress(png(scene(48, 64)), target_size=100, effort=1)
    assert result.status.value == "goal-unreachable"
    assert comments(result.data) == []


@pytest.mark.parametrize(("text", "options"), GOALS.items(), ids=GOALS)
def test_goals_are_written_in_one_way(text, options):
    assert mark.goal_text(asked(**options)) == text


def test_the_mark_is_one_short_segment_behind_the_others():
    data = mark.stamped(rich_jpeg(), "psnr=34")
    jpeg = reader.read(data)
    assert jpeg.defects == ()
    assert len(data) == len(rich_jpeg()) + mark.size("psnr=34") < len(rich_jpeg()) + 40
    assert mark.goal_of(mark.found(data)) == "psnr=34"
    assert mark.found(rich_jpeg()) is None
