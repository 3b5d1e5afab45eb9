"""What re-coding without loss saves, against mozjpeg's pass and jpegtran.

    python -m benchmarks.recoding FOLDER [--pictures 6]

Pictures are saved by libjpeg-turbo, mozjpeg and jpegli; JPEG files in the folder are taken as they
are, too. Every re-coded file is decoded by Pillow and compared with its source, pixel by pixel.
Markers that describe the picture are kept by all (jpegtran -copy all; mozjpeg's pass drops them, so
that they are counted for none).
"""

from __future__ import annotations

import argparse
import io
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from benchmarks.sweep import pictures_in, spread
from gradpress.jpeg.reader import read
from gradpress.jpeg.segments import APP0, APP15, COM
from gradpress.lossless import recode

Recode = Callable[[bytes], bytes]


def by_gradpress(data: bytes) -> bytes:
    """Our own."""
    return recode(data).data


def by_mozjpeg(data: bytes) -> bytes:
    """Mozjpeg's transcoder with its scan search."""
    from mozjpeg_lossless_optimization import optimize  # noqa: PLC0415

    optimised: bytes = optimize(data)
    return optimised


def by_jpegtran(data: bytes) -> bytes:
    """libjpeg-turbo's, with optimal tables and libjpeg's progressive script."""
    command = ["jpegtran", "-optimize", "-progressive", "-copy", "all"]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def recoders() -> dict[str, Recode]:
    """Those that are here."""
    found = {"gradpress": by_gradpress, "mozjpeg": by_mozjpeg}
    return found | ({"jpegtran": by_jpegtran} if shutil.which("jpegtran") else {})


def saved(picture: PIL.Image.Image) -> Iterator[tuple[str, bytes]]:
    """What was done, and the file."""
    import pyjpegli  # noqa: PLC0415
    import pyvips  # noqa: PLC0415

    for subsampling in ("4:2:0", "4:4:4"):
        for quality in (75, 85, 92, 95):
            for progressive in (False, True):
                sink = io.BytesIO()
                picture.save(
                    sink, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive
                )
                kind = "progressive" if progressive else "baseline"
                yield f"libjpeg-turbo {subsampling} {quality} {kind}", sink.getvalue()
    vips = pyvips.Image.new_from_array(np.asarray(picture))
    trellis = {"trellis_quant": True, "optimize_scans": True, "interlace": True}
    yield "mozjpeg 75", vips.write_to_buffer(".jpg", Q=75, **trellis)
    yield "jpegli 85", pyjpegli.encode(picture.tobytes(), picture.width, picture.height, 85)


@dataclass
class Tally:
    """Sums over files."""

    files: int = 0
    before: int = 0
    after: int = 0
    saving: float = 0.0
    """Sum of the files' own, as a part of 1."""
    cpu_seconds: float = 0.0
    larger: int = 0
    """Files that grew."""

    def __str__(self) -> str:
        mean, whole = self.saving / self.files, 1 - self.after / self.before
        cpu = 1e3 * self.cpu_seconds / self.files
        return f"{100 * mean:.2f} % | {100 * whole:.2f} % | {self.larger} | {cpu:.0f}"


def cpu_seconds() -> float:
    """Of this process and its children."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def described(data: bytes) -> int:
    """Bytes of the segments that describe the picture."""
    parts = read(data).parts
    own = [p for p in parts if APP0 <= p.marker <= APP15 or p.marker == COM]
    return sum(part.end - part.begin for part in own)


def pixels(data: bytes) -> NDArray[np.uint8]:
    """As Pillow decodes them."""
    with PIL.Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


def judge(data: bytes, recoder: Recode, tally: Tally) -> None:
    """Re-code a file and add it to the tally."""
    start = cpu_seconds()
    recoded = recoder(data)
    tally.cpu_seconds += cpu_seconds() - start
    if not np.array_equal(pixels(data), pixels(recoded)):
        raise SystemExit(f"{recoder.__name__} changed the picture")
    before, after = (len(each) - described(each) for each in (data, recoded))
    tally.files += 1
    tally.before += before
    tally.after += after
    tally.saving += 1 - after / before
    tally.larger += len(recoded) > len(data)


def main() -> None:
    """Re-code, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recoding")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, metavar="N", help="so many, spread over the folder")
    given = parser.parse_args()
    tallies: dict[tuple[str, str], Tally] = {}
    for path in spread(pictures_in(given.folder), given.pictures):
        with PIL.Image.open(path) as picture:
            files = list(saved(picture.convert("RGB")))
        if path.suffix.lower() in (".jpg", ".jpeg"):
            files.append(("as they are", path.read_bytes()))
        for kind, data in files:
            for name, recoder in recoders().items():
                judge(data, recoder, tallies.setdefault((kind, name), Tally()))
    print("| files | number | by | mean saving | of all bytes | grew | CPU ms a file |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for (kind, name), tally in tallies.items():
        print(f"| {kind} | {tally.files} | {name} | {tally} |")


if __name__ == "__main__":
    main()
