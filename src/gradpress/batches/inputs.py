"""What is to be compressed: names, folders, globs and lists of them, in a fixed order."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from gradpress.errors import UsageError
from gradpress.files import STREAM, is_folder
from gradpress.remote import Url, is_url, place

JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
SUFFIXES = JPEG_SUFFIXES | {
    *(".png", ".apng", ".gif", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".dib"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".qoi", ".ico", ".sgi", ".rgb", ".psd"),
    *(".heic", ".heif", ".jxl"),
}
"""Of pictures, as a folder is searched for them; those that cannot be read are told, not passed
over in silence."""


@dataclass(frozen=True)
class Gathering:
    """How inputs are found: the options of the same names."""

    recursive: bool = False
    files_from: str | None = None
    null: bool = False
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """One input."""

    path: Path | Url | None
    """None is standard input."""
    below: Path = Path()
    """Its folder below the folder that was searched; none for what was named."""
    named: bool = True
    """Whether the user named this very file, not a list or folder."""
    searched: bool = False
    """Whether it was found in a folder."""
    problem: str | None = None
    """Why it cannot be an input."""


@dataclass(frozen=True)
class Search:
    """What a search of folders takes."""

    exclude: tuple[str, ...] = ()
    suffixes: frozenset[str] = SUFFIXES
    without: Path | None = None
    """A folder that is not entered: the one that the outputs go to."""
    made_suffix: str = ""
    """Stems that end like this are outputs."""

    def takes_file(self, relative: Path) -> bool:
        """Whether a file in the tree is an input."""
        made = bool(self.made_suffix) and relative.stem.endswith(self.made_suffix)
        return (
            relative.suffix.lower() in self.suffixes
            and not made
            and not relative.name.startswith(".")
            and not excluded(relative, self.exclude)
        )

    def takes_folder(self, folder: Path, relative: Path) -> bool:
        """Whether a folder in the tree is entered."""
        return not (
            relative.name.startswith(".")
            or excluded(relative, self.exclude)
            or (self.without is not None and _place(folder) == _place(self.without))
        )


def gather(names: Sequence[str], gathering: Gathering, search: Search) -> list[Found]:
    """All inputs, each once: in the order of the names, folders by name from the top down.

    Raises UsageError where there is nothing to look for.
    """
    listed = _listed(gathering)
    if not names and gathering.files_from is None:
        raise UsageError("Missing argument 'INPUT...': name files, or a folder with -r")
    expanded = [match for name in names for match in _expanded(name)]
    inputs = [*((name, True) for name in expanded), *((name, False) for name in listed)]
    folders = [name for name, _ in inputs if name != STREAM and is_folder(Path(name))]
    found: dict[object, Found] = {}
    for name, named in inputs:
        for each in _inputs(name, named, gathering, search, apart=len(folders) > 1):
            there = None if each.path is None else _place(each.path)
            found.setdefault(there, each)
    return list(found.values())


def excluded(path: Path, patterns: Iterable[str]) -> bool:
    """Whether the file's name, or its path, is of a pattern such as ``*.gif`` or ``old/*``."""
    whole = path.as_posix()
    return any(fnmatch(path.name, each) or fnmatch(whole, each) for each in patterns)


def _inputs(
    name: str, named: bool, gathering: Gathering, search: Search, *, apart: bool
) -> Iterator[Found]:
    """What a name stands for."""
    where = place(name)
    path = where if isinstance(where, Path) else Path(name)
    if name == STREAM:
        yield Found(None, named=named)
    elif excluded(path, search.exclude):
        return
    elif not is_folder(path):
        yield Found(where, named=named)
    elif gathering.recursive:
        yield from walk(path, search, Path(path.resolve().name) if apart else Path())
    else:
        yield Found(path, problem="is a folder; -r compresses the pictures in it")


def walk(root: Path, search: Search, under: Path = Path()) -> Iterator[Found]:
    """The pictures in a folder and those below it; links and hidden names are passed over."""
    problems: list[OSError] = []
    for name, folders, files in os.walk(root, onerror=problems.append):
        folder = Path(name)
        inside = folder.relative_to(root)
        folders[:] = sorted(
            each for each in folders if search.takes_folder(folder / each, inside / each)
        )
        for each in sorted(files):
            if search.takes_file(inside / each) and not (folder / each).is_symlink():
                yield Found(folder / each, under / inside, named=False, searched=True)
        yield from _unread(problems)
    yield from _unread(problems)


def _unread(problems: list[OSError]) -> Iterator[Found]:
    while problems:
        error = problems.pop()
        yield Found(Path(error.filename), problem=f"cannot be searched ({error.strerror})")


def _listed(gathering: Gathering) -> list[str]:
    """The names in the list that ``--files-from`` names."""
    source = gathering.files_from
    if source is None:
        if gathering.null:
            raise UsageError("-0 goes with --files-from")
        return []
    try:
        data = sys.stdin.buffer.read() if source == STREAM else Path(source).read_bytes()
    except (OSError, AttributeError) as error:
        reason = getattr(error, "strerror", None) or "it is closed"
        raise UsageError(f"--files-from {source} cannot be read ({reason})") from error
    parts = data.split(b"\0") if gathering.null else data.splitlines()
    return [os.fsdecode(part) for part in parts if part]


def _expanded(name: str) -> list[str]:
    """A pattern's matches, where the shell left it as it is; else the name."""
    if name == STREAM or is_url(name) or not glob.has_magic(name) or os.path.lexists(name):
        return [name]
    return sorted(glob.glob(name, recursive=True)) or [name]  # noqa: PTH207


def _place(path: Path | Url) -> str:
    """Where a name leads to, but for a link that it is itself."""
    if isinstance(path, Url):
        return path.text
    return os.path.normcase(Path(os.path.realpath(path.parent), path.name))
