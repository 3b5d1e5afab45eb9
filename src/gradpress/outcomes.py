"""What is said about the pictures: a line for each, more on request, and the JSON document.

Pure functions of records; who calls them decides where the text goes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from gradpress.goal import Goal, Lagrangian, Lossless, Marked, Target, TargetSize
from gradpress.metrics import metric
from gradpress.wording import chroma, printable, saving

if TYPE_CHECKING:
    from gradpress.result import Result

SCHEMA = 2
"""Of the JSON document; it changes when a key changes its meaning or goes."""

COMPRESSED, PASSED_THROUGH, UNREACHABLE = "compressed", "passed-through", "goal-unreachable"
FAILED = "failed"
SKIPPED, NOT_STARTED = "skipped", "not-started"

_KEYS = (
    "input",
    "output",
    "status",
    "reason",
    "bytes_before",
    "bytes_after",
    "width",
    "height",
    "metrics",
    "goal",
    "subsampling",
    "progressive",
    "steps",
    "seconds",
    "cpu_seconds",
    "peak_rss_bytes",
)


@dataclass(frozen=True)
class Account:
    """What reports tell of a picture beyond its record."""

    section: str
    """Of the page; empty without one."""
    steps: tuple[tuple[str, ...], ...]
    """Rows of the history; none without one."""


@dataclass(frozen=True)
class Record:
    """How one picture fared; None stands for what is not known."""

    input: str
    output: str | None
    """None if nothing was written."""
    status: str
    """``compressed``, ``passed-through``, ``goal-unreachable``, ``failed``, ``skipped`` (it was
    done before) or ``not-started``."""
    reason: str
    """One sentence."""
    bytes_before: int | None = None
    """Of the input file."""
    bytes_after: int | None = None
    """Of the whole output file."""
    width: int | None = None
    """Pixels, upright."""
    height: int | None = None
    metrics: Mapping[str, float] | None = None
    """By name, measured on the written file; the goal's comes first."""
    goal: Goal | Lossless | Marked | None = None
    subsampling: str | None = None
    progressive: bool | None = None
    steps: int | None = None
    seconds: float | None = None
    """Wall time."""
    cpu_seconds: float | None = None
    peak_rss_bytes: int | None = None
    """Of the process since it started."""
    notices: tuple[str, ...] = ()
    stop: str = ""
    """Why the descent ended: a sentence."""
    account: Account | None = field(default=None, repr=False)
    """For reports in files, until they have taken it."""


def finished(
    source: str,
    output: str,
    result: Result,
    peak_rss_bytes: int | None,
    account: Account | None = None,
) -> Record:
    """Record a result that was written to ``output``."""
    solution = result.solution
    return Record(
        input=source,
        output=output,
        status=result.status.value,
        reason=result.reason,
        bytes_before=result.bytes_before,
        bytes_after=result.bytes_after,
        width=result.width,
        height=result.height,
        metrics=result.metrics,
        goal=result.goal,
        subsampling=result.subsampling,
        progressive=result.progressive,
        steps=solution.steps if solution else 0,
        seconds=result.seconds,
        cpu_seconds=result.cpu_seconds,
        peak_rss_bytes=peak_rss_bytes,
        notices=result.notices,
        stop=solution.stop.value if solution else "",
        account=account,
    )


def failed(source: str, reason: str) -> Record:
    """Record that nothing was written, and why; the name is not said twice."""
    return Record(source, None, FAILED, reason.removeprefix(f"{source}: "))


def skipped(source: str, reason: str) -> Record:
    """Record that there was nothing left to do."""
    return Record(source, None, SKIPPED, reason)


def not_started(source: str, reason: str) -> Record:
    """Record that its turn did not come."""
    return Record(source, None, NOT_STARTED, reason)


def document(records: Sequence[Record], version: str) -> str:
    """Write the JSON document: ASCII, without numbers that JSON lacks."""
    whole = {
        "schema": SCHEMA,
        "version": version,
        "summary": asdict(summary(records)),
        "files": [fields(record) for record in records],
    }
    return json.dumps(whole, indent=2, allow_nan=False)


def fields(record: Record) -> dict[str, Any]:
    """Pick what the JSON document says of a picture."""
    values = {key: getattr(record, key) for key in _KEYS}
    metrics = record.metrics or {}
    return values | {
        "metrics": {name: _finite(value) for name, value in metrics.items()},
        "goal": goal_fields(record.goal),
        "seconds": _rounded(record.seconds),
        "cpu_seconds": _rounded(record.cpu_seconds),
    }


def goal_fields(goal: Goal | Lossless | Marked | None) -> dict[str, float] | None:
    """Name a goal as the options do."""
    match goal:
        case Target(by, value):
            return {by.name: value}
        case TargetSize(limit):
            return {"target_size": limit}
        case Lagrangian(value):
            return {"lagrangian": value}
        case Lossless() | Marked():
            return {}
        case None:
            return None


def line(record: Record) -> str:
    """Say in one line how a picture fared."""
    if record.status in (FAILED, NOT_STARTED):
        return f"gradpress: {printable(record.input)}: {printable(record.reason)}"
    if record.status == SKIPPED:
        return f"{printable(record.input)}  skipped: {printable(record.reason)}"
    output = "" if record.output is None else f" → {printable(record.output)}"
    parts = [printable(record.input) + output, *_numbers(record)]
    if record.status != COMPRESSED:
        label = "unchanged" if record.status == PASSED_THROUGH else "goal not reached"
        parts.append(f"{label}: {record.reason}")
    return "  ".join(parts)


def text(record: Record, *, verbose: bool = False, quiet: bool = False) -> list[str]:
    """Say how a picture fared, line by line; ``quiet`` keeps what went wrong.

    Those that were not started are only counted, in the summary.
    """
    if record.status == NOT_STARTED:
        return []
    if quiet:
        return [line(record)] if record.status in (FAILED, UNREACHABLE) else []
    notes = [f"  note: {printable(notice)}" for notice in record.notices]
    return [line(record), *(details(record) if verbose else []), *notes]


def details(record: Record) -> list[str]:
    """Say how a picture was compressed, a line each; nothing of one that failed."""
    if record.goal is None:
        return []
    scans = "progressive" if record.progressive else "baseline"
    reached = f"; {record.reason}" if record.status == COMPRESSED else ""
    lines = [
        f"  goal: {record.goal}{reached}",
        f"  {record.width} × {record.height} pixels, {chroma(record.subsampling)}, {scans}",
    ]
    return [*lines, f"  descent: {record.stop}"] if record.stop else lines


def progress(name: str, parts: Sequence[str]) -> str:
    """Describe work under way."""
    return "  ".join([printable(name), *parts])


def exit_code(records: Sequence[Record]) -> int:
    """0 if all went well, 1 if a picture failed, 3 if a goal could not be reached."""
    states = {record.status for record in records}
    if states & {FAILED, NOT_STARTED}:
        return 1
    return 3 if UNREACHABLE in states else 0


def check_code(records: Sequence[Record], threshold: float) -> int:
    """4 if a picture would shrink by more than ``threshold`` of its size; else 1 if one failed."""
    if any(record.status == FAILED for record in records):
        return 1
    return 4 if any(is_improvable(record, threshold) for record in records) else 0


def is_improvable(record: Record, threshold: float) -> bool:
    """Whether its goal is reached with so much less than the input."""
    if record.status != COMPRESSED or record.bytes_before is None or record.bytes_after is None:
        return False
    return record.bytes_after < record.bytes_before * (1 - threshold)


@dataclass(frozen=True)
class Summary:
    """How all the pictures fared together."""

    files: int
    failed: int
    skipped: int
    not_started: int
    bytes_before: int
    """Of the files whose sizes before and after are known."""
    bytes_after: int


def summary(records: Sequence[Record]) -> Summary:
    """Add the records up."""
    states = [record.status for record in records]
    sizes = [
        (record.bytes_before, record.bytes_after)
        for record in records
        if record.bytes_before is not None and record.bytes_after is not None
    ]
    return Summary(
        len(records),
        states.count(FAILED),
        states.count(SKIPPED),
        states.count(NOT_STARTED),
        sum(before for before, _ in sizes),
        sum(after for _, after in sizes),
    )


def summary_line(total: Summary) -> str:
    """Say it in a line."""
    parts = [f"{total.files} file{'' if total.files == 1 else 's'}"]
    if total.bytes_before:
        parts.append(f"{total.bytes_before} → {total.bytes_after} bytes")
        parts.append(saving(total.bytes_before, total.bytes_after))
    counts = (
        (total.failed, "failed"),
        (total.skipped, "skipped"),
        (total.not_started, "not started"),
    )
    return "  ".join([*parts, *(f"{count} {what}" for count, what in counts if count)])


def event(name: str, **values: Any) -> str:  # noqa: ANN401
    """Write one event of a stream as a line of JSON; what is no finite number is null."""
    finite = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in values.items()
    }
    return json.dumps({"event": name, **finite}, allow_nan=False)


def _score(name: str, value: float) -> str:
    if name == "psnr":
        return f"{value:.2f} dB"
    return f"{name} {value:.{metric(name).digits}f}"


def _numbers(record: Record) -> list[str]:
    """Bytes, saving, PSNR, steps and seconds, so far as they are known."""
    after = f"{record.bytes_after} bytes"
    parts = [after if record.bytes_before is None else f"{record.bytes_before} → {after}"]
    if record.status == PASSED_THROUGH:
        return parts
    if record.bytes_before and record.bytes_after is not None:
        parts.append(saving(record.bytes_before, record.bytes_after))
    parts += [_score(metric, value) for metric, value in (record.metrics or {}).items()][:1]
    if isinstance(record.goal, Target) and record.goal.reason:
        parts.append(record.goal.reason)
    parts.append(f"{record.steps} step{'' if record.steps == 1 else 's'}")
    return [*parts, f"{record.seconds or 0:.2f} s"]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
