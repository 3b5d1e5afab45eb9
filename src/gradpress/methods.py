"""Methods of descent by name, as ``method=`` and ``--method`` ask for them.

Rates count in units of :mod:`gradpress.jpeg.latent`, where 1 is the way to the minimum of D's
diagonal model; the defaults were found on photographs (``notes/methods.md``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from gradpress.descent import (
    LBFGS,
    Accelerated,
    Adam,
    Automatic,
    Backtracking,
    BarzilaiBorwein,
    Gradient,
    Guarded,
    Method,
    Momentum,
    ProximalGradient,
    Schedule,
    Subgradient,
    constant,
    cosine,
    exponential,
    inverse_root,
    inverse_time,
    linear,
)
from gradpress.descent.tree import Tree
from gradpress.errors import UsageError

AnyMethod = Method[Tree, Tree, Any]

RATES = {
    "proximal": 0.1,
    "gradient": 0.12,
    "backtracking": 0.2,
    "barzilai-borwein": 0.1,
    "momentum": 0.05,
    "nesterov": 0.05,
    "adam": 0.05,
    "subgradient": 0.02,
    "accelerated": 0.05,
    "lbfgs": 0.1,
    "sgd": 0.2,
    "interior-point": 0.1,
}
"""Methods, and the learning rate of each if none is given."""
SCHEDULES = ("constant", "cosine", "linear", "exponential", "inverse", "inverse-root")
DEFAULT_SCHEDULES = {"subgradient": "inverse-root", "adam": "cosine", "sgd": "cosine"}
"""Where the default is not ``cosine``."""
DECAY = 0.01
"""What an exponential schedule leaves of the rate at the end."""
RISE = 0.03
"""J above the least so far by this part of the start's J has run away."""
RAN_AWAY = "the descent ran away; it goes on by shorter steps: a lower learning_rate would suit"
"""What is told where that happens."""
STUCK = "no step lowers J: a lower learning_rate would suit, or J is as low as it gets"
"""What is told of searches for a step, where the user gave a rate."""
TRIES = 6
"""Rates that a line search tries for one step."""


@dataclass(frozen=True)
class Choice:
    """How to descend, as the user says it."""

    method: str = "proximal"
    learning_rate: float | str | None = None
    """Above 0; ``auto``; None: the method's own."""
    schedule: str | None = None
    """None: what suits the method."""
    iterations: int | None = None
    """None: as many as the effort buys evaluations."""
    tolerance: float | None = None
    """Relative fall of J over a step that ends the descent."""
    start: str = "curvature"
    seed: int = 0

    def __post_init__(self) -> None:
        _known("method", self.method, RATES)
        if self.schedule is not None:
            _known("schedule", self.schedule, SCHEDULES)
        if self.iterations is not None and self.iterations < 0:
            raise UsageError(f"iterations {self.iterations} is out of range; give 0 or more")
        if self.tolerance is not None and not 0 <= self.tolerance < 1:
            raise UsageError(f"tolerance {self.tolerance:g} is out of range; give 0 to 1")
        if not self.automatic and not 0 < self.rate < math.inf:
            raise UsageError(f"learning_rate {self.rate:g} is out of range; give more than 0")

    @property
    def automatic(self) -> bool:
        """Whether the learning rate is to be found."""
        return self.learning_rate == "auto"

    @property
    def rate(self) -> float:
        """The learning rate, or where its search begins."""
        if self.learning_rate is None or self.automatic:
            return RATES[self.method]
        try:
            return float(self.learning_rate)
        except ValueError:
            raise UsageError(
                f"learning_rate {self.learning_rate!r} is not understood; give a number or auto"
            ) from None

    @property
    def stuck(self) -> str:
        """What is to be told where no step lowers J; at rates of our own that is how it ends."""
        return "" if self.learning_rate is None or self.automatic else STUCK

    def scheduled(self, rate: float, steps: int) -> Schedule:
        """The rate of each of so many steps."""
        match self.schedule or DEFAULT_SCHEDULES.get(self.method, "cosine"):
            case "constant":
                return constant(rate)
            case "cosine":
                return cosine(rate, steps)
            case "linear":
                return linear(rate, steps)
            case "exponential":
                return exponential(rate, DECAY ** (1 / steps))
            case "inverse":
                return inverse_time(rate, max(steps / 4, 1))
            case _:
                return inverse_root(rate)


def method_of(choice: Choice, steps: int, told: Callable[[float], None]) -> AnyMethod:
    """The method for about so many steps.

    Those that could run away are guarded; ``told`` hears to what part their steps are cut.
    """
    search = Backtracking(first=choice.rate, attempts=TRIES)
    match choice.method:
        case "backtracking":
            return Gradient(search)
        case "barzilai-borwein":
            return BarzilaiBorwein(search=search)
        case "lbfgs":
            return LBFGS(search=search)

    def make(rate: float) -> AnyMethod:
        return _of_rate(choice, rate, choice.scheduled(rate, max(steps, 1)))

    method: AnyMethod = Automatic(make, choice.rate) if choice.automatic else make(choice.rate)
    return Guarded(method, RISE, told=told)


def _of_rate(choice: Choice, rate: float, schedule: Schedule) -> AnyMethod:
    match choice.method:
        case "gradient":
            return Gradient(schedule)
        case "momentum" | "nesterov":
            return Momentum(schedule, 0.7, nesterov=choice.method == "nesterov")
        case "adam":
            return Adam(schedule)
        case "subgradient":
            return Subgradient(schedule)
        case "accelerated":
            return Accelerated(rate)
    return ProximalGradient(rate)


def usual_method(loss: object) -> str:
    """The one that brings a loss furthest down, as measured (``notes/methods.md``)."""
    return "gradient" if loss == "mae" else PROXIMAL.method


def _known(option: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise UsageError(f"{option} {value!r} is not known; choose from {', '.join(choices)}")


PROXIMAL = Choice()
"""The default for all losses but ``mae``."""
