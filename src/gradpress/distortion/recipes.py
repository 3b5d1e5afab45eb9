"""Losses that see like a person, by name: fixed blends of metrics and of the visible error.

A share is a part of the curvature by luma coefficient that the whole loss has on an ordinary
photograph: what the descent and the quantiser go by. What the shares leave is the *anchor*, the
error weighted by visual masking and frequency (``jpeg/visibility.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gradpress.distortion.blend import Blend, Loss
from gradpress.distortion.butteraugli import butteraugli_error
from gradpress.distortion.mse import Picture
from gradpress.distortion.ssim import MultiScaleStructuralError, StructuralError
from gradpress.distortion.ssimulacra2 import Ssimulacra2Error
from gradpress.jpeg.visibility import Sight
from gradpress.workers import SERIAL, Workers


@dataclass(frozen=True)
class Recipe:
    """Shares of a perceptual loss, 0…1, at most 1 together."""

    ssimulacra2: float = 0.0
    ms_ssim: float = 0.0
    ssim: float = 0.0
    butteraugli: float = 0.0
    sight: Sight = field(default_factory=Sight)
    """What the anchor and the quantiser go by."""

    @property
    def anchor(self) -> float:
        """What is left: the share of the visible error."""
        return 1 - self.ssimulacra2 - self.ms_ssim - self.ssim - self.butteraugli

    def blend(self, reference: Picture, workers: Workers = SERIAL) -> Blend:
        """Prepare the losses for ``(C, H, W)`` planes in [0, 255], each brought to its share."""
        parts: list[tuple[float, Loss]] = []
        if self.ssimulacra2:
            loss: Loss = Ssimulacra2Error.of(reference, workers)
            parts.append((2 * self.ssimulacra2 / CURVATURES.ssimulacra2, loss))
        if self.ms_ssim:
            loss = MultiScaleStructuralError.of(reference, workers)
            parts.append((2 * self.ms_ssim / CURVATURES.ms_ssim, loss))
        if self.ssim:
            loss = StructuralError.of(reference, workers)
            parts.append((2 * self.ssim / CURVATURES.ssim, loss))
        if self.butteraugli:
            loss = butteraugli_error(reference, workers)
            parts.append((2 * self.butteraugli / CURVATURES.butteraugli, loss))
        return Blend(tuple(parts))


CURVATURES = Recipe(ssimulacra2=0.2, ms_ssim=0.0012, ssim=0.0012, butteraugli=0.07)
"""Mean ∂²D/∂coefficient² of luma, D = pixels × error, on photographs at medium quality."""

PERCEPTUAL = Recipe(ssimulacra2=0.9)
"""The default."""

THOROUGH = Recipe(ssimulacra2=0.75, butteraugli=0.1)
"""The default's sequel for much effort: every metric gains, at several times the price."""

RECIPES = {
    "perceptual": PERCEPTUAL,
    "ssimulacra2": Recipe(
        ssimulacra2=0.9, sight=Sight(detail=0.95, chroma_detail=0.85, chroma=0.6)
    ),
    "ms-ssim": Recipe(ms_ssim=0.97, sight=Sight(masking=1.5, chroma=0.06)),
    "ssim": Recipe(ssim=0.97, sight=Sight(masking=1.5, chroma=0.06)),
    "butteraugli": Recipe(butteraugli=0.6),
}
