"""Tables to start from: the steps of the first quantisation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradpress.errors import UsageError
from gradpress.jpeg.params import ZIGZAG, Steps
from gradpress.jpeg.quality import CHROMINANCE, LUMINANCE
from gradpress.jpeg.reader import read

SPREAD = 0.5
"""Standard deviation of the log of random steps."""


def tables_to_start_from(
    start: str, suited: tuple[Steps, ...], seed: int
) -> tuple[Steps, ...] | None:
    """Steps by component: ``standard``, ``flat``, ``random``, or a JPEG file's; None: as suited.

    All but a file's are brought to the scale of those that suit the loss and λ (``curvature``).
    """
    match start:
        case "curvature":
            return None
        case "standard":
            shapes = [np.ravel(LUMINANCE)[ZIGZAG], *[np.ravel(CHROMINANCE)[ZIGZAG]] * 2]
        case "flat":
            shapes = [np.ones(64)] * 3
        case "random":
            random = np.random.default_rng(seed)
            return tuple(_steps(np.exp(random.normal(0, SPREAD, 64)) * steps) for steps in suited)
        case _:
            return _steps_of_file(Path(start), len(suited))
    return tuple(
        _steps(shape * np.exp(np.log(steps).mean() - np.log(shape).mean()))
        for shape, steps in zip(shapes, suited, strict=False)
    )


def _steps_of_file(path: Path, components: int) -> tuple[Steps, ...]:
    try:
        tables = read(path.read_bytes(), str(path)).steps
    except OSError as error:
        raise UsageError(
            f"start {str(path)!r} is neither standard, flat, curvature or random nor a JPEG file: "
            f"{error.strerror}"
        ) from error
    known = [np.array(table.steps) for table in tables if table is not None]
    if not known:
        raise UsageError(f"start {str(path)!r} holds no quantisation tables")
    return tuple(_steps(known[min(i, len(known) - 1)]) for i in range(components))


def _steps(wanted: NDArray[Any]) -> Steps:
    return np.asarray(np.clip(np.rint(wanted), 1, 255), np.uint8)
