"""The story: read, plan, prepare, descend, write, check."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Unpack

from gradpress.bands import Panorama
from gradpress.by_method import descend_by_pixel
from gradpress.descent import Recorder, Step
from gradpress.distortion.blend import NOTHING
from gradpress.distortion.importance import emphasised
from gradpress.distortion.recipes import Recipe
from gradpress.done import done_before, settled
from gradpress.errors import GradpressError, UnsupportedImage
from gradpress.finish import finished, kept, passed_through, restated_input
from gradpress.goal import TargetSize
from gradpress.heap import keep_planes
from gradpress.image import Image, Source
from gradpress.job import HEADER_BYTES, Job, metadata_bytes
from gradpress.jpeg.objective import Encoding, JpegObjective
from gradpress.jpeg.quality import of_file
from gradpress.jpeg.reader import read
from gradpress.jpeg.start import prepare
from gradpress.losses import LOSSES
from gradpress.lossless import lossless
from gradpress.methods import PROXIMAL
from gradpress.metrics import Metric, metric
from gradpress.options import Options, known
from gradpress.perceive import descend_perceptually
from gradpress.plan import first_encoding, plan, price
from gradpress.result import Result
from gradpress.search import Measured, descend
from gradpress.source import origin_of
from gradpress.studio import Studio
from gradpress.workers import Workers


@dataclass(frozen=True)
class Snapshot:
    """A step of a compression under way."""

    step: Step[Encoding] | None
    """None when the input was passed through and nothing was descended on."""
    measured: Measured | None
    """None while the descent is under way and nothing is decoded."""
    metric: Metric
    """What ``measured`` goes by."""
    finish: Callable[[], Result]

    @property
    def best(self) -> Result:
        """The best result so far, written and checked: a valid JPEG file."""
        return self.finish()


def compress(source: Source, **options: Unpack[Options]) -> Result:
    """The smallest JPEG of at least the quality asked for, or the best of at most the size.

    ``source`` is a path, bytes, a binary file, a Pillow image or a uint8 array ``(H, W[, 3])``.
    Raises a :class:`~gradpress.errors.GradpressError` that says what is wrong.
    """
    (last,) = deque(steps(source, **options), maxlen=1)
    return last.best


def steps(source: Source, **options: Unpack[Options]) -> Iterator[Snapshot]:
    """The same by steps: each gives the measured best so far, and stopping early is fine."""
    chosen = known(options)
    if chosen["lossless"] or chosen["salvage"]:
        yield _ended(lossless(source, chosen))
        return
    source = settled(source, chosen)
    done = done_before(source, chosen)
    if done is not None:
        yield _ended(done)
        return
    job = Job.of(source, chosen)
    enough = _enough(job, chosen)
    if enough is not None:
        yield _ended(enough)
        return
    _check_further(job)
    for snapshot in _in_time(job):
        yield snapshot
    if job.ceiling is not None and len(snapshot.best.data) > job.ceiling.bytes:
        yield from _in_time(replace(job, goal=job.ceiling, missed=job.goal))


def _ended(result: Result) -> Snapshot:
    return Snapshot(None, None, metric("ssimulacra2"), lambda: result)


def _enough(job: Job, options: Options) -> Result | None:
    """The input as it is, more or less, where that is all that can be asked for."""
    untouched = restated_input(job)
    if untouched and isinstance(job.goal, TargetSize) and len(untouched.data) <= job.goal.bytes:
        return passed_through(job, "the input already fits into the size asked for")
    lower = "" if options["deblock"] else _no_better(job.image, options["quality"])
    return kept(job, lower) if lower else None


def _check_further(job: Job) -> None:
    """Refuse to leave out what the user would miss."""
    further = job.image.further
    if further.matters and job.policy.further:
        raise UnsupportedImage(
            f"{job.again.called}: holds {further.what}, which would not fit the "
            "picture any more; --drop-gain-map leaves it out, --lossless keeps it"
        )


def _in_time(job: Job) -> Iterator[Snapshot]:
    """Pursue the goal until the time is up and a file was measured, which fits if it has to."""
    limit = job.goal.bytes if isinstance(job.goal, TargetSize) else math.inf
    done = False
    for snapshot in _pursue(job):
        yield snapshot
        done = done or (snapshot.measured is not None and snapshot.measured.bytes <= limit)
        if done and job.is_late(1):
            return


def _pursue(job: Job) -> Iterator[Snapshot]:
    """Descend towards the goal, and record."""
    recorder: Recorder[Encoding] = Recorder()
    qualities: list[float | None] = []
    best: Measured | None = None
    keep_planes()
    with Workers(job.threads) as workers:
        descent = _by_pixel if isinstance(job.loss, str) else _by_eye
        for step, measured in descent(job, workers):
            recorder.add(step)
            qualities.append(None if measured is None else measured.quality)
            if recorder.best is step:
                best = measured
            so_far = partial(finished, job, recorder.solution(job.stop), best, tuple(qualities))
            yield Snapshot(step, measured, job.metric, so_far)


def _by_eye(job: Job, workers: Workers) -> Iterator[tuple[Step[Encoding], Measured | None]]:
    """Descend on a loss that sees like a person."""
    assert isinstance(job.loss, Recipe)
    if job.big:
        panorama = Panorama(
            job.planes,
            job.loss,
            job.layouts,
            job.effort,
            job.metric,
            workers,
            job.tables,
            job.frozen,
            job.importance,
        )
        return panorama.descend(job.goal, job.file_bytes)
    origin = origin_of(job.image, job.image.planes[: len(job.planes)], workers)
    layouts = job.layouts if origin is None else origin.suited(job.layouts)
    recipe, effort = job.loss, job.effort
    blend = recipe.blend(job.planes, workers)
    pursuit = job.pursuit(None, workers, prepared=blend)
    judges = recipe.judges(job.planes, workers, dear=effort.judged)
    opening = recipe.opened(job.planes, workers) if effort.openings else NOTHING
    loss, judges, opening = (
        emphasised(each, job.planes, job.importance) for each in (blend, judges, opening)
    )
    studio = Studio(
        job.planes, recipe, loss, workers, job.tables, job.frozen, job.importance, origin,
        judges, opening,
    )  # fmt: skip
    iterations = job.choice.iterations
    if iterations is not None:
        effort = replace(effort, steps=iterations, proposals=0)
    return descend_perceptually(studio, layouts, pursuit, effort, job.choice)


def _by_pixel(job: Job, workers: Workers) -> Iterator[tuple[Step[Encoding], Measured | None]]:
    """Descend on a loss that is a sum over samples."""
    assert isinstance(job.loss, str)
    planes = job.planes
    loss = LOSSES[job.loss]
    distortion = loss(planes, workers)
    starts = (prepare(planes, layout, workers) for layout in job.layouts)
    overhead = HEADER_BYTES + metadata_bytes(job.metadata)
    pursuit = job.pursuit(distortion.measured, workers)
    chosen = plan(starts, job.goal, distortion, planes.size, overhead, job.effort.sampled)
    first = first_encoding(chosen, job.goal, distortion, planes.size, workers)
    unit = price(chosen.forecast, distortion, planes.size) / chosen.forecast.lagrangian
    if job.loss != "mse" or job.choice != replace(PROXIMAL, seed=job.choice.seed):
        return descend_by_pixel(
            chosen.start, first, 2 * unit, job.choice, job.evaluations, pursuit,
            lambda part: loss(part, workers), planes,
        )  # fmt: skip
    objective = JpegObjective(chosen.start.layout, distortion, workers)
    del chosen, starts  # unquantised planes of every layout that was tried
    return descend(first, objective, pursuit, job.effort.sweeps)


def _no_better(image: Image, quality: int | None) -> str:
    """Why a JPEG of at most the quality asked for is left as it is, if it is one."""
    if quality is None or image.jpeg is None:
        return ""
    try:
        own = of_file(read(image.jpeg))
    except GradpressError:
        return ""
    if own is None or own.value > quality:
        return ""
    return f"the input is itself of quality {own.value}; {quality} was asked for"
