"""Losses that hold much memory, prepared when they are looked at: whole, or band by band."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gradpress.distortion.blend import Loss
from gradpress.distortion.mse import Picture

BAND_PIXELS = 1 << 19
"""About as many at a time."""
LEAST_ROWS = 128
"""Enough for a band's edges, which are taken for those of a picture, not to matter."""


@dataclass(frozen=True)
class Unprepared:
    """A loss that keeps nothing but its reference from one look to the next."""

    reference: Picture
    """``(C, H, W)`` in [0, 255]."""
    prepare: Callable[[Picture], Loss]

    def value(self, decoded: Picture) -> float:
        """D of ``(C, H, W)`` planes in [0, 255]."""
        return self.prepare(self.reference).value(decoded)

    def value_and_gradient(self, decoded: Picture) -> tuple[float, Picture]:
        """D and ∂D/∂decoded."""
        return self.prepare(self.reference).value_and_gradient(decoded)


@dataclass(frozen=True)
class InBands:
    """D is the sum of the bands' own, each prepared when it is looked at."""

    reference: Picture
    """``(C, H, W)`` in [0, 255]."""
    prepare: Callable[[Picture], Loss]

    def value(self, decoded: Picture) -> float:
        """D of ``(C, H, W)`` planes in [0, 255]."""
        return sum(loss.value(band) for loss, band, _ in self._bands(decoded))

    def value_and_gradient(self, decoded: Picture) -> tuple[float, Picture]:
        """D and ∂D/∂decoded."""
        total, gradient = 0.0, np.empty_like(decoded)
        for loss, band, rows in self._bands(decoded):
            value, gradient[:, rows] = loss.value_and_gradient(band)
            total += value
        return total, gradient

    def _bands(self, decoded: Picture) -> Iterator[tuple[Loss, Picture, slice]]:
        for rows in bands_of(decoded):
            reference, band = (
                np.ascontiguousarray(planes[:, rows]) for planes in (self.reference, decoded)
            )
            yield self.prepare(reference), band, rows


def bands_of(picture: Picture) -> list[slice]:
    """Rows of each band; none is much smaller than the others."""
    height, width = picture.shape[1:]
    count = max(1, round(height / max(BAND_PIXELS / width, LEAST_ROWS)))
    edges = [round(height * i / count) for i in range(count + 1)]
    return [slice(begin, end) for begin, end in pairwise(edges)]
