"""Writing files so that nothing is ever lost or half-written."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gradpress.errors import GradpressError, OutputExists

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

STREAM = "-"
"""Standard input or output, as the command line names it."""
WAY_OUT = "give another name with -o, or --overwrite always (in Python overwrite=True)"
_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or give -o another place",
    errno.EDQUOT: "the disk quota is used up; free some space or give -o another place",
    errno.EACCES: "there is no permission; give -o a place you may write to",
    errno.EPERM: "there is no permission; give -o a place you may write to",
    errno.EROFS: "the file system is read-only; give -o another place",
    errno.ENOENT: "its folder does not exist; create it first, or give -o another place",
    errno.ENOTDIR: "its folder is not a folder; give -o another place",
    errno.EEXIST: f"it exists already; {WAY_OUT}",
    errno.ENAMETOOLONG: "its name is too long; give a shorter one with -o",
}
_PREFIX, _TEMPORARY = ".gradpress-", ".tmp"
_ABANDONED_SECONDS = 24 * 3600
"""Age from which a temporary file counts as left behind where locks tell nothing."""


def is_same_file(one: object, other: Path) -> bool:
    """Whether both names lead to the same existing file."""
    try:
        return isinstance(one, Path) and one.samefile(other)
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder bears that name; one that is too long, or no name at all, does not."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def write_atomically(
    path: Path,
    data: bytes | Iterable[bytes],
    *,
    overwrite: bool = False,
    like: os.stat_result | None = None,
) -> None:
    """Write a file that is complete or not there: a temporary file beside it takes its name.

    ``data`` may come piece by piece.

    Without ``overwrite`` an existing file stands, even one that appears meanwhile. With it, a
    regular file is replaced and its permissions are kept; links, folders and devices never are.
    The file gets the times and permissions of ``like``, if that is given. Raises GradpressError;
    OutputExists if an existing file stands.
    """
    try:
        replaced = occupant(path)
        if overwrite and replaced is not None:
            check_regular(path, replaced)
        with _temporary(path.parent) as (file, temporary):
            _write_durably(file, temporary, data, like or replaced, times=like is not None)
            if overwrite:
                temporary.replace(path)
            else:
                _take_free_name(temporary, path)
        _sync_folder(path.parent)
    except FileExistsError as error:
        raise OutputExists(explain(path, error)) from error
    except OSError as error:
        raise GradpressError(explain(path, error)) from error


def keep_backup(path: Path) -> Path:
    """Give a file a second name that outlives its replacement: NAME.orig, NAME.orig.1 and so on.

    No existing file is replaced; one that is this very file already is the backup.
    """
    count = 0
    while True:
        backup = path.with_name(f"{path.name}.orig{f'.{count}' if count else ''}")
        if is_same_file(path, backup):
            return backup
        with suppress(FileExistsError, OutputExists):
            try:
                backup.hardlink_to(path)
            except FileExistsError:
                raise
            except (OSError, NotImplementedError):
                write_atomically(backup, path.read_bytes(), like=path.stat())
            return backup
        count += 1


def sweep(folder: Path) -> None:
    """Remove temporary files that killed processes left; those in use are locked and stay."""
    with suppress(OSError):
        for path in sorted(folder.glob(f"{_PREFIX}*{_TEMPORARY}")):
            with suppress(OSError):
                _remove_abandoned(path)


@contextmanager
def _temporary(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a new file that is removed at the end unless it was renamed; the lock says it is in use.

    Between its creation and its lock another run may take it for abandoned: then it is made anew.
    """
    while True:
        temporary = folder / f"{_PREFIX}{secrets.token_hex(8)}{_TEMPORARY}"
        with temporary.open("xb") as file:
            try:
                _lock(file.fileno(), wait=True)
                if fcntl is not None and os.fstat(file.fileno()).st_nlink == 0:
                    continue
                yield file, temporary
            finally:
                with suppress(OSError):
                    temporary.unlink()
        return


def _lock(descriptor: int, *, wait: bool) -> bool:
    """Lock a file as long as it is open; False where that cannot be told."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks
        return False
    return True


def _remove_abandoned(path: Path) -> None:
    """Remove a temporary file of which nobody holds the lock; raises OSError."""
    if not stat.S_ISREG(path.lstat().st_mode):
        return
    with path.open("rb") as file:
        known = _lock(file.fileno(), wait=False)
        old = time.time() - os.fstat(file.fileno()).st_ctime > _ABANDONED_SECONDS
        if known:
            path.unlink()
    if old and not known:
        path.unlink()


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


def occupant(path: Path) -> os.stat_result | None:
    """Look up what bears that name, links not followed; None if nothing does."""
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


def check_regular(path: Path, there: os.stat_result) -> None:
    """Refuse to replace what is no regular file."""
    if not stat.S_ISREG(there.st_mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a symbolic link"}
        kind = kinds.get(stat.S_IFMT(there.st_mode), "a device or pipe")
        raise GradpressError(
            f"{path} is {kind} and is not replaced; give -o the name of a regular file"
        )


def _write_durably(
    file: BinaryIO,
    temporary: Path,
    data: bytes | Iterable[bytes],
    like: os.stat_result | None,
    *,
    times: bool,
) -> None:
    """Write all, with the permissions and if wanted the times of another file."""
    if like is not None:
        with suppress(OSError):
            temporary.chmod(stat.S_IMODE(like.st_mode) & 0o777)
    file.writelines([data] if isinstance(data, bytes) else data)
    file.flush()
    _sync(file.fileno())
    if fcntl is None:
        file.close()  # Windows renames no open file
    if like is not None and times:
        with suppress(OSError):
            os.utime(temporary, ns=(like.st_atime_ns, like.st_mtime_ns))


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


def explain(path: Path, error: OSError) -> str:
    """Say why a file cannot be written, and what to do."""
    reason = _REASONS.get(error.errno or 0) or error.strerror or type(error).__name__
    return f"{path} cannot be written: {reason}"
