"""One picture under one loss, whole or as a mosaic of a few of its tiles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from gradpress.distortion import Picture
from gradpress.distortion.blend import NOTHING, Blend
from gradpress.distortion.importance import Weights, emphasised
from gradpress.distortion.recipes import Recipe
from gradpress.jpeg.appraisal import appraise, balanced, weighed
from gradpress.jpeg.params import Layout, Steps
from gradpress.jpeg.perceptual import PerceptualObjective
from gradpress.jpeg.qtables import Tables
from gradpress.jpeg.start import prepare
from gradpress.jpeg.visibility import visibility
from gradpress.source import Origin
from gradpress.workers import Workers

TILE = 128
"""Pixels across and down: whole MCUs in every layout, and enough for metrics to look around."""
FEWEST = 2
"""Tiles across and down: all scales of SSIMULACRA2 need 256 pixels."""
SHARE = 1 / 8
"""Part of the picture that a mosaic shows, at about."""
MOST_TILES = 32
"""Half a megapixel is enough of any picture."""
WORTHWHILE = 1 / 2
"""Larger mosaics save too little."""


@dataclass(frozen=True)
class Studio:
    """Makes the objectives of a picture's layouts."""

    planes: Picture
    recipe: Recipe
    loss: Blend
    workers: Workers
    tables: tuple[Tables, ...] = ()
    """What steps start from, if not from what is seen."""
    frozen: bool = False
    """Whether steps stay as the tables have them."""
    importance: Weights | None = None
    """What the loss has taken in already."""
    origin: Origin | None = None
    """The coefficients that the picture was decoded from."""
    judges: Blend = NOTHING
    """What D holds too, by what it counts beside a part of the loss."""
    opening: Blend = NOTHING
    """What is added to the loss in the first steps."""

    def objective(self, layout: Layout) -> PerceptualObjective:
        """Fit the layout's coefficients to the picture, and weigh them."""
        targets = prepare(self.planes, layout, self.workers).targets
        finest: tuple[Steps, ...] = ()
        if self.origin is not None:
            targets, finest = self.origin.started(layout, targets)
        return PerceptualObjective(
            layout,
            self.loss,
            self.recipe.anchor,
            visibility(self.planes, layout, self.recipe.sight, self.workers, self.importance),
            targets,
            self.workers,
            self.tables,
            self.frozen,
            finest,
        )

    def appraised(self, objective: PerceptualObjective, lagrangian: float) -> PerceptualObjective:
        """The objective as its loss sees this picture, quantised at about this λ.

        Where the user says what is important, the weights stay as they are.
        """
        if self.importance is not None and not self.judges.parts:
            return objective
        appraisal = appraise(objective, objective.plain(lagrangian), self.judges)
        if self.importance is None:
            objective = weighed(objective, appraisal, self.recipe.plain)
        return balanced(objective, appraisal) if self.judges.parts else objective

    def loss_of(self, objective: PerceptualObjective, part: Picture) -> Blend:
        """The objective's loss of a part of the picture."""
        judges = self.recipe.judges(part, self.workers, dear=len(self.judges.parts) > 1)
        blend = self.recipe.blend(part, self.workers)
        losses = [loss for _, loss in (*blend.parts, *judges.parts)]
        if len(losses) != len(objective.loss.parts):
            return blend  # not balanced, as nothing was wrong
        weights = (weight for weight, _ in objective.loss.parts)
        return Blend(tuple(zip(weights, losses, strict=True)))

    def sampled(self) -> Studio:
        """The same on a mosaic of the picture; itself where that is small."""
        planes = mosaic(self.planes)
        if planes is self.planes:
            return self
        importance = mosaic_of(self.importance)
        loss = emphasised(self.recipe.blend(planes, self.workers), planes, importance)
        return replace(
            self, planes=planes, loss=loss, importance=importance, origin=None, judges=NOTHING
        )


def mosaic(planes: Picture) -> Picture:
    """Tiles evenly spread over a ``(C, H, W)`` picture, side by side; or the picture itself."""
    height, width = planes.shape[1:]
    share = min(SHARE, MOST_TILES * TILE**2 / (height * width))
    down, across = (max(FEWEST, round(sqrt(share) * side / TILE)) for side in (height, width))
    if down * across * TILE**2 > WORTHWHILE * height * width or min(height, width) < FEWEST * TILE:
        return planes
    rows, columns = _places(height, down), _places(width, across)
    return np.ascontiguousarray(planes[:, rows[:, np.newaxis], columns])


def mosaic_of(importance: Weights | None) -> Weights | None:
    """The importance of a mosaic's pixels."""
    return None if importance is None else mosaic(importance[np.newaxis])[0]


def _places(side: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Where the samples of so many tiles lie, each tile from a multiple of 16 on."""
    middles = (2 * np.arange(count) + 1) * side // (2 * count)
    starts = np.clip(middles - TILE // 2, 0, side - TILE) // 16 * 16
    return (starts[:, np.newaxis] + np.arange(TILE)).ravel()
