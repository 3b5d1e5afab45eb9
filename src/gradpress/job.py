"""One picture and what is to be done with it: the options, checked, and the picture, read."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gradpress import units
from gradpress.bands import BIG
from gradpress.descent import Stop
from gradpress.distortion import Picture
from gradpress.distortion.blend import Blend
from gradpress.distortion.importance import Weights, read_importance
from gradpress.distortion.recipes import Recipe
from gradpress.effort import SUBSAMPLINGS, Effort, effort_of
from gradpress.errors import UsageError
from gradpress.goal import (
    Goal,
    Target,
    TargetSize,
    request_from_options,
)
from gradpress.image import Image, Source
from gradpress.jpeg import qtables
from gradpress.jpeg.objective import Encoding
from gradpress.jpeg.params import FACTORS, Layout, Symbols
from gradpress.jpeg.qtables import Tables
from gradpress.jpeg.writer import Metadata, Written, write
from gradpress.losses import loss_of
from gradpress.metadata import mark
from gradpress.metadata.kept import kept
from gradpress.metadata.policy import DEFAULT, Policy, policy_of
from gradpress.methods import PROXIMAL, Choice, usual_method
from gradpress.metrics import Metric, metric
from gradpress.options import Options, known, one_of
from gradpress.ordinary import resolved
from gradpress.original import Again
from gradpress.restore import deblocked
from gradpress.sampling import own_sampling
from gradpress.search import Pursuit, scorers
from gradpress.workers import SERIAL, Workers

LAYOUTS = {
    **dict.fromkeys(("auto", "keep"), SUBSAMPLINGS),
    **{"444": ("444",), "422": ("422",), "420": ("420",)},
}
PROGRESSIVE = {"auto": None, "on": True, "off": False}
MAX_THREADS = 256
DESCENT = 0.6
"""Part of a time limit after which the descent ends; the rest is for landing on the goal."""
HEADER_BYTES = 600
"""About what a file holds beside its entropy-coded data and metadata."""


@dataclass(frozen=True)
class Clock:
    """When the work began, in seconds."""

    wall: float
    cpu: float

    @classmethod
    def start(cls) -> Clock:
        """Begin now."""
        return cls(time.perf_counter(), time.process_time())

    def elapsed(self) -> tuple[float, float]:
        """Wall and CPU seconds."""
        return time.perf_counter() - self.wall, time.process_time() - self.cpu


@dataclass(frozen=True)
class Job:
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
    clock: Clock
    again: Again
    metadata: Metadata
    """What goes into the file beside the picture."""
    notices: tuple[str, ...] = ()
    """What is to be known of the metadata."""
    policy: Policy = DEFAULT
    """What of them is kept."""
    mark: str = ""
    """The goal as a mark states it; empty: no mark is written."""
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
    def of(cls, source: Source, options: Options) -> Job:
        """Check the options and read the picture; raises a GradpressError."""
        clock = Clock.start()
        chosen = known(options)
        effort = effort_of(chosen["effort"])
        loss = loss_of(chosen["loss"], weighted=chosen["importance"] is not None)
        tables = () if chosen["qtables"] is None else qtables.read(chosen["qtables"])
        if tables and isinstance(loss, str):
            raise UsageError(f"loss {loss} makes tables of its own; leave qtables out")
        if chosen["freeze_tables"] and not tables:
            raise UsageError("freeze_tables needs the tables; give them with qtables")
        policy = policy_of(chosen)
        progressive = one_of("progressive", chosen["progressive"], PROGRESSIVE)
        layouts = one_of("chroma_subsampling", chosen["chroma_subsampling"], LAYOUTS)
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
        again = Again.of(
            source,
            chosen["background"],
            chosen["max_pixels"],
            chosen["name"],
            srgb=chosen["strip_icc"],
        )
        image = again.read()
        again = again.after(image)
        if chosen["chroma_subsampling"] == "keep":
            layouts = own_sampling(image.jpeg) or layouts
        planes = image.planes
        if chosen["deblock"]:
            planes, said = deblocked(image, chosen["threads"])
            image = replace(image, notices=(*image.notices, said))
        planes = planes[:1] if _is_grey(planes) else planes
        pixels = image.width * image.height
        mask, most = chosen["importance"], chosen["max_pixels"]
        ceiling = None
        if request.ceiling is not None:
            ceiling = request.ceiling.resolve(pixels=pixels, file_bytes=image.file_bytes)
        stays = kept(image.segments, replace(policy, further=False))
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
            metadata=Metadata(image.icc, stays.segments, image.density),
            notices=stays.notices,
            policy=policy,
            mark=mark.goal_text(request, deblock=chosen["deblock"]) if policy.mark else "",
            choice=Choice(
                chosen["method"] or usual_method(loss),
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
    def limit(self) -> float:
        """Bytes that the file is not to exceed."""
        goals = (self.goal, self.ceiling)
        return min((each.bytes for each in goals if isinstance(each, TargetSize)), default=math.inf)

    @property
    def evaluations(self) -> int:
        """Gradients of a loss after the start."""
        chosen = self.choice.iterations
        return self.effort.evaluations if chosen is None else chosen

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
        """The whole file."""
        return write(symbols, self.metadata, progressive=self.progressive, workers=workers)

    def file_bytes(self, encoding: Encoding) -> float:
        """Of the whole file: exact where the goal is a size, else estimated."""
        if isinstance(self.goal, TargetSize):
            return float(len(self.write(encoding.symbols).data) + mark.size(self.mark))
        return encoding.bits / 8 + HEADER_BYTES + metadata_bytes(self.metadata)

    @property
    def big(self) -> bool:
        """Whether the picture is taken in bands."""
        return self.image.width * self.image.height >= BIG


def _is_grey(planes: Picture) -> bool:
    return len(planes) == 1 or bool(
        np.array_equal(planes[0], planes[1]) and np.array_equal(planes[0], planes[2])
    )


def metadata_bytes(metadata: Metadata) -> int:
    """How much of a file it takes."""
    return len(metadata.icc or b"") + sum(4 + len(payload) for _, payload in metadata.segments)
