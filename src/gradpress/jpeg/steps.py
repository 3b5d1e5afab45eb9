"""Steps of quantisation that follow λ, or keep to those of a file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from gradpress.jpeg.params import Steps

KEPT = 0.35
"""Change of log λ up to which the steps stay: J at equal quality is flat there."""
SNAP = 1.4
"""Times a file's own step below which that step is the best for what was decoded from it."""

_DITHER = np.arange(64) * ((5**0.5 - 1) / 2) % 1
"""Rounding thresholds by frequency: the golden ratio's multiples, evenly spread."""


def scaled_steps(steps: tuple[Steps, ...], x: float, kept: float = KEPT) -> tuple[Steps, ...]:
    """Steps at x: as they are up to ``kept``, beyond that with √λ.

    Rounding goes up or down by a fixed pattern over frequencies, so that in the mean even a
    change by less than one is made.
    """
    factor = math.exp((x - min(max(x, -kept), kept)) / 2)
    return tuple(np.clip(np.floor(s * factor + _DITHER), 1, 255).astype(np.uint8) for s in steps)


def on_lattice(steps: Iterable[Steps], finest: Sequence[Steps]) -> tuple[Steps, ...]:
    """No step finer than the lattice's, and those that are near it exactly.

    Coefficients that are whole multiples of ``finest`` are then stored without any error.
    """
    return tuple(
        np.where(step < SNAP * own, own, step).astype(np.uint8)
        for step, own in zip(steps, finest, strict=True)
    )
