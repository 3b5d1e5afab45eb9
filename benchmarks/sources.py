"""JPEG in, smaller JPEG out: from a file's coefficients against decoding and encoding.

    python -m benchmarks.sources FOLDER [--pictures 6]       # bytes at equal SSIMULACRA2
    python -m benchmarks.sources FOLDER --chains [--pictures 6]  # edited and saved, five times

Pictures are saved by libjpeg-turbo; JPEG files in the folder are taken as they are. Quality is
SSIMULACRA2 against the decoded input. mozjpeg and jpegli are searched as jpeg-recompress does,
by quality, and their bytes at the very goal are read off between the two qualities around it.
"""

from __future__ import annotations

import argparse
import io
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import PIL.Image

import gradpress
from benchmarks.encoders import ENCODERS, Encoder
from benchmarks.metrics import Pixels, own, shown_pixels
from benchmarks.sweep import pictures_in, spread

GOALS = (92, 80, 65)
"""SSIMULACRA2: near, middle and far."""
QUALITIES = (75, 85, 92, 95)
SUBSAMPLINGS = ("4:2:0", "4:4:4")
SEARCHED = ("mozjpeg-table2-420", "mozjpeg-420", "jpegli-420")
GENERATIONS = 5
EDITOR = 95
"""The quality that editors save with."""

Score = Callable[[Pixels], float]


def sources(paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """How a file was saved, and the file."""
    for path in paths:
        if path.suffix in (".jpg", ".jpeg"):
            yield "as found", path.read_bytes()
            continue
        with PIL.Image.open(path) as picture:
            rgb = picture.convert("RGB")
        for subsampling in SUBSAMPLINGS:
            for quality in QUALITIES:
                yield f"{quality} {subsampling}", saved(rgb, quality, subsampling)


def saved(picture: PIL.Image.Image, quality: int, subsampling: str) -> bytes:
    """By libjpeg-turbo."""
    sink = io.BytesIO()
    picture.save(sink, "JPEG", quality=quality, subsampling=subsampling)
    return sink.getvalue()


def searched(encoder: Encoder, picture: Path, score: Score, goal: float) -> tuple[float, bytes]:
    """Bytes at the goal, and the smallest file that reaches it; NaN if none does."""
    low, high = 1, 100
    tried: dict[int, tuple[float, bytes]] = {}

    def at(quality: int) -> float:
        if quality not in tried:
            data = encoder.encode(picture, quality)
            tried[quality] = score(shown_pixels(data)), data
        return tried[quality][0]

    if at(high) < goal:
        return math.nan, tried[high][1]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if at(middle) >= goal else (middle, high)
    under, over = at(low), at(high)
    share = 1.0 if over <= under else min(max((goal - under) / (over - under), 0.0), 1.0)
    sizes = (len(tried[low][1]), len(tried[high][1]))
    return sizes[0] ** (1 - share) * sizes[1] ** share, tried[high][1]


def compared(data: bytes, goal: float, folder: Path) -> dict[str, float]:
    """Bytes by way of making them."""
    pixels = shown_pixels(data)
    target = f"ssimulacra2={goal:g}"
    found = {"input": float(len(data))}
    found["gradpress"] = len(gradpress.compress(data, target=target).data)
    found["gradpress, of pixels"] = len(gradpress.compress(pixels, target=target).data)
    picture, score = folder / "decoded.png", own("ssimulacra2")(pixels)
    PIL.Image.fromarray(pixels).save(picture)
    for name in available():
        found[name], _ = searched(ENCODERS[name], picture, score, goal)
    return found


def available() -> list[str]:
    """Encoders to search that are here."""
    return [name for name in SEARCHED if not ENCODERS[name].missing]


def edited(pixels: Pixels, generation: int) -> Pixels:
    """A patch of the picture made lighter or darker, another one each time."""
    height, width = pixels.shape[:2]
    rng = np.random.default_rng(generation)
    top, left = int(rng.integers(height // 2)), int(rng.integers(width // 2))
    patch = (slice(top, top + height // 3), slice(left, left + width // 3))
    result = pixels.copy()
    shift = 12 if generation % 2 else -12
    result[patch] = np.clip(result[patch].astype(int) + shift, 0, 255).astype(np.uint8)
    return result


def chained(path: Path, goal: float, folder: Path) -> dict[str, tuple[float, float]]:
    """SSIMULACRA2 against the edits alone, and bytes, after all generations."""
    with PIL.Image.open(path) as opened:
        first = np.asarray(opened.convert("RGB"))
    ideal = first
    for generation in range(GENERATIONS):
        ideal = edited(ideal, generation)
    judge = own("ssimulacra2")(ideal)
    results = {}
    for name in ("gradpress", *available()):
        pixels = first
        for generation in range(GENERATIONS):
            file = saved(PIL.Image.fromarray(edited(pixels, generation)), EDITOR, "4:2:0")
            data = again(name, file, goal, folder)
            pixels = shown_pixels(data)
        results[name] = judge(pixels), float(len(data))
    return results


def again(name: str, data: bytes, goal: float, folder: Path) -> bytes:
    """Make a file smaller."""
    if name == "gradpress":
        return gradpress.compress(data, target=f"ssimulacra2={goal:g}").data
    pixels = shown_pixels(data)
    picture, score = folder / "decoded.png", own("ssimulacra2")(pixels)
    PIL.Image.fromarray(pixels).save(picture)
    return searched(ENCODERS[name], picture, score, goal)[1]


def print_compared(paths: list[Path], folder: Path) -> None:
    """One line for each way of saving and goal: what gradpress needs more or less than others."""
    ratios: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for kind, data in sources(paths):
        for goal in GOALS:
            found = compared(data, goal, folder)
            for name, size in found.items():
                ratios[kind, goal][name].append(math.log(found["gradpress"] / size))
    others = ["input", "gradpress, of pixels", *available()]
    print("| saved | goal | " + " | ".join(others) + " |")
    print("| --- | --: |" + " --: |" * len(others))
    for (kind, goal), by_name in ratios.items():
        cells = (f"{100 * math.expm1(float(np.nanmean(by_name[name]))):+.1f} %" for name in others)
        print(f"| {kind} | {goal} | " + " | ".join(cells) + " |")


def print_chained(paths: list[Path], folder: Path) -> None:
    """What is left after edits and goals, encoder by encoder."""
    print("| goal | encoder | SSIMULACRA2 at the end | bytes |")
    print("| --: | --- | --: | --: |")
    for goal in (90, 80):
        results = [chained(path, goal, folder) for path in paths]
        for name in results[0]:
            score, size = np.mean([result[name] for result in results], axis=0)
            print(f"| {goal} | {name} | {score:.2f} | {size:.0f} |")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sources")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, metavar="N", help="so many, spread over the folder")
    parser.add_argument("--chains", action="store_true", help="edit and save, again and again")
    given = parser.parse_args()
    paths = spread(pictures_in(given.folder), given.pictures)
    with TemporaryDirectory() as folder:
        (print_chained if given.chains else print_compared)(paths, Path(folder))


if __name__ == "__main__":
    main()
