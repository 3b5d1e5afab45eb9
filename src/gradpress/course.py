"""The way to a goal: λ follows the excess that a descent will end with."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gradpress.gauge import Gauge
from gradpress.goal import Goal, Target, TargetSize
from gradpress.jpeg.objective import Encoding
from gradpress.search import Pursuit, response_of

FARTHEST = 0.3
"""Change of log λ that one step may make."""
CLOSE = 0.5
"""Part of the margin that an estimate may be off the aim."""
BEYOND = 8.0
"""Margins beyond the aim that a descent makes for: the way down from there is the better one."""
LIFT = 8.6
"""Points of SSIMULACRA2 that a descent gains at low scores, at a given λ."""
USUAL = 8
"""Evaluations that lifts were measured with. More gain little more; fewer do as their number to the
power of GROWTH."""
GROWTH = 0.3
FIRST = 0.42
"""Part of what a descent gains that its first step does; its others share the rest evenly."""
POLISHED = 0.55
"""Part that is left to proposals, where there are some."""
FADING = 0.25
"""Part of that which is left after each."""


def held(lagrangian: float, bounds: tuple[float, float]) -> float:
    """Keep λ within bounds."""
    return min(max(lagrangian, bounds[0]), bounds[1])


@dataclass(frozen=True)
class Aim:
    """A goal, and estimates of how far beyond it encodings are, corrected."""

    pursuit: Pursuit
    gauge: Gauge
    bounds: tuple[float, float]
    """Of λ."""
    error: float = 0.0

    def excess(self, encoding: Encoding) -> float:
        """0 is what is aimed at."""
        return self.gauge(encoding) + self.error

    def kept(self, encoding: Encoding) -> bool:
        """Whether the goal is about kept."""
        sign = -1 if isinstance(self.pursuit.goal, TargetSize) else 1
        return sign * self.excess(encoding) >= -CLOSE * self.pursuit.margin

    def near(self, encoding: Encoding) -> bool:
        """Whether it is kept with little to spare."""
        return self.kept(encoding) and abs(self.excess(encoding)) <= self.pursuit.margin


@dataclass(frozen=True)
class Course:
    """Steps of a descent, then proposals, and λ for each of them."""

    aim: Aim | None
    """None: λ stays as it is."""
    steps: int
    proposals: int

    def after_steps(self, encoding: Encoding, done: int) -> float:
        """λ after so many steps."""
        later = POLISHED if self.proposals else 0.0
        left = later + max(1 - FIRST - later, 0.0) * (1 - done / max(self.steps, 1))
        return self._lagrangian(encoding, left if done else 1.0)

    def after_proposals(self, encoding: Encoding, done: int) -> float:
        """λ after so many proposals."""
        return self._lagrangian(encoding, POLISHED * FADING**done)

    def _lagrangian(self, encoding: Encoding, left: float) -> float:
        """What is left to gain is taken into account."""
        if self.aim is None:
            return encoding.lagrangian
        goal = self.aim.pursuit.goal
        beyond = beyond_of(goal) * self.aim.pursuit.margin
        lift = left * lift_of(goal, self.steps + 2 * self.proposals)
        x = (self.aim.gauge(encoding) + lift - beyond) / -response_of(goal).priced
        return held(
            encoding.lagrangian * math.exp(min(max(x, -FARTHEST), FARTHEST)), self.aim.bounds
        )


def beyond_of(goal: Goal) -> float:
    """Margins beyond the aim that a descent makes for: as many as there is room for."""
    match goal:
        case Target(metric, value) if metric.name == "ssimulacra2":
            return BEYOND * _room(value)
        case _:
            return BEYOND


def lift_of(goal: Goal, evaluations: int) -> float:
    """By how much those of so many evaluations raise the excess at a given λ, on photographs."""
    match goal:
        case Target(metric, value) if metric.name == "ssimulacra2":
            whole = LIFT * _room(value)
        case TargetSize():
            whole = 0.06
        case _:
            whole = 0.2
    growth: float = min(evaluations / USUAL, 1.0) ** GROWTH
    return whole * growth


def _room(score: float) -> float:
    """What a descent gains in SSIMULACRA2 at a score, over what it gains at low ones: 0…1."""
    return 1 - math.exp(-max(92 - score, 1) / 19)
