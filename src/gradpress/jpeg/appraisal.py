"""How well errors are seen in one picture, by what they cost a loss.

The formula of ``visibility.py`` knows photographs in the mean. An error e in a coefficient where
the loss has the slope g costs about ½ g·e, a secant from the original, where there is no slope. In
the quadratic model it costs ½ weight · e². So what the errors of a plain encoding cost, summed over
a block and its neighbours, or over all blocks by frequency, says what the weights should be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import starmap

import numpy as np
from numpy.typing import NDArray

from gradpress.distortion.blend import Blend, Loss
from gradpress.jpeg import model
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import Encoding, dequantised
from gradpress.jpeg.perceptual import PerceptualObjective
from gradpress.jpeg.visibility import Visibility, stiffness_of
from gradpress.transform import Blocks
from gradpress.workers import Workers

TRUST = 0.75
"""Power of the appraised weights, beside the formula's; flat from 0.5 to 1 (``notes/``)."""
NEIGHBOURS = 1.5
"""Standard deviation, in blocks, over which costs are gathered; flat from 1 to 2.5."""
PRIOR = 0.5
"""Mean errors of a block that the formula counts for."""
PASSES = 2
"""Strengths and profiles answer to each other."""
ANCHOR = 0.1
"""Share of the visible error in D's curvature where the parts of a loss are balanced."""
LEAST = 0.1
"""Part of the formula's strength and profile that is left at least."""


@dataclass(frozen=True)
class _Cost:
    """Of one component's errors: g·e, summed over frequencies and over blocks."""

    by_block: NDArray[np.float64]
    """``(block_rows, block_columns)``."""
    by_frequency: NDArray[np.float64]
    """``(64,)``."""

    def plus(self, other: _Cost, factor: float) -> _Cost:
        """The sum with a multiple of another."""
        return _Cost(
            self.by_block + factor * other.by_block,
            self.by_frequency + factor * other.by_frequency,
        )


@dataclass(frozen=True)
class Appraisal:
    """What the errors of an encoding cost each part of a loss."""

    errors: Coefficients
    parts: tuple[tuple[float, Loss, tuple[_Cost, ...]], ...]
    """How much each counts, and its costs by component."""


def appraise(objective: PerceptualObjective, encoding: Encoding, further: Blend) -> Appraisal:
    """By the parts of the objective's loss, and by further ones, which count by their weights."""
    layout, workers = objective.layout, objective.workers
    coefficients = dequantised(encoding.symbols, workers)
    errors = tuple(c - o for c, o in zip(coefficients, objective.original, strict=True))
    samples = model.samples_of(coefficients, layout, workers)
    shown = model.shown(encoding.symbols, workers)

    def one(count: float, part: Loss) -> tuple[float, Loss, tuple[_Cost, ...]]:
        _, by_sample = part.value_and_gradient(shown)
        gradient = model.pull_back(samples, by_sample, layout, workers)
        costs = (_cost(g, e, workers) for g, e in zip(gradient, errors, strict=True))
        return count, part, tuple(costs)

    every = (*((1.0, part) for _, part in objective.loss.parts), *further.parts)
    return Appraisal(errors, tuple(starmap(one, every)))


def weighed(
    objective: PerceptualObjective, appraisal: Appraisal, plain: float
) -> PerceptualObjective:
    """The objective with weights as errors cost its loss.

    Each part of the loss counts as much as any other, whatever its units, and squared error so
    many times as much (``plain``).
    """
    workers, errors = objective.workers, appraisal.errors
    costs = [(1.0, cost) for _, _, cost in appraisal.parts[: len(objective.loss.parts)]]
    if plain:
        gains = model.gain(objective.layout)
        squares = tuple(_cost(e * gain, e, workers) for e, gain in zip(errors, gains, strict=True))
        costs.append((plain, squares))
    total = _total(costs)
    if total is None:
        return objective
    strengths, profiles = [], []
    for i, cost in enumerate(total):
        strength, profile = _weighed(objective.visible, i, errors[i], cost, workers)
        strengths.append(strength)
        profiles.append(profile)
    stiffness = tuple(stiffness_of(objective.layout, i, p) for i, p in enumerate(profiles))
    return replace(objective, visible=Visibility(tuple(strengths), tuple(profiles), stiffness))


def balanced(objective: PerceptualObjective, appraisal: Appraisal) -> PerceptualObjective:
    """The objective with its loss's parts, and further ones appraised, as much as they count.

    Of what errors cost, each has its share. All together cost what they did before, so that λ stays
    worth as much.
    """
    costs = [sum(float(c.by_frequency.sum()) for c in cost) for *_, cost in appraisal.parts]
    counted = zip(appraisal.parts, costs, strict=True)
    parts = [(count, part, cost) for (count, part, _), cost in counted if cost > 0]
    if not parts:
        return objective
    seen = sum(2 * objective.visible.error(i, e) for i, e in enumerate(appraisal.errors))
    own = zip(objective.loss.parts, costs, strict=False)
    before = objective.anchor * seen + sum(weight * cost for (weight, _), cost in own)
    share = max(before - ANCHOR * seen, 0.0) / sum(count for count, *_ in parts)
    blend = Blend(tuple((share * count / cost, part) for count, part, cost in parts))
    return replace(objective, loss=blend, anchor=ANCHOR)


def _cost(gradient: Blocks, error: Blocks, workers: Workers) -> _Cost:
    by_block = np.empty(error.shape[:2])

    def run(begin: int, end: int) -> NDArray[np.float64]:
        product = gradient[begin:end] * error[begin:end]
        by_block[begin:end] = product.sum(axis=2, dtype=np.float64)
        return np.asarray(product.sum(axis=(0, 1), dtype=np.float64))

    return _Cost(by_block, np.sum(workers.stripes(len(error), run), axis=0))


def _total(costs: list[tuple[float, tuple[_Cost, ...]]]) -> list[_Cost] | None:
    """The sum of costs, each over its own sum; None where nothing costs anything."""
    total: list[_Cost] | None = None
    for count, components in costs:
        whole = sum(float(cost.by_frequency.sum()) for cost in components)
        if whole <= 0:
            continue
        start = total or [_Cost(0 * c.by_block, 0 * c.by_frequency) for c in components]
        total = [s.plus(c, count / whole) for s, c in zip(start, components, strict=True)]
    return total


def _weighed(
    visible: Visibility, component: int, error: Blocks, cost: _Cost, workers: Workers
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The strength and profile of a component that its costs speak for, as heavy as before.

    How much components weigh against each other stays.
    """
    formula, usual = visible.strengths[component], visible.profiles[component]
    weight = 2 * visible.error(component, error)
    whole = cost.by_frequency.sum()
    if whole <= 0 or weight <= 0:
        return formula, np.asarray(usual, np.float32)
    by_block, by_frequency = cost.by_block * (weight / whole), cost.by_frequency * (weight / whole)
    strength = formula.astype(np.float64)
    for _ in range(PASSES):
        seen = _by_frequency(error, strength, workers)
        profile = by_frequency / np.maximum(seen, np.finfo(np.float64).tiny)
        profile = np.where(seen > 0, profile, usual)
        profile = np.maximum(profile, LEAST * usual)
        expected = _gathered(_by_block(error, profile, workers))
        held = PRIOR * expected.mean()
        strength = (_gathered(by_block) + held * strength) / (expected + held)
        strength = np.maximum(strength, LEAST * formula)
    strength = formula ** (1 - TRUST) * strength**TRUST
    profile = usual ** (1 - TRUST) * profile**TRUST
    profile *= weight / float(_by_frequency(error, strength, workers) @ profile)
    return strength.astype(np.float32), profile.astype(np.float32)


def _by_frequency(
    error: Blocks, strength: NDArray[np.float64], workers: Workers
) -> NDArray[np.float64]:
    """Σ strength · error² over all blocks, ``(64,)``."""
    strength = strength.astype(np.float32)

    def run(begin: int, end: int) -> NDArray[np.float64]:
        part = error[begin:end]
        sums = np.einsum("rck,rck,rc->rk", part, part, strength[begin:end])
        return np.asarray(sums.sum(axis=0, dtype=np.float64))

    return np.asarray(np.sum(workers.stripes(len(error), run), axis=0))


def _by_block(error: Blocks, profile: NDArray[np.float64], workers: Workers) -> NDArray[np.float64]:
    """Σ profile · error² of each block."""
    sums, profile = np.empty(error.shape[:2]), profile.astype(np.float32)

    def run(begin: int, end: int) -> None:
        part = error[begin:end]
        sums[begin:end] = np.einsum("rck,rck,k->rc", part, part, profile)

    workers.stripes(len(error), run)
    return sums


def _gathered(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """A Gaussian mean over neighbouring blocks; beyond the edges lie the outermost ones again."""
    reach = int(3 * NEIGHBOURS)
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / NEIGHBOURS) ** 2)
    for axis in (0, 1):
        padding = [(0, 0), (0, 0)]
        padding[axis] = (reach, reach)
        padded, size = np.pad(blocks, padding, mode="edge"), blocks.shape[axis]
        shifted = (np.take(padded, range(k, k + size), axis) for k in range(len(kernel)))
        blocks = sum(w * each for w, each in zip(kernel / kernel.sum(), shifted, strict=True))
    return blocks
