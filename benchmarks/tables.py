"""Quantisation tables in plain libjpeg-turbo: learned ones against the standard ones and others'.

python -m benchmarks.tables tables.json FOLDER [--pictures N] [--out TSV]

Every encoder here is Pillow's libjpeg-turbo at 4:2:0, optimised, progressive; only tables differ.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from benchmarks.encoders import JPEGLI_Q, TURBO_Q, Encoder
from benchmarks.metrics import PANEL, read_pixels, shown_pixels
from benchmarks.report import Results
from benchmarks.rows import Row, write_rows
from benchmarks.sweep import pictures_in, spread
from gradpress.jpeg.params import ZIGZAG, Steps
from gradpress.jpeg.qtables import Tables, read

BOTH = list[list[int]]
"""Luma and chroma, row by row."""
STANDARD = "standard"
TABLE2_Q = (15, 25, 40, 55, 70, 82, 90, 95)


def encode_with(picture: Path, quality: float, *, tables: Mapping[float, BOTH]) -> bytes:
    """Encode with the tables of a quality."""
    sink = io.BytesIO()
    with PIL.Image.open(picture) as image:
        image.convert("RGB").save(
            sink,
            "JPEG",
            qtables=tables[quality],
            subsampling="4:2:0",
            optimize=True,
            progressive=True,
        )
    return sink.getvalue()


def found_in(data: bytes) -> BOTH:
    """The luma and the chroma table of a JPEG file."""
    with PIL.Image.open(io.BytesIO(data)) as picture:
        slots: dict[int, list[int]] = picture.quantization  # type: ignore[attr-defined]
    return [list(slots[0]), list(slots[1])]


def natural(steps: Steps) -> list[int]:
    """Row by row."""
    rows = np.empty(64, int)
    rows[ZIGZAG] = steps
    return [int(step) for step in rows]


def standard_tables(quality: float, sample: PIL.Image.Image) -> BOTH:
    """Libjpeg's own at a quality."""
    sink = io.BytesIO()
    sample.save(sink, "JPEG", quality=int(quality), subsampling="4:2:0")
    return found_in(sink.getvalue())


def jpegli_tables(quality: float, sample: PIL.Image.Image) -> BOTH:
    """Jpegli's at a quality; its second chroma table is left out."""
    import pyjpegli  # noqa: PLC0415

    return found_in(pyjpegli.encode(sample.tobytes(), *sample.size, int(quality)))


def table2(quality: float, sample: PIL.Image.Image) -> BOTH:
    """Mozjpeg's table 2, scaled to a quality."""
    import pyvips  # noqa: PLC0415

    pixels: NDArray[np.uint8] = np.asarray(sample)
    image = pyvips.Image.new_from_memory(pixels.tobytes(), *sample.size, 3, "uchar")
    return found_in(image.jpegsave_buffer(Q=int(quality), quant_table=2, subsample_mode="on"))


def encoders(learned: tuple[Tables, ...]) -> list[Encoder]:
    """The same encoder with different tables."""
    sample = PIL.Image.effect_noise((64, 64), 40).convert("RGB")
    ours = {float(t.quality): [natural(t.luma), natural(t.chroma)] for t in learned}
    sets: dict[str, dict[float, BOTH]] = {
        STANDARD: {float(q): standard_tables(q, sample) for q in TURBO_Q},
        "learned": ours,
        "mozjpeg-table2": {float(q): table2(q, sample) for q in TABLE2_Q},
        "jpegli": {float(q): jpegli_tables(q, sample) for q in JPEGLI_Q},
    }
    return [
        Encoder(name, partial(encode_with, tables=tables), tuple(tables))
        for name, tables in sets.items()
    ]


def measured(pictures: list[Path], own: list[Encoder]) -> Iterator[Row]:
    """A row for every picture, every set of tables and every quality."""
    for picture in pictures:
        print(picture.name, file=sys.stderr)
        pixels = read_pixels(picture)
        measures = {metric.name: metric.prepare(pixels) for metric in PANEL}
        for encoder in own:
            for setting in encoder.settings:
                data = encoder.encode(picture, setting)
                shown = shown_pixels(data)
                scores = {name: measure(shown) for name, measure in measures.items()}
                size = pixels.shape[0] * pixels.shape[1]
                yield Row(picture.name, encoder.name, setting, size, len(data), 0.0, **scores)


def report(rows: list[Row]) -> str:
    """BD-rates against the standard tables, as a Markdown table."""
    results = Results(rows)
    lines = ["| tables | panel | " + " | ".join(metric.name for metric in PANEL) + " |"]
    lines.append("| --- " + "| --: " * (len(PANEL) + 1) + "|")
    for name in results.encoders:
        if name == STANDARD:
            continue
        rates = [fmean(results.bd_rates(name, STANDARD, metric).values()) for metric in PANEL]
        cells = [f"{value:+.1f}".replace("-", "−") for value in (fmean(rates), *rates)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, save and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("tables", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, metavar="N", help="so many, spread over the folder")
    parser.add_argument("--out", type=Path, help="TSV of the rows")
    given = parser.parse_args()
    pictures = spread(pictures_in(given.folder), given.pictures)
    own = encoders(read(given.tables))
    rows = list(measured(pictures, own))
    if given.out:
        write_rows(given.out, rows)
    print(report(rows))


if __name__ == "__main__":
    main()
