"""URLs as inputs and outputs, by fsspec's file system in memory and by local ones."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import fsspec
import PIL.Image
import pytest
from click.testing import CliRunner

import gradpress
from gradpress import remote
from gradpress.batches import memory
from gradpress.commands import cli
from gradpress.errors import GradpressError, ImageTooLarge, OutputExists, UnsupportedImage
from gradpress.remote import Url
from tests.conftest import png, scene

PNG = png(scene(24, 32))


@pytest.fixture
def store():
    """Fsspec's memory, empty."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pipe_file("/in/a.png", PNG)
    yield system
    system.store.clear()


@pytest.fixture
def run(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        outcome = CliRunner().invoke(
            cli.main, [*arguments, "-j", "1", "-e", "1"], prog_name="gradpress"
        )
        assert isinstance(outcome.exception, SystemExit | None), outcome.exception
        return outcome

    return command


def names(store):
    return sorted(store.find("/"))


def is_jpeg(data):
    with PIL.Image.open(io.BytesIO(data)) as picture:
        return (picture.format, picture.size) == ("JPEG", (32, 24))


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://bucket/a.png", True),
        ("memory://a.png", True),
        ("HTTPS://x/a.png", True),
        ("a.png", False),
        ("C:\\a.png", False),
        ("c://a.png", False),
        ("-", False),
        ("folder/s3://x", False),
    ],
)
def test_what_is_a_url(text, url):
    assert remote.is_url(text) is url
    assert isinstance(remote.place(text), Url if url else Path)


def test_a_file_url_is_a_local_path(tmp_path):
    path = tmp_path / "a b.png"
    assert remote.place(path.as_uri()) == path


def test_passwords_are_not_told():
    assert str(Url("ftp://me:secret@host/a.png")) == "ftp://host/a.png"


def test_the_library_reads_and_saves(store, tmp_path):
    result = gradpress.compress("memory://in/a.png", effort=1)
    assert (result.bytes_before, result.width) == (len(PNG), 32)
    result.save("memory://out/a.jpg")
    assert store.cat_file("/out/a.jpg") == result.data
    with pytest.raises(OutputExists, match=r"memory://out/a\.jpg cannot be written"):
        result.save("memory://out/a.jpg")
    result.save("memory://out/a.jpg", overwrite=True)
    result.save((tmp_path / "b.jpg").as_uri())
    assert (tmp_path / "b.jpg").read_bytes() == result.data
    assert names(store) == ["/in/a.png", "/out/a.jpg"]


def test_the_command_writes_beside_a_url(run, store):
    outcome = run("memory://in/a.png")
    assert outcome.exit_code == 0, outcome.stderr
    assert "memory://in/a.png → memory://in/a.jpg" in outcome.stderr
    assert names(store) == ["/in/a.jpg", "/in/a.png"]
    assert is_jpeg(store.cat_file("/in/a.jpg"))


def test_from_a_url_to_a_file_and_back(run, store):
    assert run("memory://in/a.png", "-o", "b.jpg").exit_code == 0
    assert is_jpeg(Path("b.jpg").read_bytes())
    Path("c.png").write_bytes(PNG)
    assert run("c.png", "-o", "memory://out/c.jpg").exit_code == 0
    assert store.cat_file("/out/c.jpg") == Path("b.jpg").read_bytes()


def test_several_go_into_a_folder_behind_a_url(run, store):
    Path("deep/er").mkdir(parents=True)
    Path("deep/er/b.png").write_bytes(PNG)
    outcome = run("memory://in/a.png", "-r", "deep", "-o", "memory://out", "--suffix", "-s")
    assert outcome.exit_code == 0, outcome.stderr
    assert names(store)[1:] == ["/out/a-s.jpg", "/out/er/b-s.jpg"]
    again = run("memory://in/a.png", "-r", "deep", "-o", "memory://out", "--suffix", "-s")
    assert (again.exit_code, again.stderr.count("is there already")) == (0, 2)


def test_several_urls_go_into_a_local_folder(run, store):
    store.pipe_file("/more/a.png", PNG)
    assert run("memory://in/a.png", "memory://more/a.png", "-o", "out").exit_code == 0
    assert sorted(each.name for each in Path("out").iterdir()) == ["a.jpg", "a.png.jpg"]


def test_file_urls_on_the_command_line(run, tmp_path):
    Path("a.png").write_bytes(PNG)
    out = (tmp_path / "out.jpg").as_uri()
    assert run((tmp_path / "a.png").as_uri(), "-o", out).exit_code == 0
    assert is_jpeg(Path("out.jpg").read_bytes())


def test_nothing_is_overwritten_unasked(run, store):
    store.pipe_file("/in/a.jpg", b"old")
    outcome = run("memory://in/a.png")
    assert outcome.exit_code == 1
    assert "memory://in/a.jpg exists already" in outcome.stderr
    assert store.cat_file("/in/a.jpg") == b"old"
    skipped = run("memory://in/a.png", "--overwrite", "smaller")
    assert "is there already, and as small" in skipped.stderr
    assert run("memory://in/a.png", "--overwrite", "always").exit_code == 0
    assert is_jpeg(store.cat_file("/in/a.jpg"))


def test_an_input_is_never_another_ones_output(run, store):
    jpeg = gradpress.compress(PNG, effort=1).data
    store.pipe_file("/in/a.jpg", jpeg)
    outcome = run("memory://in/a.png", "memory://in/a.jpg", "--overwrite", "always")
    assert outcome.exit_code == 1
    assert "memory://in/a.jpg is an input too" in outcome.stderr
    assert store.cat_file("/in/a.jpg") == jpeg


def test_urls_are_not_replaced_in_place(run, store):
    outcome = run("memory://in/a.png", "--in-place")
    assert outcome.exit_code == 1
    assert "is behind a URL" in outcome.stderr
    assert names(store) == ["/in/a.png"]


def test_a_dry_run_writes_nothing(run, store):
    assert run("memory://in/a.png", "-n").exit_code == 0
    assert names(store) == ["/in/a.png"]


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("memory://in/none.png", "memory://in/none.png: cannot be opened"),
        ("nonsense://in/a.png", "cannot be reached"),
    ],
)
def test_what_cannot_be_read_is_one_line(run, store, url, complaint):
    outcome = run(url, "-o", "x.jpg")
    assert outcome.exit_code == 1
    assert complaint in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1


def test_without_fsspec_the_extra_is_named(run, store, monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    outcome = run("memory://in/a.png", "-o", "x.jpg")
    assert outcome.exit_code == 1
    assert "pip install 'gradpress[remote]'" in outcome.stderr
    with pytest.raises(GradpressError, match=r"gradpress\[remote\]"):
        gradpress.compress("memory://in/a.png")


def test_fsspec_is_not_imported_for_local_files(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    (tmp_path / "a.png").write_bytes(PNG)
    outcome = CliRunner().invoke(cli.main, [str(tmp_path / "a.png"), "-j", "1", "-e", "1"])
    assert outcome.exit_code == 0


def test_files_that_are_too_large_are_refused(store):
    with pytest.raises(ImageTooLarge, match="larger than 10 bytes"):
        remote.read(Url("memory://in/a.png"), 10)
    assert remote.read(Url("memory://in/a.png"), len(PNG)) == PNG


def test_memory_is_accounted_by_the_header(store):
    store.pipe_file("/in/text.png", b"no picture")
    assert memory.needed(Url("memory://in/a.png"), 10**6) == memory.estimate(24 * 32)
    assert memory.needed(Url("memory://in/text.png"), 10**6) == memory.estimate(0)


def test_a_write_that_fails_leaves_nothing(store, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(store), "mv", fail)
    with pytest.raises(GradpressError, match=r"memory://x/a\.jpg cannot be written: No space left"):
        remote.write(Url("memory://x/a.jpg"), b"data")
    assert names(store) == ["/in/a.png"]


def test_a_file_appears_under_its_name_only_when_it_is_whole(store, monkeypatch):
    pipe = type(store).pipe_file
    seen = []

    def watched(self, path, data, **options):
        pipe(self, path, data, **options)
        seen.append(self.exists("/x/a.jpg"))

    monkeypatch.setattr(type(store), "pipe_file", watched)
    remote.write(Url("memory://x/a.jpg"), b"data")
    assert seen == [False]
    assert store.cat_file("/x/a.jpg") == b"data"


def test_an_error_of_the_file_systems_own_is_one_line(monkeypatch, store):
    class OwnError(Exception):
        pass

    def fail(*_, **__):
        raise OwnError("no\ncredentials")

    monkeypatch.setattr(type(store), "_open", fail)
    with pytest.raises(UnsupportedImage, match=r"cannot be opened \(no credentials\)"):
        remote.read(Url("memory://in/a.png"), 10)
