"""What an encode takes as a process of its own, as its user would see it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """Of one process that encoded one file, start-up included."""

    bytes: int
    """Of the file it made."""
    cpu_seconds: float
    peak_bytes: int


def process_cost(encoder: str, picture: Path, setting: float) -> Cost:
    """Run a fresh process that encodes the picture once."""
    child = [sys.executable, "-m", "benchmarks.child"]
    done = subprocess.run(
        [*child, encoder, str(picture.resolve()), repr(setting)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{encoder} failed on {picture.name}:\n{done.stderr}")
    return Cost(**json.loads(done.stdout))
