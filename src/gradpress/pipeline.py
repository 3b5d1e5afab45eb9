"""The story: read, plan, prepare, descend, write, check."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from typing import TypeVar, Unpack

import numpy as np
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile

from gradpress import units
from gradpress.bands import BIG, Panorama, scored
from gradpress.by_method import descend_by_pixel
from gradpress.check import checked
from gradpress.descent import Recorder, Solution, Step, Stop
from gradpress.distortion import AbsoluteError, Distortion, Picture, SquaredError
from gradpress.distortion.blend import Blend
from gradpress.distortion.importance import Weights, emphasised, read_importance
from gradpress.distortion.own import OwnLoss, Sum, imported, own_loss
from gradpress.distortion.recipes import RECIPES, Recipe, recipe_of_own, recipe_of_sum
from gradpress.effort import SUBSAMPLINGS, Effort, effort_of
from gradpress.errors import UsageError
from gradpress.goal import (
    Goal,
    Lagrangian,
    Target,
    TargetSize,
    request_from_options,
)
from gradpress.image import Image, Source
from gradpress.jpeg import qtables
from gradpress.jpeg.objective import Encoding, JpegObjective
from gradpress.jpeg.params import FACTORS, Layout, Symbols
from gradpress.jpeg.qtables import Tables
from gradpress.jpeg.start import prepare
from gradpress.jpeg.visibility import Sight
from gradpress.jpeg.writer import Metadata, Written, write
from gradpress.lossless import lossless
from gradpress.methods import PROXIMAL, Choice
from gradpress.metrics import Metric, metric
from gradpress.options import DEFAULTS, Options
from gradpress.ordinary import resolved
from gradpress.original import Again
from gradpress.perceive import descend_perceptually
from gradpress.plan import first_encoding, plan, price
from gradpress.result import Result, Status
from gradpress.search import Measured, Pursuit, descend, planes_of, scorers
from gradpress.studio import Studio
from gradpress.workers import SERIAL, Workers

T = TypeVar("T")

LOSSES: dict[str, Callable[[Picture, Workers], Distortion]] = {
    "mse": SquaredError,
    "mae": AbsoluteError,
}
LAYOUTS = {"auto": SUBSAMPLINGS, "444": ("444",), "422": ("422",), "420": ("420",)}
PROGRESSIVE = {"auto": None, "on": True, "off": False}
MAX_THREADS = 256
DESCENT = 0.6
"""Part of a time limit after which the descent ends; the rest is for landing on the goal."""
HEADER_BYTES = 600
"""About what a file holds beside its entropy-coded data and metadata."""


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
    if options.get("lossless") or options.get("salvage"):
        recoded = lossless(source, _known(options))
        yield Snapshot(None, None, metric("ssimulacra2"), lambda: recoded)
        return
    job = _Job.of(source, options)
    if isinstance(job.goal, TargetSize) and _fits(job.image, job.goal):
        passed = job.passed_through("the input already fits into the size asked for")
        yield Snapshot(None, None, job.metric, lambda: passed)
        return
    for snapshot in _in_time(job):
        yield snapshot
    if job.ceiling is not None and len(snapshot.best.data) > job.ceiling.bytes:
        yield from _in_time(replace(job, goal=job.ceiling, missed=job.goal))


def _in_time(job: _Job) -> Iterator[Snapshot]:
    """Pursue the goal until the time is up and a file was measured, which fits if it has to."""
    limit = job.goal.bytes if isinstance(job.goal, TargetSize) else math.inf
    done = False
    for snapshot in _pursue(job):
        yield snapshot
        done = done or (snapshot.measured is not None and snapshot.measured.bytes <= limit)
        if done and job.is_late(1):
            return


def _pursue(job: _Job) -> Iterator[Snapshot]:
    """Descend towards the goal, and record."""
    recorder: Recorder[Encoding] = Recorder()
    qualities: list[float | None] = []
    best: Measured | None = None
    with Workers(job.threads) as workers:
        descent = _by_pixel if isinstance(job.loss, str) else _by_eye
        for step, measured in descent(job, workers):
            recorder.add(step)
            qualities.append(None if measured is None else measured.quality)
            if recorder.best is step:
                best = measured
            so_far = partial(job.finish, recorder.solution(job.stop), best, tuple(qualities))
            yield Snapshot(step, measured, job.metric, so_far)


def _by_eye(job: _Job, workers: Workers) -> Iterator[tuple[Step[Encoding], Measured | None]]:
    """Descend on a loss that sees like a person."""
    assert isinstance(job.loss, Recipe)
    if job.big:
        panorama = Panorama(
            job.planes,
            job.loss,
            job.layouts,
            job.effort.evaluations,
            job.metric,
            workers,
            job.tables,
            job.frozen,
            job.importance,
        )
        return panorama.descend(job.goal, job.file_bytes)
    recipe, blend = job.loss, job.loss.blend(job.planes, workers)
    pursuit = job.pursuit(None, workers, prepared=blend)
    loss = emphasised(blend, job.planes, job.importance)
    sights = (recipe.sight, *recipe.others)[: job.effort.sights]
    if isinstance(job.goal, Lagrangian):
        sights = sights[:1]  # J by another sight is another J

    def descent(sight: Sight) -> Iterator[tuple[Step[Encoding], Measured | None]]:
        sighted = replace(recipe, sight=sight)
        studio = Studio(job.planes, sighted, loss, workers, job.tables, job.frozen, job.importance)
        return descend_perceptually(studio, job.layouts, pursuit, job.evaluations, job.choice)

    return _in_turn(map(descent, sights))


def _in_turn(
    descents: Iterable[Iterator[tuple[Step[Encoding], Measured | None]]],
) -> Iterator[tuple[Step[Encoding], Measured | None]]:
    """One descent after the other, the steps counted through."""
    steps, seconds, evaluations = 0, 0.0, 0
    for descent in descents:
        most = evaluations
        for each, measured in descent:
            most = max(most, each.evaluations + evaluations)
            step = replace(
                each, index=each.index + steps, seconds=each.seconds + seconds, evaluations=most
            )
            yield step, measured
        steps, seconds, evaluations = step.index + 1, step.seconds, most


def _by_pixel(job: _Job, workers: Workers) -> Iterator[tuple[Step[Encoding], Measured | None]]:
    """Descend on a loss that is a sum over samples."""
    assert isinstance(job.loss, str)
    planes = job.planes
    loss = LOSSES[job.loss]
    distortion = loss(planes, workers)
    starts = (prepare(planes, layout, workers) for layout in job.layouts)
    overhead = HEADER_BYTES + _metadata_bytes(job.metadata)
    pursuit = job.pursuit(distortion.measured, workers)
    chosen = plan(starts, job.goal, distortion, planes.size, overhead, job.effort.sampled)
    first = first_encoding(chosen, job.goal, distortion, planes.size, workers)
    unit = price(chosen.forecast, distortion, planes.size) / chosen.forecast.lagrangian
    if job.choice != replace(PROXIMAL, seed=job.choice.seed):
        return descend_by_pixel(
            chosen.start, first, 2 * unit, job.choice, job.evaluations, pursuit,
            lambda part: loss(part, workers), planes,
        )  # fmt: skip
    objective = JpegObjective(chosen.start.layout, distortion, workers)
    del chosen, starts  # unquantised planes of every layout that was tried
    return descend(first, objective, pursuit, job.effort.sweeps)


@dataclass(frozen=True)
class _Clock:
    wall: float
    cpu: float

    @classmethod
    def start(cls) -> _Clock:
        return cls(time.perf_counter(), time.process_time())

    def elapsed(self) -> tuple[float, float]:
        """Wall and CPU seconds."""
        return time.perf_counter() - self.wall, time.process_time() - self.cpu


@dataclass(frozen=True)
class _Job:
    """One picture with the options that were checked for it."""

    image: Image
    goal: Goal
    planes: Picture
    """What is encoded: one plane where all three are equal."""
    loss: str | Recipe
    """The name of a sum over samples, or a loss that sees like a person."""
    layouts: tuple[Layout, ...]
    progressive: bool | None
    effort: Effort
    threads: int
    clock: _Clock
    again: Again
    choice: Choice = PROXIMAL
    """How J is descended on."""
    ceiling: TargetSize | None = None
    """Bytes not to exceed beside a quality."""
    missed: Goal | None = None
    """A quality that was given up for the ceiling."""
    tables: tuple[Tables, ...] = ()
    """What steps start from, if not from what is seen."""
    frozen: bool = False
    """Whether they stay."""
    time_limit: float = math.inf
    """Seconds."""
    min_savings: float = 0.0
    """Part of an input's bytes that must be saved, or it is passed through."""
    importance: Weights | None = None
    """Of pixels, for the loss."""

    @classmethod
    def of(cls, source: Source, options: Options) -> _Job:
        clock = _Clock.start()
        chosen = _known(options)
        effort = effort_of(chosen["effort"])
        loss = _loss_of(chosen["loss"], weighted=chosen["importance"] is not None)
        tables = () if chosen["qtables"] is None else qtables.read(chosen["qtables"])
        if tables and isinstance(loss, str):
            raise UsageError(f"loss {loss} makes tables of its own; leave qtables out")
        if chosen["freeze_tables"] and not tables:
            raise UsageError("freeze_tables needs the tables; give them with qtables")
        progressive = _one_of("progressive", chosen["progressive"], PROGRESSIVE)
        layouts = _one_of("chroma_subsampling", chosen["chroma_subsampling"], LAYOUTS)
        if not 1 <= chosen["threads"] <= MAX_THREADS:
            raise UsageError(f"threads {chosen['threads']} is out of range 1…{MAX_THREADS}")
        limit = chosen["time_limit"]
        request = request_from_options(
            chosen["target"],
            chosen["quality"],
            chosen["distance"],
            chosen["target_size"],
            chosen["lagrangian"],
        )
        again = Again.of(source, chosen["background"], chosen["max_pixels"], chosen["name"])
        image = again.read()
        again = again.after(image)
        planes = image.planes[:1] if _is_grey(image.planes) else image.planes
        pixels = image.width * image.height
        mask, most = chosen["importance"], chosen["max_pixels"]
        ceiling = None
        if request.ceiling is not None:
            ceiling = request.ceiling.resolve(pixels=pixels, file_bytes=image.file_bytes)
        return cls(
            image=image,
            goal=resolved(request.goal, planes, pixels, image.file_bytes),
            planes=planes,
            loss=loss,
            layouts=tuple(
                Layout(image.width, image.height, FACTORS[name])
                for name in (layouts if len(planes) > 1 else ("grey",))
            ),
            progressive=progressive,
            effort=effort,
            threads=chosen["threads"],
            clock=clock,
            again=again,
            choice=Choice(
                chosen["method"],
                chosen["learning_rate"],
                chosen["schedule"],
                chosen["iterations"],
                chosen["tolerance"],
                chosen["start"],
                chosen["seed"],
            ),
            ceiling=ceiling,
            tables=tables,
            frozen=chosen["freeze_tables"],
            time_limit=math.inf if limit is None else units.seconds(limit),
            min_savings=units.share(chosen["min_savings"]),
            importance=None
            if mask is None
            else read_importance(mask, image.width, image.height, most),
        )

    @property
    def evaluations(self) -> int:
        """Gradients of a loss after the start."""
        chosen = self.choice.iterations
        return self.effort.evaluations if chosen is None else chosen

    @property
    def metadata(self) -> Metadata:
        return Metadata(self.image.icc, self.image.exif, self.image.density)

    def is_late(self, part: float) -> bool:
        """Whether this part of the time limit is over."""
        return self.clock.elapsed()[0] > part * self.time_limit

    @property
    def stop(self) -> Stop:
        """Why the descent ends, if it ends now."""
        return Stop.TIME_LIMIT if self.is_late(DESCENT) else Stop.CONVERGED

    @property
    def metric(self) -> Metric:
        """The goal's, or the one that suits the loss."""
        if isinstance(self.goal, Target):
            return self.goal.metric
        return metric("psnr" if isinstance(self.loss, str) else "ssimulacra2")

    def pursuit(
        self,
        distortion: Callable[[NDArray[np.uint8]], float] | None,
        workers: Workers,
        prepared: Blend | None = None,
    ) -> Pursuit:
        """The goal, and how encodings are measured, if need be by what the loss has prepared."""
        quality, estimate = scorers(self.metric, self.planes, prepared, workers)
        return Pursuit(
            self.goal,
            self.metric,
            quality,
            estimate,
            distortion,
            self.file_bytes,
            workers,
            self.effort.ease,
            partial(self.is_late, DESCENT),
        )

    def write(self, symbols: Symbols, workers: Workers = SERIAL) -> Written:
        return write(symbols, self.metadata, progressive=self.progressive, workers=workers)

    def file_bytes(self, encoding: Encoding) -> float:
        """Of the whole file: exact where the goal is a size, else estimated."""
        if isinstance(self.goal, TargetSize):
            return float(len(self.write(encoding.symbols).data))
        return encoding.bits / 8 + HEADER_BYTES + _metadata_bytes(self.metadata)

    def finish(
        self,
        solution: Solution[Encoding],
        measured: Measured | None,
        qualities: tuple[float | None, ...],
    ) -> Result:
        """Write the best encoding, have Pillow decode it, and compare that with the model.

        ``measured`` is what it was found to be, if it was; ``qualities`` those of all steps.
        """
        symbols = solution.params.symbols
        with Workers(self.threads) as workers:
            written = self.write(symbols, workers)
            shown = checked(written.data, symbols, workers)
            known = measured.quality if measured is not None and shown.as_expected else None
            scores = self._scores(shown.pixels, workers, known)
        original = self.image.jpeg
        if original is not None and not self._saves_enough(len(written.data), len(original)):
            return self.passed_through("the input is already about as small as the goal needs")
        status, reason = self._verdict(scores, len(written.data))
        names = {factors: name for name, factors in FACTORS.items()}
        seconds, cpu_seconds = self.clock.elapsed()
        return Result(
            data=written.data,
            status=status,
            reason=reason,
            goal=self.goal,
            width=self.image.width,
            height=self.image.height,
            bytes_before=self.image.file_bytes,
            metrics=scores,
            subsampling=names[symbols.layout.factors],
            progressive=written.progressive,
            notices=(*self.image.notices, *solution.notes),
            solution=solution,
            seconds=seconds,
            cpu_seconds=cpu_seconds,
            qualities=qualities,
            original=self.again,
        )

    def _scores(
        self, shown: NDArray[np.uint8], workers: Workers, known: float | None = None
    ) -> dict[str, float]:
        """What is told of the file: by the goal's metric and by two that everybody knows."""
        scores = {} if known is None else {self.metric.name: known}
        for each in dict.fromkeys((self.metric, metric("ssimulacra2"), metric("psnr"))):
            if each.name not in scores:
                scores[each.name] = self._score(each, shown, workers)
        return scores

    def _saves_enough(self, size: int, original: int) -> bool:
        """Whether a file replaces the input; where a size was asked for, every byte counts."""
        sized = isinstance(self.goal, TargetSize) or self.ceiling is not None
        return size < original * (1 if sized else 1 - self.min_savings)

    def _score(self, metric: Metric, shown: NDArray[np.uint8], workers: Workers) -> float:
        if self.big:
            return scored(metric, self.planes, lambda begin, end: shown[begin:end], workers)
        return metric.prepare(self.planes, workers)(planes_of(shown))

    @property
    def big(self) -> bool:
        """Whether the picture is taken in bands."""
        return self.image.width * self.image.height >= BIG

    def _verdict(self, scores: Mapping[str, float], size: int) -> tuple[Status, str]:
        match self.goal:
            case Target(metric, value) if self.is_late(1) and not metric.reaches(
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
        if self.missed is not None:
            return Status.UNREACHABLE, f"{self.missed} takes more bytes; this is the best that fits"
        return Status.COMPRESSED, "the goal was reached"

    def passed_through(self, reason: str) -> Result:
        """The input as it is."""
        original = self.image.jpeg
        assert original is not None
        seconds, cpu_seconds = self.clock.elapsed()
        with JpegImageFile(BytesIO(original)) as picture:
            progressive = bool(picture.info.get("progressive"))
        return Result(
            data=original,
            status=Status.PASSED_THROUGH,
            reason=reason,
            goal=self.goal,
            width=self.image.width,
            height=self.image.height,
            bytes_before=len(original),
            metrics=self._scores(_pixels(self.planes), SERIAL),
            subsampling="unchanged",
            progressive=progressive,
            notices=(),
            solution=None,
            seconds=seconds,
            cpu_seconds=cpu_seconds,
            original=self.again,
        )


def _known(options: Options) -> Options:
    """The options and, for those not given, their defaults."""
    unknown = set(options) - set(DEFAULTS)
    if unknown:
        raise TypeError(f"unknown option {min(unknown)!r}; known are {', '.join(DEFAULTS)}")
    return {**DEFAULTS, **options}


def _loss_of(given: str | OwnLoss, *, weighted: bool) -> str | Recipe:
    """A loss by its name or its object; where pixels are weighed, every one has a recipe."""
    if not isinstance(given, str) or ":" in given:
        return recipe_of_own(own_loss(imported(given) if isinstance(given, str) else given))
    losses: dict[str, str | Recipe] = {**RECIPES, **{name: name for name in LOSSES}}
    loss = _one_of("loss", given, losses)
    if weighted and isinstance(loss, str):
        kind = LOSSES[loss]
        return recipe_of_sum(Sum(lambda reference: kind(reference, SERIAL)))
    return loss


def _one_of(option: str, value: str, choices: Mapping[str, T]) -> T:
    if value not in choices:
        raise UsageError(f"{option} {value!r} is not known; choose from {', '.join(choices)}")
    return choices[value]


def _pixels(planes: Picture) -> NDArray[np.uint8]:
    return planes.transpose(1, 2, 0).astype(np.uint8)


def _is_grey(planes: Picture) -> bool:
    return len(planes) == 1 or bool(
        np.array_equal(planes[0], planes[1]) and np.array_equal(planes[0], planes[2])
    )


def _fits(image: Image, goal: TargetSize) -> bool:
    return image.jpeg is not None and len(image.jpeg) <= goal.bytes


def _metadata_bytes(metadata: Metadata) -> int:
    return len(metadata.icc or b"") + len(metadata.exif or b"")
