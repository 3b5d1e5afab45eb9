"""Pictures behind URLs: ``s3://…``, ``https://…``, ``memory://…``, by way of fsspec.

fsspec is imported when the first URL is met. ``file:`` URLs are local paths and need nothing.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from gradpress.errors import GradpressError, ImageTooLarge, OutputExists, UnsupportedImage
from gradpress.files import WAY_OUT

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
"""A scheme of two letters or more: one is a drive of Windows."""
_SECRET = re.compile(r"(?<=://)[^/@]*@")
MISSING = "URLs need fsspec; install it with: pip install 'gradpress[remote]'"


@dataclass(frozen=True)
class Url:
    """A place that is not a path."""

    text: str

    def __str__(self) -> str:
        """The URL without the name and password of a user."""
        return _SECRET.sub("", self.text)

    @property
    def name(self) -> str:
        """What stands behind the last slash."""
        return self.text.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without its last suffix."""
        return PurePosixPath(self.name).stem

    @property
    def parent(self) -> Url:
        """The folder."""
        return Url(self.text.rpartition("/")[0])

    def with_name(self, name: str) -> Url:
        """Another file of the same folder."""
        return self.parent / name

    def __truediv__(self, below: str | Path) -> Url:
        return Url(f"{self.text.rstrip('/')}/{Path(below).as_posix()}")


def is_url(text: object) -> bool:
    """Whether a text names a place elsewhere."""
    return isinstance(text, str) and _URL.match(text) is not None


def place(text: str) -> Path | Url:
    """A URL, or the local path that a text or ``file:`` URL names."""
    if not is_url(text):
        return Path(text)
    if not text.lower().startswith("file:"):
        return Url(text)
    from urllib.parse import urlsplit  # noqa: PLC0415
    from urllib.request import url2pathname  # noqa: PLC0415

    return Path(url2pathname(urlsplit(text).path))


def read(url: Url, most: int) -> bytes:
    """Read a file of at most so many bytes; raises UnsupportedImage or ImageTooLarge."""
    try:
        with opened(url) as file:
            data = file.read(most + 1)
    except GradpressError:
        raise
    except Exception as error:  # every file system has exceptions of its own
        raise UnsupportedImage(f"{url}: cannot be opened ({_reason(error)})") from error
    if len(data) > most:
        raise ImageTooLarge(f"{url}: is larger than {most:,} bytes; raise --max-pixels to read it")
    return data


@contextmanager
def opened(url: Url) -> Iterator[BinaryIO]:
    """Open a file for reading; raises whatever the file system does."""
    system, path = _system(url)
    with system.open(path, "rb") as file:
        yield file


def size(url: Url) -> int | None:
    """Bytes of a file; None if there is none. Raises GradpressError."""
    system, path = _system(url)
    try:
        return int(system.info(path)["size"] or 0) if system.exists(path) else None
    except Exception as error:
        raise GradpressError(f"{url} cannot be looked up ({_reason(error)})") from error


def write(url: Url, data: bytes, *, overwrite: bool = False) -> None:
    """Write a file whole: under another name in its folder first, which is then its own.

    Raises GradpressError; OutputExists if there is one already that is not to be overwritten.
    """
    system, path = _system(url)
    temporary = f"{path.rpartition('/')[0]}/.gradpress-{secrets.token_hex(8)}.tmp"
    try:
        with _removed(system, temporary):
            system.pipe_file(temporary, data)
            stands = not overwrite and system.exists(path)
            if not stands:
                system.mv(temporary, path)
    except Exception as error:
        raise GradpressError(f"{url} cannot be written: {_reason(error)}") from error
    if stands:
        raise OutputExists(f"{url} cannot be written: it exists already; {WAY_OUT}")


@contextmanager
def _removed(system: Any, path: str) -> Iterator[None]:  # noqa: ANN401
    """Remove a file at the end, if it is still there."""
    try:
        yield
    finally:
        with suppress(Exception):
            if system.exists(path):
                system.rm_file(path)


def _system(url: Url) -> tuple[Any, str]:
    """Find fsspec's file system of a URL, and the path there; raises GradpressError."""
    try:
        import fsspec  # noqa: PLC0415
    except ImportError as error:
        raise GradpressError(f"{url}: {MISSING}") from error
    try:
        system, path = fsspec.core.url_to_fs(url.text)
    except Exception as error:
        raise GradpressError(f"{url}: cannot be reached ({_reason(error)})") from error
    return system, str(path)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
