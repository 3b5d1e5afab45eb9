"""One draft's levels or another's, coefficient by coefficient.

Both have the same steps. What a level of the second adds to D, in the place of the first's, is told
by the mean of D's slopes at both; what it saves is left to the trellis, which chooses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import Encoding, counted
from gradpress.jpeg.params import Levels
from gradpress.jpeg.perceptual import Draft, PerceptualObjective
from gradpress.transform import Blocks

HOLD = 4.0
"""How many times D's diagonal model holds levels to the two: the trellis knows others too."""


@dataclass(frozen=True)
class Exchange:
    """What lies between two drafts."""

    objective: PerceptualObjective
    first: Draft
    second: Draft
    leaning: Coefficients
    """Targets from which the levels of either draft are as far as D's slope says."""

    def at(self, price: float) -> Encoding:
        """The choice that makes D + price · bits least; λ and steps stay the first draft's."""
        before, workers = self.first.encoding, self.objective.workers
        symbols = before.symbols
        found = self.objective.levels(self.leaning, symbols.steps, before.prices, price / HOLD)
        for i, taken in enumerate(found):

            def run(begin: int, end: int, i: int = i, taken: Levels = taken) -> None:
                rows = slice(begin, end)
                second = taken[rows] == self.second.encoding.symbols.levels[i][rows]
                taken[rows] = np.where(second, taken[rows], symbols.levels[i][rows])

            workers.stripes(len(taken), run)
        return counted(
            symbols.layout, symbols.steps, found, before.prices, before.lagrangian, workers
        )

    def draft(self, encoding: Encoding) -> Draft:
        """A choice, with each level's own target."""
        second = self.second.encoding.symbols.levels
        targets = [np.empty_like(target) for target in self.first.targets]
        for i, taken in enumerate(encoding.symbols.levels):

            def run(begin: int, end: int, i: int = i, taken: Levels = taken) -> None:
                rows = slice(begin, end)
                pair = self.second.targets[i][rows], self.first.targets[i][rows]
                targets[i][rows] = np.where(taken[rows] == second[i][rows], *pair)

            self.objective.workers.stripes(len(taken), run)
        return Draft(tuple(targets), encoding)


def exchange(
    objective: PerceptualObjective,
    first: Draft,
    second: Draft,
    slopes: tuple[Coefficients, Coefficients],
) -> Exchange:
    """Weigh two drafts by D's slopes at each, over weight as ``evaluate`` gives them."""
    pairs = zip(first.encoding.symbols.levels, second.encoding.symbols.levels, strict=True)
    steps = first.encoding.symbols.steps
    leaning = tuple(
        _leaning(objective, i, levels, steps[i].astype(np.float32), (slopes[0][i], slopes[1][i]))
        for i, levels in enumerate(pairs)
    )
    return Exchange(objective, first, second, leaning)


def _leaning(
    objective: PerceptualObjective,
    component: int,
    levels: tuple[Levels, Levels],
    steps: NDArray[np.float32],
    slopes: tuple[Blocks, Blocks],
) -> Blocks:
    """The middle of two levels less the mean slope over HOLD times the model's curvature."""
    profile = objective.visible.profiles[component]
    share = np.asarray(objective.stiffness(component) / profile / (2 * HOLD), np.float32)
    targets = np.empty_like(slopes[0])

    def run(begin: int, end: int) -> None:
        rows, target = slice(begin, end), targets[begin:end]
        first, second = (each[rows] * steps for each in levels)
        np.add(slopes[0][rows], slopes[1][rows], out=target)
        target *= -share
        target += np.float32(0.5) * (first + second)
        np.clip(target, np.minimum(first, second), np.maximum(first, second), out=target)

    objective.workers.stripes(len(targets), run)
    return targets
