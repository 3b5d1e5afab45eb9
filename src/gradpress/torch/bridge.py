"""Losses for :func:`gradpress.compress` made of differentiable PyTorch functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gradpress.distortion.mse import Picture
from gradpress.errors import GradpressError

Function = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class TorchLoss:
    """A function of (decoded, reference) as a loss; it can be given as ``compress(loss=…)``."""

    function: Function
    device: str = "cpu"

    def prepare(self, reference: Picture) -> PreparedTorchLoss:
        """The loss against ``(C, H, W)`` planes in [0, 255]; grey ones come as three alike."""
        return PreparedTorchLoss(self.function, _tensor(reference, self.device))


@dataclass(frozen=True)
class PreparedTorchLoss:
    """The same with its reference, ``(1, 3, H, W)`` in [0, 1]."""

    function: Function
    reference: Tensor

    def value(self, decoded: Picture) -> float:
        """D of ``(C, H, W)`` planes in [0, 255]."""
        with torch.no_grad():
            return float(self._value(_tensor(decoded, self.reference.device)))

    def value_and_gradient(self, decoded: Picture) -> tuple[float, Picture]:
        """D and ∂D/∂decoded."""
        with torch.enable_grad():
            picture = _tensor(decoded, self.reference.device).requires_grad_()
            value = self._value(picture)
            gradient = _gradient(value, picture)[0] / 255
        if len(decoded) == 1:
            gradient = gradient.sum(0, keepdim=True)
        return float(value.detach()), np.ascontiguousarray(gradient.cpu().numpy(), np.float32)

    def _value(self, picture: Tensor) -> Tensor:
        value = self.function(picture, self.reference)
        if not isinstance(value, Tensor) or value.numel() != 1:
            found = (
                f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(type(value))
            )
            raise GradpressError(f"the loss gives {found}; a tensor of one number is needed")
        return value.reshape(())


def loss(function: Function, *, device: str = "cpu") -> TorchLoss:
    """A loss of one's own: ``compress(picture, loss=gradpress.torch.loss(function))``.

    ``function(decoded, reference)`` gets ``(1, 3, H, W)`` float32 tensors in [0, 1] on ``device``
    and returns one number, less for a better picture, through which gradients flow to ``decoded``.
    Its scale does not matter. Sizes are those of the picture, or of parts of very large ones.
    """
    if not callable(function):
        raise GradpressError(f"a loss must be a function of (decoded, reference), not {function!r}")
    return TorchLoss(function, device)


def _tensor(planes: Picture, device: torch.device | str) -> Tensor:
    """``(1, 3, H, W)`` in [0, 1]."""
    picture = torch.from_numpy(np.array(planes)).to(device) / 255
    return picture.expand(3, -1, -1)[None].clone()


def _gradient(value: Tensor, picture: Tensor) -> Tensor:
    if not value.requires_grad:
        raise GradpressError(
            "no gradient flows through the loss: it must be made of differentiable torch "
            "functions of `decoded`, without detach(), item(), numpy() or no_grad()"
        )
    (gradient,) = torch.autograd.grad(value, picture, allow_unused=True)
    if gradient is None:
        raise GradpressError("the loss does not depend on `decoded`, so it has no gradient by it")
    return gradient
