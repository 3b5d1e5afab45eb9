"""RGB to YCbCr (JFIF 1.02, section 7), as pure functions on planes.

The way back belongs to the decoder and lives, with its adjoint, in the kernels that
``jpeg/model.py`` calls.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RGB_FROM_YCC = np.array([[1, 0, 1.402], [1, -0.344136286, -0.714136286], [1, 1.772, 0]])
"""Columns: Y, Cb - 128, Cr - 128; rows: R, G, B."""

YCC_FROM_RGB = np.array(
    [[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]]
)


def component_from_rgb(planes: NDArray[np.float32], component: int) -> NDArray[np.float32]:
    """Component 0, 1 or 2 (Y, Cb, Cr; ``(H, W)`` in [0, 255]) of ``(3, H, W)`` RGB in [0, 255]."""
    red, green, blue = YCC_FROM_RGB[component].astype(np.float32)
    out: NDArray[np.float32] = planes[0] * red
    out += planes[1] * green
    out += planes[2] * blue
    if component:
        out += np.float32(128)
    return out


def luma_of(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Luma, ``(H, W)``, of ``(C, H, W)`` planes in [0, 255]; grey ones are luma already."""
    grey: NDArray[np.float32] = planes[0]
    return grey if len(planes) == 1 else component_from_rgb(planes, 0)
