"""Numbers to colours: scales as palettes of 256 colours, and pictures that use them."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from gradpress.maps import Plane

Palette = NDArray[np.uint8]
"""``(256, 3)`` sRGB."""


def _ramp(*stops: str) -> Palette:
    """Colours between equally spaced stops, each ``rrggbb``."""
    colours = np.array([list(bytes.fromhex(stop)) for stop in stops], float)
    at, places = np.linspace(0, len(stops) - 1, 256), np.arange(len(stops))
    channels = [np.interp(at, places, colours[:, i]) for i in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


DARKER_LIGHTER = _ramp("053061", "2166ac", "67a9cf", "d1e5f0", "f7f7f7", "fddbc7", "ef8a62",
                       "b2182b", "67001f")  # fmt: skip
"""Blue below 0, red above: ColorBrewer's RdBu, reversed (Brewer and Harrower)."""
FEW_MANY = _ramp("000004", "280b54", "65156e", "9f2a63", "d44842", "f57d15", "fac228", "fcffa4")
"""Black to yellow, evenly in lightness: matplotlib's inferno (Smith and van der Walt, CC0)."""


@dataclass(frozen=True)
class Scale:
    """Which number gets which colour."""

    low: float
    high: float
    palette: Palette
    unit: str

    def indices(self, values: Plane) -> NDArray[np.uint8]:
        """Each value's place in the palette; what lies beyond the ends has their colours."""
        share = (values - self.low) / max(self.high - self.low, 1e-12)
        places: NDArray[np.uint8] = np.clip(np.rint(255 * share), 0, 255).astype(np.uint8)
        return places

    def png(self, values: Plane, shades: int = 256) -> bytes:
        """The values as a PNG with this palette; fewer shades make a smaller file."""
        index = self.indices(values)
        if shades < 256:
            width = 256 // shades
            index = np.minimum(index // width * width + width // 2, 255)
        picture = PIL.Image.fromarray(index)
        picture.putpalette(self.palette.tobytes())
        sink = io.BytesIO()
        picture.save(sink, "PNG", optimize=True)
        return sink.getvalue()

    def colour(self, value: float) -> str:
        """``#rrggbb`` of a value."""
        index = int(self.indices(np.array([[value]], np.float32))[0, 0])
        return f"#{self.palette[index].tobytes().hex()}"
