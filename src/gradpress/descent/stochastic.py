"""Stochastic gradient descent: a step looks at a random part of a sum, and costs as much as that.

The parameters may be a tuple of parts of which a step changes a few: the others are shared, not
copied. A part of the gradient that is None stands for zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple, Protocol

import numpy as np

from gradpress.descent.contract import Evaluation, Objective, Terms
from gradpress.descent.rules import Schedule, inverse_time
from gradpress.descent.tree import Tree, add_scaled


class Sum(Protocol):
    """J = Σ of ``count`` parts."""

    @property
    def count(self) -> int:
        """How many."""

    def part(self, params: Tree, which: int, /) -> Evaluation[Tree]:
        """One of them; its gradient is a tree like the parameters, where None stands for zeros."""


class Drawn(NamedTuple):
    """A point, and which draw is its turn: so that J of it is a function."""

    turn: int
    params: Tree


@dataclass(frozen=True)
class Sampled:
    """An estimate of a sum from ``batch`` of its parts.

    Every part has its turn before any has its second; the order is drawn anew for every round
    from the seed.
    """

    whole: Sum
    batch: int = 1
    seed: int = 0

    def evaluate(self, drawn: Drawn) -> Evaluation[Tree]:
        """J and its gradient as the draw's parts show them, scaled to the whole."""
        parts = [self.whole.part(drawn.params, which) for which in self.draw(drawn.turn)]
        scale = self.whole.count / len(parts)
        value, smooth, distortion, bits = (
            scale * sum(each)
            for each in zip(
                *((p.value, p.smooth, p.terms.distortion, p.terms.bits) for p in parts),
                strict=True,
            )
        )
        gradient: Tree = None
        for each in parts:
            gradient = _plus(gradient, scale, each.gradient)
        return Evaluation(value, smooth, gradient, Terms(distortion, bits))

    def draw(self, turn: int) -> list[int]:
        """The parts whose turn it is."""
        count = self.whole.count
        batch = min(self.batch, count)
        latest, place = divmod(turn * batch, count)
        order = [*self._order(latest), *self._order(latest + 1)]
        return order[place : place + batch]

    def _order(self, number: int) -> list[int]:
        random = np.random.default_rng((self.seed, number))
        return [int(which) for which in random.permutation(self.whole.count)]


@dataclass(frozen=True)
class StochasticGradient:
    """θ ← θ - rate · (gradient of a random part), with rates that shrink (Robbins, Monro 1951)."""

    rate: Schedule = field(default_factory=lambda: inverse_time(1e-2, 100))

    def init(self, _: Drawn) -> None:
        """The draw's turn is all there is to remember."""

    def step(
        self,
        _: Objective[Drawn, Tree],
        params: Drawn,
        evaluation: Evaluation[Tree],
        state: None,
    ) -> tuple[Drawn, None]:
        """One step; the next draw."""
        moved = _plus(params.params, -self.rate(params.turn), evaluation.gradient)
        return Drawn(params.turn + 1, moved), state


class Round(NamedTuple):
    """The state: what of a round was seen, and the best point at which one began."""

    began: Tree
    total: float
    """Of the estimates of J in this round."""
    unit: float
    """|J| of the first round."""
    least: float
    best: Tree
    share: float
    """Of the rate."""


@dataclass(frozen=True)
class GuardedRounds:
    """Stochastic steps that are watched: where J runs away, back, and on by shorter steps.

    J costs nothing more: it is the mean of a round's estimates, in which every part is seen once.
    """

    rate: Schedule
    count: int
    """Draws in a round."""
    rise: float = 1.0
    """J above the least so far by this many times the first |J| has run away, or if infinite."""
    cut: float = 0.25
    """What is left of the rate then."""
    told: Callable[[float], None] = lambda share: None
    """Hears what part of the rate is left."""

    def init(self, drawn: Drawn) -> Round:
        """Whole steps."""
        return Round(drawn.params, 0.0, 0.0, inf, drawn.params, 1.0)

    def step(
        self,
        objective: Objective[Drawn, Tree],
        drawn: Drawn,
        evaluation: Evaluation[Tree],
        state: Round,
    ) -> tuple[Drawn, Round]:
        """One step; at the end of a round that saw J run away, back to the best point."""
        share = state.share
        method = StochasticGradient(lambda turn: share * self.rate(turn))
        moved, _ = method.step(objective, drawn, evaluation, None)
        state = state._replace(total=state.total + evaluation.value / self.count)
        if moved.turn % self.count:
            return moved, state
        state, away = self._after(state)
        if away:
            moved = moved._replace(params=state.best)
        return moved, state._replace(began=moved.params, total=0.0)

    def _after(self, state: Round) -> tuple[Round, bool]:
        """The state after a round, and whether J had run away where it began."""
        unit = state.unit or abs(state.total)
        if state.total < state.least:
            return state._replace(unit=unit, least=state.total, best=state.began), False
        if state.total <= state.least + self.rise * unit:
            return state._replace(unit=unit), False
        share = state.share * self.cut
        self.told(share)
        return state._replace(unit=unit, share=share), True


def _plus(tree: Tree, scale: float, direction: Tree) -> Tree:
    """``tree + scale · direction``; parts of the direction that are None leave the tree's alone."""
    if direction is None:
        return tree
    if isinstance(direction, tuple):
        trees = (None,) * len(direction) if tree is None else tree
        return tuple(_plus(t, scale, d) for t, d in zip(trees, direction, strict=True))
    return scale * direction if tree is None else add_scaled(tree, scale, direction)
