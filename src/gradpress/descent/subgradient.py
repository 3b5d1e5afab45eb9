"""Subgradient steps: for functions with kinks, where a gradient says which way but not how far."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt

from gradpress.descent.contract import Evaluation, Objective
from gradpress.descent.rules import Schedule, inverse_root
from gradpress.descent.tree import Tree, add_scaled, tree_norm, tree_size


@dataclass(frozen=True)
class Subgradient:
    """θ ← θ - length · g / rms(g): steps of a given root mean square (Shor, 1985).

    The lengths must shrink, but not so fast that their sum is finite. J may rise from step to
    step: the best one so far is what counts.
    """

    length: Schedule = field(default_factory=lambda: inverse_root(0.1))

    def init(self, _: Tree) -> int:
        """Steps taken."""
        return 0

    def step(
        self,
        _: Objective[Tree, Tree],
        params: Tree,
        evaluation: Evaluation[Tree],
        state: int,
    ) -> tuple[Tree, int]:
        """One step of known length; none where the subgradient is 0."""
        norm = tree_norm(evaluation.gradient)
        if norm == 0:
            return params, state + 1
        scale = self.length(state) * sqrt(tree_size(params)) / norm
        return add_scaled(params, -scale, evaluation.gradient), state + 1
