"""Interior point: a limit is met by a wall that is felt before it is reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, log
from typing import Any, Protocol

from gradpress.descent.contract import Evaluation, Method, Terms
from gradpress.descent.lbfgs import LBFGS
from gradpress.descent.once import Once
from gradpress.descent.tree import Tree, add_scaled, zeros_like


class Constrained(Protocol):
    """J, and how much room a constraint leaves."""

    def evaluate(self, params: Tree, /) -> Evaluation[Tree]:
        """J with its gradient."""

    def room(self, params: Tree, /) -> tuple[float, Tree]:
        """A number above 0 inside and below 0 outside, and its gradient."""


def barrier(mu: float, room: float) -> float:
    """- mu · log room; infinite from the wall on."""
    return -mu * log(room) if room > 0 else inf


def price(mu: float, room: float) -> float:
    """Minus the barrier's slope: what a unit of room is worth, the constraint's multiplier."""
    return mu / room


@dataclass(frozen=True)
class Walled:
    """J - mu · log room, infinite outside."""

    problem: Constrained
    mu: float

    def evaluate(self, params: Tree) -> Evaluation[Tree]:
        """The sum with its gradient."""
        room, slope = self.problem.room(params)
        if not room > 0:
            return Evaluation(inf, inf, zeros_like(params), Terms(inf))
        inside = self.problem.evaluate(params)
        wall = barrier(self.mu, room)
        gradient = add_scaled(inside.gradient, -price(self.mu, room), slope)
        return Evaluation(inside.value + wall, inside.smooth + wall, gradient, inside.terms)


@dataclass(frozen=True)
class InteriorPoint:
    """Descend on J - mu · log room, for smaller and smaller mu (Boyd and Vandenberghe, 2004, 11.3).

    The start lies inside, and so does every step. At the end of a mu, J is within mu of the least
    (for a convex problem with one constraint).
    """

    inner: Method[Tree, Tree, Any] = field(default_factory=LBFGS)
    """Must not take steps that raise J: a line search keeps it inside."""
    mu: float = 1.0
    shrink: float = 0.2
    patience: int = 10
    """Steps of the inner method for each mu."""

    def init(self, params: Tree) -> tuple[int, Any]:
        """Steps taken, and the inner method's state."""
        return 0, self.inner.init(params)

    def step(
        self,
        objective: Constrained,
        params: Tree,
        _: Evaluation[Tree],
        state: tuple[int, Any],
    ) -> tuple[Tree, tuple[int, Any]]:
        """One inner step; where a new mu begins, the inner method does too."""
        count, inner = state
        rounds, part = divmod(count, self.patience)
        walled = Once(Walled(objective, self.mu * self.shrink**rounds))
        if rounds and not part:
            inner = self.inner.init(params)
        moved, inner = self.inner.step(walled, params, walled.evaluate(params), inner)
        return moved, (count + 1, inner)
