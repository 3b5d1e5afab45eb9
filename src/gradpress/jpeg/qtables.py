"""Quantisation tables in a file of their own: gradpress's form, cjpeg's and Pillow's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradpress.errors import UsageError
from gradpress.jpeg.params import ZIGZAG, Steps
from gradpress.jpeg.quality import CHROMINANCE, LUMINANCE

SCHEMA = 1
MOST_BYTES = 1 << 20
"""Of a file of tables; what follows is not read."""

STANDARD = np.array([LUMINANCE, CHROMINANCE]).reshape(2, 64)[:, ZIGZAG]
"""``(2, 64)``: T.81's examples for luma and chroma (tables K.1 and K.2), zigzag order."""


@dataclass(frozen=True)
class Tables:
    """Steps of luma and of chroma."""

    quality: int
    """1…100: of the scaled standard tables that take about as many bits."""
    luma: Steps
    """``(64,)``, zigzag order."""
    chroma: Steps


def standard(quality: int) -> NDArray[np.float64]:
    """``(2, 64)`` steps of the standard tables at a quality, scaled as libjpeg does; at least 1."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.asarray(np.clip((STANDARD * scale + 50) // 100, 1, 255), np.float64)


def to_json(tables: Sequence[Tables], about: dict[str, Any]) -> str:
    """Gradpress's own form; tables are written row by row."""
    entries = [
        {"quality": each.quality, "luma": _rows(each.luma), "chroma": _rows(each.chroma)}
        for each in tables
    ]
    return json.dumps({"schema": SCHEMA, "about": about, "tables": entries}, indent=1) + "\n"


def read(path: str | Path | Tables) -> tuple[Tables, ...]:
    """Read tables, from the coarsest to the finest, if they are not there yet; UsageError."""
    if isinstance(path, Tables):
        return (path,)
    try:
        with Path(path).open("rb") as file:
            return _parsed(json.loads(file.read(MOST_BYTES)))
    except OSError as error:
        raise UsageError(f"tables {path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else error
        raise UsageError(
            f"tables {path}: not a file of tables that gradpress learn wrote ({what})"
        ) from error


def nearest(
    tables: Sequence[Tables], steps: Sequence[NDArray[np.floating]], *, scaled: bool
) -> list[NDArray[np.floating]]:
    """The tables nearest to some components' steps in the geometric mean of luma's.

    ``scaled`` brings each to its component's own mean.
    """
    sought = np.log(steps[0]).mean()
    chosen = min(tables, key=lambda each: abs(float(np.log(each.luma).mean() - sought)))
    found: list[NDArray[np.floating]] = []
    for index, wanted in enumerate(steps):
        own = (chosen.chroma if index else chosen.luma).astype(np.float64)
        factor = np.exp(np.log(wanted).mean() - np.log(own).mean()) if scaled else 1.0
        found.append(own * factor)
    return found


def cjpeg_text(tables: Tables) -> str:
    """What ``cjpeg -qtables FILE -qslots 0,1`` reads."""
    parts = []
    for name, steps in (("luma", tables.luma), ("chroma", tables.chroma)):
        rows = np.array(_rows(steps)).reshape(8, 8)
        parts += [f"# {name}", *("".join(f"{step:4d}" for step in row) for row in rows)]
    return "\n".join(parts) + "\n"


def pillow_line(tables: Tables) -> str:
    """A line of Python that saves with these tables."""
    both = [_rows(tables.luma), _rows(tables.chroma)]
    return f'image.save("photo.jpg", qtables={both}, subsampling="4:2:0", optimize=True)'


def _rows(steps: Steps) -> list[int]:
    natural = np.empty(64, np.int64)
    natural[ZIGZAG] = steps
    return [int(step) for step in natural]


def _parsed(document: Any) -> tuple[Tables, ...]:  # noqa: ANN401
    if document["schema"] != SCHEMA:
        raise ValueError(f"its schema is {document['schema']!r}, not {SCHEMA}")
    found = [
        Tables(_whole(each["quality"], 100), _steps(each["luma"]), _steps(each["chroma"]))
        for each in document["tables"]
    ]
    if not found:
        raise ValueError("it holds none")
    return tuple(sorted(found, key=lambda each: each.quality))


def _steps(values: Any) -> Steps:  # noqa: ANN401
    if not isinstance(values, list) or len(values) != 64:
        raise ValueError("a table does not have 64 steps")
    return np.array([_whole(value, 255) for value in values], np.uint8)[ZIGZAG]


def _whole(value: Any, most: int) -> int:  # noqa: ANN401
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ValueError(f"{value!r} is not a whole number of 1 to {most}")
    return value
