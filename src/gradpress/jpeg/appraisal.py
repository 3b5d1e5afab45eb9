"""How well errors are seen in one picture, by what they cost a loss.

The formula of ``visibility.py`` knows photographs in the mean. An error e in a coefficient where
the loss has the slope g costs about ½ g·e, a secant from the original, where there is no slope. In
the quadratic model it costs ½ weight · e². So what the errors of a plain encoding cost, summed over
a block and its neighbours, or over all blocks by frequency, says what the weights should be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gradpress.distortion.blend import Blend
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


def balanced(
    objective: PerceptualObjective, encoding: Encoding, further: Blend
) -> PerceptualObjective:
    """The objective with its loss's parts and further ones weighted so that all count alike.

    What an encoding's errors cost each part is brought to the same. All together cost what they
    did before, so that λ stays worth as much.
    """
    coefficients = dequantised(encoding.symbols, objective.workers)
    errors = tuple(c - o for c, o in zip(coefficients, objective.original, strict=True))
    shown = model.shown(encoding.symbols, objective.workers)
    every = Blend((*objective.loss.parts, *further.parts))
    costs = [
        sum(float(cost.by_frequency.sum()) for cost in by_component)
        for _, by_component in _costs(objective, coefficients, shown, errors, every, 0.0)
    ]
    parts = [(part, cost) for (_, part), cost in zip(every.parts, costs, strict=True) if cost > 0]
    if not parts:
        return objective
    seen = sum(2 * objective.visible.error(i, error) for i, error in enumerate(errors))
    own = zip(objective.loss.parts, costs, strict=False)
    before = objective.anchor * seen + sum(weight * cost for (weight, _), cost in own)
    share = max(before - ANCHOR * seen, 0.0) / len(parts)
    blend = Blend(tuple((share / cost, part) for part, cost in parts))
    return replace(objective, loss=blend, anchor=ANCHOR)


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


def appraised(
    objective: PerceptualObjective, encoding: Encoding, loss: Blend, plain: float
) -> PerceptualObjective:
    """The objective with weights as the errors of an encoding of the original cost them.

    Each part of the loss counts as much as any other, whatever its units, and squared error so
    many times as much (``plain``).
    """
    coefficients = dequantised(encoding.symbols, objective.workers)
    errors = tuple(c - o for c, o in zip(coefficients, objective.original, strict=True))
    shown = model.shown(encoding.symbols, objective.workers)
    total = _total(list(_costs(objective, coefficients, shown, errors, loss, plain)))
    if total is None:
        return objective
    strengths, profiles = [], []
    for i, cost in enumerate(total):
        strength, profile = _weighed(objective.visible, i, errors[i], cost, objective.workers)
        strengths.append(strength)
        profiles.append(profile)
    stiffness = tuple(stiffness_of(objective.layout, i, p) for i, p in enumerate(profiles))
    return replace(objective, visible=Visibility(tuple(strengths), tuple(profiles), stiffness))


def _costs(
    objective: PerceptualObjective,
    coefficients: Coefficients,
    shown: model.Picture,
    errors: Coefficients,
    loss: Blend,
    plain: float,
) -> Iterator[tuple[float, list[_Cost]]]:
    """How much it counts, and its costs by component: of each part of the loss."""
    layout, workers = objective.layout, objective.workers
    samples = model.samples_of(coefficients, layout, workers)
    for _, part in loss.parts:
        _, by_sample = part.value_and_gradient(shown)
        gradient = model.pull_back(samples, by_sample, layout, workers)
        yield 1.0, [_cost(g, e, workers) for g, e in zip(gradient, errors, strict=True)]
    if plain:
        gains = model.gain(layout)
        squares = [_cost(e * gain, e, workers) for e, gain in zip(errors, gains, strict=True)]
        yield plain, squares


def _cost(gradient: Blocks, error: Blocks, workers: Workers) -> _Cost:
    by_block = np.empty(error.shape[:2])

    def run(begin: int, end: int) -> NDArray[np.float64]:
        product = gradient[begin:end] * error[begin:end]
        by_block[begin:end] = product.sum(axis=2, dtype=np.float64)
        return np.asarray(product.sum(axis=(0, 1), dtype=np.float64))

    return _Cost(by_block, np.sum(workers.stripes(len(error), run), axis=0))


def _total(costs: list[tuple[float, list[_Cost]]]) -> list[_Cost] | None:
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
