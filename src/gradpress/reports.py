"""Reports in files: ``--report`` as a page, JSON or CSV, and ``--history``, step by step.

What a page needs of a picture is made while its result is at hand and kept in a file until the end,
so that a batch of any length stays within memory.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gradpress import outcomes, wording
from gradpress.commands.console import installed_version, told
from gradpress.errors import UsageError
from gradpress.files import write_atomically
from gradpress.outcomes import Account, Record

if TYPE_CHECKING:
    from gradpress.options import Options
    from gradpress.result import Result

PAGE, JSON, CSV = ".html", ".json", ".csv"
_NUMBER = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?", re.IGNORECASE)
HISTORY = (
    "picture", "step", "seconds", "evaluations", "distortion", "bits", "objective", "lagrangian",
    "metric", "measured",
)  # fmt: skip
"""Columns of ``--history``; ``picture`` is left out for one."""


def _check_free(path: Path, overwrite: bool) -> None:
    """Refuse a report's name that is taken or leads nowhere."""
    try:
        there = path.exists()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be a report's name ({getattr(error, 'strerror', error)})"
        ) from error
    if there and not overwrite:
        raise UsageError(f"{path} exists already; give another name or --overwrite always")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: its folder does not exist; create it first")


@dataclass(frozen=True)
class Wanted:
    """Which reports are to be written."""

    reports: tuple[Path, ...] = ()
    history: Path | None = None
    pictures: int = 1
    overwrite: bool = False

    def __post_init__(self) -> None:
        for path in self.reports:
            if path.suffix.lower() not in (PAGE, ".htm", JSON, CSV):
                raise UsageError(f"--report {path}: give a name that ends in .html, .json or .csv")
        for path in (*self.reports, *filter(None, (self.history,))):
            _check_free(path, self.overwrite)

    @property
    def page(self) -> bool:
        """Whether one of them is a page."""
        return any(_is_page(path) for path in self.reports)

    def account(self, source: str, output: str, result: Result, options: Options) -> Account | None:
        """What these reports need of a picture beside its record; never raises for its sake."""
        rows = _steps(result) if self.history else ()
        section = self._section(source, output, result, options) if self.page else ""
        return Account(section, rows) if rows or section else None

    def _section(self, source: str, output: str, result: Result, options: Options) -> str:
        from gradpress.page.html import share  # noqa: PLC0415
        from gradpress.page.section import Subject, failure, section  # noqa: PLC0415
        from gradpress.workers import Workers  # noqa: PLC0415

        subject = Subject(source, output, result, options)
        try:
            with Workers(options.get("threads", 1)) as workers:
                return section(
                    subject, share(self.pictures), alone=self.pictures == 1, workers=workers
                )
        except Exception as error:  # a picture is not lost because it cannot be drawn
            return failure(source, subject.slug, told(error))


class Reports:
    """Takes in records as they come, in any order, and writes what is wanted at the end."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self._steps: dict[str, tuple[tuple[str, ...], ...]] = {}
        self._sections: BinaryIO | None = None
        self._places: dict[str, tuple[int, int]] = {}
        """Where the sections lie in their file, and their lengths, by picture."""

    def __enter__(self) -> Reports:
        """Begin to take records in."""
        return self

    def __exit__(self, *_: object) -> None:
        """Forget them."""
        if self._sections is not None:
            self._sections.close()

    def take(self, record: Record) -> Record:
        """Keep what reports need; the record that is given back holds no more than others do."""
        account = record.account
        if account is None:
            return record
        self._steps[record.input] = account.steps
        if account.section:
            self._keep(record.input, account.section.encode())
        return replace(record, account=None)

    def _keep(self, picture: str, section: bytes) -> None:
        if self._sections is None:
            import tempfile  # noqa: PLC0415

            self._sections = tempfile.TemporaryFile()  # noqa: SIM115
        self._places[picture] = self._sections.seek(0, io.SEEK_END), len(section)
        self._sections.write(section)

    def write(self, records: Sequence[Record]) -> None:
        """Write the reports of these pictures, in this order. Raises GradpressError."""
        overwrite = self.wanted.overwrite
        for path in self.wanted.reports if records else ():
            write_atomically(path, self._content(path, records), overwrite=overwrite)
        if records and self.wanted.history is not None:
            rows = [(r.input, *row) for r in records for row in self._steps.get(r.input, ())]
            text = history_text(rows, alone=self.wanted.pictures == 1)
            write_atomically(self.wanted.history, text.encode(), overwrite=overwrite)

    def _content(self, path: Path, records: Sequence[Record]) -> bytes | Iterable[bytes]:
        if _is_page(path):
            return self._page(records)
        if path.suffix.lower() == JSON:
            return outcomes.document(records, installed_version()).encode("ascii") + b"\n"
        return records_text(records).encode()

    def _page(self, records: Sequence[Record]) -> Iterator[bytes]:
        from gradpress.page.html import frame  # noqa: PLC0415

        before, after = frame(records, installed_version(), alone=self.wanted.pictures == 1)
        yield before.encode()
        for record in records:
            if self._sections is not None and record.input in self._places:
                begin, length = self._places[record.input]
                self._sections.seek(begin)
                yield self._sections.read(length)
        yield after.encode()


def records_text(records: Sequence[Record]) -> str:
    """The records as CSV text: the fields of the JSON document, metrics and goal spread out."""
    rows = [_flat(record) for record in records]
    names = dict.fromkeys(name for row in rows for name in row)
    return _csv([tuple(names), *(tuple(row.get(name) for name in names) for row in rows)])


def history_text(rows: Iterable[tuple[str, ...]], *, alone: bool) -> str:
    """Steps as CSV text, a line each."""
    skipped = 1 if alone else 0
    return _csv(row[skipped:] for row in (HISTORY, *rows))


def _flat(record: Record) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in outcomes.fields(record).items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": each for key, each in value.items()}
        elif name not in ("goal", "metrics"):
            flat[name] = wording.printable(value) if isinstance(value, str) else value
    return flat


def _steps(result: Result) -> tuple[tuple[str, ...], ...]:
    """Rows of ``--history`` without the picture's name."""
    history = result.history
    if history is None:
        return ()
    name = next(iter(result.metrics))
    qualities = result.qualities or (None,) * len(history.index)
    columns = zip(
        history.index, history.seconds, history.evaluations, history.distortion, history.bits,
        history.value, qualities, strict=True,
    )  # fmt: skip
    return tuple(
        (
            *(f"{number:.9g}" for number in (index, seconds, evaluations, d, bits, value)),
            f"{(value - d) / bits:.9g}" if bits else "",
            name,
            "" if quality is None else f"{quality:.9g}",
        )
        for index, seconds, evaluations, d, bits, value, quality in columns
    )


def _csv(rows: Iterable[Sequence[object]]) -> str:
    """RFC 4180's, with a spreadsheet's formulas made harmless."""
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows([_harmless(c) for c in row] for row in rows)
    return sink.getvalue()


def _harmless(cell: object) -> object:
    """Text that a spreadsheet would run gets an apostrophe before it."""
    risky = isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t")
    return f"'{cell}" if risky and not _NUMBER.fullmatch(str(cell)) else cell


def _is_page(path: Path) -> bool:
    return path.suffix.lower() in (PAGE, ".htm")
