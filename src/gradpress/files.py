"""Where output goes, and writing it so that nothing is ever lost or half-written."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gradpress.errors import GradpressError, UsageError

STREAM = "-"
"""Standard input or output, as the command line names it."""
SUFFIX = ".jpg"

_WAY_OUT = "give another name with -o, or --overwrite always (in Python overwrite=True)"
_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or give -o another place",
    errno.EDQUOT: "the disk quota is used up; free some space or give -o another place",
    errno.EACCES: "there is no permission; give -o a place you may write to",
    errno.EPERM: "there is no permission; give -o a place you may write to",
    errno.EROFS: "the file system is read-only; give -o another place",
    errno.ENOENT: "its folder does not exist; create it first, or give -o another place",
    errno.ENOTDIR: "its folder is not a folder; give -o another place",
    errno.EEXIST: f"it exists already; {_WAY_OUT}",
    errno.ENAMETOOLONG: "its name is too long; give a shorter one with -o",
}


@dataclass(frozen=True)
class Task:
    """One input, where its output goes, and why it must not (None: nothing is in the way)."""

    source: Path | None
    """None is standard input."""
    output: Path | None
    """None is standard output."""
    refusal: str | None = None


def plan(inputs: Sequence[str], output: str | None, *, overwrite: bool) -> list[Task]:
    """Name every input's output, and look for what is in the way before any work is done.

    Creates the folder that ``output`` names, where it names one. Raises UsageError if input and
    output do not go together at all.
    """
    many = len(inputs) > 1
    _check_streams(inputs, output)
    if output is not None and output != STREAM and _is_folder(output, many):
        _make_folder(output)
    writers: dict[str, str] = {}
    return [
        _task(source, output_path(source, output, many), overwrite, writers) for source in inputs
    ]


def output_path(source: str, output: str | None, many: bool) -> Path | None:
    """Name the output: None for standard output.

    ``output`` is a file for one input, and a folder for many, or if it is one or ends like one.
    Without it the output lies beside the input, with the suffix ``.jpg``.
    """
    if output == STREAM or (output is None and source == STREAM):
        return None
    beside = Path(source).parent / f"{Path(source).stem}{SUFFIX}"
    if output is None:
        return beside
    return Path(output, beside.name) if _is_folder(output, many) else Path(output)


def is_same_file(one: Path | None, other: Path | None) -> bool:
    """Whether both names lead to the same existing file."""
    try:
        return one is not None and other is not None and one.samefile(other)
    except OSError:
        return False


def write_atomically(path: Path, data: bytes, *, overwrite: bool = False) -> None:
    """Write a file that is complete or not there: a temporary file beside it takes its name.

    Without ``overwrite`` an existing file stands, even one that appears meanwhile. With it, a
    regular file is replaced and its permissions are kept; links, folders and devices never are.
    Raises GradpressError.
    """
    temporary = path.with_name(f".gradpress-{secrets.token_hex(8)}.tmp")
    try:
        replaced = _occupant(path)
        if overwrite and replaced is not None:
            _check_regular(path, replaced)
        try:
            _write_durably(temporary, data, replaced)
            if overwrite:
                temporary.replace(path)
            else:
                _take_free_name(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        raise GradpressError(_explain(path, error)) from error


def _task(source: str, target: Path | None, overwrite: bool, writers: dict[str, str]) -> Task:
    refusal = None
    if target is not None:
        refusal = _clash(source, target, writers) or _obstacle(source, target, overwrite)
    return Task(None if source == STREAM else Path(source), target, refusal)


def write_stdout(data: bytes) -> None:
    """Write all of it to standard output; raises GradpressError."""
    try:
        _write_all(sys.stdout.buffer, data)
    except OSError as error:
        _abandon_stdout()
        reason = error.strerror or type(error).__name__
        raise GradpressError(f"standard output cannot be written ({reason})") from error


def _write_all(stream: BinaryIO, data: bytes) -> None:
    """Write until everything is taken: an unbuffered stream may take less at a time."""
    rest = memoryview(data)
    while rest:
        written = stream.write(rest)
        if not written:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        rest = rest[written:]
    stream.flush()


def _abandon_stdout() -> None:
    """Drop what standard output did not take, or Python tries again at its end and complains."""
    with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _check_streams(inputs: Sequence[str], output: str | None) -> None:
    if len(inputs) > 1 and STREAM in inputs:
        raise UsageError("standard input (-) can only be compressed on its own")
    if len(inputs) > 1 and output == STREAM:
        raise UsageError("standard output (-o -) takes one picture only; give -o a folder")
    if STREAM in inputs and output not in (None, STREAM) and _is_folder(str(output), many=False):
        raise UsageError(f"-o {output} is a folder; standard input needs the name of a file there")


def _is_folder(output: str, many: bool) -> bool:
    return many or output.endswith((os.sep, os.altsep or os.sep)) or Path(output).is_dir()


def _make_folder(output: str) -> None:
    try:
        Path(output).mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UsageError(f"-o {output} is a file; several pictures need a folder") from None
    except OSError as error:
        raise UsageError(f"-o {output}: the folder cannot be created ({error.strerror})") from error


def _clash(source: str, target: Path, writers: dict[str, str]) -> str | None:
    """Note in ``writers`` who writes where; the second to the same place is refused."""
    place = os.path.normcase(os.path.realpath(target))
    if place in writers:
        return f"{target} is also the output of {writers[place]}; rename one or use two folders"
    writers[place] = source
    return None


def _obstacle(source: str, target: Path, overwrite: bool) -> str | None:
    try:
        _check_free(source, target, overwrite)
    except OSError as error:
        return _explain(target, error)
    except GradpressError as error:
        return str(error)
    return None


def _check_free(source: str, target: Path, overwrite: bool) -> None:
    occupant = _occupant(target)
    if occupant is not None and overwrite:
        _check_regular(target, occupant)
    elif occupant is not None:
        if source != STREAM and is_same_file(Path(source), target):
            raise GradpressError(f"its output would replace it; {_WAY_OUT}")
        raise FileExistsError(errno.EEXIST, "")
    target.parent.stat()
    if not os.access(target.parent, os.W_OK):
        raise PermissionError(errno.EACCES, "")


def _occupant(path: Path) -> os.stat_result | None:
    """Look up what bears that name, links not followed; None if nothing does."""
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


def _check_regular(path: Path, occupant: os.stat_result) -> None:
    if not stat.S_ISREG(occupant.st_mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a symbolic link"}
        kind = kinds.get(stat.S_IFMT(occupant.st_mode), "a device or pipe")
        raise GradpressError(
            f"{path} is {kind} and is not replaced; give -o the name of a regular file"
        )


def _write_durably(temporary: Path, data: bytes, replaced: os.stat_result | None) -> None:
    """Create a file with the permissions of the one it replaces, else as the umask says."""
    with temporary.open("xb") as file:
        if replaced is not None:
            with suppress(OSError):
                temporary.chmod(stat.S_IMODE(replaced.st_mode) & 0o777)
        file.write(data)
        file.flush()
        _sync(file.fileno())


def _take_free_name(temporary: Path, path: Path) -> None:
    """Give the file its name, if that is free: a hard link never replaces anything."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):
        _reserve_and_replace(temporary, path)


def _reserve_and_replace(temporary: Path, path: Path) -> None:
    """Take a free name where there are no hard links: create it exclusively, then replace it."""
    path.touch(exist_ok=False)
    try:
        temporary.replace(path)
    except BaseException:
        path.unlink()
        raise


def _sync(descriptor: int) -> None:
    """Have the disk confirm what was written; some file systems cannot, and say so."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def _sync_folder(folder: Path) -> None:
    """Make the new name last too, where folders can be opened (not on Windows)."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _explain(path: Path, error: OSError) -> str:
    reason = _REASONS.get(error.errno or 0) or error.strerror or type(error).__name__
    return f"{path} cannot be written: {reason}"
