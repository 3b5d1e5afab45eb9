"""How much faster several processes are, and whether memory stays within what was accounted.

``python -m benchmarks.batches FOLDER --times 4`` compresses every picture of a folder so many
times over with each number of jobs, in turns, and prints wall time, CPU time and the memory that
all processes together held at most. Linux only, for it reads /proc.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import PIL.Image

from benchmarks.faults import children_of
from benchmarks.report import table
from benchmarks.sweep import pictures_in, spread
from gradpress.batches.memory import estimate

SAMPLE = 0.05
"""Seconds between two looks at the memory."""
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Cost:
    """What a batch took."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    """Resident in all its processes, at the worst moment seen."""


def copies(pictures: Sequence[Path], times: int, folder: Path) -> None:
    """Put each picture there so many times."""
    for number in range(times):
        for path in pictures:
            shutil.copyfile(path, folder / f"{number}-{path.name}")


def resident(pid: int) -> int:
    """Bytes that a process holds; 0 if it is gone."""
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    return 0


def run(folder: Path, out: Path, options: Sequence[str]) -> Cost:
    """Compress a folder, and look how much that takes."""
    command = [sys.executable, "-m", "gradpress", "-r", str(folder), "-o", str(out), "-Q", *options]
    before, began, peak = os.times(), time.perf_counter(), 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            pids = [process.pid, *children_of(process.pid)]
            peak = max(peak, sum(map(resident, pids)))
            time.sleep(SAMPLE)
        if process.returncode:
            raise RuntimeError(f"the batch failed with status {process.returncode}")
    wall, after = time.perf_counter() - began, os.times()
    cpu = after.children_user - before.children_user
    return Cost(wall, cpu + after.children_system - before.children_system, peak)


def accounted(pictures: Sequence[Path], jobs: int) -> int:
    """Bytes set aside at the worst moment: for so many of the largest pictures."""
    sizes = []
    for path in pictures:
        with PIL.Image.open(path) as picture:
            sizes.append(estimate(picture.width * picture.height))
    return sum((sorted(sizes, reverse=True) * jobs)[:jobs]) if sizes else 0


def compare(pictures: Sequence[Path], times: int, effort: int, rounds: int) -> str:
    """The table: a line for each way of working, the least of some rounds."""
    ways = {
        "-j 1 --threads 1": (1, ["-j", "1", "--threads", "1"]),
        "-j 1": (1, ["-j", "1"]),
        "-j 2": (2, ["-j", "2"]),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "in")
        folder.mkdir()
        copies(pictures, times, folder)
        for number in range(rounds):
            for name, (jobs, options) in ways.items():
                out = Path(scratch, f"{number}-{jobs}-{len(costs[name])}-{len(options)}")
                costs[name].append(run(folder, out, ["-e", str(effort), *options]))
                shutil.rmtree(out)
    best = {name: min(found, key=lambda cost: cost.wall_seconds) for name, found in costs.items()}
    first = best["-j 1 --threads 1"].wall_seconds
    lines = [
        [
            name,
            f"{cost.wall_seconds:.1f}",
            f"{cost.wall_seconds / first:.2f}",
            f"{cost.cpu_seconds:.1f}",
            f"{max(each.peak_bytes for each in costs[name]) / 1e6:.0f}",
            f"{accounted(pictures, ways[name][0]) / 1e6:.0f}",
        ]
        for name, cost in best.items()
    ]
    head = ["options", "wall s", "ratio", "CPU s", "peak MB", "accounted MB"]
    return f"{len(pictures) * times} files, effort {effort}\n\n{table(head, lines)}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--pictures", type=int, metavar="N", help="so many, spread over the folder")
    parser.add_argument("--effort", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    pictures = spread(pictures_in(given.folder), given.pictures)
    print(compare(pictures, given.times, given.effort, given.rounds))


if __name__ == "__main__":
    main()
