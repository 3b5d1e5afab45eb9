"""A weighted sum of losses of the decoded picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gradpress.distortion.mse import Picture


class Loss(Protocol):
    """What a blend is made of: prepared for a reference; D is 0 for the reference itself."""

    def value(self, decoded: Picture, /) -> float:
        """D of ``(C, H, W)`` planes in [0, 255]."""

    def value_and_gradient(self, decoded: Picture, /) -> tuple[float, Picture]:
        """D and ∂D/∂decoded."""


@dataclass(frozen=True)
class Blend:
    """D = Σ weight · D of each part."""

    parts: tuple[tuple[float, Loss], ...]

    def value(self, decoded: Picture) -> float:
        """D of ``(C, H, W)`` planes in [0, 255]."""
        return sum(weight * loss.value(decoded) for weight, loss in self.parts)

    def value_and_gradient(self, decoded: Picture) -> tuple[float, Picture]:
        """D and ∂D/∂decoded."""
        values, gradient = self.values_and_gradient(decoded)
        return sum(values), gradient

    def values_and_gradient(self, decoded: Picture) -> tuple[tuple[float, ...], Picture]:
        """What D is the sum of, and ∂D/∂decoded."""
        values, gradient = [], None
        for weight, loss in self.parts:
            value, slope = loss.value_and_gradient(decoded)
            values.append(weight * value)
            slope *= np.float32(weight)
            gradient = slope if gradient is None else np.add(gradient, slope, out=gradient)
        return tuple(values), np.zeros_like(decoded) if gradient is None else gradient


NOTHING = Blend(())
"""D is 0."""
