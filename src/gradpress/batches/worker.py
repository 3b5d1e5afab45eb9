"""Compressing one picture after the other, in this process or in one that a batch started.

Whatever goes wrong with a picture becomes its record. Nothing is imported that takes long before
there is work.
"""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradpress import outcomes
from gradpress.batches import memory
from gradpress.batches.outputs import Placing, Task, make_folder_for
from gradpress.commands.console import peak_rss_bytes, told
from gradpress.errors import GradpressError, OutputExists, UsageError
from gradpress.files import STREAM, is_same_file, keep_backup, write_atomically, write_stdout
from gradpress.outcomes import Record
from gradpress.remote import Url, size, write
from gradpress.reports import Wanted

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from gradpress.options import Options
    from gradpress.pipeline import Snapshot
    from gradpress.result import Result

_JPEG = b"\xff\xd8\xff"
SHORT = 0.1
"""Seconds that a worker waits with memory it may need again."""
UNBANDED = ("mse", "mae")
"""Losses for which a large picture is not taken in bands."""
EARLY = "it was stopped early; this is the best so far"


@dataclass(frozen=True)
class Job:
    """What holds for all pictures of a call."""

    options: Options
    placing: Placing = field(default_factory=Placing)
    wanted: Wanted = field(default_factory=Wanted)
    """Reports in files."""
    writes: bool = True
    """Whether files are written; otherwise it is only told what they would be."""

    def needed(self, task: Task) -> int:
        """Bytes of memory that a task takes at most, by its picture's header."""
        bands = self.options.get("loss") not in UNBANDED
        return memory.needed(task.source, self.options["max_pixels"], bands=bands)


@dataclass(frozen=True)
class Progress:
    """A picture under way."""

    step: int | None = None
    metric: str = ""
    digits: int = 0
    quality: float | None = None
    """By the metric, where it was measured."""
    bytes: int | None = None

    @property
    def parts(self) -> list[str]:
        """What is said of it."""
        parts = [] if self.step is None else [f"step {self.step}"]
        if self.quality is not None:
            parts += [f"{self.metric} {self.quality:.{self.digits}f}", f"{self.bytes} bytes"]
        return parts


@dataclass(frozen=True)
class Needs:
    """A worker asks to start with a picture that takes so many bytes of memory."""

    bytes: int


@dataclass(frozen=True)
class Go:
    """The answer: it may, and take so many seconds; None: as many as it wants."""

    seconds: float | None = None


@dataclass(frozen=True)
class Finish:
    """A request: write the best so far and be done."""


Enough = Callable[[], bool]


def attempt(
    task: Task, job: Job, seconds: float | None, enough: Enough
) -> Iterator[Progress | Record]:
    """Compress one picture and write it: progress, and at last the record of how it went.

    After ``seconds``, or when ``enough()`` says so, the best so far is taken. Raises UsageError.
    """
    name = name_of(task.source)
    if task.refusal is not None:
        yield outcomes.failed(name, task.refusal)
        return
    if task.done is not None:
        yield outcomes.skipped(name, task.done)
        return
    try:
        before = _status(task.source) if isinstance(task.source, Path) else None
        if job.placing.in_place and isinstance(task.source, Path):
            _check_jpeg(task.source)
        result = yield from _compressed(task, job, seconds, enough)
        output = name_of(task.output)
        account = job.wanted.account(name, output, result, job.options)
        record = outcomes.finished(name, output, result, peak_rss_bytes(), account)
        record = _delivered(task, job, result, before, record)
    except UsageError:
        raise
    except Exception as error:
        if isinstance(error, OutputExists) and task.resumable:
            record = outcomes.skipped(name, f"{task.output} is there already")
        else:
            record = outcomes.failed(name, told(error))
    yield record


def name_of(path: Path | Url | None) -> str:
    """What is said for a file or a stream."""
    return STREAM if path is None else str(path)


def _compressed(
    task: Task, job: Job, seconds: float | None, enough: Enough
) -> Generator[Progress, None, Result]:
    # NumPy's BLAS, which nothing here uses, would start a thread for every core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from gradpress import _kernels  # noqa: PLC0415

    _kernels.keep_freed_memory()
    from gradpress.pipeline import steps  # noqa: PLC0415

    options: Options = {**job.options, "name": name_of(task.source)}
    if seconds is not None:
        options["time_limit"] = max(seconds, 0.001)
    source = task.source.text if isinstance(task.source, Url) else task.source
    for snapshot in steps(source or sys.stdin.buffer, **options):
        yield _progress(snapshot)
        if enough():
            return _early(snapshot.best)
    return snapshot.best


def _progress(snapshot: Snapshot) -> Progress:
    step, measured, metric = snapshot.step, snapshot.measured, snapshot.metric
    index = None if step is None else step.index
    if measured is None:
        return Progress(index)
    return Progress(index, metric.name, metric.digits, measured.quality, round(measured.bytes))


def _early(result: Result) -> Result:
    return (
        result if result.status.value == outcomes.PASSED_THROUGH else replace(result, reason=EARLY)
    )


def _delivered(
    task: Task, job: Job, result: Result, before: os.stat_result | None, record: Record
) -> Record:
    """Put the result where it belongs, if it belongs anywhere."""
    placing, path = job.placing, task.output
    unchanged = record.status == outcomes.PASSED_THROUGH
    like = before if placing.preserve else None
    if not job.writes:
        return replace(record, output=None)
    if path is None:
        write_stdout(result.data)
    elif isinstance(path, Url):
        return _uploaded(task.source, path, placing, result, record)
    elif placing.in_place:
        if unchanged or record.status == outcomes.UNREACHABLE:
            return replace(record, output=None)
        _check_untouched(path, before)
        if placing.backup:
            keep_backup(path)
        write_atomically(path, result.data, overwrite=True, like=like)
    elif placing.overwrite == "smaller" and _is_as_small(path, result):
        return outcomes.skipped(record.input, f"{path} is there already, and as small")
    elif not (unchanged and is_same_file(task.source, path)):
        make_folder_for(task)
        write_atomically(path, result.data, overwrite=placing.overwrite != "never", like=like)
    return record


def _uploaded(source: object, url: Url, placing: Placing, result: Result, record: Record) -> Record:
    """Put the result behind a URL."""
    if placing.overwrite == "smaller" and (size(url) or math.inf) <= len(result.data):
        return outcomes.skipped(record.input, f"{url} is there already, and as small")
    if source != url or record.status != outcomes.PASSED_THROUGH:
        write(url, result.data, overwrite=placing.overwrite != "never")
    return record


def _is_as_small(path: Path, result: Result) -> bool:
    there = _status(path)
    return there is not None and there.st_size <= len(result.data)


def _status(path: Path) -> os.stat_result | None:
    with suppress(OSError):
        return path.stat()
    return None


def _check_jpeg(path: Path) -> None:
    with suppress(OSError), path.open("rb") as file:
        if file.read(len(_JPEG)) != _JPEG:
            raise GradpressError("is not a JPEG file; only those are replaced in place, give -o")


def _check_untouched(path: Path, before: os.stat_result | None) -> None:
    now = _status(path)
    if before is None or now is None or _identity(now) != _identity(before):
        raise GradpressError(f"{path} was changed meanwhile and stays as it is; run again")


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def serve(connection: Connection, job: Job) -> None:
    """Work for a batch: tasks come in, questions, progress and records go out.

    Ends with the parent, whose death closes the connection; Ctrl-C is the parent's affair. Memory
    that was freed is used again, or given back before a picture that takes less.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def asked_to_finish() -> bool:
        return connection.poll() and isinstance(connection.recv(), Finish)

    kept = 0
    with suppress(EOFError, OSError):
        while True:
            task = _awaited(connection)
            need = job.needed(task)
            if need < kept:
                memory.trim()
            kept = need
            connection.send(Needs(need))
            go = _awaited(connection)
            if not isinstance(go, Go):
                continue
            try:
                for each in attempt(task, job, go.seconds, asked_to_finish):
                    connection.send(each)
            except UsageError as error:
                connection.send(error)


def _awaited(connection: Connection) -> Any:  # noqa: ANN401
    """Receive a message; if that takes a while, freed memory is given back."""
    if not connection.poll(SHORT):
        memory.trim()
    return connection.recv()
