"""Gradient descent."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gradpress.descent.contract import Evaluation, Objective
from gradpress.descent.rules import Backtracking, Schedule
from gradpress.descent.tree import Tree, add_scaled, tree_map


@dataclass(frozen=True)
class Gradient:
    """θ ← θ - rate · ∇J."""

    rate: Schedule | Backtracking = field(default_factory=Backtracking)

    def init(self, params: Tree) -> tuple[int, float]:
        """Step index, and the rate that backtracking starts from."""
        return 0, self.rate.first if isinstance(self.rate, Backtracking) else 0.0

    def step(
        self,
        objective: Objective[Tree, Tree],
        params: Tree,
        evaluation: Evaluation[Tree],
        state: tuple[int, float],
    ) -> tuple[Tree, tuple[int, float]]:
        """One step downhill."""
        index, rate = state
        if isinstance(self.rate, Backtracking):
            downhill = tree_map(np.negative, evaluation.gradient)
            params, found = self.rate.search(objective, params, evaluation, downhill, rate)
            return params, (index + 1, found * self.rate.grow)
        return add_scaled(params, -self.rate(index), evaluation.gradient), (index + 1, rate)
