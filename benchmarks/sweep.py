"""Encode pictures with encoders at their settings, and measure what comes out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import PIL.Image

from benchmarks.child import cpu_seconds
from benchmarks.cost import process_cost
from benchmarks.encoders import Encoder
from benchmarks.metrics import METRICS, Measure, Metric, read_pixels, shown_pixels
from benchmarks.rows import Row

T = TypeVar("T")

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".ppm", ".avif"}
TIMED_AT = 70.0
"""SSIMULACRA2: each encoder's whole process is measured at its setting nearest to this."""


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def spread(items: Sequence[T], count: int | None) -> list[T]:
    """So many of the items, spread evenly, the first and the last among them; None for all.

    >>> spread("abcdefg", 3)
    ['a', 'd', 'g']
    """
    if count is None or count >= len(items):
        return list(items)
    if count == 1:
        return [items[len(items) // 2]]
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def sweep(
    pictures: Sequence[Path],
    encoders: Sequence[Encoder],
    *,
    settings: int | None = None,
    metrics: Sequence[Metric] = METRICS,
    say: Callable[[str], None] = print,
) -> Iterator[Row]:
    """Measure every encoder on every picture, at so many of its settings (None: all).

    The encoders are handed a PNG copy of the pixels alone, so that profiles and metadata, which
    some carry over, do not weigh.
    """
    with tempfile.TemporaryDirectory() as folder:
        _warm_up(encoders, Path(folder, "warm-up.png"))
        for number, picture in enumerate(pictures, 1):
            say(f"{picture.name} ({number} of {len(pictures)})")
            original = read_pixels(picture)
            copy = Path(folder, "picture.png")
            PIL.Image.fromarray(original).save(copy, compress_level=1)
            measures = {metric.name: metric.prepare(original) for metric in metrics}
            pixels = original.shape[0] * original.shape[1]
            for encoder in encoders:
                if encoder.pictures is not None and number > encoder.pictures:
                    continue
                chosen = spread(encoder.settings, settings)
                rows = [measured(encoder, x, picture.stem, copy, pixels, measures) for x in chosen]
                yield from _with_process_cost(rows, copy)


def _warm_up(encoders: Sequence[Encoder], picture: Path) -> None:
    """Import the encoders' libraries before anything is timed."""
    PIL.Image.radial_gradient("L").convert("RGB").save(picture)
    for encoder in encoders:
        encoder.encode(picture, encoder.settings[0])


def measured(
    encoder: Encoder,
    setting: float,
    name: str,
    copy: Path,
    pixels: int,
    measures: Mapping[str, Measure],
) -> Row:
    """Encode ``copy``, a file of the original's pixels, within this process."""
    before = cpu_seconds()
    data = encoder.encode(copy, setting)
    seconds = cpu_seconds() - before
    shown = shown_pixels(data)
    return Row(
        picture=name,
        encoder=encoder.name,
        setting=setting,
        pixels=pixels,
        bytes=len(data),
        cpu_seconds=seconds,
        **{metric: measure(shown) for metric, measure in measures.items()},
    )


def comparable(rows: Sequence[Row]) -> Row:
    """The row whose quality comes nearest to ``TIMED_AT``."""
    return min(rows, key=lambda row: abs(row.ssimulacra2 - TIMED_AT))


def _with_process_cost(rows: list[Row], copy: Path) -> list[Row]:
    """The same rows; the comparable one has its process's cost added."""
    timed = comparable(rows)
    cost = process_cost(timed.encoder, copy, timed.setting)
    costly = replace(
        timed, process_cpu_seconds=cost.cpu_seconds, process_peak_bytes=cost.peak_bytes
    )
    return [costly if row is timed else row for row in rows]
