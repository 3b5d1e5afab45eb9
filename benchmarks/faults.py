"""Kills at random moments: no original may be lost, nothing half-written, nothing left behind.

``python -m benchmarks.faults --kills 200`` runs batches of small pictures again and again, kills
the batch or one of its workers without warning, and looks at every file after each dead batch. At
the end an undisturbed run must complete the job. Linux only, for it reads /proc.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image

PARENT_SHARE = 0.3
"""Of the kills that hit the batch itself."""
LONGEST = 0.8
"""Seconds between two kills, at most."""
AIMED_SHARE = 0.5
"""Of the kills that wait until a file is just being written."""
STEADY = 60.0
"""Seconds within which an orphaned worker has to notice that it is one."""

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Tally:
    """What was done, and what was found; the last three have to be 0."""

    kills: int = 0
    dead_batches: int = 0
    """Kills that hit the batch itself; the others hit a worker."""
    temporaries: int = 0
    """Temporary files that dead batches left, for the next run to sweep."""
    damaged: int = 0
    """Originals or outputs that were neither as before nor complete."""
    unfinished: int = 0
    """Pictures that the last run did not complete."""
    stray: int = 0
    """Temporary files after the last run."""

    def __add__(self, other: Tally) -> Tally:
        values = zip(vars(self).values(), vars(other).values(), strict=True)
        return Tally(*(one + two for one, two in values))


def draw(folder: Path, count: int) -> Files:
    """Small JPEG files of noise, by name."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        picture = PIL.Image.fromarray(coarse).resize((16, 16), PIL.Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:03}.jpg", quality=99)
    return files_of(folder)


def files_of(folder: Path) -> Files:
    """The visible files of a folder."""
    if not folder.is_dir():
        return {}
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return {path.name: path.read_bytes() for path in paths}


def temporaries_in(folder: Path) -> int:
    """Count what killed writers left."""
    return len(list(folder.glob(".gradpress-*"))) if folder.is_dir() else 0


def begin(*arguments: str) -> subprocess.Popen[bytes]:
    """Start a batch of two workers."""
    command = [sys.executable, "-m", "gradpress", "-e", "1", "-j", "2", "-Q", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def children_of(pid: int) -> list[int]:
    """Its child processes."""
    with suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def workers_of(pid: int) -> list[int]:
    """The workers of a batch; its other child is a helper of Python's."""
    found = []
    for child in children_of(pid):
        with suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


def is_whole(data: bytes, original: bytes) -> bool:
    """Whether it is the original, or a complete picture of its size."""
    if data == original:
        return True
    with suppress(OSError, SyntaxError), PIL.Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return picture.size == (16, 16) and data.endswith(b"\xff\xd9")
    return False


def disturb(
    process: subprocess.Popen[bytes], target: Path, dice: random.Random, most: int
) -> Tally:
    """Kill workers and at last the batch, unless it ends before."""
    kills = 0
    while not workers_of(process.pid) and process.poll() is None:
        time.sleep(0.01)
    while kills < most:
        bide(target, dice.random() * LONGEST, aimed=dice.random() < AIMED_SHARE)
        if process.poll() is not None:
            return Tally(kills)
        workers = workers_of(process.pid)
        if not workers or dice.random() < PARENT_SHARE:
            break
        with suppress(ProcessLookupError):
            os.kill(dice.choice(workers), signal.SIGKILL)
            kills += 1
    orphans = workers_of(process.pid)
    process.kill()
    process.wait()
    await_end(orphans)
    return Tally(kills + 1, dead_batches=1, temporaries=temporaries_in(target))


def bide(target: Path, seconds: float, *, aimed: bool) -> None:
    """Let so much time go by; if ``aimed``, only until somebody writes a file."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not (aimed and temporaries_in(target)):
        time.sleep(0.0005 if aimed else 0.01)


def await_end(pids: list[int]) -> None:
    """Wait until processes that lost their batch have ended by themselves."""
    deadline = time.monotonic() + STEADY
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > deadline:
            raise TimeoutError(f"workers outlived their batch: {pids}")
        time.sleep(0.02)


def damaged(folder: Path, originals: Files, names: list[str]) -> int:
    """Count files that are neither as before nor complete; a missing one of ``names`` is lost."""
    found = files_of(folder)
    lost = sum(name not in found for name in names)
    broken = sum(not is_whole(data, originals[name]) for name, data in found.items())
    return lost + broken


def ordeal(root: Path, count: int, kills: int, seed: int, *, in_place: bool) -> Tally:
    """Draw pictures, disturb batches until so many kills are done, and let a last run complete."""
    dice = random.Random(seed)
    source, out = root / "in", root / "out"
    originals = draw(source, count)
    target = source if in_place else out
    arguments = [str(source), "-r", *(["--in-place"] if in_place else ["-o", str(out)])]
    tally = Tally()
    while tally.kills < kills:
        tally += disturb(begin(*arguments), target, dice, kills - tally.kills)
        tally += Tally(
            damaged=damaged(source, originals, list(originals)) + damaged(out, originals, []),
        )
        if len(files_of(out)) == count or in_place:
            draw(source, count)
            for name in files_of(out):
                (out / name).unlink()
    code = begin(*arguments).wait()
    finished = len(files_of(target)) if code == 0 else 0
    return tally + Tally(
        damaged=damaged(source, originals, list(originals)) + damaged(out, originals, []),
        unfinished=count - finished,
        stray=temporaries_in(source) + temporaries_in(out),
    )


def main() -> None:
    """Do it, and print the tally."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for in_place in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            tally = ordeal(
                Path(folder), given.pictures, given.kills // 2, given.seed, in_place=in_place
            )
        print("in place" if in_place else "into a folder", tally)


if __name__ == "__main__":
    main()
