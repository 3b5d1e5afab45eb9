"""Ordinary JPEG, which a quality is measured by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile

from gradpress.bands import BIG, scored
from gradpress.distortion import Picture
from gradpress.goal import Goal, QualityRequest, SizeRequest
from gradpress.jpeg.model import planes_of
from gradpress.metrics import Metric, metric
from gradpress.workers import SERIAL, Workers


def resolved(
    goal: Goal | SizeRequest | QualityRequest, planes: Picture, pixels: int, file_bytes: int | None
) -> Goal:
    """The goal for this very picture."""
    match goal:
        case SizeRequest():
            return goal.resolve(pixels=pixels, file_bytes=file_bytes)
        case QualityRequest(quality):
            data = ordinary_jpeg(planes, quality)
            with JpegImageFile(BytesIO(data)) as picture:
                shown = planes_of(np.asarray(picture))
            scorer = metric("ssimulacra2").prepare(planes, SERIAL)
            return goal.resolve(scorer(shown), len(data))
        case _:
            return goal


def ordinary_jpeg(planes: Picture, quality: int) -> bytes:
    """What libjpeg-turbo makes of ``(C, H, W)`` planes: 4:2:0, baseline, optimised Huffman."""
    pixels = np.rint(planes).astype(np.uint8).transpose(1, 2, 0)
    picture = PIL.Image.fromarray(pixels if len(planes) > 1 else pixels[..., 0])
    buffer = BytesIO()
    picture.save(buffer, format="JPEG", quality=quality, subsampling="4:2:0", optimize=True)
    return buffer.getvalue()


@dataclass(frozen=True)
class OrdinaryPoint:
    """Ordinary JPEG of one quality."""

    quality: int
    """1…100, as libjpeg counts."""
    bytes: int
    """Of the whole file."""
    score: float
    """By the metric that was asked for."""


def ordinary_curve(
    planes: Picture, by: Metric, qualities: Iterable[int], workers: Workers
) -> tuple[OrdinaryPoint, ...]:
    """What ordinary JPEG makes of a picture, quality by quality."""
    score = _scorer(planes, by, workers)
    points = []
    for quality in qualities:
        data = ordinary_jpeg(planes, quality)
        with JpegImageFile(BytesIO(data)) as picture:
            shown = np.asarray(picture)
        points.append(OrdinaryPoint(quality, len(data), score(shown)))
    return tuple(points)


def _scorer(planes: Picture, by: Metric, workers: Workers) -> Callable[[NDArray[np.uint8]], float]:
    """Scores pixels; those of a big picture band by band, in bounded memory."""
    if planes[0].size >= BIG:
        return lambda shown: scored(by, planes, lambda begin, end: shown[begin:end], workers)
    score = by.prepare(planes, workers)
    return lambda shown: score(planes_of(shown))


def ordinary_bytes(points: Sequence[OrdinaryPoint], by: Metric, score: float) -> float | None:
    """Bytes that ordinary JPEG takes for a score, between points by log bytes.

    None where the points do not reach it.
    """
    for worse, better in pairwise(sorted(points, key=lambda point: point.bytes)):
        low, high = by.axis(worse.score), by.axis(better.score)
        if low < high and low <= by.axis(score) <= high:
            share = (by.axis(score) - low) / (high - low)
            return float(worse.bytes ** (1 - share) * better.bytes**share)
    return None
