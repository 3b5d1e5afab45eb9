"""Rate–distortion optimal levels: the proximal operator of the rate.

For each component, ``argmin Σ ½ curvature (level · step - target)² + λ · bits(levels)``: the AC
levels of a block by a shortest path over (run, size) symbols, the DC levels by Viterbi's
algorithm along the scan. Both are exact for given code lengths (the DC over the three levels
nearest the target).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.jpeg.params import Levels
from gradpress.jpeg.rate import SymbolBits
from gradpress.transform import Blocks
from gradpress.workers import SERIAL, Workers, striped

Weights = NDArray[np.float32]


def quantise(
    target: Blocks,
    curvature: Weights,
    steps: Weights,
    bits: SymbolBits,
    lagrangian: float,
    order: NDArray[np.int32],
    own_blocks: tuple[int, int],
    workers: Workers = SERIAL,
) -> Levels:
    """Levels of one component; steps are ``(64,)``.

    Curvature has the target's shape, or is ``(1, 1, 64)`` and holds for all blocks.

    Blocks outside ``own_blocks`` (rows, columns) hold no sample of the picture and get the
    cheapest levels.
    """
    levels = np.zeros(target.shape, np.int16)
    same = len(curvature) == 1

    def run(begin: int, end: int) -> None:
        for price in bits.bands:
            _kernels.trellis_ac(
                target[begin:end], curvature if same else curvature[begin:end], steps,
                price.symbols, price.empty, lagrangian, price.band.first, price.band.last,
                levels[begin:end],
            )  # fmt: skip

    def along_the_scan() -> None:
        _kernels.viterbi_dc(target, curvature, float(steps[0]), bits.dc, lagrangian, order, levels)

    workers.together([along_the_scan, *striped(len(levels), run)])
    _fill_padding(levels, own_blocks)
    return levels


def _fill_padding(levels: Levels, own_blocks: tuple[int, int]) -> None:
    """Blocks beyond the picture: no AC, and the DC of the nearest block inside."""
    rows, columns = own_blocks
    for padding in (levels[:, columns:], levels[rows:]):
        padding[..., 1:] = 0
    levels[:rows, columns:, 0] = levels[:rows, columns - 1 : columns, 0]
    levels[rows:, :, 0] = levels[rows - 1 : rows, :, 0]
