"""Levels against jpeglib's, on files of several encoders; and how fast they are read.

    python -m benchmarks.readers FOLDER [--files 3000]

FOLDER holds pictures; JPEG files among them are read as they are, too. Others are cut to odd sizes
and saved at many settings.
"""

from __future__ import annotations

import argparse
import io
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from gradpress.errors import GradpressError
from gradpress.jpeg.decoder import Coefficients, decode
from gradpress.jpeg.params import ZIGZAG

Pixels = NDArray[np.uint8]
REPEATS = 5
"""Of a timing; the least counts, for other work only adds to it."""


def by_pillow(pixels: Pixels, source: random.Random) -> bytes:
    """libjpeg-turbo: any quality, sampling, coding, colour model and restart interval."""
    options: dict[str, int | str | bool] = {
        "quality": source.randint(1, 100),
        "subsampling": source.choice(["4:4:4", "4:2:2", "4:2:0", "4:1:1"]),
        "progressive": source.random() < 0.5,
        "optimize": source.random() < 0.5,
    }
    if source.random() < 0.3:
        options[source.choice(["restart_marker_blocks", "restart_marker_rows"])] = source.randint(
            1, 9
        )
    mode = source.choice(["RGB", "RGB", "RGB", "L", "CMYK"])
    if mode == "RGB" and source.random() < 0.1:
        options |= {"keep_rgb": True, "subsampling": "4:4:4"}
    sink = io.BytesIO()
    PIL.Image.fromarray(pixels).convert(mode).save(sink, "JPEG", **options)  # type: ignore[arg-type]
    return sink.getvalue()


def by_mozjpeg(pixels: Pixels, source: random.Random) -> bytes:
    """Mozjpeg through libvips: its trellis, its tables and its scan search."""
    import pyvips  # noqa: PLC0415

    progressive = source.random() < 0.7
    data: bytes = pyvips.Image.new_from_array(pixels).write_to_buffer(
        ".jpg",
        Q=source.randint(5, 100),
        subsample_mode=source.choice(["on", "off"]),
        interlace=progressive,
        optimize_scans=progressive and source.random() < 0.7,
        trellis_quant=True,
        quant_table=source.randint(0, 8),
        restart_interval=source.choice([0, 0, 0, 3]),
    )
    return data


def by_jpegli(pixels: Pixels, source: random.Random) -> bytes:
    """Jpegli through pyjpegli."""
    import pyjpegli  # noqa: PLC0415

    height, width = pixels.shape[:2]
    data: bytes = pyjpegli.encode(pixels.tobytes(), width, height, source.randint(20, 100))
    return data


ENCODERS: dict[str, Callable[[Pixels, random.Random], bytes]] = {
    "libjpeg-turbo": by_pillow,
    "mozjpeg": by_mozjpeg,
    "jpegli": by_jpegli,
}


def made(pictures: list[Path], count: int, source: random.Random) -> Iterator[tuple[str, bytes]]:
    """Encoders' names and files: crops of at most 160 pixels a side."""
    loaded = []
    for path in pictures:
        with PIL.Image.open(path) as picture:
            loaded.append(np.asarray(picture.convert("RGB")))
    for _ in range(count):
        whole = source.choice(loaded)
        height, width = (source.randint(1, 160) for _ in range(2))
        top = source.randrange(max(1, whole.shape[0] - height))
        left = source.randrange(max(1, whole.shape[1] - width))
        crop = np.ascontiguousarray(whole[top : top + height, left : left + width])
        name = source.choice(["libjpeg-turbo", "libjpeg-turbo", "mozjpeg", "jpegli"])
        yield name, ENCODERS[name](crop, source)


def agrees(found: Coefficients, data: bytes) -> bool:
    """Whether jpeglib reads the same levels."""
    import jpeglib  # noqa: PLC0415

    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        Path(file.name).write_bytes(data)
        theirs = jpeglib.read_dct(file.name)
    planes = [p for p in (theirs.Y, theirs.Cb, theirs.Cr, theirs.K) if p is not None]
    for i, plane in enumerate(planes):
        own = found.own_levels(i)
        levels = np.asarray(plane).reshape(*plane.shape[:2], 64)[..., ZIGZAG]
        if not np.array_equal(own, levels[: own.shape[0], : own.shape[1]]):
            return False
    return len(planes) == len(found.levels)


def judge(name: str, data: bytes) -> str:
    """How a file fared."""
    try:
        found = decode(data, name=name)
    except GradpressError as error:
        return f"refused ({str(error)[:90]})"
    return "equal" if agrees(found, data) else "DIFFERENT"


def speeds(pictures: list[Path]) -> Iterator[str]:
    """Megapixels per second of one core, of pictures joined to one of some 9 megapixels."""
    sheet = PIL.Image.new("RGB", (768 * 6, 512 * 4))
    for number in range(24):
        with PIL.Image.open(pictures[number % len(pictures)]) as picture:
            tile = picture.convert("RGB").resize((768, 512))
        sheet.paste(tile, (768 * (number % 6), 512 * (number // 6)))
    for progressive in (False, True):
        for subsampling in ("4:2:0", "4:4:4"):
            for quality in (75, 85, 95):
                sink = io.BytesIO()
                sheet.save(
                    sink, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive
                )
                least = min(_seconds(sink.getvalue()) for _ in range(REPEATS))
                kind = "progressive" if progressive else "baseline"
                rate = sheet.width * sheet.height / least / 1e6
                yield f"{kind} {subsampling} quality {quality}: {rate:.0f} megapixels/s"


def _seconds(data: bytes) -> float:
    start = time.process_time()
    decode(data)
    return time.process_time() - start


def main() -> None:
    """Compare, then time."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readers")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    paths = sorted(path for path in given.folder.rglob("*") if path.is_file())
    jpegs = [path for path in paths if path.suffix.lower() in (".jpg", ".jpeg")]
    pictures = [path for path in paths if path.suffix.lower() == ".png"] or jpegs
    ends: Counter[tuple[str, str]] = Counter()
    for path in jpegs:
        ends["as they are", judge(path.name, path.read_bytes())] += 1
    for name, data in made(pictures, given.files, random.Random(given.seed)):
        ends[name, judge(name, data)] += 1
    for (name, end), count in sorted(ends.items()):
        print(f"{name}: {count} {end}")
    print(*speeds(pictures), sep="\n")


if __name__ == "__main__":
    main()
