"""How much two pictures differ, by every metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradpress.distortion import Picture
from gradpress.errors import GradpressError
from gradpress.image import Image
from gradpress.metrics import METRICS, Metric
from gradpress.workers import SERIAL, Workers


@dataclass(frozen=True)
class Comparison:
    """What the metrics say of a picture beside its original."""

    width: int
    height: int
    """Pixels, upright."""
    scores: dict[str, float]
    """By the metrics' names."""
    notices: tuple[str, ...] = ()
    """Plain phrases: what the user should know about the comparison."""


def compare(
    original: Image,
    other: Image,
    metrics: Sequence[Metric] = METRICS,
    *,
    names: tuple[str, str] = ("the original", "the other picture"),
    workers: Workers = SERIAL,
) -> Comparison:
    """Score the other picture against the original; ``names`` is what messages call them.

    Samples are compared as the files encode them, upright and opaque; a grey picture beside one in
    colour is taken as RGB. Raises GradpressError if their sizes differ.
    """
    sizes = [(image.width, image.height) for image in (original, other)]
    if sizes[0] != sizes[1]:
        each = [f"{name} has {w} × {h}" for name, (w, h) in zip(names, sizes, strict=True)]
        raise GradpressError(
            f"pictures of different sizes cannot be compared: {' and '.join(each)} pixels, "
            "upright; scale one of them first"
        )
    reference, decoded = _alike(original.planes, other.planes)
    scores = {metric.name: metric.prepare(reference, workers)(decoded) for metric in metrics}
    return Comparison(*sizes[0], scores, _notices(original, other, names))


def _alike(one: Picture, other: Picture) -> tuple[Picture, Picture]:
    """Both grey, or both RGB."""
    channels = max(len(one), len(other))
    one, other = (
        planes if len(planes) == channels else np.repeat(planes, channels, axis=0)
        for planes in (one, other)
    )
    return one, other


def _notices(original: Image, other: Image, names: tuple[str, str]) -> tuple[str, ...]:
    of_files = [
        f"{name}: {notice}"
        for name, image in zip(names, (original, other), strict=True)
        for notice in image.notices
    ]
    if original.icc == other.icc:
        return tuple(of_files)
    return (*of_files, "the colour profiles differ; samples are compared as they are stored")
