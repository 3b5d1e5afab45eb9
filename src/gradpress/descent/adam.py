"""Adam: every parameter has its own step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gradpress.descent.contract import Evaluation, Objective
from gradpress.descent.rules import Schedule, constant
from gradpress.descent.tree import Tree, add_scaled, tree_map, zeros_like


class Moments(NamedTuple):
    """Adam's state: steps taken, running mean of the gradient and of its square."""

    steps: int
    first: Tree
    second: Tree


@dataclass(frozen=True)
class Adam:
    """Steps scaled by running moments of the gradient (Kingma and Ba, 2015, algorithm 1)."""

    rate: Schedule = field(default_factory=lambda: constant(1e-3))
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def init(self, params: Tree) -> Moments:
        """Zero moments."""
        return Moments(0, zeros_like(params), zeros_like(params))

    def step(
        self,
        objective: Objective[Tree, Tree],
        params: Tree,
        evaluation: Evaluation[Tree],
        state: Moments,
    ) -> tuple[Tree, Moments]:
        """One step, with the moments' bias towards zero undone."""
        g, n, b1, b2 = evaluation.gradient, state.steps + 1, self.beta1, self.beta2
        first = tree_map(lambda m, d: b1 * m + (1 - b1) * d, state.first, g)
        second = tree_map(lambda v, d: b2 * v + (1 - b2) * d * d, state.second, g)
        direction = tree_map(
            lambda m, v: (m / (1 - b1**n)) / (np.sqrt(v / (1 - b2**n)) + self.epsilon),
            first,
            second,
        )
        return add_scaled(params, -self.rate(state.steps), direction), Moments(n, first, second)
