"""Blocks of one encoding in the place of another's: what they add to D, and the bits they save.

Both have the same steps. What a block adds is told by D's slope on the way between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradpress.jpeg import model
from gradpress.jpeg.heat import block_bits
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import Encoding
from gradpress.jpeg.perceptual import PerceptualObjective

ByBlock = tuple[NDArray[np.float64], ...]
"""``(block_rows, block_columns)`` by component."""


@dataclass(frozen=True)
class Exchange:
    """What a second encoding's blocks do in the place of a first one's."""

    added: ByBlock
    """To D."""
    saved: ByBlock
    """Bits."""

    def ranks(self, lagrangian: float) -> ByBlock:
        """In [0, 1): first those that add nothing to D, then those that add least for a bit.

        Those that save nothing come first where J falls at λ, and else last.
        """
        prices = []
        for added, saved in zip(self.added, self.saved, strict=True):
            price = added / np.maximum(saved, 1e-3)
            price[added <= 0] = -np.inf
            price[(saved <= 0) & (added > lagrangian * saved)] = np.inf
            prices.append(price)
        order = np.argsort(np.concatenate([p.ravel() for p in prices]), kind="stable")
        ranks = np.empty(len(order))
        ranks[order] = np.arange(len(order)) / len(order)
        parts = np.split(ranks, np.cumsum([p.size for p in prices])[:-1])
        return tuple(part.reshape(p.shape) for part, p in zip(parts, prices, strict=True))

    def worthwhile(self, lagrangian: float) -> tuple[NDArray[np.bool_], ...]:
        """Where J falls, by component."""
        pairs = zip(self.added, self.saved, strict=True)
        return tuple(added < lagrangian * saved for added, saved in pairs)


def exchange(
    objective: PerceptualObjective, first: Encoding, second: Encoding, slope: Coefficients
) -> Exchange:
    """All blocks of the second in the place of the first's, by D's slope on the way between them.

    The slope is over weight, as ``evaluate`` gives it.
    """
    levels = zip(first.symbols.levels, second.symbols.levels, strict=True)
    before = block_bits(first.symbols)
    after = block_bits(second.symbols, tables_of=first.symbols)
    added, saved = [], []
    for i, (a, b) in enumerate(levels):
        move = first.symbols.steps[i] * objective.stiffness(i)
        by_block = np.einsum("rck,rck,k->rc", slope[i], b - a, move.astype(np.float32))
        added.append(np.asarray(by_block * objective.visible.strengths[i], np.float64))
        saved.append(np.asarray(before[i] - after[i], np.float64))
    return Exchange(tuple(added), tuple(saved))


def halfway(objective: PerceptualObjective, first: Encoding, second: Encoding) -> Exchange:
    """The same, by the slope in the middle."""
    steps = [np.float32(0.5) * each.astype(np.float32) for each in first.symbols.steps]
    levels = zip(first.symbols.levels, second.symbols.levels, steps, strict=True)
    middle = tuple((a + b).astype(np.float32) * step for a, b, step in levels)
    rendering = model.render(middle, objective.layout, objective.workers)
    _, slope = objective.sloped(middle, rendering.samples, rendering.decoded)
    return exchange(objective, first, second, slope)
