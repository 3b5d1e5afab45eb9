"""What is told of a batch, and Ctrl-C."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from gradpress import outcomes
from gradpress.batches.batch import Ended, Started, Stepped
from gradpress.batches.outputs import Task
from gradpress.batches.worker import Progress
from gradpress.commands.console import Display
from gradpress.commands.interrupts import Interrupts
from gradpress.commands.teller import Teller, Telling, time_left
from tests.test_outcomes import RECORD

PROGRESS = Progress(3, "psnr", 2, 38.011, 1234)


class Ears:
    """Takes in what is told."""

    def __init__(self, folder, **telling):
        self.said, self.shown, self.lines = [], [], []
        tasks = []
        for name, size in (("a.png", 3000), ("b.png", 1000), ("c.png", 4000)):
            (folder / name).write_bytes(bytes(size))
            tasks.append(Task(folder / name, Path("out", name)))
        display = Display(say=self.said.append, show=self.shown.append)
        self.teller = Teller(tasks, display, Telling(**telling), self.lines.append)


def test_lines_come_in_the_order_of_the_inputs(tmp_path):
    ears = Ears(tmp_path)
    for index in (2, 0):
        ears.teller.take(Ended(index, outcomes.failed(f"{index}.png", "is broken")))
    assert ears.said == ["gradpress: 0.png: is broken"]
    ears.teller.take(Ended(1, outcomes.skipped("1.png", "it is there")))
    assert ears.said[1:] == ["1.png  skipped: it is there", "gradpress: 2.png: is broken"]
    records = ears.teller.finish("")
    assert [record.input for record in records] == ["0.png", "1.png", "2.png"]
    assert ears.said[-1] == "3 files  2 failed  1 skipped"


def test_progress_names_what_is_under_way_and_the_time_left(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("gradpress.commands.teller.time.monotonic", lambda: now[0])
    ears = Ears(tmp_path)
    ears.teller.take(Started(0))
    ears.teller.take(Started(1))
    ears.teller.take(Stepped(1, PROGRESS))
    a, b = tmp_path / "a.png", tmp_path / "b.png"
    assert ears.shown[-1] == f"0/3  {a}  {b}  step 3  psnr 38.01  1234 bytes"
    now[0] += 10
    ears.teller.take(Ended(1, RECORD))
    assert ears.shown[-1] == f"1/3  70 s left  {a}"


def test_the_time_left_goes_by_bytes():
    assert time_left(0, 100, 10) is None
    assert time_left(25, 100, 10) == 30
    assert time_left(100, 100, 10) == 0


def test_events_are_lines_and_come_at_once(tmp_path):
    ears = Ears(tmp_path, as_json="lines", quiet=True)
    for event in (Started(1), Stepped(1, PROGRESS), None, Ended(1, RECORD)):
        ears.teller.take(event)
    ears.teller.finish("the time was up")
    events = [json.loads(line) for line in ears.lines]
    kinds = ["start", "step", "finished", "failed", "failed", "summary"]
    assert [event["event"] for event in events] == kinds
    assert events[0]["output"] == str(Path("out", "b.png"))
    assert (events[1]["step"], events[1]["psnr"], events[1]["bytes"]) == (3, 38.011, 1234)
    assert events[2]["bytes_after"] == RECORD.bytes_after
    assert {event["status"] for event in events[3:5]} == {"not-started"}
    assert events[-1]["not_started"] == 2
    assert ears.said == []


def test_the_second_interrupt_raises_and_the_first_too_without_a_result():
    before = signal.getsignal(signal.SIGINT)
    with Interrupts() as interrupts:
        interrupts.patient = True
        assert not interrupts.came()
        signal.raise_signal(signal.SIGINT)
        assert interrupts.came()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
