"""Gradient descent with a memory of where it was going."""

from __future__ import annotations

from dataclasses import dataclass, field

from gradpress.descent.contract import Evaluation, Objective
from gradpress.descent.rules import Schedule, constant
from gradpress.descent.tree import Tree, add_scaled, tree_map, zeros_like


@dataclass(frozen=True)
class Momentum:
    """v ← momentum · v - rate · ∇J; θ ← θ + v (Polyak 1964); Nesterov's (1983) looks ahead.

    Nesterov's is written for the point at which the gradient was taken, as in Bengio et al.
    (2013): θ ← θ + momentum · v - rate · ∇J with the new v.
    """

    rate: Schedule = field(default_factory=lambda: constant(1e-2))
    momentum: float = 0.9
    nesterov: bool = False

    def init(self, params: Tree) -> tuple[int, Tree]:
        """Step index and velocity."""
        return 0, zeros_like(params)

    def step(
        self,
        objective: Objective[Tree, Tree],
        params: Tree,
        evaluation: Evaluation[Tree],
        state: tuple[int, Tree],
    ) -> tuple[Tree, tuple[int, Tree]]:
        """One step of the heavy ball."""
        index, velocity = state
        rate, gradient = self.rate(index), evaluation.gradient
        velocity = tree_map(lambda v, g: self.momentum * v - rate * g, velocity, gradient)
        move = velocity
        if self.nesterov:
            move = tree_map(lambda v, g: self.momentum * v - rate * g, velocity, gradient)
        return add_scaled(params, 1.0, move), (index + 1, velocity)
