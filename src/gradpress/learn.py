"""Quantisation tables for a kind of picture: minibatch descent on J over many of them.

What is learned serves ordinary encoders, which round every coefficient (``jpeg/rounding.py``).
Each level has its λ. Pictures are read when their turn comes; of a large one a part is looked at.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradpress.descent import Adam, Evaluation, Terms, cosine
from gradpress.descent.adam import Moments
from gradpress.distortion import Picture
from gradpress.distortion.recipes import Recipe
from gradpress.errors import GradpressError, UsageError
from gradpress.files import write_atomically
from gradpress.image import read_image
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.jpeg.qtables import Tables, standard
from gradpress.jpeg.rounding import valued
from gradpress.workers import SERIAL, Workers

LEVELS = ((40, 90.0), (55, 50.0), (70, 24.0), (80, 11.0), (88, 5.0))
"""(quality, λ): whose standard tables the descent starts from, and the price of a bit."""
LOSS = Recipe(ssimulacra2=0.2, ms_ssim=0.7)
"""With it no metric of the panel falls behind (``notes/learning.md``)."""
RATE = 0.05
"""Of Adam's first step, in log-steps."""
MOST_SIDE = 512
"""Pixels of a picture that are looked at, across and down."""
LEAST_SIDE = 16
"""Smaller pictures are left out."""

LogSteps = NDArray[np.float64]
"""``(levels, 2, 64)``."""


@dataclass(frozen=True)
class Course:
    """How it is learned."""

    epochs: int = 3
    """Times that every picture is looked at."""
    batch: int = 8
    """Pictures that a step is made from."""
    validation: float = 0.1
    """Share of the pictures that is held out, to choose the best epoch by."""
    rate: float = RATE
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1 or not 0 <= self.validation < 1 or self.rate <= 0:
            raise UsageError(f"{self} is out of range")


@dataclass(frozen=True)
class State:
    """Where the descent is: all that the next step depends on."""

    steps: int
    """Taken so far."""
    log_steps: LogSteps
    first: LogSteps
    second: LogSteps
    """Adam's moments."""
    best: LogSteps
    best_values: NDArray[np.float64]
    """``(levels,)``: J of the best on the held-out pictures."""
    values: NDArray[np.float64]
    """``(levels,)``: J of the latest minibatch."""


@dataclass(frozen=True)
class Progress:
    """A step that was taken."""

    step: int
    steps: int
    """In all."""
    epoch: int
    values: NDArray[np.float64]
    """``(levels,)``: J by pixel."""
    state: State
    left_out: tuple[str, ...] = ()
    """What of the minibatch could not be read, and why."""


@dataclass(frozen=True)
class Lesson:
    """Pictures and how to learn from them."""

    pictures: tuple[Path, ...]
    course: Course
    checkpoint: Path | None = None
    """Where the state is kept after every step."""
    max_pixels: int = 100_000_000
    workers: Workers = SERIAL

    @property
    def split(self) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
        """Pictures to learn from, and those held out; at least one each if there are two."""
        shuffled = np.random.default_rng(self.course.seed).permutation(len(self.pictures))
        held = round(self.course.validation * len(self.pictures))
        held = max(held, 1) if self.course.validation and len(self.pictures) > 1 else 0
        chosen = [self.pictures[i] for i in shuffled]
        return tuple(sorted(chosen[held:])), tuple(sorted(chosen[:held]))

    @property
    def steps_an_epoch(self) -> int:
        """Minibatches that make an epoch."""
        return -(-len(self.split[0]) // self.course.batch)

    @property
    def steps(self) -> int:
        """Minibatches in all."""
        return self.course.epochs * self.steps_an_epoch

    def learn(self) -> Iterator[Progress]:
        """Take every step that is left; the checkpoint is there after each."""
        state = self.resumed()
        adam = Adam(cosine(self.course.rate, self.steps))
        while state.steps < self.steps:
            state, left_out = self._stepped(state, adam)
            if state.steps % self.steps_an_epoch == 0:
                state = self._validated(state)
            if self.checkpoint is not None:
                write_atomically(self.checkpoint, _packed(state, self._identity), overwrite=True)
            epoch = (state.steps - 1) // self.steps_an_epoch
            yield Progress(state.steps, self.steps, epoch, state.values, state, left_out)

    def resumed(self) -> State:
        """Where an earlier run of the same lesson stopped, or the start."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return _first_state()
        return _unpacked(self.checkpoint, self._identity)

    @property
    def _identity(self) -> str:
        names = [path.name for path in self.pictures]
        told = repr((asdict(self.course), names, LEVELS, LOSS))
        return hashlib.sha256(told.encode()).hexdigest()

    def _stepped(self, state: State, adam: Adam) -> tuple[State, tuple[str, ...]]:
        epoch, index = divmod(state.steps, self.steps_an_epoch)
        learned, _ = self.split
        order = np.random.default_rng((self.course.seed, epoch)).permutation(len(learned))
        batch = order[index * self.course.batch : (index + 1) * self.course.batch]
        values, slope, left_out = self._mean([learned[i] for i in batch], state.log_steps, epoch)
        if not slope.any():
            return replace(state, steps=state.steps + 1), left_out
        total = float(values.sum())
        evaluation = Evaluation(total, total, slope, Terms(total))
        moments = Moments(state.steps, state.first, state.second)
        moved, moments = adam.step(_NO_OBJECTIVE, state.log_steps, evaluation, moments)
        moved = np.clip(moved, 0, np.log(255))
        after = replace(
            state,
            steps=state.steps + 1,
            log_steps=moved,
            first=moments.first,
            second=moments.second,
            values=values,
        )
        return after, left_out

    def _validated(self, state: State) -> State:
        """Keep of every level what is better on the held-out pictures; the latest without any."""
        held = self.split[1]
        if not held:
            return replace(state, best=state.log_steps)
        values, _, _ = self._mean(held, state.log_steps, 0)
        better = values < state.best_values
        return replace(
            state,
            best=np.where(better[:, np.newaxis, np.newaxis], state.log_steps, state.best),
            best_values=np.minimum(values, state.best_values),
        )

    def _mean(
        self, paths: Sequence[Path], log_steps: LogSteps, epoch: int
    ) -> tuple[NDArray[np.float64], LogSteps, tuple[str, ...]]:
        """J and its slope over the pictures that can be read, and what is wrong with the others."""
        steps = np.clip(np.rint(np.exp(log_steps)), 1, 255)

        def valuation(path: Path) -> tuple[NDArray[np.float64], LogSteps] | str:
            try:
                planes = self._part(path, epoch)
            except GradpressError as error:
                return str(error)
            layout = Layout(planes.shape[2], planes.shape[1], FACTORS["420"])
            found = [
                valued(planes, layout, LOSS, table, lagrangian)
                for table, (_, lagrangian) in zip(steps, LEVELS, strict=True)
            ]
            return np.array([v.value for v in found]), np.stack([v.slope for v in found])

        found = self.workers.together([partial(valuation, path) for path in paths])
        good = [each for each in found if not isinstance(each, str)]
        left_out = tuple(each for each in found if isinstance(each, str))
        if not good:
            return np.zeros(len(steps)), np.zeros_like(log_steps), left_out
        values = np.mean([value for value, _ in good], axis=0)
        return values, np.mean([slope for _, slope in good], axis=0), left_out

    def _part(self, path: Path, epoch: int) -> Picture:
        """The picture, or another part of it in every epoch."""
        planes = read_image(path, max_pixels=self.max_pixels).planes
        _, height, width = planes.shape
        if min(height, width) < LEAST_SIDE:
            raise UsageError(f"{path}: {width} × {height} pixels are too few to learn from")
        planes = np.broadcast_to(planes, (3, height, width))
        rng = np.random.default_rng((self.course.seed, epoch, height, width))
        top, left = (int(rng.integers(max(side - MOST_SIDE, 0) + 1)) for side in (height, width))
        part = planes[:, top : top + MOST_SIDE, left : left + MOST_SIDE]
        return np.ascontiguousarray(part)


def tables_of(state: State) -> tuple[Tables, ...]:
    """The best so far, from the coarsest to the finest."""
    steps = np.clip(np.rint(np.exp(state.best)), 1, 255).astype(np.uint8)
    levels = zip(LEVELS, steps, strict=True)
    return tuple(Tables(quality, luma, chroma) for (quality, _), (luma, chroma) in levels)


class _NoObjective:
    """Adam asks for no second evaluation."""

    def evaluate(self, params: LogSteps) -> Evaluation[LogSteps]:
        raise NotImplementedError


_NO_OBJECTIVE = _NoObjective()


def _first_state() -> State:
    log_steps = np.log(np.stack([standard(quality) for quality, _ in LEVELS]))
    zeros, worst = np.zeros_like(log_steps), np.full(len(LEVELS), np.inf)
    return State(0, log_steps, zeros, zeros, log_steps, worst, np.zeros(len(LEVELS)))


def _packed(state: State, identity: str) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, identity=np.array(identity), **asdict(state))
    return buffer.getvalue()


def _unpacked(path: Path, identity: str) -> State:
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
        same = str(found.pop("identity")) == identity
        state = State(**{**found, "steps": int(found["steps"])})
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError) as error:
        raise UsageError(f"{path} is no checkpoint ({error}); remove it") from error
    if not same:
        raise UsageError(
            f"{path} is the checkpoint of other pictures or other settings; remove it, or name "
            "another file"
        )
    return state
