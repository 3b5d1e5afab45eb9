"""J = D + λ·R for losses that see like a person: the descent moves what is quantised.

Such a loss is stiff: along its gradient it curves far more than its diagonal tells, so that a
whole proximal step overshoots. The descent therefore keeps *targets*, real numbers, moves them by
small steps down the gradient at the quantised picture, and has the trellis quantise them anew.
Levels flip where the gradient insists; the step that would raise J is halved instead
(``descent.ProximalGradient``).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from gradpress.descent import Evaluation, Terms
from gradpress.distortion.blend import Blend
from gradpress.distortion.mse import Picture
from gradpress.jpeg import model, trellis
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import Encoding, counted, dequantised, least_squares_steps
from gradpress.jpeg.params import Layout, Levels, Steps
from gradpress.jpeg.rate import SymbolBits, cheapest_bits, scan_order, typical_bits
from gradpress.jpeg.visibility import Visibility
from gradpress.transform import Blocks
from gradpress.workers import SERIAL, Workers

COARSENESS = 0.11
"""λ / (weight · step²) / 2: finer steps and more zeroing than squared error likes (``notes/``)."""


REACH = 0.25
"""Steps by which a target may leave its original."""


@dataclass(frozen=True, eq=False)
class Draft:
    """A point of the descent. Two drafts are equal when they are the same object."""

    targets: Coefficients
    encoding: Encoding


@dataclass(frozen=True)
class PerceptualObjective:
    """The objective of one picture in one layout.

    D is the blend plus ``anchor`` times the visible error against ``original``, which holds
    what the blend is blind to.
    """

    layout: Layout
    loss: Blend
    anchor: float
    """0…1: share of the visible error in D's curvature."""
    visible: Visibility
    original: Coefficients
    """Unquantised."""
    workers: Workers = SERIAL

    def evaluate(self, draft: Draft) -> Evaluation[Coefficients]:
        """J, and ∂D/∂coefficients over weight: how far to go at rate 1."""
        encoding = draft.encoding
        coefficients = dequantised(encoding.symbols, self.workers)
        rendering = model.render(coefficients, self.layout, self.workers)
        distortion, by_sample = self.loss.value_and_gradient(rendering.decoded)
        samples = rendering.samples
        del rendering  # a picture's memory, not needed any more
        gradient = model.pull_back(samples, by_sample, self.layout, self.workers)
        del samples, by_sample
        for i, difference in enumerate(coefficients):
            np.subtract(difference, self.original[i], out=difference)
            distortion += self.anchor * self.visible.error(i, difference)
            self._scale(i, gradient[i], difference)
        value = distortion + encoding.lagrangian * encoding.bits
        return Evaluation(value, distortion, gradient, Terms(distortion, encoding.bits))

    def terms(self, encoding: Encoding) -> Terms:
        """D and bits, without a gradient."""
        coefficients = dequantised(encoding.symbols, self.workers)
        decoded = model.render(coefficients, self.layout, self.workers).decoded
        anchors = (
            self.visible.error(i, coefficient - self.original[i])
            for i, coefficient in enumerate(coefficients)
        )
        return Terms(self.loss.value(decoded) + self.anchor * sum(anchors), encoding.bits)

    def blend(self, encoding: Encoding) -> float:
        """The blend's part of D: what layouts, each with an original of its own, compare by."""
        return self._blend(dequantised(encoding.symbols, self.workers))

    def unquantised(self) -> Picture:
        """What is shown before anything is quantised: the loss of subsampling alone."""
        return model.render(self.original, self.layout, self.workers).decoded

    def _blend(self, coefficients: Coefficients) -> float:
        return self.loss.value(model.render(coefficients, self.layout, self.workers).decoded)

    def _scale(self, component: int, gradient: Blocks, difference: Blocks) -> None:
        """∂D/∂coefficients of the blend becomes that of D, divided by the stiffness."""
        profile = self.visible.profiles[component]
        stiff = self.anchor * profile + (1 - self.anchor) * self.visible.stiffness[component]
        gradient /= self.visible.strengths[component][..., np.newaxis]
        gradient /= stiff.astype(np.float32)
        difference *= (self.anchor * profile / stiff).astype(np.float32)
        gradient += difference

    def prox(
        self, draft: Draft, gradient: Coefficients, rate: float, *, follow: bool = True
    ) -> Draft:
        """Targets a step further, the best levels for them, and first the best steps if wanted."""
        encoding = draft.encoding
        targets = tuple(
            map(
                self._moved,
                range(len(gradient)),
                draft.targets,
                gradient,
                encoding.symbols.steps,
                repeat(rate),
            )
        )
        steps = self.fitted_steps(targets, encoding)
        return Draft(targets, self.quantise(targets, steps, encoding.prices, encoding.lagrangian))

    def requantised(self, draft: Draft) -> Draft:
        """The same targets and steps at the draft's present λ."""
        encoding = draft.encoding
        return Draft(
            draft.targets,
            self.quantise(
                draft.targets, encoding.symbols.steps, encoding.prices, encoding.lagrangian
            ),
        )

    def _moved(
        self, component: int, target: Blocks, gradient: Blocks, steps: Steps, rate: float
    ) -> Blocks:
        """A target after a gradient step, kept near the original.

        Where a level does not answer, nothing else would hold a target that drifts.
        """
        moved = target - np.float32(rate) * gradient
        reach = np.float32(REACH) * steps.astype(np.float32)
        original = self.original[component]
        np.minimum(moved, original + reach, out=moved)
        np.maximum(moved, original - reach, out=moved)
        return moved

    def quantise(
        self,
        targets: Coefficients,
        steps: tuple[Steps, ...],
        prices: tuple[SymbolBits, ...],
        lagrangian: float,
    ) -> Encoding:
        """argmin ½ Σ weight · (level · step - target)² + λ · bits, at these prices."""
        levels = tuple(
            trellis.quantise(
                targets[i], self.visible.weights(i), steps[i].astype(np.float32), prices[i],
                lagrangian, scan_order(self.layout, i).ravel(), self.layout.own_blocks(i),
                self.workers,
            )
            for i in range(len(targets))
        )  # fmt: skip
        return counted(self.layout, steps, levels, prices, lagrangian, self.workers)

    def mixed(self, first: Encoding, second: Encoding, share: float) -> Encoding:
        """Two encodings with the same steps: ``share`` of the blocks from the second.

        A larger share keeps what a smaller one took.
        """
        levels = tuple(
            np.where(_places(a.shape[:2]) < share, b, a)
            for a, b in zip(first.symbols.levels, second.symbols.levels, strict=True)
        )
        return counted(
            self.layout, first.symbols.steps, levels, first.prices, first.lagrangian, self.workers
        )

    def fitted_steps(self, targets: Coefficients, encoding: Encoding) -> tuple[Steps, ...]:
        """The whole steps of least weighted error for an encoding's levels."""
        return tuple(
            least_squares_steps(target, levels, steps, strength)
            for target, levels, steps, strength in zip(
                targets,
                encoding.symbols.levels,
                encoding.symbols.steps,
                self.visible.strengths,
                strict=True,
            )
        )

    def first(self, lagrangian: float) -> Draft:
        """The original quantised at λ, with steps and prices that suit it."""
        steps, targets = self._steps(lagrangian), self.original
        prices = (typical_bits(),) * len(targets)
        encoding = self.quantise(targets, steps, prices, lagrangian)
        prices = tuple(map(self._cheapest, range(len(targets)), encoding.symbols.levels))
        steps = self.fitted_steps(targets, encoding)
        return Draft(targets, self.quantise(targets, steps, prices, lagrangian))

    def _steps(self, lagrangian: float) -> tuple[Steps, ...]:
        """The same visible error from every frequency; Cb and Cr share their steps."""
        seen = [
            strength.mean() * profile
            for strength, profile in zip(self.visible.strengths, self.visible.profiles, strict=True)
        ]
        if len(seen) > 1:
            seen[1] = seen[2] = np.sqrt(seen[1] * seen[2])
        return tuple(
            np.clip(np.rint(np.sqrt(2 * lagrangian / COARSENESS / s)), 1, 255).astype(np.uint8)
            for s in seen
        )

    def _cheapest(self, component: int, levels: Levels) -> SymbolBits:
        return cheapest_bits(levels, self.layout, component, 1.0, self.workers)


def _places(shape: tuple[int, int]) -> NDArray[np.float64]:
    """A number in [0, 1) for every block, evenly spread over any part of the picture.

    Multiples of the plastic number's inverse and of its square (M. Roberts, "The Unreasonable
    Effectiveness of Quasirandom Sequences", 2018).
    """
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((0.7548776662 * rows + 0.5698402910 * columns) % 1)[..., np.newaxis]
