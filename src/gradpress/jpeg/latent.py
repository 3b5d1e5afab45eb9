"""J as a plain function of an array tree, so that any method of descent can have a go at it.

The parameters are *targets*: what is quantised, one real number for every coefficient. They come
in units of about a quantisation step, as D's diagonal model weighs it, and J in units of what an
error of one step costs: a learning rate of 1 is then the way to the minimum of that model, for
every picture, loss and λ alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gradpress.descent import Evaluation
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import Encoding
from gradpress.jpeg.perceptual import COARSENESS, REACH, Draft, PerceptualObjective
from gradpress.transform import Blocks


@dataclass(frozen=True)
class Latent:
    """The measured J of targets: quantised by the trellis with given steps, prices and λ.

    Quantising is a staircase. D's slope along it is taken for 1 (the straight-through estimate),
    that of the bits is the trellis's own (``PerceptualObjective.slope``). A target is held within
    ``REACH`` steps of its original.
    """

    objective: PerceptualObjective
    outset: Encoding
    """Whose steps, prices and λ are used; the steps are then fitted to the levels."""

    @property
    def unit(self) -> float:
        """J of 1, in units of D."""
        return 2 * self.outset.lagrangian / COARSENESS

    def point(self, targets: Coefficients) -> Coefficients:
        """The parameters that stand for targets in sample units."""
        return tuple(map(np.multiply, targets, self._scales))

    def draft(self, point: Coefficients) -> Draft:
        """The targets that parameters stand for, quantised."""
        targets = self._targets(point)
        outset, objective = self.outset, self.objective
        encoding = objective.quantise(
            targets, outset.symbols.steps, outset.prices, outset.lagrangian
        )
        return Draft(targets, objective.fitted(targets, encoding))

    def evaluate(self, point: Coefficients) -> Evaluation[Coefficients]:
        """J of the quantised picture and its slope; the terms are in their own units."""
        return self.at(point, self.draft(point))

    def at(self, point: Coefficients, draft: Draft) -> Evaluation[Coefficients]:
        """The same where the draft is known."""
        there = self.objective.evaluate(draft)
        slope = self.objective.slope(draft, there.gradient)
        slope = tuple(map(np.multiply, slope, self._scales))
        return Evaluation(
            there.value / self.unit,
            there.value / self.unit,
            tuple(map(_held, point, slope, *self._bounds)),
            there.terms,
        )

    def prox(self, point: Coefficients, gradient: Coefficients, rate: float) -> Coefficients:
        """A gradient step, held within reach of the original; the rate term is the trellis's."""
        low, high = self._bounds
        return tuple(
            np.clip(p - np.float32(rate) * g, a, b)
            for p, g, a, b in zip(point, gradient, low, high, strict=True)
        )

    def _targets(self, point: Coefficients) -> Coefficients:
        return tuple(
            np.clip(p, a, b) / s
            for p, a, b, s in zip(point, *self._bounds, self._scales, strict=True)
        )

    @cached_property
    def _scales(self) -> tuple[Blocks, ...]:
        """Parameters per sample unit."""
        objective = self.objective
        return tuple(
            np.sqrt(strength / np.float32(self.unit))[..., np.newaxis]
            * np.sqrt(objective.stiffness(i))
            for i, strength in enumerate(objective.visible.strengths)
        )

    @cached_property
    def _bounds(self) -> tuple[Coefficients, Coefficients]:
        """The least and the most that a parameter may be."""
        reaches = [np.float32(REACH) * s.astype(np.float32) for s in self.outset.symbols.steps]
        original = list(zip(self.objective.original, reaches, self._scales, strict=True))
        return (
            tuple((targets - reach) * scale for targets, reach, scale in original),
            tuple((targets + reach) * scale for targets, reach, scale in original),
        )


def _held(point: Blocks, slope: Blocks, low: Blocks, high: Blocks) -> Blocks:
    """The slope, without what would push a parameter further beyond a bound."""
    pushed = ((point >= high) & (slope < 0)) | ((point <= low) & (slope > 0))
    return np.where(pushed, np.float32(0), slope)
