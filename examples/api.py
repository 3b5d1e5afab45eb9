"""The Python API in a few lines: a quality, a size, and the steps of a descent."""

from __future__ import annotations

import tempfile
from pathlib import Path

import gradpress

PICTURE = Path(__file__).parent / "coffee.png"


def main() -> None:
    """Compress the picture in three ways, into a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        good = gradpress.compress(PICTURE, target="ssimulacra2=75")
        good.save(Path(folder, "good.jpg"))
        print(f"at least 75: {good.bytes_after} bytes, {good.metrics['ssimulacra2']:.2f}")

        small = gradpress.compress(PICTURE, target_size="20KB", effort=7)
        small.save(Path(folder, "small.jpg"))
        print(f"at most 20 KB: {small.bytes_after} bytes, {small.metrics['ssimulacra2']:.2f}")

    for snapshot in gradpress.steps(PICTURE, lagrangian=100):
        if snapshot.step:
            terms = snapshot.step.terms
            print(f"step {snapshot.step.index}: {terms.bits:.0f} bits, D {terms.distortion:.0f}")


if __name__ == "__main__":
    main()
