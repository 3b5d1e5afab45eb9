"""Batches in processes: order, memory, limits, and what a lost process costs."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from gradpress import outcomes
from gradpress.batches import memory
from gradpress.batches.batch import Ended, Means, Started, Stepped, parallel, serial
from gradpress.batches.inputs import Found
from gradpress.batches.outputs import Placing, plan
from gradpress.batches.worker import Job
from gradpress.errors import UsageError
from tests.conftest import scene

COUNT = 5
JOB = Job({"effort": 1, "threads": 1, "max_pixels": 10**8})


def draw(path, size=16, seed=0):
    PIL.Image.fromarray(scene(size, size, seed)).save(path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Some tiny pictures, the middle one of which is broken."""
    monkeypatch.chdir(tmp_path)
    for number in range(COUNT):
        draw(tmp_path / f"{number}.png", seed=number)
    (tmp_path / "2.png").write_bytes(b"\x89PNG")
    return tmp_path


def tasks_of(folder, output="out"):
    return plan([Found(path) for path in sorted(folder.glob("*.png"))], Placing(output))


def never():
    return False


def records_of(events):
    records = {event.index: event.record for event in events if isinstance(event, Ended)}
    return [records[index] for index in sorted(records)]


def states(events):
    return [record.status for record in records_of(events)]


def written(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


EXPECTED = ["compressed", "compressed", "failed", "compressed", "compressed"]


def test_processes_write_the_same_as_one(folder):
    alone = records_of(serial(tasks_of(folder, "one"), JOB, Means(), never))
    many = records_of(parallel(tasks_of(folder, "two"), JOB, Means(jobs=2), never))
    assert [record.status for record in alone] == EXPECTED
    assert [(r.input, r.status, r.reason, r.bytes_after, r.metrics) for r in alone] == [
        (r.input, r.status, r.reason, r.bytes_after, r.metrics) for r in many
    ]
    assert written(folder / "one") == written(folder / "two")
    assert len(written(folder / "two")) == COUNT - 1
    assert multiprocessing.active_children() == []


def test_each_picture_is_started_then_stepped_then_ended(folder):
    seen = {index: [] for index in range(COUNT)}
    for event in parallel(tasks_of(folder), JOB, Means(jobs=2), never):
        if event is not None:
            seen[event.index].append(type(event))
    for index, kinds in seen.items():
        steps = [] if index == 2 else [Stepped] * (len(kinds) - 2)
        assert kinds == [Started, *steps, Ended]
        assert index == 2 or steps


def test_a_killed_process_costs_one_record(folder):
    records, killed = [], None
    for event in parallel(tasks_of(folder), JOB, Means(jobs=1), never):
        if isinstance(event, Started) and event.index == 1:
            (child,) = multiprocessing.active_children()
            child.kill()
            killed = child.pid
        if isinstance(event, Ended):
            records.append(event.record)
    assert killed is not None
    assert [record.status for record in records] == [
        "compressed", "failed", "failed", "compressed", "compressed",
    ]  # fmt: skip
    assert "killed by signal 9" in records[1].reason
    assert sorted(written(folder / "out")) == ["0.jpg", "3.jpg", "4.jpg"]


def test_a_process_that_died_idle_costs_nothing(folder):
    for number in (2, 3, 4):
        (folder / f"{number}.png").unlink()
    events = parallel(tasks_of(folder), JOB, Means(jobs=1), never)
    found = []
    for event in events:
        if isinstance(event, Ended):
            found.append(event.record.status)
            for child in multiprocessing.active_children():
                child.kill()
                child.join()
    assert found == ["compressed", "compressed"]


def test_where_memory_is_short_pictures_run_alone(folder):
    running, most = set(), 0
    for event in parallel(tasks_of(folder), JOB, Means(jobs=3, available=1), never):
        if isinstance(event, Started):
            running.add(event.index)
            most = max(most, len(running))
        if isinstance(event, Ended):
            running.discard(event.index)
    assert most == 1


@pytest.mark.parametrize("run", [serial, parallel])
def test_what_takes_more_than_the_limit_is_refused(folder, run):
    draw(folder / "1.png", size=100)
    means = Means(jobs=2, memory_limit=memory.estimate(100 * 100) - 1)
    records = records_of(run(tasks_of(folder), JOB, means, never))
    assert [record.status for record in records] == [
        "compressed", "failed", "failed", "compressed", "compressed",
    ]  # fmt: skip
    assert "raise --memory-limit" in records[1].reason


@pytest.mark.parametrize("run", [serial, parallel])
def test_nothing_starts_when_the_time_is_up(folder, run):
    means = Means(jobs=2, deadline=time.monotonic())
    records = records_of(run(tasks_of(folder), JOB, means, never))
    assert {record.status for record in records} == {"not-started"}
    assert "the time was up" in records[0].reason
    assert written(folder / "out") == {}


def test_a_deadline_bounds_the_time_of_each_picture():
    now = time.monotonic()
    assert Means().seconds() is None
    assert Means(time_limit=3).seconds() == 3
    assert 9 < Means(deadline=now + 10).seconds() <= 10
    assert Means(time_limit=3, deadline=now + 10).seconds() == 3
    assert Means(time_limit=3, deadline=now - 10).seconds() == 0


@pytest.mark.parametrize("run", [serial, parallel])
def test_after_a_stop_nothing_is_started_and_nothing_lost(folder, run):
    stopped = []
    events = []
    for event in run(tasks_of(folder), JOB, Means(jobs=2), lambda: bool(stopped)):
        events.append(event)
        if isinstance(event, Ended):
            stopped.append(True)
    assert len(states(events)) == COUNT
    left = [record for record in records_of(events) if record.status == "not-started"]
    assert left
    assert all("interrupted" in record.reason for record in left)
    for name, data in written(folder / "out").items():
        assert name.endswith(".jpg")
        assert data.endswith(b"\xff\xd9")


@pytest.mark.parametrize("run", [serial, parallel])
def test_a_picture_under_way_is_finished_with_what_there_is(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "a.png", size=200)
    stopped, steps, records = [], 0, []
    job = Job({**JOB.options, "effort": 9})
    for event in run(tasks_of(tmp_path, "out/"), job, Means(jobs=1), lambda: bool(stopped)):
        if isinstance(event, Stepped):
            stopped.append(True)
            steps += 1
        if isinstance(event, Ended):
            records.append(event.record)
    (record,) = records
    assert "stopped early" in record.reason
    assert record.output == str(Path("out", "a.jpg"))
    assert (tmp_path / "out" / "a.jpg").stat().st_size == record.bytes_after
    with PIL.Image.open(tmp_path / "out" / "a.jpg") as picture:
        assert np.asarray(picture).shape == (200, 200, 3)


def test_closing_ends_all_processes_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        draw(tmp_path / f"{name}.png", size=400)
    job = Job({**JOB.options, "effort": 9})
    events = parallel(tasks_of(tmp_path), job, Means(jobs=2), never)
    next(event for event in events if isinstance(event, Stepped))
    events.close()
    assert multiprocessing.active_children() == []
    assert written(tmp_path / "out") == {}


@pytest.mark.parametrize("run", [serial, parallel])
def test_wrong_usage_ends_the_batch(folder, run):
    job = Job({**JOB.options, "background": "greeen"})
    with pytest.raises(UsageError, match="not a colour"):
        list(run(tasks_of(folder), job, Means(jobs=2), never))
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("run", [serial, parallel])
def test_what_is_done_or_refused_is_not_started(folder, run):
    list(run(tasks_of(folder), JOB, Means(jobs=2), never))
    events = list(run(tasks_of(folder), JOB, Means(jobs=2), never))
    assert states(events) == ["skipped", "skipped", "failed", "skipped", "skipped"]
    started = [event.index for event in events if isinstance(event, Started)]
    assert started == [2]
    assert outcomes.exit_code(records_of(events)) == 1
