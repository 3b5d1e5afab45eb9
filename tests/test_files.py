"""Output names, and files that are whole or not there at all."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from gradpress.errors import GradpressError
from gradpress.files import keep_backup, sweep, write_atomically, write_stdout

OLD, NEW = b"old", b"new" * 5000
posix = pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
unprivileged = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere"
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_new_file_is_written_whole_and_nothing_else_is_left(tmp_path, overwrite):
    path = tmp_path / "ä ☃.jpg"
    write_atomically(path, NEW, overwrite=overwrite)
    assert path.read_bytes() == NEW
    assert names(tmp_path) == [path.name]


def test_an_existing_file_stands_unless_overwriting(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(OLD)
    with pytest.raises(GradpressError, match="exists already"):
        write_atomically(path, NEW)
    assert path.read_bytes() == OLD
    write_atomically(path, NEW, overwrite=True)
    assert path.read_bytes() == NEW
    assert names(tmp_path) == ["a.jpg"]


@posix
def test_permissions_are_the_umasks_or_those_of_the_replaced_file(tmp_path):
    path = tmp_path / "a.jpg"
    before = os.umask(0o027)
    try:
        write_atomically(path, OLD)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        write_atomically(path, NEW, overwrite=True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(before)


@posix
@pytest.mark.parametrize("kind", ["link", "dangling", "folder", "pipe"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_only_regular_files_are_ever_replaced(tmp_path, kind, overwrite):
    path, other = tmp_path / "a.jpg", tmp_path / "other"
    other.write_bytes(OLD)
    make = {
        "link": lambda: path.symlink_to(other),
        "dangling": lambda: path.symlink_to(tmp_path / "nowhere"),
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
    }
    make[kind]()
    before = path.lstat()
    with pytest.raises(GradpressError, match=r"a\.jpg"):
        write_atomically(path, NEW, overwrite=overwrite)
    assert path.lstat() == before
    assert other.read_bytes() == OLD
    assert names(tmp_path) == ["a.jpg", "other"]


FAILURES = [
    (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
    (OSError(errno.EROFS, "Read-only file system"), "read-only"),
    (OSError(errno.EIO, "Input/output error"), "Input/output error"),
]


@pytest.mark.parametrize("where", ["fsync", "replace"])
@pytest.mark.parametrize(("error", "message"), FAILURES)
def test_a_failure_leaves_everything_as_it_was(tmp_path, monkeypatch, where, error, message):
    path = tmp_path / "a.jpg"
    path.write_bytes(OLD)

    def fail(*_args):
        raise error

    monkeypatch.setattr(os, where, fail)
    with pytest.raises(GradpressError, match=message) as raised:
        write_atomically(path, NEW, overwrite=True)
    assert str(path) in str(raised.value)
    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["a.jpg"]


def test_file_systems_without_permissions_are_written_to(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(OLD)

    def fail(*_args, **_options):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chmod", fail)
    write_atomically(path, NEW, overwrite=True)
    assert path.read_bytes() == NEW


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_an_interrupt_leaves_everything_as_it_was(tmp_path, monkeypatch, where):
    path = tmp_path / "a.jpg"
    path.write_bytes(OLD)

    def interrupt(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, where, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, NEW, overwrite=True)
    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["a.jpg"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_file_systems_without_fsync_are_written_to(tmp_path, monkeypatch, number):
    def fail(_descriptor):
        raise OSError(number, "not here")

    monkeypatch.setattr(os, "fsync", fail)
    write_atomically(tmp_path / "a.jpg", NEW)
    assert (tmp_path / "a.jpg").read_bytes() == NEW


@pytest.fixture
def no_hard_links(monkeypatch):
    def fail(*_args, **_options):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", fail)


@pytest.mark.usefixtures("no_hard_links")
def test_without_hard_links_the_same_holds(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    write_atomically(path, OLD)
    with pytest.raises(GradpressError, match="exists already"):
        write_atomically(path, NEW)
    assert path.read_bytes() == OLD
    path.unlink()

    def fail(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(GradpressError, match="disk is full"):
        write_atomically(path, NEW)
    assert names(tmp_path) == []


def race(path, writers=8):
    """Let several threads write one file at once; return what each of them made of it."""
    outcomes = []
    barrier = threading.Barrier(writers)

    def write(number):
        barrier.wait()
        try:
            write_atomically(path, bytes([number]) * 10000)
            outcomes.append(number)
        except GradpressError:
            outcomes.append(None)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.mark.parametrize("links", [True, False])
def test_of_racing_writers_exactly_one_wins(tmp_path, links, request):
    if not links:
        request.getfixturevalue("no_hard_links")
    path = tmp_path / "a.jpg"
    (winner,) = (number for number in race(path) if number is not None)
    assert path.read_bytes() == bytes([winner]) * 10000
    assert names(tmp_path) == ["a.jpg"]


@unprivileged
def test_a_folder_without_permission_is_named(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    with pytest.raises(GradpressError, match="no permission") as raised:
        write_atomically(folder / "a.jpg", NEW)
    assert "locked" in str(raised.value)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(GradpressError, match=r"nowhere.a\.jpg cannot be written: its folder"):
        write_atomically(tmp_path / "nowhere" / "a.jpg", NEW)


class Dribble(io.BytesIO):
    """A stream that takes few bytes at a time, and at last none."""

    def write(self, data):
        return super().write(data[: min(7, 1000 - self.tell())])


def test_standard_output_gets_all_however_little_it_takes(monkeypatch):
    stream = Dribble()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=stream, fileno=stream.fileno))
    write_stdout(NEW[:999])
    assert stream.getvalue() == NEW[:999]
    with pytest.raises(GradpressError, match="standard output cannot be written"):
        write_stdout(NEW)


@posix
@pytest.mark.parametrize("overwrite", [False, True])
def test_times_and_mode_are_those_of_the_model(tmp_path, overwrite):
    model, path = tmp_path / "model", tmp_path / "a.jpg"
    model.write_bytes(OLD)
    model.chmod(0o640)
    os.utime(model, ns=(10**18, 2 * 10**18))
    write_atomically(path, NEW, overwrite=overwrite, like=model.stat())
    status = path.stat()
    assert (status.st_atime_ns, status.st_mtime_ns) == (10**18, 2 * 10**18)
    assert stat.S_IMODE(status.st_mode) == 0o640


@pytest.mark.parametrize("links", [True, False])
def test_a_backup_never_replaces_anything(tmp_path, links, request):
    if not links:
        request.getfixturevalue("no_hard_links")
    path = tmp_path / "a.jpg"
    for content in (OLD, b"newer", b"newest"):
        path.write_bytes(content)
        keep_backup(path)
        write_atomically(path, NEW, overwrite=True)
    kept = [
        (tmp_path / name).read_bytes() for name in ("a.jpg.orig", "a.jpg.orig.1", "a.jpg.orig.2")
    ]
    assert kept == [OLD, b"newer", b"newest"]


@posix
def test_a_backup_that_is_there_is_not_made_again(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(OLD)
    assert keep_backup(path) == keep_backup(path)
    assert names(tmp_path) == ["a.jpg", "a.jpg.orig"]


def test_what_a_killed_run_left_is_swept_and_nothing_else(tmp_path):
    for name in (".gradpress-0123.tmp", ".gradpress-x.jpg", "gradpress-0.tmp", "a.tmp"):
        (tmp_path / name).write_bytes(OLD)
    (tmp_path / ".gradpress-folder.tmp").mkdir()
    sweep(tmp_path)
    sweep(tmp_path / "missing")
    assert names(tmp_path) == [
        ".gradpress-folder.tmp", ".gradpress-x.jpg", "a.tmp", "gradpress-0.tmp",
    ]  # fmt: skip


def test_a_file_that_is_being_written_is_not_swept(tmp_path, monkeypatch):
    sync, swept = os.fsync, []

    def sweep_meanwhile(descriptor):
        if not swept:
            swept.append(True)
            sweep(tmp_path)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", sweep_meanwhile)
    write_atomically(tmp_path / "a.jpg", NEW)
    assert swept
    assert (tmp_path / "a.jpg").read_bytes() == NEW
    assert names(tmp_path) == ["a.jpg"]


def test_a_file_that_is_swept_before_its_lock_is_made_anew(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    lock, swept = fcntl.flock, []

    def sweep_first(descriptor, operation):
        if not swept:
            swept.append(True)
            sweep(tmp_path)
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", sweep_first)
    write_atomically(tmp_path / "a.jpg", NEW)
    assert (tmp_path / "a.jpg").read_bytes() == NEW
    assert names(tmp_path) == ["a.jpg"]


def test_without_locks_only_what_is_old_is_swept(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def fail(*_arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fail)
    write_atomically(tmp_path / "a.jpg", NEW)
    (tmp_path / ".gradpress-0.tmp").write_bytes(OLD)
    sweep(tmp_path)
    assert names(tmp_path) == [".gradpress-0.tmp", "a.jpg"]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 100_000)
    sweep(tmp_path)
    assert names(tmp_path) == ["a.jpg"]
