"""J = D + λ·R for losses that see like a person: the descent moves what is quantised.

Such a loss is stiff: along its gradient it curves far more than its diagonal tells, so that a
whole proximal step overshoots. The descent therefore keeps *targets*, real numbers, moves them by
small steps down the gradient at the quantised picture, and has the trellis quantise them anew.
Levels flip where the gradient insists; the step that would raise J is halved instead
(``descent.ProximalGradient``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import repeat, starmap

import numpy as np
from numpy.typing import NDArray

from gradpress.descent import Evaluation, Terms
from gradpress.distortion.blend import Blend
from gradpress.distortion.mse import Picture
from gradpress.jpeg import model, trellis
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import Encoding, counted, dequantised, least_squares_steps
from gradpress.jpeg.params import Layout, Levels, Steps, Symbols
from gradpress.jpeg.qtables import Tables, nearest
from gradpress.jpeg.rate import SymbolBits, cheapest_bits, scan_order, typical_bits
from gradpress.jpeg.steps import KEPT, on_lattice, scaled_steps
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
    outset: Encoding | None = None
    """Whose steps and prices the levels were found by, if not by the encoding's own.

    Prices that follow every change of the levels drift along with it.
    """

    @property
    def found_by(self) -> Encoding:
        """What has the steps and prices that levels are found by."""
        return self.outset or self.encoding


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
    tables: tuple[Tables, ...] = ()
    """What steps start from, if not from what is seen."""
    frozen: bool = False
    """Whether steps stay as the tables have them."""
    finest: tuple[Steps, ...] = ()
    """Steps of the lattice that the original lies on, by component, if it does."""

    def evaluate(self, draft: Draft) -> Evaluation[Coefficients]:
        """J, and ∂D/∂coefficients over weight: how far to go at rate 1."""
        encoding = draft.encoding
        parts, gradient = self._sloped(encoding.symbols)
        distortion = sum(parts)
        value = distortion + encoding.lagrangian * encoding.bits
        return Evaluation(value, distortion, gradient, Terms(distortion, encoding.bits, parts))

    def _sloped(self, symbols: Symbols) -> tuple[tuple[float, ...], Coefficients]:
        """What D of the picture shown is the sum of: of the blend's parts and the visible error.

        And its gradient over weight, through a decoder without roundings.
        """
        values, by_sample = self.loss.values_and_gradient(model.shown(symbols, self.workers))
        coefficients = dequantised(symbols, self.workers)  # now, as a loss takes much memory
        samples = model.samples_of(coefficients, self.layout, self.workers)
        gradient = model.pull_back(samples, by_sample, self.layout, self.workers)
        del samples, by_sample
        errors = sum(self._anchored(i, b, gradient[i]) for i, b in enumerate(coefficients))
        return (*values, self.anchor * errors), gradient

    def joined(self, draft: Draft, gradient: Coefficients, loss: Blend) -> Coefficients:
        """A gradient of ``evaluate``'s with that of a further loss added."""
        if not loss.parts:
            return gradient
        symbols = draft.encoding.symbols
        _, by_sample = loss.value_and_gradient(model.shown(symbols, self.workers))
        coefficients = dequantised(symbols, self.workers)
        samples = model.samples_of(coefficients, self.layout, self.workers)
        further = model.pull_back(samples, by_sample, self.layout, self.workers)

        def one(i: int) -> Blocks:
            strengths, stiff = self.visible.strengths[i], self.stiffness(i)

            def run(begin: int, end: int) -> None:
                slope = further[i][begin:end]
                slope /= strengths[begin:end, :, np.newaxis]
                slope /= stiff
                slope += gradient[i][begin:end]

            self.workers.stripes(len(strengths), run)
            return further[i]

        return tuple(map(one, range(len(further))))

    def terms(self, encoding: Encoding) -> Terms:
        """D and bits, without a gradient."""
        coefficients = dequantised(encoding.symbols, self.workers)
        anchors = sum(starmap(self._error, enumerate(coefficients)))
        shown = model.shown(encoding.symbols, self.workers)
        return Terms(self.loss.value(shown) + self.anchor * anchors, encoding.bits)

    def unquantised(self) -> Picture:
        """What is shown before anything is quantised: the loss of subsampling alone."""
        return model.render(self.original, self.layout, self.workers).decoded

    def _error(self, component: int, decoded: Blocks) -> float:
        """The visible error."""
        original = self.original[component]

        def run(begin: int, end: int) -> float:
            difference = decoded[begin:end] - original[begin:end]
            return self.visible.error(component, difference, begin)

        return sum(self.workers.stripes(len(decoded), run))

    def _anchored(self, component: int, decoded: Blocks, gradient: Blocks) -> float:
        """The visible error; ∂D/∂coefficients of the blend becomes that of D over the stiffness."""
        original, strengths = self.original[component], self.visible.strengths[component]
        stiff = self.stiffness(component)
        held = (self.anchor * self.visible.profiles[component] / stiff).astype(np.float32)

        def run(begin: int, end: int) -> float:
            difference = decoded[begin:end] - original[begin:end]
            error = self.visible.error(component, difference, begin)
            slope = gradient[begin:end]
            slope /= strengths[begin:end, :, np.newaxis]
            slope /= stiff
            difference *= held
            slope += difference
            return error

        return sum(self.workers.stripes(len(decoded), run))

    def stiffness(self, component: int) -> NDArray[np.float32]:
        """D's diagonal model by frequency, ``(64,)``, where the block's strength is 1."""
        visible, anchor = self.visible, self.anchor
        profile, stiffness = visible.profiles[component], visible.stiffness[component]
        return np.asarray(anchor * profile + (1 - anchor) * stiffness, np.float32)

    def slope(self, draft: Draft, gradient: Coefficients) -> Coefficients:
        """∂J/∂targets over weight, from that of D.

        The trellis makes ½ weight · (decoded - target)² + λ · bits least: by the envelope theorem
        the slope of that minimum is weight · (target - decoded). D less the squared term answers
        to a target as to its decoded coefficient, in the mean.
        """
        symbols = draft.encoding.symbols
        levels, steps = symbols.levels, symbols.steps

        def one(i: int) -> Blocks:
            share = np.asarray(self.visible.profiles[i] / self.stiffness(i), np.float32)
            sloped = np.empty_like(gradient[i])

            def run(begin: int, end: int) -> None:
                part = sloped[begin:end]
                np.multiply(levels[i][begin:end], steps[i].astype(np.float32), out=part)
                np.subtract(draft.targets[i][begin:end], part, out=part)
                part *= share
                part += gradient[i][begin:end]

            self.workers.stripes(len(sloped), run)
            return sloped

        return tuple(map(one, range(len(gradient))))

    def prox(
        self,
        draft: Draft,
        gradient: Coefficients,
        rate: float,
        *,
        fits: bool = True,
    ) -> Draft:
        """Targets a step further and the best levels for them, with the best steps if wanted."""
        outset = draft.found_by
        slope = self.slope(draft, gradient)
        steps = outset.symbols.steps
        targets = tuple(
            map(self._moved, range(len(slope)), draft.targets, slope, steps, repeat(rate))
        )
        encoding = self.quantise(targets, steps, outset.prices, draft.encoding.lagrangian)
        return Draft(targets, self.fitted(targets, encoding) if fits else encoding, outset)

    def requantised(self, draft: Draft, lagrangian: float) -> Draft:
        """The same targets at another λ; the steps stay."""
        outset = draft.found_by
        found = self.quantise(draft.targets, outset.symbols.steps, outset.prices, lagrangian)
        symbols = replace(found.symbols, steps=draft.encoding.symbols.steps)
        return Draft(draft.targets, replace(found, symbols=symbols), outset)

    def _moved(
        self, component: int, target: Blocks, gradient: Blocks, steps: Steps, rate: float
    ) -> Blocks:
        """A target after a gradient step, kept near the original.

        Where a level does not answer, nothing else would hold a target that drifts.
        """
        moved = np.empty_like(target)
        reach = np.float32(REACH) * steps.astype(np.float32)

        def run(begin: int, end: int) -> None:
            original, part = self.original[component][begin:end], moved[begin:end]
            np.multiply(gradient[begin:end], np.float32(-rate), out=part)
            part += target[begin:end]
            np.minimum(part, original + reach, out=part)
            np.maximum(part, original - reach, out=part)

        self.workers.stripes(len(target), run)
        return moved

    def quantise(
        self,
        targets: Coefficients,
        steps: tuple[Steps, ...],
        prices: tuple[SymbolBits, ...],
        lagrangian: float,
    ) -> Encoding:
        """The levels, counted."""
        levels = self.levels(targets, steps, prices, lagrangian)
        return counted(self.layout, steps, levels, prices, lagrangian, self.workers)

    def levels(
        self,
        targets: Coefficients,
        steps: tuple[Steps, ...],
        prices: tuple[SymbolBits, ...],
        lagrangian: float,
    ) -> tuple[Levels, ...]:
        """argmin ½ Σ weight · (level · step - target)² + λ · bits, at these prices."""
        return tuple(
            trellis.quantise(
                targets[i], self.visible.weights(i, self.workers), steps[i].astype(np.float32),
                prices[i], lagrangian, scan_order(self.layout, i).ravel(),
                self.layout.own_blocks(i), self.workers,
            )
            for i in range(len(targets))
        )  # fmt: skip

    def fitted(self, targets: Coefficients, encoding: Encoding) -> Encoding:
        """The same levels with the steps that suit them best."""
        symbols = replace(encoding.symbols, steps=self.fitted_steps(targets, encoding))
        return replace(encoding, symbols=symbols)

    def fitted_steps(self, targets: Coefficients, encoding: Encoding) -> tuple[Steps, ...]:
        """The whole steps of least weighted error for an encoding's levels."""
        if self.frozen:
            return encoding.symbols.steps
        return self._on_lattice(
            least_squares_steps(target, levels, steps, strength, workers=self.workers)
            for target, levels, steps, strength in zip(
                targets,
                encoding.symbols.levels,
                encoding.symbols.steps,
                self.visible.strengths,
                strict=True,
            )
        )

    def rescaled(self, encoding: Encoding, lagrangian: float, kept: float = KEPT) -> Encoding:
        """An encoding with steps for another λ that is farther from its own than ``kept``."""
        if self.frozen:
            return encoding
        symbols = encoding.symbols
        steps = scaled_steps(symbols.steps, math.log(lagrangian / encoding.lagrangian), kept)
        return replace(encoding, symbols=replace(symbols, steps=self._on_lattice(steps)))

    def _on_lattice(self, steps: Iterable[Steps]) -> tuple[Steps, ...]:
        return on_lattice(steps, self.finest) if self.finest else tuple(steps)

    def plain(self, lagrangian: float, steps: tuple[Steps, ...] | None = None) -> Encoding:
        """The original quantised at λ by typical prices."""
        steps, prices = steps or self._steps(lagrangian), (typical_bits(),) * len(self.original)
        return self.quantise(self.original, steps, prices, lagrangian)

    def first(self, lagrangian: float, steps: tuple[Steps, ...] | None = None) -> Draft:
        """The original quantised at λ, with prices and, unless they are given, steps that suit."""
        targets, encoding = self.original, self.plain(lagrangian, steps)
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
        steps = [np.sqrt(2 * lagrangian / COARSENESS / s) for s in seen]
        if self.tables:
            steps = nearest(self.tables, steps, scaled=not self.frozen)
        whole = tuple(np.clip(np.rint(s), 1, 255).astype(np.uint8) for s in steps)
        return whole if self.frozen else self._on_lattice(whole)

    def _cheapest(self, component: int, levels: Levels) -> SymbolBits:
        return cheapest_bits(levels, self.layout, component, 1.0, self.workers)
