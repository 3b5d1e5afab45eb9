"""Output names, and files that are whole or not there at all."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradpress.errors import GradpressError, UsageError
from gradpress.files import output_path, plan, write_atomically, write_stdout

OLD, NEW = b"old", b"new" * 5000
posix = pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
unprivileged = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere"
)
NAMES = st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def refusals(inputs, output=None, *, overwrite=False):
    return [task.refusal for task in plan(inputs, output, overwrite=overwrite)]


@pytest.mark.parametrize(
    ("source", "output", "many", "expected"),
    [
        ("photo.png", None, False, "photo.jpg"),
        ("a b/photo.v2.png", None, True, "a b/photo.v2.jpg"),
        ("photo", None, False, "photo.jpg"),
        (".png", None, False, ".png.jpg"),
        ("-photo.png", None, False, "-photo.jpg"),
        ("x/photo.png", "small.jpeg", False, "small.jpeg"),
        ("x/photo.png", "small", True, "small/photo.jpg"),
        ("x/photo.png", "small/", False, "small/photo.jpg"),
        ("x/photo.png", "folder", False, "folder/photo.jpg"),
        ("-", "out.jpg", False, "out.jpg"),
        ("photo.png", "-", False, None),
        ("-", None, False, None),
        ("-", "-", False, None),
    ],
)
def test_outputs_are_named(here, source, output, many, expected):
    (here / "folder").mkdir()
    assert output_path(source, output, many) == (expected and Path(expected))


@given(NAMES)
def test_an_output_lies_beside_its_input_or_in_the_folder(name):
    beside = output_path(f"x/{name}", None, many=True)
    inside = output_path(f"x/{name}", "y", many=True)
    if name not in (".", ".."):
        assert beside is not None
        assert inside is not None
        assert (beside.parent, beside.suffix) == (Path("x"), ".jpg")
        assert inside == Path("y", beside.name)


def test_a_plan_creates_the_folder_it_needs(here):
    assert refusals(["a.png", "b.png"], "deep/er") == [None, None]
    assert refusals(["a.png"], "one/") == [None]
    assert names(here) == ["deep", "one"]
    assert names(here / "deep") == ["er"]


def test_two_inputs_never_share_an_output(here):
    (here / "x").mkdir()
    first, second, third = refusals(["a.png", "a.tif", "x/../a.gif"], overwrite=True)
    assert first is None
    assert "a.jpg is also the output of a.png" in second
    assert "also the output of a.png" in third
    assert refusals(["a.png", "a.png"])[1] is not None


def test_what_is_there_is_refused_before_any_work(here):
    (here / "a.jpg").write_bytes(OLD)
    (refusal,) = refusals(["a.png"])
    assert refusal.startswith("a.jpg cannot be written: it exists already")
    assert "--overwrite always" in refusal
    (refusal,) = refusals(["a.jpg"])
    assert refusal.startswith("its output would replace it")
    assert refusals(["a.jpg"], overwrite=True) == [None]
    assert (here / "a.jpg").read_bytes() == OLD


def test_an_input_under_another_name_is_recognised(here):
    (here / "a.jpeg").write_bytes(OLD)
    (here / "a.jpg").hardlink_to(here / "a.jpeg")
    (refusal,) = refusals(["a.jpeg"])
    assert refusal.startswith("its output would replace it")


def test_a_missing_folder_is_refused_with_what_to_do(here):
    (here / "file").write_bytes(OLD)
    (refusal,) = refusals(["a.png"], "missing/b.jpg")
    assert "create it first" in refusal
    (refusal,) = refusals(["a.png"], "file/b.jpg")
    assert "not a folder" in refusal


def test_a_name_that_is_too_long_is_refused(here):
    (refusal,) = refusals(["x" * 300 + ".png"])
    assert "shorter" in refusal


@pytest.mark.parametrize(
    ("inputs", "output", "expected"),
    [
        (["-", "a.png"], None, "on its own"),
        (["a.png", "b.png"], "-", "one picture only"),
        (["-"], "folder", "is a folder"),
        (["-"], "new/", "is a folder"),
        (["a.png", "b.png"], "file", "is a file"),
        (["a.png"], "file/", "is a file"),
        (["a.png", "b.png"], "file/below", "cannot be created"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(here, inputs, output, expected):
    (here / "file").write_bytes(OLD)
    (here / "folder").mkdir()
    with pytest.raises(UsageError, match=expected):
        plan(inputs, output, overwrite=True)
    assert names(here) == ["file", "folder"]


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
    (refusal,) = refusals([str(tmp_path / "a.png")], overwrite=overwrite)
    assert "a.jpg" in refusal
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
    (task,) = plan(["a.png"], str(folder / "a.jpg"), overwrite=False)
    assert "no permission" in (task.refusal or "")


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
