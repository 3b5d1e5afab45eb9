"""Whole numbers with gradients: what is rounded passes a gradient on as if it were not.

Whole numbers are kept in float64, where those of a JPEG codec are exact, matrix products and all,
on any device.
"""

from __future__ import annotations

import torch
from torch import Tensor


def straight_through(value: Tensor, like: Tensor) -> Tensor:
    """Exactly ``value``, with the gradient of ``like``."""
    return value + (like - like.detach()) if like.requires_grad else value


def floored(x: Tensor) -> Tensor:
    """The whole number at or below."""
    return straight_through(torch.floor(x.detach()), x)


def rounded(x: Tensor) -> Tensor:
    """The nearest whole number, of two the even one."""
    return straight_through(torch.round(x.detach()), x)


def quantised(scaled: Tensor, *, cubic: bool) -> Tensor:
    """The nearest whole number, of two the one farther from 0, as libjpeg quantises.

    The gradient is 1; or ``cubic``, that of round(x) + (x - round(x))³, which is 0 at whole
    numbers and ¾ half-way between (Shin and Song, "JPEG-resistant adversarial images", 2017).
    """
    exact = scaled.detach()
    level = torch.copysign(torch.floor(exact.abs() + 0.5), exact)
    return straight_through(level, (scaled - level) ** 3 if cubic else scaled)
