"""Telling how a batch goes: lines in the order of the inputs, progress, a stream of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from gradpress import outcomes, wording
from gradpress.batches.batch import Ended, Event, Started, Stepped
from gradpress.batches.outputs import Task
from gradpress.batches.worker import Progress, name_of
from gradpress.commands.console import Display
from gradpress.outcomes import Record


@dataclass(frozen=True)
class Telling:
    """What is told: the options of the same names."""

    as_json: str | None = None
    """``document``, ``lines`` or nothing."""
    verbose: bool = False
    quiet: bool = False


class Teller:
    """Takes in events and tells of them; lines come in the order of the tasks."""

    def __init__(
        self,
        tasks: Sequence[Task],
        shown: Display,
        telling: Telling,
        stream: Callable[[str], None],
    ) -> None:
        self._tasks, self._shown, self._telling, self._stream = tasks, shown, telling, stream
        self._records: dict[int, Record] = {}
        self._under_way: dict[int, Progress] = {}
        self._told = 0
        self._began = time.monotonic()
        self._sizes = [_size(task) for task in tasks]

    def take(self, event: Event) -> None:
        """Tell of an event."""
        match event:
            case Started(index):
                self._under_way[index] = Progress()
                self._line("start", index, output=self._output(index))
            case Stepped(index, progress):
                self._under_way[index] = progress
                self._line("step", index, **_fields(progress))
            case Ended(index, record):
                self._under_way.pop(index, None)
                self._end(index, record)
        self._shown.show(self._state())

    def finish(self, reason: str) -> list[Record]:
        """Give all records; whatever has none was not started, for that reason."""
        for index, task in enumerate(self._tasks):
            if index not in self._records:
                self._end(index, outcomes.not_started(name_of(task.source), reason))
        records = [self._records[index] for index in range(len(self._tasks))]
        total = outcomes.summary(records)
        if self._telling.as_json == "lines":
            self._stream(outcomes.event("summary", **asdict(total)))
        if len(records) > 1 and not self._telling.quiet:
            self._shown.say(outcomes.summary_line(total))
        return records

    def _end(self, index: int, record: Record) -> None:
        self._records[index] = record
        bad = record.status in (outcomes.FAILED, outcomes.NOT_STARTED)
        self._line("failed" if bad else "finished", index, **outcomes.fields(record))
        while self._told in self._records:
            told = self._records[self._told]
            telling = self._telling
            for line in outcomes.text(told, verbose=telling.verbose, quiet=telling.quiet):
                self._shown.say(line)
            self._told += 1

    def _line(self, name: str, index: int, **values: object) -> None:
        if self._telling.as_json == "lines":
            source = name_of(self._tasks[index].source)
            self._stream(outcomes.event(name, **({"input": source} | values)))

    def _output(self, index: int) -> str:
        return name_of(self._tasks[index].output)

    def _state(self) -> str:
        """What is under way, and how long it will take yet."""
        pictures = [
            outcomes.progress(name_of(self._tasks[index].source), progress.parts)
            for index, progress in self._under_way.items()
        ]
        if len(self._tasks) == 1:
            return " ".join(pictures)
        done = sum(self._sizes[index] for index in self._records)
        seconds = time_left(done, sum(self._sizes), time.monotonic() - self._began)
        left = [] if seconds is None else [f"{wording.duration(seconds)} left"]
        return "  ".join([f"{len(self._records)}/{len(self._tasks)}", *left, *pictures])


def time_left(done: int, whole: int, seconds: float) -> float | None:
    """Seconds that the rest takes if it goes on like that; None while nothing is known."""
    return seconds * (whole - done) / done if done else None


def _size(task: Task) -> int:
    """Bytes of the input: how much work it is, roughly; 0 where there is none."""
    if isinstance(task.source, Path) and task.refusal is None and task.done is None:
        with suppress(OSError):
            return task.source.stat().st_size
    return 0


def _fields(progress: Progress) -> dict[str, object]:
    """What an event says of a picture under way."""
    fields: dict[str, object] = {"step": progress.step}
    if progress.quality is not None:
        fields |= {progress.metric: progress.quality, "bytes": progress.bytes}
    return fields
