"""L-BFGS: a Newton step with the curvature that the latest steps have shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gradpress.descent.contract import Evaluation, Objective
from gradpress.descent.rules import Backtracking
from gradpress.descent.tree import Tree, add_scaled, tree_dot, tree_map

Pair = tuple[Tree, Tree]
"""A move s and the change y of the gradient along it."""


class Curved(NamedTuple):
    """The state: pairs, oldest first; the point before with its gradient; the rate without any."""

    pairs: tuple[Pair, ...]
    before: Pair | None
    rate: float


@dataclass(frozen=True)
class LBFGS:
    """Limited-memory BFGS (Nocedal and Wright, 2006, algorithms 7.4 and 7.5) with backtracking.

    Where a step shows no positive curvature, all pairs are dropped: every direction leads downhill.
    """

    memory: int = 8
    search: Backtracking = field(default_factory=Backtracking)
    """``first`` is the rate of a step without pairs; with pairs it is 1."""
    positive: float = 1e-8
    """Cosine between s and y from which a pair counts."""

    def init(self, _: Tree) -> Curved:
        """Nothing known."""
        return Curved((), None, self.search.first)

    def step(
        self,
        objective: Objective[Tree, Tree],
        params: Tree,
        evaluation: Evaluation[Tree],
        state: Curved,
    ) -> tuple[Tree, Curved]:
        """One quasi-Newton step; where it leads nowhere, the next one begins anew."""
        gradient = evaluation.gradient
        pairs = self._seen(params, gradient, state)
        direction = tree_map(np.negative, _newton(gradient, pairs))
        rate = 1.0 if pairs else state.rate
        moved, found = self.search.search(objective, params, evaluation, direction, rate)
        rate = state.rate if pairs else found * self.search.grow
        if moved is params:
            return params, Curved((), None, rate)
        return moved, Curved(pairs, (params, gradient), rate)

    def _seen(self, params: Tree, gradient: Tree, state: Curved) -> tuple[Pair, ...]:
        if state.before is None:
            return state.pairs
        move = add_scaled(params, -1.0, state.before[0])
        bent = add_scaled(gradient, -1.0, state.before[1])
        product = tree_dot(move, bent)
        if product <= self.positive * np.sqrt(tree_dot(move, move) * tree_dot(bent, bent)):
            return ()
        return (*state.pairs, (move, bent))[-self.memory :]


def _newton(gradient: Tree, pairs: tuple[Pair, ...]) -> Tree:
    """The inverse Hessian of the pairs times the gradient, by the two-loop recursion."""
    products = [tree_dot(move, bent) for move, bent in pairs]
    shares = []
    for (move, bent), product in zip(reversed(pairs), reversed(products), strict=True):
        shares.append(tree_dot(move, gradient) / product)
        gradient = add_scaled(gradient, -shares[-1], bent)
    if pairs:
        bent = pairs[-1][1]
        scale = products[-1] / tree_dot(bent, bent)
        gradient = tree_map(lambda g: scale * g, gradient)
    for (move, bent), product, share in zip(pairs, products, reversed(shares), strict=True):
        gradient = add_scaled(gradient, share - tree_dot(bent, gradient) / product, move)
    return gradient
