"""How much memory a picture takes, and how much there is."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from gradpress.remote import Url, opened

BASE_BYTES = 150_000_000
"""Of the interpreter, the libraries and small arrays."""
BYTES_PER_PIXEL = 150
"""What compressing takes at most, measured from 0.4 to 24 megapixels (benchmarks/scaling.py)."""
BIG = 1 << 25
"""Pixels from which on a picture is taken in bands, unless its loss is a sum over samples."""
BIG_BYTES, BIG_BYTES_PER_PIXEL = 600_000_000, 32
"""What such a one takes at most: a band in all its forms, and the whole in few."""
_NONE = 1 << 60
"""A limit from here on is none: cgroups of the first version write about 2**63."""


def estimate(pixels: int, *, bands: bool = True) -> int:
    """Bytes of memory that compressing a picture takes at most; ``bands``: if it may use them."""
    if bands and pixels >= BIG:
        return BASE_BYTES + BIG_BYTES + BIG_BYTES_PER_PIXEL * pixels
    return BASE_BYTES + BYTES_PER_PIXEL * pixels


def needed(path: Path | Url | None, max_pixels: int, *, bands: bool = True) -> int:
    """The estimate for a file, of which only the header is read.

    What cannot be opened, or is too large and will be refused, takes the least.
    """
    pixels = 0 if path is None else _announced(path, max_pixels)
    return estimate(pixels if pixels <= max_pixels else 0, bands=bands)


def _announced(path: Path | Url, max_pixels: int) -> int:
    """Pixels by the header; 0 if there is none, and the limit where Pillow says only: too many."""
    import PIL.Image  # noqa: PLC0415

    from gradpress.image import FORMATS  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if isinstance(path, Path) and not stat.S_ISREG(path.stat().st_mode):
                return 0
            with (
                path.open("rb") if isinstance(path, Path) else opened(path) as file,
                PIL.Image.open(file, formats=list(FORMATS)) as picture,
            ):
                return picture.width * picture.height
        except PIL.Image.DecompressionBombError:
            return max_pixels if max_pixels > 2 * (PIL.Image.MAX_IMAGE_PIXELS or 0) else 0
        except Exception:  # damaged data makes Pillow raise nearly anything; reading says what
            return 0


def admitted(waiting: Sequence[int], running: Sequence[int], budget: int | None) -> int:
    """Count the pictures that may start now, first come, first served.

    ``waiting`` and ``running`` are the bytes they need. A picture for which there is no room at
    all starts once it is alone.
    """
    held, count = sum(running), 0
    for need in waiting:
        alone = not running and count == 0
        if budget is not None and not alone and held + need > budget:
            break
        held += need
        count += 1
    return count


def available(root: Path = Path("/")) -> int | None:
    """Bytes of memory that can be had without pushing others out; None where nobody says.

    ``root`` is the folder that holds ``proc`` and ``sys``.
    """
    known = [each for each in (_free(root), *_cgroup_rooms(root)) if each is not None]
    return min(known, default=None)


def _free(root: Path) -> int | None:
    """What the system has left."""
    with suppress(OSError, ValueError, IndexError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    if hasattr(os, "sysconf"):
        with suppress(OSError, ValueError):
            free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
            return free if free > 0 else None
    return None


def _cgroup_rooms(root: Path) -> Iterator[int]:
    """What the control groups of this process, old or new, leave to it."""
    for folder in _cgroups(root):
        for limit, used in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            with suppress(OSError, ValueError):
                most = int((folder / limit).read_text())
                if most < _NONE:
                    held = int((folder / used).read_text()) - _cached(folder)
                    yield max(0, most - held)


def _cgroups(root: Path) -> list[Path]:
    """The folders of the process's memory groups and of the groups around them."""
    mount = root / "sys/fs/cgroup"
    folders = {mount: None, mount / "memory": None}
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, name = line.split(":", 2)
            if controllers not in ("", "memory"):
                continue
            inside = Path(name.lstrip("/"))
            base = mount / controllers
            folders |= dict.fromkeys(base / each for each in (inside, *inside.parents))
    return list(folders)


def _cached(folder: Path) -> int:
    """File contents that are kept only until somebody needs the room."""
    with suppress(OSError, ValueError):
        for line in (folder / "memory.stat").read_text().splitlines():
            name, _, value = line.partition(" ")
            if name in ("inactive_file", "total_inactive_file"):
                return int(value)
    return 0


def trim() -> None:
    """Give freed memory back to the system, where the C library keeps it."""
    import ctypes  # noqa: PLC0415

    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
