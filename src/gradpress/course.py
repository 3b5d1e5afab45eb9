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
LIFT = 10.3
"""Points of SSIMULACRA2 that a long descent gains at low scores, at a given λ."""
FIRST = 0.34
"""Part of it that a first step gains."""
GROWTH = 0.38
"""More steps gain that times their number to this power."""
FIRM = 3.0
"""How much farther λ moves after EARLY proposals, as tables and most levels stay by then."""
EARLY = 3
PROGRESS = (0.0, 0.55, 0.82, 0.7, 0.8, 0.95, 0.87, 0.95, 1.0)
"""Part of the rest that so many proposals gain: some are coarser, and give back."""


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
    lift: float = 0.0
    """By how much a long descent raises the excess at a given λ."""

    def after_steps(self, encoding: Encoding, done: int) -> float:
        """λ after so many steps."""
        return self._lagrangian(encoding, gained(done, 0), 1.0)

    def after_proposals(self, encoding: Encoding, done: int) -> float:
        """λ after so many proposals."""
        return self._lagrangian(encoding, gained(self.steps, done), FIRM if done >= EARLY else 1.0)

    def _lagrangian(self, encoding: Encoding, so_far: float, firm: float) -> float:
        """What is still to be gained is taken into account."""
        if self.aim is None:
            return encoding.lagrangian
        to_come = self.lift * (gained(self.steps, self.proposals) - so_far)
        x = (self.aim.gauge(encoding) + to_come) / -response_of(self.aim.pursuit.goal).priced
        return held(
            encoding.lagrangian * math.exp(min(max(firm * x, -FARTHEST), FARTHEST)),
            self.aim.bounds,
        )


def gained(steps: int, proposals: int) -> float:
    """Part of a long descent's lift that its first steps and proposals make, on photographs."""
    chased: float = FIRST * steps**GROWTH
    return chased + (1 - chased) * PROGRESS[min(proposals, len(PROGRESS) - 1)]


def lift_of(goal: Goal) -> float:
    """By how much a long descent raises the excess at a given λ, on photographs."""
    match goal:
        case Target(metric, value) if metric.name == "ssimulacra2":
            return LIFT * _room(value)
        case TargetSize():
            return 0.06
        case _:
            return 0.2


def _room(score: float) -> float:
    """What a descent gains in SSIMULACRA2 at a score, over what it gains at low ones: 0…1."""
    return 1 - math.exp(-max(92 - score, 1) / 19)
