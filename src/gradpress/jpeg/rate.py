"""The price of levels: symbols are counted, counts become code lengths, code lengths bits.

During the descent a symbol costs its ideal length, -log₂ of its frequency. Huffman's integer
lengths are a little longer in sum, but as prices they are a step function of the counts that
holds a search where it started (see ``notes/``); what a file really takes is counted by
:mod:`gradpress.jpeg.writer`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.jpeg.params import Layout, Levels
from gradpress.workers import SERIAL, Workers

Counts = NDArray[np.int64]

UNSEEN_BITS = 16.0
"""A code is at most 16 bits long (T.81, C.2); a symbol that does not occur yet costs no more."""


@dataclass(frozen=True)
class SymbolCounts:
    """How often one component's symbols occur in a baseline scan."""

    dc: Counts
    """``(16,)`` by size of the DC difference."""
    ac: Counts
    """``(256,)`` by run × 16 + size."""


NO_SYMBOLS = SymbolCounts(np.zeros(16, np.int64), np.zeros(256, np.int64))


@dataclass(frozen=True)
class SymbolBits:
    """What one component's symbols cost, in bits, the bits of the size included."""

    dc: NDArray[np.float32]
    """``(16,)`` by size."""
    ac: NDArray[np.float32]
    """``(256,)`` by run × 16 + size."""


@dataclass(frozen=True)
class Sequence:
    """Blocks in the order of a scan."""

    component: NDArray[np.uint8]
    block: NDArray[np.int32]
    """Row-major index in the component's padded array."""


def scan_order(layout: Layout, component: int) -> NDArray[np.int32]:
    """``(MCUs, blocks of the component in one)``: block indices, interleaved (T.81, A.2.3)."""
    h, v = layout.factors[component]
    rows, columns = layout.blocks(component)
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows // v, v, columns // h, h)
    return np.ascontiguousarray(index.transpose(0, 2, 1, 3)).reshape(-1, h * v)


def interleaved(layout: Layout) -> Sequence:
    """All components' blocks, MCU by MCU, padding included."""
    orders = [scan_order(layout, i) for i in range(len(layout.factors))]
    of_mcu = np.repeat(np.arange(len(orders), dtype=np.uint8), [o.shape[1] for o in orders])
    return Sequence(np.tile(of_mcu, len(orders[0])), np.concatenate(orders, axis=1).ravel())


def raster(layout: Layout, component: int) -> Sequence:
    """One component's own blocks, row by row: a scan that is not interleaved."""
    rows, columns = layout.blocks(component)
    own_rows, own_columns = layout.own_blocks(component)
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    block = np.ascontiguousarray(index[:own_rows, :own_columns]).ravel()
    return Sequence(np.zeros(len(block), np.uint8), block)


def count(levels: Levels, order: NDArray[np.int32], workers: Workers = SERIAL) -> SymbolCounts:
    """Symbols of one component's levels in a baseline scan; ``order`` as of :func:`scan_order`."""

    def run(begin: int, end: int) -> Counts:
        counts = np.zeros(256, np.int64)
        _kernels.count_ac(levels[begin:end], counts)
        return counts

    dc = np.zeros((1, 256), np.int64)
    _kernels.count_dc([levels], np.zeros(order.size, np.uint8), order.ravel(), 0, dc)
    return SymbolCounts(dc[0, :16], np.sum(workers.stripes(len(levels), run), axis=0))


def ideal_bits(counts: SymbolCounts) -> SymbolBits:
    """Cost of each symbol under the best code for these counts."""
    return SymbolBits(
        (_ideal_lengths(counts.dc) + np.arange(16)).astype(np.float32),
        (_ideal_lengths(counts.ac) + np.arange(256) % 16).astype(np.float32),
    )


def total_bits(counts: SymbolCounts, bits: SymbolBits) -> float:
    """Bits of the component's data at the given prices."""
    return float(counts.dc @ bits.dc.astype(float) + counts.ac @ bits.ac.astype(float))


def typical_bits() -> SymbolBits:
    """Prices to start from, before anything was counted: short runs and small sizes are cheap."""
    run, size = np.divmod(np.arange(256), 16)
    ac = np.minimum(3 + size + 0.45 * run, UNSEEN_BITS) + size
    ac[0], ac[15 * 16] = 3, 9
    return SymbolBits((np.arange(16) + 3).astype(np.float32), ac.astype(np.float32))


def _ideal_lengths(counts: Counts) -> NDArray[np.float64]:
    total = max(int(counts.sum()), 1)
    unseen = min(np.log2(total + 1) + 1, UNSEEN_BITS)
    return np.where(counts > 0, -np.log2(np.maximum(counts, 1) / total), unseen)
