"""The story: read, plan, prepare, descend, write, check."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TypedDict, TypeVar, Unpack

import numpy as np
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile

from gradpress.check import checked
from gradpress.descent import Recorder, Step, Stop
from gradpress.distortion import AbsoluteError, Distortion, Picture, SquaredError
from gradpress.distortion.blend import Blend
from gradpress.distortion.recipes import PERCEPTUAL, RECIPES, THOROUGH, Recipe
from gradpress.distortion.ssimulacra2 import Ssimulacra2Error
from gradpress.effort import SUBSAMPLINGS, Effort, effort_of
from gradpress.errors import UsageError
from gradpress.goal import (
    Goal,
    Target,
    TargetSize,
    request_from_options,
)
from gradpress.image import DEFAULT_MAX_PIXELS, Image, Source, read_image
from gradpress.jpeg.objective import Encoding, JpegObjective
from gradpress.jpeg.params import FACTORS, Layout, Symbols
from gradpress.jpeg.start import prepare
from gradpress.jpeg.writer import Metadata, Written, write
from gradpress.metrics import Metric, metric
from gradpress.ordinary import resolved
from gradpress.perceive import Studio, descend_perceptually
from gradpress.plan import first_encoding, plan
from gradpress.result import Result, Status
from gradpress.search import Measured, Pursuit, descend, planes_of
from gradpress.workers import SERIAL, Workers

T = TypeVar("T")

LOSSES: dict[str, Callable[[Picture, Workers], Distortion]] = {
    "mse": SquaredError,
    "mae": AbsoluteError,
}
LAYOUTS = {"auto": SUBSAMPLINGS, "444": ("444",), "422": ("422",), "420": ("420",)}
PROGRESSIVE = {"auto": None, "on": True, "off": False}
MAX_THREADS = 256
HEADER_BYTES = 600
"""About what a file holds beside its entropy-coded data and metadata."""


class Options(TypedDict, total=False):
    """What :func:`compress` and :func:`steps` take, named as on the command line."""

    target: str | None
    """At least so good, measured on the file: ``"ssimulacra2=80"`` (the default goal),
    ``"butteraugli=1"``, ``"ms-ssim=0.98"``, ``"ssim=0.95"``, ``"psnr=38"``."""
    quality: int | None
    """1…100: as good, by SSIMULACRA2, as ordinary JPEG of this quality on this very picture."""
    distance: float | None
    """Butteraugli's 3-norm at most."""
    target_size: str | int | None
    """Bytes at most: ``120000``, ``"120KB"``, ``"0.5bpp"``, ``"30%"`` of the input file; beside a
    quality it is not exceeded, even if the quality is then missed."""
    lagrangian: float | None
    """λ, in units of the loss per bit."""
    loss: str
    """``perceptual`` (default), ``ssimulacra2``, ``ms-ssim``, ``ssim``, ``butteraugli``, ``mse`` or
    ``mae``."""
    chroma_subsampling: str
    """``auto`` (default), ``444``, ``422`` or ``420``."""
    progressive: str
    """``auto`` (default: whichever is smaller), ``on`` or ``off``."""
    effort: int
    """1 (fast) to 9 (thorough); 5 by default."""
    threads: int
    """Threads that share the work (default 1); the file is the same for any number."""
    seed: int
    """Of whatever is random; nothing is at present, and equal options give equal bytes."""
    background: str
    """What transparency is laid on: a colour as CSS names it, white by default."""
    max_pixels: int
    """Larger pictures are refused before they are decoded."""
    name: str | None
    """What messages call the picture."""


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
    job = _Job.of(source, options)
    if isinstance(job.goal, TargetSize) and _fits(job.image, job.goal):
        passed = job.passed_through("the input already fits into the size asked for")
        yield Snapshot(None, None, job.metric, lambda: passed)
        return
    for snapshot in _pursue(job):
        yield snapshot
    if job.ceiling is not None and len(snapshot.best.data) > job.ceiling.bytes:
        yield from _pursue(replace(job, goal=job.ceiling, missed=job.goal))


def _pursue(job: _Job) -> Iterator[Snapshot]:
    """Descend towards the goal, and record."""
    recorder: Recorder[Encoding] = Recorder()
    with Workers(job.threads) as workers:
        descent = _by_pixel if isinstance(job.loss, str) else _by_eye
        for step, measured in descent(job, workers):
            recorder.add(step)
            yield Snapshot(step, measured, job.metric, lambda: job.finish(recorder))


def _by_eye(job: _Job, workers: Workers) -> Iterator[tuple[Step[Encoding], Measured | None]]:
    """Descend on a loss that sees like a person."""
    assert isinstance(job.loss, Recipe)
    studio = Studio(job.planes, job.loss, job.loss.blend(job.planes, workers), workers)
    pursuit = job.pursuit(None, workers, prepared=studio.loss)
    return descend_perceptually(studio, job.layouts, pursuit, job.effort.evaluations)


def _by_pixel(job: _Job, workers: Workers) -> Iterator[tuple[Step[Encoding], Measured | None]]:
    """Descend on a loss that is a sum over samples."""
    assert isinstance(job.loss, str)
    planes = job.planes
    distortion = LOSSES[job.loss](planes, workers)
    starts = (prepare(planes, layout, workers) for layout in job.layouts)
    overhead = HEADER_BYTES + _metadata_bytes(job.metadata)
    pursuit = job.pursuit(distortion.measured, workers)
    chosen = plan(starts, job.goal, distortion, planes.size, overhead, job.effort.sampled)
    first = first_encoding(chosen, job.goal, distortion, planes.size, workers)
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
    ceiling: TargetSize | None = None
    """Bytes not to exceed beside a quality."""
    missed: Goal | None = None
    """A quality that was given up for the ceiling."""

    @classmethod
    def of(cls, source: Source, options: Options) -> _Job:
        clock = _Clock.start()
        unknown = set(options) - set(_DEFAULTS)
        if unknown:
            raise TypeError(f"unknown option {min(unknown)!r}; known are {', '.join(_DEFAULTS)}")
        chosen: Options = {**_DEFAULTS, **options}
        effort = effort_of(chosen["effort"])
        losses: dict[str, str | Recipe] = {**RECIPES, **{name: name for name in LOSSES}}
        loss = _one_of("loss", chosen["loss"], losses)
        if loss is PERCEPTUAL and effort.thorough:
            loss = THOROUGH
        progressive = _one_of("progressive", chosen["progressive"], PROGRESSIVE)
        layouts = _one_of("chroma_subsampling", chosen["chroma_subsampling"], LAYOUTS)
        if not 1 <= chosen["threads"] <= MAX_THREADS:
            raise UsageError(f"threads {chosen['threads']} is out of range 1…{MAX_THREADS}")
        request = request_from_options(
            chosen["target"],
            chosen["quality"],
            chosen["distance"],
            chosen["target_size"],
            chosen["lagrangian"],
        )
        image = read_image(
            source,
            background=chosen["background"],
            max_pixels=chosen["max_pixels"],
            name=chosen["name"],
        )
        planes = image.planes[:1] if _is_grey(image.planes) else image.planes
        pixels = image.width * image.height
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
            ceiling=ceiling,
        )

    @property
    def metadata(self) -> Metadata:
        return Metadata(self.image.icc, self.image.exif, self.image.density)

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
        parts = () if prepared is None else prepared.parts
        shared = [loss for _, loss in parts if isinstance(loss, Ssimulacra2Error)]
        quality: Callable[[Picture], float]
        estimate: Callable[[Picture], float]
        if self.metric.name == "ssimulacra2" and shared:
            quality, estimate = shared[0].score, shared[0].quick_score
        else:
            quality = self.metric.prepare(self.planes, workers)
            quick = self.metric.estimate and self.metric.estimate(self.planes, workers)
            estimate = quick or quality
        return Pursuit(
            self.goal, self.metric, quality, estimate, distortion, self.file_bytes, workers
        )

    def write(self, symbols: Symbols) -> Written:
        return write(symbols, self.metadata, progressive=self.progressive)

    def file_bytes(self, encoding: Encoding) -> float:
        """Of the whole file: exact where the goal is a size, else estimated."""
        if isinstance(self.goal, TargetSize):
            return float(len(self.write(encoding.symbols).data))
        return encoding.bits / 8 + HEADER_BYTES + _metadata_bytes(self.metadata)

    def finish(self, recorder: Recorder[Encoding]) -> Result:
        """Write the best encoding, have Pillow decode it, and compare that with the model."""
        solution = recorder.solution(Stop.CONVERGED)
        symbols = solution.params.symbols
        written = self.write(symbols)
        shown = checked(written.data, symbols)
        scores = self._scores(planes_of(shown))
        original = self.image.jpeg
        if original is not None and len(written.data) >= len(original):
            return self.passed_through("the input is already smaller than what the goal needs")
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
            notices=self.image.notices,
            solution=solution,
            seconds=seconds,
            cpu_seconds=cpu_seconds,
        )

    def _scores(self, shown: Picture) -> dict[str, float]:
        """What is told of the file: by the goal's metric and by two that everybody knows."""
        told = dict.fromkeys((self.metric, metric("ssimulacra2"), metric("psnr")))
        return {each.name: each.prepare(self.planes, SERIAL)(shown) for each in told}

    def _verdict(self, scores: Mapping[str, float], size: int) -> tuple[Status, str]:
        match self.goal:
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
            metrics=self._scores(self.planes),
            subsampling="unchanged",
            progressive=progressive,
            notices=(),
            solution=None,
            seconds=seconds,
            cpu_seconds=cpu_seconds,
        )


_DEFAULTS: Options = {
    "target": None,
    "quality": None,
    "distance": None,
    "target_size": None,
    "lagrangian": None,
    "loss": "perceptual",
    "chroma_subsampling": "auto",
    "progressive": "auto",
    "effort": 5,
    "threads": 1,
    "seed": 0,
    "background": "white",
    "max_pixels": DEFAULT_MAX_PIXELS,
    "name": None,
}


def _one_of(option: str, value: str, choices: Mapping[str, T]) -> T:
    if value not in choices:
        raise UsageError(f"{option} {value!r} is not known; choose from {', '.join(choices)}")
    return choices[value]


def _is_grey(planes: Picture) -> bool:
    return len(planes) == 1 or bool(
        np.array_equal(planes[0], planes[1]) and np.array_equal(planes[0], planes[2])
    )


def _fits(image: Image, goal: TargetSize) -> bool:
    return image.jpeg is not None and len(image.jpeg) <= goal.bytes


def _metadata_bytes(metadata: Metadata) -> int:
    return len(metadata.icc or b"") + len(metadata.exif or b"")
