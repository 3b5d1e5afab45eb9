"""When a descent has gone far enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gradpress.descent.contract import Evaluation
from gradpress.descent.solution import Step, Stop
from gradpress.descent.tree import all_finite


@dataclass(frozen=True)
class Limits:
    """Bounds on a descent; None leaves one out."""

    max_steps: int | None = None
    tolerance: float | None = None
    """Fraction of itself by which the least J must fall over ``window`` steps."""
    window: int = 1
    gradient_tolerance: float | None = None
    """Norm of the smooth part's gradient that counts as flat."""
    time_limit: float | None = None
    """Seconds."""
    divergence: float | None = None
    """J this many times the start's |J| above the least so far has run away."""

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ValueError(f"window {self.window} is below 1 step")
        if self.max_steps is not None and self.max_steps < 0:
            raise ValueError(f"max_steps {self.max_steps} is below 0")

    def stop(self, step: Step[Any], least: Sequence[float], first: float = 0.0) -> Stop | None:
        """Why to stop here, or None.

        ``least`` is the least J up to each of the latest steps, ``first`` the start's.
        """
        if self.divergence is not None and step.value > least[-1] + self.divergence * abs(first):
            return Stop.DIVERGED
        if _within(step.gradient_norm, self.gradient_tolerance):
            return Stop.GRADIENT
        if self._stalled(least):
            return Stop.STALLED
        if _within(self.time_limit, step.seconds):
            return Stop.TIME_LIMIT
        return Stop.MAX_STEPS if _within(self.max_steps, step.index) else None

    def _stalled(self, least: Sequence[float]) -> bool:
        if self.tolerance is None or len(least) <= self.window:
            return False
        before, now = least[-1 - self.window], least[-1]
        return before - now <= self.tolerance * abs(before)


def is_sound(evaluation: Evaluation[Any]) -> bool:
    """Whether a descent can go on from here: J and its gradient are finite."""
    return math.isfinite(evaluation.value) and all_finite(evaluation.gradient)


def _within(small: float | None, large: float | None) -> bool:
    return small is not None and large is not None and small <= large
