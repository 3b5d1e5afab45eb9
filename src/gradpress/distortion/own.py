"""Losses of one's own, brought to the scale that the quantiser and the descent go by.

Whatever has ``prepare(reference)`` is one: plain NumPy, or PyTorch by ``gradpress.torch.loss``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, runtime_checkable

import numpy as np

from gradpress.distortion.blend import Loss
from gradpress.distortion.mse import Picture
from gradpress.errors import GradpressError, UsageError
from gradpress.jpeg import model
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.workers import SERIAL, Workers

PROBES = 2
"""Random directions that the curvature is estimated from."""
REACH = 1.0
"""Levels by which a probe moves every sample of luma to either side."""
STEP = 16.0
"""Step of all frequencies of the encoding around which the curvature is estimated: as errors at
medium quality."""


@runtime_checkable
class OwnLoss(Protocol):
    """What can be given as ``compress(loss=…)``."""

    def prepare(self, reference: Picture, /) -> Loss:
        """The loss against ``(C, H, W)`` float32 planes in [0, 255], C = 1 (grey) or 3 (RGB).

        Its ``value`` and ``value_and_gradient`` take planes of the same shape.
        """


@dataclass(frozen=True)
class Sum:
    """A sum over samples as a loss of one's own."""

    prepare: Callable[[Picture], Loss]


@dataclass(frozen=True)
class Checked:
    """A loss whose answers are what they should be; D is 0 for the reference itself."""

    loss: Loss
    offset: float = 0.0
    """The loss of the reference."""

    def value(self, decoded: Picture) -> float:
        """D of ``(C, H, W)`` planes in [0, 255]."""
        return _finite(self.loss.value(decoded)) - self.offset

    def value_and_gradient(self, decoded: Picture) -> tuple[float, Picture]:
        """D and ∂D/∂decoded."""
        value, slope = self.loss.value_and_gradient(decoded)
        gradient = np.array(slope, np.float32)
        if gradient.shape != decoded.shape:
            raise GradpressError(
                f"the loss's gradient has shape {gradient.shape}; the picture has {decoded.shape}"
            )
        if not np.isfinite(gradient).all():
            raise GradpressError(
                "the loss's gradient is not finite everywhere; a square root or a norm of "
                "what can be 0 needs a small number added to it"
            )
        return _finite(value) - self.offset, gradient


def scaled(own: OwnLoss, reference: Picture, workers: Workers = SERIAL) -> tuple[float, Loss]:
    """The loss against a reference, and the factor that makes its mean curvature 1.

    The curvature is ∂²D/∂coefficient² of luma, as in ``recipes.CURVATURES``.
    """
    loss = Checked(own.prepare(reference))
    loss = Checked(loss.loss, loss.value(reference))
    decoded = _coarse(reference, workers)
    value = loss.value(decoded)
    if value < -1e-6 * abs(loss.offset):
        raise GradpressError(
            f"the loss falls by {-value:.3g} from the original to a coarse JPEG of it: it must be "
            "less for a better picture (of a similarity s, give 1 - s)"
        )
    found = curvature(loss, decoded)
    if not found > 0:  # not convex here: what it costs per squared error has to do
        found = 2 * value / max(float(np.square(decoded - reference).mean(axis=0).sum()), 1e-9)
    if not found > 0:
        raise GradpressError("the loss does not see any difference in a coarse JPEG of the picture")
    return 1 / found, loss


def curvature(loss: Loss, decoded: Picture) -> float:
    """Mean ∂²D/∂coefficient² of luma around a picture, by Hutchinson's estimate.

    The mean does not change under an orthonormal transform: random signs on samples will do.
    """
    rng = np.random.default_rng(0)
    total = 0.0
    for _ in range(PROBES):
        signs = rng.choice(np.array([-REACH, REACH], np.float32), decoded.shape[1:])
        ahead, behind = (loss.value_and_gradient(decoded + s)[1] for s in (signs, -signs))
        total += float(np.vdot((ahead - behind).sum(axis=0, dtype=np.float64), signs))
    return total / (PROBES * 2 * REACH * REACH * (decoded.size // len(decoded)))


def imported(name: str) -> object:
    """What ``module:function`` names; the module is found on Python's path, and its code is run."""
    module, _, attribute = name.partition(":")
    try:
        found: object = import_module(module)
    except ImportError as error:
        raise UsageError(
            f"loss {name!r}: module {module!r} cannot be imported ({error}); Python looks for it "
            "in its path, to which PYTHONPATH=FOLDER adds a folder"
        ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise UsageError(f"loss {name!r}: module {module!r} has no {attribute!r}")
        found = getattr(found, part)
    return found


def own_loss(given: object) -> OwnLoss:
    """An object that is a loss as it is, or a torch function of (decoded, reference)."""
    if isinstance(given, OwnLoss) and not isinstance(given, type):
        return given
    if not callable(given):
        raise UsageError(
            f"loss {given!r} is neither known by name, nor has it prepare(reference), nor is it "
            "a function of (decoded, reference)"
        )
    from gradpress.torch import loss  # noqa: PLC0415

    return loss(given)


def _coarse(reference: Picture, workers: Workers) -> Picture:
    """The reference after plain quantisation, chroma at full size."""
    components, height, width = reference.shape
    layout = Layout(width, height, FACTORS["grey" if components == 1 else "444"])
    step = np.float32(STEP)
    levels = tuple(np.rint(c / step) * step for c in model.analyse(reference, layout, workers))
    return model.render(levels, layout, workers).decoded


def _finite(value: float) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise GradpressError(f"the loss is {number}; it must be a finite number for any picture")
    return number
