"""Where outputs go, and what is in the way, found out before any work is done."""

from __future__ import annotations

import errno
import os
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gradpress.batches.inputs import Found
from gradpress.errors import GradpressError, UsageError
from gradpress.files import (
    STREAM,
    WAY_OUT,
    check_regular,
    explain,
    is_folder,
    is_same_file,
    occupant,
)
from gradpress.remote import Url, is_url, place, size

SUFFIX = ".jpg"


@dataclass(frozen=True)
class Placing:
    """Where outputs go and what they may replace: the options of the same names."""

    output: str | None = None
    suffix: str = ""
    in_place: bool = False
    backup: bool = False
    overwrite: str = "never"
    """``never``, ``always`` or ``smaller``: only by a smaller file."""
    preserve: bool = False

    def __post_init__(self) -> None:
        if self.in_place and (self.output is not None or self.suffix):
            raise UsageError("--in-place names the output itself: leave out -o and --suffix")
        if self.backup and not self.in_place:
            raise UsageError("--backup goes with --in-place")
        if any(each in self.suffix for each in ("/", "\\", "\0")):
            raise UsageError(f"--suffix {self.suffix} must not name a folder")

    @property
    def to_stdout(self) -> bool:
        """Whether ``-o -`` was given."""
        return self.output == STREAM


@dataclass(frozen=True)
class Task:
    """One input, where its output goes, and why it must not or need not."""

    source: Path | Url | None
    """None is standard input."""
    output: Path | Url | None
    """None is standard output."""
    refusal: str | None = None
    """Why nothing can be done; None: nothing is in the way."""
    done: str | None = None
    """Why nothing is left to do."""
    root: Path | None = None
    """The folder that the output must not leave, and that is made for it with those below it."""
    resumable: bool = False
    """One of many: an output that is there already is a task done."""


def plan(found: Sequence[Found], placing: Placing, *, create: bool = True) -> list[Task]:
    """Name every input's output, and look for what is in the way before any work is done.

    ``create``s the folder that ``output`` names, where it names one. Raises UsageError if input and
    output do not go together at all.
    """
    many = len(found) > 1 or any(not each.named for each in found)
    _check_streams(found, placing, many)
    output = placing.output
    if create and found and output is not None and output != STREAM and _is_folder(output, many):
        _make_folder(output)
    sources = {_real(each.path) for each in found if each.path is not None}
    writers: dict[str, str] = {}
    return [_task(each, placing, many, writers, sources) for each in found]


def look(found: Sequence[Found]) -> list[Task]:
    """The tasks of looking at pictures that are not written anywhere."""
    return [Task(each.path, None, each.problem) for each in found]


def output_path(found: Found, placing: Placing, many: bool) -> Path | Url | None:
    """Name the output: None for standard output.

    ``placing.output`` is a file for one input, and a folder for many, or if it is one or ends
    like one; the tree below a folder that was searched is repeated there. Without it the output
    lies beside the input, with the suffix ``.jpg``.
    """
    if placing.in_place:
        return found.path
    if placing.to_stdout or (placing.output is None and found.path is None):
        return None
    path = found.path or Path(STREAM)
    name = f"{path.stem}{placing.suffix}{SUFFIX}"
    if placing.output is None:
        return path.parent / name
    if _is_folder(placing.output, many):
        return place(placing.output) / (found.below / name)
    return place(placing.output)


def make_folder_for(task: Task) -> None:
    """Make the folder of an output in a tree; it is never outside the tree's root."""
    if task.root is None or not isinstance(task.output, Path):
        return
    folder = task.output.parent
    _check_below(task.root, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GradpressError(explain(task.output, error)) from error
    _check_below(task.root, folder)


def _task(
    found: Found, placing: Placing, many: bool, writers: dict[str, str], sources: set[str]
) -> Task:
    output = output_path(found, placing, many)
    folder = placing.output
    where = place(folder) if folder is not None and _is_folder(folder, many) else None
    root = where if isinstance(where, Path) and output is not None else None
    task = Task(found.path, output, found.problem, root=root, resumable=many)
    if found.problem is not None or output is None:
        return task
    task = _apart(task, placing.suffix, writers)
    if task.refusal is not None:
        return task
    if placing.in_place:
        return replace(task, refusal=_unfit_in_place(output))
    if isinstance(task.output, Url):
        return _checked_elsewhere(task, placing, sources)
    return _checked(task, placing, sources)


def _apart(task: Task, suffix: str, writers: dict[str, str]) -> Task:
    """Note in ``writers`` who writes where; the second to a place keeps its whole name."""
    assert task.output is not None
    name = STREAM if task.source is None else str(task.source)
    own = STREAM if task.source is None else task.source.name
    whole = task.output.with_name(f"{own}{suffix}{SUFFIX}")
    for output in (task.output, whole):
        place = _real(output)
        if place not in writers:
            writers[place] = name
            return replace(task, output=output)
    taken = f"{task.output} is also the output of {writers[_real(task.output)]}"
    return replace(task, refusal=f"{taken}; rename one or use two folders")


def _checked(task: Task, placing: Placing, sources: Container[str]) -> Task:
    """Say what is in the way of the output, or that it is there."""
    assert isinstance(task.output, Path)
    try:
        if task.root is not None:
            _check_below(task.root, task.output.parent)
        there = occupant(task.output)
        own = is_same_file(task.source, task.output)
        if there is not None and placing.overwrite != "never":
            check_regular(task.output, there)
            _check_no_input(task.output, sources if not own else ())
        elif there is not None:
            return _occupied(task, own)
        if task.root is None:
            _check_folder(task.output.parent)
    except OSError as error:
        return replace(task, refusal=explain(task.output, error))
    except GradpressError as error:
        return replace(task, refusal=str(error))
    return task


def _checked_elsewhere(task: Task, placing: Placing, sources: Container[str]) -> Task:
    """The same of an output behind a URL."""
    assert isinstance(task.output, Url)
    own = task.source == task.output
    try:
        if size(task.output) is None:
            return task
        if placing.overwrite != "never":
            _check_no_input(task.output, sources if not own else ())
            return task
    except GradpressError as error:
        return replace(task, refusal=str(error))
    if task.resumable and not own:
        return replace(task, done=f"{task.output} is there already")
    return replace(task, refusal=f"{task.output} exists already; {WAY_OUT}")


def _occupied(task: Task, own: bool) -> Task:
    """What it means that the output is there and stays."""
    assert isinstance(task.output, Path)
    if own:
        return replace(task, refusal=f"its output would replace it; {WAY_OUT}")
    if task.resumable and task.output.is_file() and not task.output.is_symlink():
        return replace(task, done=f"{task.output} is there already")
    return replace(task, refusal=explain(task.output, FileExistsError(errno.EEXIST, "")))


def _unfit_in_place(path: Path | Url) -> str | None:
    """Why a file cannot be replaced by its own compression."""
    if isinstance(path, Url):
        return "is behind a URL, and not replaced in place; give -o"
    try:
        there = occupant(path)
        if there is None:
            return None  # reading it says so
        check_regular(path, there)
        _check_folder(path.parent)
    except OSError as error:
        return explain(path, error)
    except GradpressError as error:
        return str(error)
    return None


def _check_no_input(output: Path | Url, sources: Container[str]) -> None:
    if _real(output) in sources:
        raise GradpressError(f"{output} is an input too; give -o another place")


def _check_folder(folder: Path) -> None:
    folder.stat()
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, "")


def _check_below(root: Path, folder: Path) -> None:
    if not folder.resolve().is_relative_to(root.resolve()):
        raise GradpressError(f"{folder} leads out of {root}; nothing is written there")


def _check_streams(found: Sequence[Found], placing: Placing, many: bool) -> None:
    reads = any(each.path is None for each in found)
    output = placing.output
    if len(found) > 1 and reads:
        raise UsageError("standard input (-) can only be compressed on its own")
    if many and placing.to_stdout:
        raise UsageError("standard output (-o -) takes one picture only; give -o a folder")
    if reads and placing.in_place:
        raise UsageError("standard input (-) cannot be replaced in place")
    if reads and output not in (None, STREAM) and _is_folder(str(output), many=False):
        raise UsageError(f"-o {output} is a folder; standard input needs the name of a file there")
    searched = any(each.searched for each in found)
    if searched and output is None and not placing.suffix and not placing.in_place:
        raise UsageError("a folder's pictures need a place: give -o FOLDER, --suffix or --in-place")


def _is_folder(output: str, many: bool) -> bool:
    ends = ("/",) if is_url(output) else (os.sep, os.altsep or os.sep)
    where = place(output)
    return many or output.endswith(ends) or (isinstance(where, Path) and is_folder(where))


def _make_folder(output: str) -> None:
    folder = place(output)
    if isinstance(folder, Url):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UsageError(f"-o {output} is a file; several pictures need a folder") from None
    except OSError as error:
        raise UsageError(f"-o {output}: the folder cannot be created ({error.strerror})") from error


def _real(path: Path | Url) -> str:
    if isinstance(path, Url):
        return path.text
    return os.path.normcase(os.path.realpath(path))
