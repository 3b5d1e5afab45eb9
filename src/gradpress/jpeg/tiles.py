"""J as a sum over tiles of the picture, each a small picture of its own.

A step that looks at one tile costs the same for a picture of any size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from gradpress.descent import Evaluation
from gradpress.descent.tree import Tree
from gradpress.distortion.blend import Blend
from gradpress.distortion.mse import Picture
from gradpress.jpeg.latent import Latent
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.params import Layout
from gradpress.jpeg.visibility import Visibility
from gradpress.transform import Blocks

SIDE = 384
"""Pixels across and down, about: SSIMULACRA2 has all its scales, and its norms see enough."""

Window = tuple[slice, slice]
"""Rows and columns, in MCUs."""


@dataclass(frozen=True)
class Tiles:
    """The tiles of a picture; parameters are one tree by tile. Errors across borders are not seen.

    The loss of a tile is prepared when its turn comes, and forgotten.
    """

    planes: Picture
    loss: Callable[[Picture], Blend]
    """Prepares the loss of a part of the picture."""
    latent: Latent
    """Of the whole picture."""

    @property
    def count(self) -> int:
        """Number of tiles."""
        return len(self._windows)

    def part(self, params: tuple[Coefficients, ...], which: int) -> Evaluation[Tree]:
        """A tile's J; its gradient is None for all the others."""
        there: Evaluation[Tree] = self._tile(self._windows[which]).evaluate(params[which])
        before, after = (None,) * which, (None,) * (len(params) - which - 1)
        return replace(there, gradient=(*before, there.gradient, *after))

    def split(self, point: Coefficients) -> tuple[Coefficients, ...]:
        """The whole picture's parameters by tile."""
        return tuple(
            tuple(self._cut(blocks, i, window) for i, blocks in enumerate(point))
            for window in self._windows
        )

    def joined(self, params: tuple[Coefficients, ...]) -> Coefficients:
        """The same put together again."""
        whole = tuple(map(np.empty_like, self.latent.objective.original))
        for window, tile in zip(self._windows, params, strict=True):
            for i, blocks in enumerate(tile):
                whole[i][self._place(i, window)] = blocks
        return whole

    def _tile(self, window: Window) -> Latent:
        objective = self.latent.objective
        layout, visible = objective.layout, objective.visible
        down, across = (8 * factor for factor in reversed(layout.max_factors))
        rows, columns = window
        across_pixels = slice(columns.start * across, columns.stop * across)
        crop = self.planes[:, rows.start * down : rows.stop * down, across_pixels]
        strengths = tuple(self._cut(s, i, window) for i, s in enumerate(visible.strengths))
        return replace(
            self.latent,
            objective=replace(
                objective,
                layout=Layout(crop.shape[2], crop.shape[1], layout.factors),
                loss=self.loss(np.ascontiguousarray(crop)),
                visible=Visibility(strengths, visible.profiles, visible.stiffness),
                original=tuple(self._cut(o, i, window) for i, o in enumerate(objective.original)),
            ),
        )

    def _cut(self, blocks: Blocks, component: int, window: Window) -> Blocks:
        return np.ascontiguousarray(blocks[self._place(component, window)])

    def _place(self, component: int, window: Window) -> Window:
        """Block rows and columns of a component."""
        across, down = self.latent.objective.layout.factors[component]
        rows, columns = window
        return (
            slice(rows.start * down, rows.stop * down),
            slice(columns.start * across, columns.stop * across),
        )

    @property
    def _windows(self) -> list[Window]:
        layout = self.latent.objective.layout
        rows, columns = (
            _ranges(count, SIDE // (8 * factor))
            for count, factor in zip(layout.mcus, reversed(layout.max_factors), strict=True)
        )
        return [(row, column) for row in rows for column in columns]


def _ranges(count: int, length: int) -> list[slice]:
    """So many MCUs in ranges of about a length."""
    parts = max(1, round(count / length))
    edges = [i * count // parts for i in range(parts + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]
