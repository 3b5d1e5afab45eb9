"""What became of a picture: written, checked by another decoder, measured and judged."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile

from gradpress.bands import scored
from gradpress.check import checked
from gradpress.descent import Solution
from gradpress.errors import GradpressError
from gradpress.goal import Target, TargetSize
from gradpress.job import Job
from gradpress.jpeg import reader
from gradpress.jpeg.decoder import Limits
from gradpress.jpeg.model import planes_of
from gradpress.jpeg.objective import Encoding
from gradpress.jpeg.params import FACTORS
from gradpress.lossless import recode
from gradpress.metadata import mark
from gradpress.metadata.restate import LEFT_OUT, Restated, restated
from gradpress.metrics import Metric, metric
from gradpress.result import Result, Status
from gradpress.search import Measured
from gradpress.workers import SERIAL, Workers


def finished(
    job: Job,
    solution: Solution[Encoding],
    measured: Measured | None,
    qualities: tuple[float | None, ...],
) -> Result:
    """Write the best encoding, have Pillow decode it, and compare that with the model.

    ``measured`` is what it was found to be, if it was; ``qualities`` those of all steps.
    """
    symbols = solution.params.symbols
    with Workers(job.threads) as workers:
        written = job.write(symbols, workers)
        shown = checked(written.data, symbols, workers)
        known = measured.quality if measured is not None and shown.as_expected else None
        scores = _scores(job, shown.pixels, workers, known)
    data = _marked(job, written.data)
    untouched = restated_input(job)
    if untouched is not None and not _saves_enough(job, len(data), len(untouched.data)):
        return kept(job, "the input is already about as small as the goal needs")
    status, reason = _verdict(job, scores, len(data))
    if untouched is not None and status is Status.UNREACHABLE and isinstance(job.goal, Target):
        return kept(job, f"{reason}; the input itself is as good as can be")
    names = {factors: name for name, factors in FACTORS.items()}
    seconds, cpu_seconds = job.clock.elapsed()
    return Result(
        data=data if status is Status.COMPRESSED else written.data,
        status=status,
        reason=reason,
        goal=job.goal,
        width=job.image.width,
        height=job.image.height,
        bytes_before=job.image.file_bytes,
        metrics=scores,
        subsampling=names[symbols.layout.factors],
        progressive=written.progressive,
        notices=(*job.image.notices, *job.notices, *solution.notes),
        solution=solution,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        qualities=qualities,
        original=job.again,
    )


def restated_input(job: Job) -> Restated | None:
    """The input as it is coded, after its policy; None if it is no JPEG file."""
    if job.image.jpeg is None:
        return None
    name = job.again.called
    return restated(reader.read(job.image.jpeg, name), job.policy, name)


def kept(job: Job, reason: str) -> Result:
    """The input's own coefficients, in fewer bytes where that is worth it."""
    original, untouched = job.image.jpeg, restated_input(job)
    assert original is not None
    assert untouched is not None
    with suppress(GradpressError):
        limits = Limits(pixels=job.image.width * job.image.height)
        recoded = recode(original, limits=limits, policy=job.policy)
        if recoded.changed and _saves_enough(job, len(recoded.data), len(untouched.data)):
            told = f"{reason}; the same coefficients take fewer bytes"
            return _own(job, Restated(recoded.data, recoded.notices), told)
    return passed_through(job, reason)


def passed_through(job: Job, reason: str) -> Result:
    """The input as it is coded."""
    untouched = restated_input(job)
    assert untouched is not None
    changed = untouched.data != job.image.jpeg
    return _own(job, untouched, f"{reason}; {LEFT_OUT}" if changed else reason)


def _own(job: Job, file: Restated, reason: str) -> Result:
    """The input's own coefficients in a file that may be another one."""
    original, data = job.image.jpeg, file.data
    assert original is not None
    changed = data != original
    if changed and mark.found(data) is None:
        marked = _marked(job, data)
        data = marked if len(marked) < len(original) else data
    seconds, cpu_seconds = job.clock.elapsed()
    with JpegImageFile(BytesIO(data)) as picture:
        progressive = bool(picture.info.get("progressive"))
    return Result(
        data=data,
        status=Status.COMPRESSED if changed else Status.PASSED_THROUGH,
        reason=reason,
        goal=job.goal,
        width=job.image.width,
        height=job.image.height,
        bytes_before=len(original),
        metrics=_scores(job, _pixels(job), SERIAL),
        subsampling="unchanged",
        progressive=progressive,
        notices=file.notices,
        solution=None,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        original=job.again,
    )


def _pixels(job: Job) -> NDArray[np.uint8]:
    """What the input itself shows, ``(H, W, C)``."""
    return job.image.planes[: len(job.planes)].transpose(1, 2, 0).astype(np.uint8)


def _marked(job: Job, data: bytes) -> bytes:
    """The file with the mark in it, if there is to be one and room for it."""
    fits = len(data) + mark.size(job.mark) <= job.limit
    return mark.stamped(data, job.mark) if job.mark and fits else data


def _scores(
    job: Job, shown: NDArray[np.uint8], workers: Workers, known: float | None = None
) -> dict[str, float]:
    """What is told of the file: by the goal's metric and by two that everybody knows."""
    scores = {} if known is None else {job.metric.name: known}
    for each in dict.fromkeys((job.metric, metric("ssimulacra2"), metric("psnr"))):
        if each.name not in scores:
            scores[each.name] = _score(job, each, shown, workers)
    return scores


def _score(job: Job, metric: Metric, shown: NDArray[np.uint8], workers: Workers) -> float:
    if job.big:
        return scored(metric, job.planes, lambda begin, end: shown[begin:end], workers)
    return metric.prepare(job.planes, workers)(planes_of(shown))


def _saves_enough(job: Job, size: int, original: int) -> bool:
    """Whether a file replaces the input; where a size was asked for, every byte counts."""
    sized = isinstance(job.goal, TargetSize) or job.ceiling is not None
    return size < original * (1 if sized else 1 - job.min_savings)


def _verdict(job: Job, scores: Mapping[str, float], size: int) -> tuple[Status, str]:
    match job.goal:
        case Target(metric, value) if job.is_late(1) and not metric.reaches(
            scores[metric.name], value
        ):
            return Status.UNREACHABLE, (
                f"the time was up at {metric.name}={scores[metric.name]:.{metric.digits}f}; "
                f"{value:g} was asked for"
            )
        case Target(metric, value) if not metric.reaches(scores[metric.name], value):
            return Status.UNREACHABLE, (
                f"{metric.name}={scores[metric.name]:.{metric.digits}f} is the best that a "
                f"JPEG of this picture reaches; {value:g} was asked for"
            )
        case TargetSize(limit) if size > limit:
            return Status.UNREACHABLE, (
                f"{size} bytes are the least that a JPEG of this picture takes; "
                f"{limit} were asked for"
            )
    if job.missed is not None:
        return Status.UNREACHABLE, f"{job.missed} takes more bytes; this is the best that fits"
    return Status.COMPRESSED, "the goal was reached"
