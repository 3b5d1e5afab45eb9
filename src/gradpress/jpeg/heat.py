"""Where the bits of a file go: block by block, and as a map over the picture.

A progressive file codes many blocks with one symbol, and a coefficient in several passes: no bit of
it belongs to one block. So blocks are charged what one baseline scan with its own optimal tables
takes for them, which is exact for baseline files; a map is scaled to what the file really takes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.jpeg.params import Layout, Levels, Symbols
from gradpress.jpeg.rate import scan_order
from gradpress.jpeg.scans import Coder
from gradpress.jpeg.scripts import baseline_script

BlockBits = NDArray[np.float32]
"""``(block rows, block columns)``."""

_Sizes = NDArray[np.uint8]
"""``(256,)`` bits of each symbol's word."""


def block_bits(symbols: Symbols) -> tuple[BlockBits, ...]:
    """Bits of each component's blocks, padding included, in one baseline scan.

    Their sum is ``writer.baseline_bits`` exactly.
    """
    (scan,) = baseline_script(Coder(symbols))
    return tuple(
        _dc_bits(symbols, i, dc.table.sizes) + _ac_bits(symbols.levels[i], ac.table.sizes)
        for i, (dc, ac) in enumerate(zip(scan.dc, scan.ac, strict=True))
    )


def bits_map(symbols: Symbols, total: float | None = None) -> BlockBits:
    """``(rows, columns)`` bits of each 8×8 pixels of the picture, all components together.

    What a subsampled component's block takes is shared out over the pixels that it covers.
    ``total`` is what the bits are scaled to; None leaves those of a baseline scan.
    """
    layout = symbols.layout
    rows, columns = -(-layout.height // 8), -(-layout.width // 8)
    blocks = block_bits(symbols)
    whole = np.sum([_spread(b, layout, i) for i, b in enumerate(blocks)], axis=0)
    spread: BlockBits = whole[:rows, :columns].astype(np.float32)
    return spread if total is None else spread * np.float32(total / max(spread.sum(), 1))


def _spread(bits: BlockBits, layout: Layout, component: int) -> BlockBits:
    across, down = layout.ratio(component)
    return np.repeat(np.repeat(bits, down, axis=0), across, axis=1) / np.float32(across * down)


def _dc_bits(symbols: Symbols, component: int, sizes: _Sizes) -> BlockBits:
    order = scan_order(symbols.layout, component).ravel()
    levels = symbols.levels[component]
    size = _bit_lengths(np.diff(levels.reshape(-1, 64)[order, 0].astype(np.int32), prepend=0))
    bits = np.empty(len(order), np.float32)
    bits[order] = sizes[size] + size
    return bits.reshape(levels.shape[:2])


def _ac_bits(levels: Levels, sizes: _Sizes) -> BlockBits:
    bits = np.empty(levels.shape[:2], np.float32)
    _kernels.ac_block_bits(levels, sizes, bits)
    return bits


def _bit_lengths(values: NDArray[np.integer]) -> NDArray[np.intp]:
    """Bits of each magnitude, the size of its symbol."""
    lengths: NDArray[np.intp] = np.frexp(np.abs(values.astype(np.float64)))[1].astype(np.intp)
    return lengths
