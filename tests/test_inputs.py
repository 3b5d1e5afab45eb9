"""What is found for names, folders, patterns and lists."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from gradpress.batches.inputs import JPEG_SUFFIXES, Found, Gathering, Search, gather, walk
from gradpress.errors import UsageError

posix = pytest.mark.skipif(os.name != "posix", reason="links and permissions of POSIX")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in/b.png", "in/a.JPG", "in/x/c.tif", "in/x/y/d.webp", "in/note.txt", "e.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def paths(found):
    return [each.path.as_posix() for each in found]


def gathered(*names, search=None, **options):
    return gather(names, Gathering(**options), search or Search())


def test_names_stay_in_their_order_and_each_comes_once(here):
    (here / "link").symlink_to("in")
    found = gathered("e.png", "in/b.png", "missing.png", "./e.png", "in/x/../b.png", "link/b.png")
    assert paths(found) == ["e.png", "in/b.png", "missing.png"]
    assert all(each.named and each.below == Path() for each in found)


def test_a_folder_is_searched_from_the_top_down_by_name(here):
    found = gathered("in", recursive=True)
    assert paths(found) == ["in/a.JPG", "in/b.png", "in/x/c.tif", "in/x/y/d.webp"]
    assert [each.below.as_posix() for each in found] == [".", ".", "x", "x/y"]
    assert not any(each.named for each in found)


def test_of_several_folders_each_keeps_its_name(here):
    found = gathered("in/x", "in", "e.png", recursive=True)
    assert [each.below.as_posix() for each in found] == ["x", "x/y", "in", "in", "."]
    assert paths(gathered("in", "in", recursive=True)) == paths(gathered("in", recursive=True))


def test_a_folder_needs_recursive(here):
    (found,) = gathered("in")
    assert "-r" in found.problem


@posix
def test_links_and_hidden_names_are_passed_over_in_a_folder(here):
    (here / "in/link.png").symlink_to(here / "e.png")
    (here / "in/folder").symlink_to(here / "in/x")
    (here / "in/loop").symlink_to(here / "in")
    (here / "in/.hidden").mkdir()
    (here / "in/.hidden/f.png").touch()
    (here / "in/._b.png").touch()
    assert paths(walk(Path("in"), Search())) == paths(gathered("in", recursive=True))
    assert len(gathered("in", recursive=True)) == 4
    assert paths(gathered("in/link.png")) == ["in/link.png"]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("*.png", ["in/a.JPG", "in/x/c.tif", "in/x/y/d.webp"]),
        ("x", ["in/a.JPG", "in/b.png"]),
        ("x/y/*", ["in/a.JPG", "in/b.png", "in/x/c.tif"]),
        ("y", ["in/a.JPG", "in/b.png", "in/x/c.tif"]),
        ("in", []),
    ],
)
def test_what_is_excluded_is_not_found(here, pattern, left):
    search = Search(exclude=(pattern,))
    assert paths(gathered("in", search=search, recursive=True)) == left


def test_named_files_are_excluded_too(here):
    search = Search(exclude=("*.png", "in/x/*"))
    found = gathered("e.png", "in/x/c.tif", "in/a.JPG", search=search)
    assert paths(found) == ["in/a.JPG"]


def test_outputs_are_not_inputs_of_the_next_run(here):
    (here / "in/out").mkdir()
    for name in ("in/out/b.jpg", "in/b-small.jpg"):
        (here / name).touch()
    search = Search(without=here / "in" / "out", made_suffix="-small")
    assert len(gathered("in", search=search, recursive=True)) == 4


def test_in_place_only_jpeg_files_are_searched_for(here):
    search = Search(suffixes=JPEG_SUFFIXES)
    assert paths(gathered("in", search=search, recursive=True)) == ["in/a.JPG"]


def test_patterns_that_the_shell_left_are_expanded(here):
    (here / "in/[1].png").touch()
    assert paths(gathered("in/*.png")) == ["in/[1].png", "in/b.png"]
    assert paths(gathered("in/[1].png")) == ["in/[1].png"]
    assert paths(gathered("in/**/*.webp")) == ["in/x/y/d.webp"]
    assert paths(gathered("no*.png")) == ["no*.png"]


@pytest.mark.parametrize(
    ("content", "null"),
    [(b"e.png\n\nin/b.png\r\n", False), (b"e.png\0in/b.png\0", True), (b"e.png\nin/b.png", False)],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_list_of_names_is_read(here, monkeypatch, content, null, stream):
    (here / "list").write_bytes(content)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    found = gathered(files_from="-" if stream else "list", null=null)
    assert paths(found) == ["e.png", "in/b.png"]


@posix
def test_a_listed_name_may_be_any_bytes(here):
    (here / "list").write_bytes(b"\xff\n.png\0-\n.png\0")
    assert [os.fsencode(each.path) for each in gathered(files_from="list", null=True)] == [
        b"\xff\n.png", b"-\n.png",
    ]  # fmt: skip


def test_an_empty_list_is_no_error(here):
    (here / "list").touch()
    assert gathered(files_from="list") == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [({}, "Missing argument"), ({"files_from": "none"}, "cannot be read"), ({"null": True}, "-0")],
)
def test_nothing_to_look_for_is_wrong_usage(here, options, complaint):
    with pytest.raises(UsageError, match=complaint):
        gathered(*(["e.png"] if "null" in options else []), **options)


def test_standard_input_is_an_input():
    assert gathered("-") == [Found(None)]


def test_a_folder_that_cannot_be_read_is_told(here, monkeypatch):
    scandir = os.scandir

    def locked(path):
        if Path(path).name == "x":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    found = gathered("in", recursive=True)
    assert [each.problem for each in found if each.problem] == [
        "cannot be searched (Permission denied)"
    ]
    assert len(found) == 3
