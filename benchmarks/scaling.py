"""How CPU time and memory grow with the picture: gradpress beside mozjpeg, in fresh processes.

``python -m benchmarks.scaling PICTURE`` tiles the picture, mirrored, so that larger ones have the
same statistics, and lets both encode each size at about the same quality.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image

from benchmarks.cost import process_cost
from benchmarks.encoders import ENCODERS, Encoder
from benchmarks.metrics import PANEL, Pixels, read_pixels
from benchmarks.report import table
from benchmarks.sweep import comparable, measured

MEGAPIXELS = (0.4, 1.5, 6.0, 24.0)
NAMES = ("gradpress-e5", "mozjpeg-420")


def tiled(pixels: Pixels, megapixels: float) -> Pixels:
    """The picture, mirrored at its edges or cropped to about that size, of the same shape."""
    factor = math.sqrt(megapixels * 1e6 / (pixels.shape[0] * pixels.shape[1]))
    height, width = (max(1, round(side * factor)) for side in pixels.shape[:2])
    more = [(0, max(0, height - pixels.shape[0])), (0, max(0, width - pixels.shape[1])), (0, 0)]
    return np.pad(pixels, more, mode="symmetric")[:height, :width]


def line(encoder: str, setting: float, pixels: Pixels, folder: Path) -> list[str]:
    """Measure one encoder on one picture."""
    picture = folder / "picture.png"
    PIL.Image.fromarray(pixels).save(picture, compress_level=1)
    cost = process_cost(encoder, picture, setting)
    size = pixels.shape[0] * pixels.shape[1]
    return [
        f"{encoder} at {setting:g}",
        f"{size / 1e6:.1f}",
        f"{cost.cpu_seconds / size * 1e6:.3f}",
        f"{cost.peak_bytes / 1e6:.0f}",
        f"{cost.peak_bytes / size:.0f}",
        f"{cost.bytes * 8 / size:.3f}",
    ]


def comparable_setting(encoder: Encoder, picture: Path) -> float:
    """The setting at which its quality compares with the others'."""
    original = read_pixels(picture)
    measures = {metric.name: metric.prepare(original) for metric in PANEL[:1]}
    pixels = original.shape[0] * original.shape[1]
    return comparable(
        [measured(encoder, x, picture.stem, picture, pixels, measures) for x in encoder.settings]
    ).setting


def scaling(picture: Path, names: Sequence[str], megapixels: Sequence[float]) -> str:
    """The table: for each encoder and size, CPU time and peak memory of the whole process."""
    original = read_pixels(picture)
    settings = {name: comparable_setting(ENCODERS[name], picture) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        lines = [
            line(name, settings[name], tiled(original, size), Path(folder))
            for size in megapixels
            for name in names
        ]
    head = ["encoder", "megapixels", "CPU s per megapixel", "peak MB", "bytes per pixel", "bpp"]
    return table(head, lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=NAMES, metavar="NAME")
    parser.add_argument("--megapixels", type=float, nargs="+", default=MEGAPIXELS, metavar="N")
    given = parser.parse_args()
    print(scaling(given.picture, given.encoders, given.megapixels))


if __name__ == "__main__":
    main()
