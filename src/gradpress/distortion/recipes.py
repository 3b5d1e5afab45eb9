"""Losses that see like a person, by name: fixed blends of metrics and of the visible error.

A share is a part of the curvature by luma coefficient that the whole loss has on an ordinary
photograph: what the descent and the quantiser go by. What the shares leave is the *anchor*, the
error weighted by visual masking and frequency (``jpeg/visibility.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from gradpress.distortion.blend import NOTHING, Blend, Loss
from gradpress.distortion.butteraugli import butteraugli_error
from gradpress.distortion.in_bands import InBands, Unprepared, bands_of
from gradpress.distortion.mse import LumaError, Picture
from gradpress.distortion.own import OwnLoss, scaled
from gradpress.distortion.ssim import MultiScaleStructuralError, StructuralError
from gradpress.distortion.ssimulacra2 import KEPT_PIXELS, Ssimulacra2Error
from gradpress.jpeg.visibility import Sight
from gradpress.workers import SERIAL, Workers

DEAR = 0.5
"""How much Butteraugli counts where all of a descent looks at it (``notes/``)."""


@dataclass(frozen=True)
class Recipe:
    """Shares of a perceptual loss, 0…1, at most 1 together."""

    ssimulacra2: float = 0.0
    ms_ssim: float = 0.0
    ssim: float = 0.0
    butteraugli: float = 0.0
    brought: float = 0.0
    own: OwnLoss | None = None
    """A loss that the user brought, where there is a share for it."""
    sight: Sight = field(default_factory=Sight)
    """What the anchor and the quantiser start from."""
    opening: float = 0.0
    """Share of Butteraugli in the first steps' slopes: it costs more than all the rest."""
    plain: float = 0.0
    """How much squared error counts for the weights, as a multiple of a part of the blend."""

    @property
    def anchor(self) -> float:
        """What is left: the share of the visible error."""
        named = self.ssimulacra2 + self.ms_ssim + self.ssim + self.butteraugli
        return 1 - named - self.brought

    def blend(self, reference: Picture, workers: Workers = SERIAL) -> Blend:
        """Prepare the losses for ``(C, H, W)`` planes in [0, 255], each brought to its share."""
        parts: list[tuple[float, Loss]] = []
        if self.ssimulacra2:
            loss: Loss = Ssimulacra2Error.of(reference, workers)
            parts.append((2 * self.ssimulacra2 / CURVATURES.ssimulacra2, loss))
        if self.ms_ssim:
            prepare = partial(MultiScaleStructuralError.of, workers=workers)
            large = reference[0].size > KEPT_PIXELS
            loss = Unprepared(reference, prepare) if large else prepare(reference)
            parts.append((2 * self.ms_ssim / CURVATURES.ms_ssim, loss))
        if self.ssim:
            loss = StructuralError.of(reference, workers)
            parts.append((2 * self.ssim / CURVATURES.ssim, loss))
        if self.butteraugli:
            loss = butteraugli_error(reference, workers)
            parts.append((2 * self.butteraugli / CURVATURES.butteraugli, loss))
        if self.own is not None:
            factor, loss = scaled(self.own, reference, workers)
            parts.append((2 * self.brought * factor, loss))
        return Blend(tuple(parts))

    def judges(self, reference: Picture, workers: Workers = SERIAL, *, dear: bool) -> Blend:
        """Prepare what the default loss also holds: luma's error, and what is dear if wanted.

        The weights say how much they count beside a part of the blend.
        """
        if not self.opening:
            return NOTHING
        further = self.opened(reference, workers).parts if dear else ()
        luma = (1.0, LumaError(reference, workers))
        return Blend((luma, *((DEAR, part) for _, part in further)))

    def opened(self, reference: Picture, workers: Workers = SERIAL) -> Blend:
        """Prepare what is added to the blend in the first steps; nothing is left of it later."""
        if not self.opening:
            return NOTHING
        loss: Loss = InBands(reference, partial(butteraugli_error, workers=workers))
        if len(bands_of(reference)) == 1:
            loss = butteraugli_error(reference, workers)
        return Blend(((2 * self.opening / CURVATURES.butteraugli, loss),))


CURVATURES = Recipe(ssimulacra2=0.2, ms_ssim=0.0012, ssim=0.0012, butteraugli=0.07)
"""Mean ∂²D/∂coefficient² of luma, D = pixels × error, on photographs at medium quality."""

PERCEPTUAL = Recipe(
    ssimulacra2=0.4,
    ms_ssim=0.25,
    opening=0.6,
    plain=0.75,
)
"""The default."""

RECIPES = {
    "perceptual": PERCEPTUAL,
    "ssimulacra2": Recipe(
        ssimulacra2=0.9,
        plain=0.15,
        sight=Sight(masking=0.45, detail=0.95, chroma_detail=0.85, chroma=0.7),
    ),
    "ms-ssim": Recipe(ms_ssim=0.97, plain=0.3, sight=Sight(masking=1.0, chroma=0.1)),
    "ssim": Recipe(ssim=0.97, plain=0.3, sight=Sight(masking=1.0, chroma=0.1)),
    "butteraugli": Recipe(butteraugli=0.3, plain=0.3),
}


def recipe_of_own(own: OwnLoss) -> Recipe:
    """A loss that the user brought, held by the visible error."""
    return Recipe(brought=0.9, own=own)


def recipe_of_sum(own: OwnLoss) -> Recipe:
    """A sum over samples, for what only perceptual losses are descended on with."""
    return Recipe(
        brought=0.97, own=own, sight=Sight(masking=0.0, detail=0.0, chroma_detail=0.0, chroma=0.95)
    )
