"""Learning tables: slopes are J's, J falls, an interrupted lesson ends like another."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner

import gradpress
from gradpress.commands import cli
from gradpress.errors import UsageError
from gradpress.jpeg import qtables
from gradpress.jpeg.model import planes_of
from gradpress.jpeg.params import FACTORS, ZIGZAG, Layout
from gradpress.jpeg.rounding import valued
from gradpress.learn import LEVELS, LOSS, Course, Lesson, tables_of
from gradpress.workers import Workers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six parts of the example picture, and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    with PIL.Image.open("examples/coffee.png") as picture:
        for i in range(6):
            part = picture.crop((80 * i, 40 * i, 80 * i + 96, 40 * i + 80))
            part.convert("RGB").save(folder / f"part{i}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def lesson_of(folder, checkpoint=None, epochs=2, **options):
    course = Course(epochs=epochs, batch=2, validation=0.3)
    return Lesson(tuple(sorted(folder.iterdir())), course, checkpoint, **options)


def last(lesson):
    for progress in lesson.learn():
        state = progress.state
    return state


def test_slopes_are_those_of_the_value():
    with PIL.Image.open("examples/coffee.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))[:384, :512]
    planes, layout = planes_of(pixels), Layout(512, 384, FACTORS["420"])
    steps, lagrangian, stride = qtables.standard(70), 24.0, 0.3

    def value(table, frequencies, move):
        moved = steps.copy()
        moved[table, frequencies] *= np.exp(move)
        return valued(planes, layout, LOSS, moved, lagrangian).value

    slope = valued(planes, layout, LOSS, steps, lagrangian).slope
    for table, frequencies in (
        (0, slice(0, 1)),
        (0, slice(1, 6)),
        (0, slice(6, 28)),
        (1, slice(1, 6)),
    ):
        difference = value(table, frequencies, stride) - value(table, frequencies, -stride)
        assert slope[table, frequencies].sum() == pytest.approx(
            difference / (2 * stride), rel=0.35, abs=0.15
        )


def test_the_value_falls(folder):
    lesson = lesson_of(folder, epochs=4)
    state = last(lesson)
    start, _, _ = lesson._mean(lesson.split[1], lesson.resumed().log_steps, 0)
    assert (state.best_values < start).all()


def test_a_lesson_that_was_interrupted_ends_like_another(folder, tmp_path):
    whole = last(lesson_of(folder, tmp_path / "whole"))
    for stop in (1, 2, 3):
        path = tmp_path / f"stopped{stop}"
        steps = lesson_of(folder, path).learn()
        for _ in range(stop):
            next(steps)
        steps.close()
        resumed = last(lesson_of(folder, path))
        for field in dataclasses.fields(resumed):
            np.testing.assert_array_equal(getattr(resumed, field.name), getattr(whole, field.name))


def test_threads_do_not_show(folder):
    with Workers(3) as workers:
        many = last(lesson_of(folder, epochs=1, workers=workers))
    np.testing.assert_array_equal(many.best, last(lesson_of(folder, epochs=1)).best)


def test_a_checkpoint_of_another_lesson_is_refused(folder, tmp_path):
    path = tmp_path / "checkpoint"
    last(lesson_of(folder, path, epochs=1))
    with pytest.raises(UsageError, match="other settings"):
        lesson_of(folder, path, epochs=2).resumed()
    path.write_bytes(b"nonsense")
    with pytest.raises(UsageError, match="no checkpoint"):
        lesson_of(folder, path).resumed()


def test_pictures_that_cannot_be_read_are_named(folder):
    reasons = [reason for p in lesson_of(folder, epochs=1).learn() for reason in p.left_out]
    held = lesson_of(folder).split[1]
    assert any("broken.png" in reason for reason in reasons) or any(
        path.name == "broken.png" for path in held
    )


def run(*arguments):
    return CliRunner().invoke(cli.main, [*map(str, arguments)], prog_name="gradpress")


def test_the_verb_writes_tables_for_everybody(folder, tmp_path):
    out, text = tmp_path / "tables.json", tmp_path / "tables.txt"
    told = run("learn", folder, "-o", out, "--epochs", 1, "--batch", 3, "--cjpeg", text,
               "--quality", 40, "--validation", 0.3)  # fmt: skip
    assert told.exit_code == 0, told.stderr
    tables = qtables.read(out)
    chosen = next(each for each in tables if each.quality == 40)
    assert told.stdout.strip() == qtables.pillow_line(chosen)
    assert text.read_text() == qtables.cjpeg_text(chosen)
    assert json.loads(out.read_text())["about"]["validation"] == 0.3
    assert [each.quality for each in tables] == [quality for quality, _ in LEVELS]
    assert "qtables=" in told.stdout
    assert len(text.read_text().splitlines()) == 18
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tables.json", "tables.txt"]
    again = run("learn", folder, "-o", out)
    assert again.exit_code == 2
    assert "exists" in again.stderr


def test_an_empty_folder_is_refused(tmp_path):
    told = run("learn", tmp_path, "-o", tmp_path / "tables.json")
    assert told.exit_code == 2
    assert "no pictures" in told.stderr


@pytest.fixture(scope="module")
def tables(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "tables.json"
    path.write_text(qtables.to_json(tables_of(last(lesson_of(folder, epochs=1))), {}))
    return path


def test_frozen_tables_are_kept(folder, tables):
    result = gradpress.compress(
        folder / "part1.png", target="ssimulacra2=60", qtables=tables, freeze_tables=True
    )
    kept = result.image.quantization
    found = [
        each
        for each in qtables.read(tables)
        if np.array_equal(np.array(kept[0])[ZIGZAG], each.luma)
        and np.array_equal(np.array(kept[1])[ZIGZAG], each.chroma)
    ]
    assert len(found) == 1


def test_tables_are_started_from(folder, tables):
    result = gradpress.compress(folder / "part1.png", target="psnr=34", qtables=tables)
    assert result.metrics["psnr"] >= 34


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"freeze_tables": True}, "needs the tables"), ({"loss": "mse"}, "tables of its own")],
)
def test_tables_need_what_can_take_them(folder, tables, options, reason):
    if "loss" in options:
        options = {**options, "qtables": tables}
    with pytest.raises(UsageError, match=reason):
        gradpress.compress(folder / "part1.png", **options)


@pytest.mark.parametrize("moment", ["at once", "after a step", "after two"])
def test_a_lesson_that_was_killed_ends_like_another(folder, tmp_path, moment):
    whole = tmp_path / "whole.json"
    options = ("--epochs", "3", "--batch", "2", "--threads", "1")
    assert run("learn", folder, "-o", whole, *options).exit_code == 0
    out, checkpoint = tmp_path / "killed.json", tmp_path / "killed.json.checkpoint"
    command = [sys.executable, "-m", "gradpress", "learn", str(folder), "-o", str(out), *options]
    seen: set[int] = set()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while len(seen) < ("at once", "after a step", "after two").index(moment):
            assert process.poll() is None
            if checkpoint.exists():
                seen.add(checkpoint.stat().st_mtime_ns)
        process.kill()
    assert not out.exists()
    told = run("learn", folder, "-o", out, *options)
    assert told.exit_code == 0
    assert ("going on after" in told.stderr) == bool(seen)
    assert out.read_bytes() == whole.read_bytes()
