"""What a descent gives back: the best point, why it stopped, and the way there."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Generic

from gradpress.descent.contract import P, Terms
from gradpress.descent.tree import all_finite


class Stop(enum.Enum):
    """Why a descent ended, each with a sentence."""

    MAX_STEPS = "It took the number of steps it was allowed."
    STALLED = "J no longer fell by more than the tolerance."
    GRADIENT = "The gradient's norm fell below the tolerance."
    TIME_LIMIT = "The time was up."
    CONVERGED = "The goal was met, or the planned steps were taken."
    CALLER = "The caller had seen enough."
    DIVERGED = "J ran away from the least so far, which is kept; a smaller learning rate may help."
    NONFINITE = "J or a parameter was no longer a finite number; the last finite best is kept."


@dataclass(frozen=True)
class Step(Generic[P]):
    """One point of a descent; the values belong to these very parameters."""

    index: int
    """0 is the start."""
    params: P
    value: float
    """J."""
    terms: Terms
    measured: float | None
    """The exact score, less is better; None without a measurement."""
    gradient_norm: float | None
    """Of the smooth part, where it was asked for."""
    seconds: float
    """Wall time since the start."""
    evaluations: int = 0
    """Of the objective since the start, those of line searches included."""
    note: str = ""
    """A sentence that the user should read, if there is one."""

    @property
    def score(self) -> float:
        """What best is decided by: measured where there is a measurement, else J."""
        return self.value if self.measured is None else self.measured


@dataclass(frozen=True)
class History:
    """A descent by columns."""

    index: tuple[int, ...]
    seconds: tuple[float, ...]
    value: tuple[float, ...]
    distortion: tuple[float, ...]
    bits: tuple[float, ...]
    measured: tuple[float | None, ...]
    evaluations: tuple[int, ...]
    """Of the objective since the start."""

    def to_csv(self) -> str:
        """The columns as CSV text with a header line; an empty field stands for no measurement."""
        lines = ["step,seconds,objective,distortion,bits,measured"]
        columns = (self.index, self.seconds, self.value, self.distortion, self.bits, self.measured)
        lines += [
            ",".join("" if field is None else f"{field:.9g}" for field in row)
            for row in zip(*columns, strict=True)
        ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Solution(Generic[P]):
    """The outcome of a descent."""

    params: P
    """The best by score, which need not be the last."""
    score: float
    """Theirs: measured where there is a measurement, else J; never above the start's."""
    value: float
    """Their J."""
    best_step: int
    stop: Stop
    history: History
    evaluations: int
    """Of the objective, those of line searches included."""
    notes: tuple[str, ...] = ()
    """What the steps had to say."""

    @property
    def steps(self) -> int:
        """Steps taken; the start is not one."""
        return self.history.index[-1]

    @property
    def seconds(self) -> float:
        """Wall time from the start to the last step."""
        return self.history.seconds[-1]

    def __str__(self) -> str:
        taken = f"at step {self.best_step} of {self.steps}"
        work = f"{self.evaluations} evaluations, {self.seconds:.2f} s"
        return f"J {self._change()} {taken}, {work}. {self.stop.value}"

    def _change(self) -> str:
        change = f"{self.history.value[0]:.6g} → {self.value:.6g}"
        first = self.history.measured[0]
        return change if first is None else f"{change}, measured {first:.6g} → {self.score:.6g},"


class Recorder(Generic[P]):
    """Takes in steps as they come; keeps the best one, and of the others only the numbers."""

    def __init__(self) -> None:
        self.best: Step[P] | None = None
        self._rows: list[tuple[int, float, float, float, float, float | None, int]] = []
        self._evaluations = 0
        self._notes: dict[str, None] = {}

    def add(self, step: Step[P]) -> None:
        """Note a step; it becomes the best if it is finite and scores less than all before."""
        index, terms = step.index, step.terms
        if step.note:
            self._notes[step.note] = None
        self._evaluations = max(self._evaluations, step.evaluations)
        numbers = step.seconds, step.value, terms.distortion, terms.bits, step.measured
        self._rows.append((index, *numbers, self._evaluations))
        if self.best is None or (_is_finite(step) and _is_better(step, self.best)):
            self.best = step

    def solution(self, stop: Stop) -> Solution[P]:
        """The outcome so far; there must have been a step."""
        if self.best is None:
            raise ValueError("no step was taken: a descent has at least its start")
        best, history = self.best, History(*zip(*self._rows, strict=True))
        return Solution(
            best.params,
            best.score,
            best.value,
            best.index,
            stop,
            history,
            self._evaluations,
            tuple(self._notes),
        )


def _is_finite(step: Step[P]) -> bool:
    return math.isfinite(step.value) and math.isfinite(step.score) and all_finite(step.params)


def _is_better(step: Step[P], best: Step[P]) -> bool:
    """By score, but measured decides: a step that was not measured never replaces one that was."""
    if not _is_finite(best):
        return True
    if (step.measured is None) != (best.measured is None):
        return best.measured is None
    return step.score < best.score
