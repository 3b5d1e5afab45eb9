"""Mutated JPEG files for the reader: none may crash, hang, or leave by another error than ours.

    python -m benchmarks.fuzz_reader --mutants 1000000
    python -m benchmarks.fuzz_reader --seeds seeds.bin      # for the sanitized kernel

The second writes scans for ``decode_fuzz``, which the build option GRADPRESS_SANITIZE makes.
"""

from __future__ import annotations

import argparse
import io
import random
import struct
import time
from collections import Counter
from pathlib import Path

import numpy as np
import PIL.Image

from gradpress.errors import GradpressError
from gradpress.jpeg.decoder import Limits, Tables, decode
from gradpress.jpeg.reader import Jpeg, StoredScan, read
from gradpress.jpeg.scans import Scan
from gradpress.lossless import recode

LIMITS = Limits(pixels=1_000_000, scans=100, memory=20_000_000)
TELLING = (0, 1, 0x11, 0x7F, 0x80, 0xC0, 0xC2, 0xC4, 0xD0, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xFF)
SLOW = 0.5
"""Seconds that a small file may take at most."""


def seeds() -> list[bytes]:
    """Small files of every kind."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:41, :51]
    pixels = np.stack([4 * x, 5 * y, 2 * (x + y)], axis=-1) + rng.integers(0, 40, (41, 51, 3))
    picture = PIL.Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    files = []
    for options in (
        {"quality": 75},
        {"quality": 95, "subsampling": 0, "optimize": True},
        {"quality": 50, "subsampling": "4:1:1", "restart_marker_blocks": 1},
        {"quality": 60, "restart_marker_rows": 1, "progressive": True},
        {"quality": 90, "progressive": True, "subsampling": 0},
    ):
        for mode in ("RGB", "L", "CMYK"):
            sink = io.BytesIO()
            picture.convert(mode).save(sink, "JPEG", **options)  # type: ignore[arg-type]
            files.append(sink.getvalue())
    return files


def mutated(data: bytes, source: random.Random) -> bytes:
    """The file with some bytes changed, pieces lost or doubled, or its end cut off."""
    bad = bytearray(data)
    for _ in range(source.randint(1, 8)):
        at = source.randrange(2, max(3, len(bad)))
        length = source.randint(0, 40)
        match source.randrange(8):
            case 0:
                del bad[at : at + length]
            case 1:
                to = source.randrange(2, max(3, len(bad)))
                bad[to:to] = bad[at : at + length]
            case 2:
                bad[at:at] = bytes((0xFF, source.choice(TELLING)))
            case 3 if source.random() < 0.2:
                del bad[at:]
            case _:
                at = min(at, len(bad) - 1)
                bad[at] = source.choice(TELLING) if source.random() < 0.5 else source.randrange(256)
    return bytes(bad)


def fuzz(mutants: int, seed: int) -> None:
    """Decode and re-code mutants; says how they ended."""
    files, source = seeds(), random.Random(seed)
    ends: Counter[str] = Counter()
    slowest, began = 0.0, time.perf_counter()
    for number in range(mutants):
        data = mutated(source.choice(files), source)
        start = time.process_time()
        try:
            salvage = source.random() < 0.5
            found = decode(data, salvage=salvage, limits=LIMITS)
            ends["damaged" if found.damage else "decoded"] += 1
            if source.random() < 0.02:
                recode(data, salvage=salvage, limits=LIMITS)
        except GradpressError as error:
            ends[type(error).__name__] += 1
        except Exception:
            path = Path(f"mutant-{seed}-{number}.jpg")
            path.write_bytes(data)
            print(f"mutant {number} is kept in {path}")
            raise
        slowest = max(slowest, time.process_time() - start)
    took = time.perf_counter() - began
    print(f"{mutants} mutants in {took:.0f} s: {dict(ends)}; slowest {1e3 * slowest:.0f} ms")
    if slowest > SLOW:
        raise SystemExit("a mutant took too long")


def scan_seed(jpeg: Jpeg, stored: StoredScan) -> bytes:
    """A scan as decode_fuzz.cpp reads it: the plan's numbers, its tables, its data."""
    layout = decode(jpeg).layout
    scan = stored.scan if jpeg.frame.progressive else Scan(stored.scan.components, 0, 63)
    tables = Tables.of(scan, stored)
    data = jpeg.data[stored.begin : stored.end]
    numbers = [len(scan.components), int(jpeg.frame.progressive)]
    numbers += [scan.begin, scan.end, scan.high, scan.low, *layout.mcus]
    numbers += [stored.tables.restart_interval, len(tables.counts), len(data)]
    for component, places in zip(scan.components, tables.places, strict=True):
        numbers += [*layout.blocks(component), *layout.own_blocks(component)]
        numbers += [*layout.factors[component], *places]
    listed = b"".join(
        counts.tobytes() + symbols.tobytes()
        for counts, symbols in zip(tables.counts, tables.symbols, strict=True)
    )
    return struct.pack(f"<{len(numbers)}i", *numbers) + listed + data


def main() -> None:
    """Fuzz, or write seeds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz_reader")
    parser.add_argument("--mutants", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0, help="of the mutations")
    parser.add_argument("--seeds", type=Path, metavar="FILE", help="write scans for decode_fuzz")
    given = parser.parse_args()
    if given.seeds is None:
        fuzz(given.mutants, given.seed)
        return
    files = [read(data) for data in seeds()]
    given.seeds.write_bytes(
        b"".join(scan_seed(jpeg, scan) for jpeg in files for scan in jpeg.scans)
    )


if __name__ == "__main__":
    main()
