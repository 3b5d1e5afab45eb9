"""The price of levels: symbols are counted, counts become code lengths, code lengths bits.

During the descent a symbol costs its ideal length, -log₂ of its frequency. Huffman's integer
lengths are a little longer in sum, but as prices they are a step function of the counts that
holds a search where it started (see ``notes/``); what a file really takes is counted by
:mod:`gradpress.jpeg.writer`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.jpeg.params import Layout, Levels
from gradpress.workers import SERIAL, Workers, striped

Counts = NDArray[np.int64]

_Counted = tuple[Counts, int, int]
"""Symbols, empty and ended blocks of a stripe, as in :class:`BandCounts`."""

TABLE_BITS = 400.0
"""About what a further scan with its table costs."""

UNSEEN_BITS = 16.0
"""A code is at most 16 bits long (T.81, C.2); a symbol that does not occur yet costs no more."""


@dataclass(frozen=True)
class Band:
    """AC coefficients that share a table, and how their end is coded."""

    first: int
    last: int
    runs: bool
    """Whether blocks that end together are coded as a run, as progressive files do."""


Bands = tuple[Band, ...]

SEQUENTIAL: Bands = (Band(1, 63, False),)
"""As a baseline file codes AC, and about what files with successive approximation cost."""
PROGRESSIVE: tuple[Bands, ...] = (
    (Band(1, 63, True),),
    (Band(1, 2, True), Band(3, 63, True)),
    (Band(1, 8, True), Band(9, 63, True)),
)
"""As progressive files without successive approximation code it."""


@dataclass(frozen=True)
class BandCounts:
    """How often a band's symbols occur."""

    band: Band
    symbols: Counts
    """``(256,)`` by run × 16 + size; size 0 and a run below 15 is an end (of a run of blocks)."""
    empty: int
    """Blocks without a nonzero level in the band; counted where ends come in runs."""
    ended: int
    """Other blocks that end before the band does."""


@dataclass(frozen=True)
class SymbolCounts:
    """How often one component's symbols occur."""

    dc: Counts
    """``(16,)`` by size of the DC difference."""
    bands: tuple[BandCounts, ...]


@dataclass(frozen=True)
class BandBits:
    """What a band's symbols cost, in bits, the bits of the size included."""

    band: Band
    symbols: NDArray[np.float32]
    """``(256,)``; the first is the end of a block after a nonzero level."""
    empty: float
    """A block without one."""


@dataclass(frozen=True)
class SymbolBits:
    """What one component's symbols cost, in bits, the bits of the size included."""

    dc: NDArray[np.float32]
    """``(16,)`` by size."""
    bands: tuple[BandBits, ...]

    @property
    def layout(self) -> Bands:
        """The bands that these prices are for."""
        return tuple(bits.band for bits in self.bands)


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


def count(
    levels: Levels,
    order: NDArray[np.int32],
    own_blocks: tuple[int, int],
    bands: Bands = SEQUENTIAL,
    workers: Workers = SERIAL,
) -> SymbolCounts:
    """Symbols of one component's levels; ``order`` as of :func:`scan_order`.

    Stripe by stripe: a run of ends is cut where a stripe ends, which hardly matters.
    """
    rows, columns = own_blocks
    dc = np.zeros((1, 256), np.int64)

    def along_the_scan() -> _Counted:
        _kernels.count_dc([levels], np.zeros(order.size, np.uint8), order.ravel(), 0, dc)
        return dc[0], 0, 0

    def run(band: Band, begin: int, end: int) -> _Counted:
        symbols = np.zeros(256, np.int64)
        if not band.runs:
            _kernels.count_ac(levels[begin:end], symbols)
            return symbols, 0, 0
        own = levels[begin : min(end, rows)]
        return symbols, *_kernels.count_band(own, columns, band.first, band.last, symbols)

    stripes = [striped(len(levels), partial(run, band)) for band in bands]
    _, *found = workers.together([along_the_scan, *chain.from_iterable(stripes)])
    counted = (found[i * len(stripes[0]) : (i + 1) * len(stripes[0])] for i in range(len(bands)))
    return SymbolCounts(dc[0, :16], tuple(map(_summed, bands, counted)))


def _summed(band: Band, stripes: list[_Counted]) -> BandCounts:
    symbols = np.sum([stripe[0] for stripe in stripes], axis=0)
    return BandCounts(band, symbols, sum(s[1] for s in stripes), sum(s[2] for s in stripes))


def ideal_bits(counts: SymbolCounts) -> SymbolBits:
    """Cost of each symbol under the best code for these counts."""
    dc = (_ideal_lengths(counts.dc) + np.arange(16)).astype(np.float32)
    return SymbolBits(dc, tuple(map(_band_bits, counts.bands)))


def _band_bits(counts: BandCounts) -> BandBits:
    """Runs of ends are shared out: a block that ends after a level pays for starting a run.

    What the runs cost beyond that is paid by the empty blocks in them.
    """
    bits = _ideal_lengths(counts.symbols) + np.arange(256) % 16
    if not counts.band.runs:
        return BandBits(counts.band, bits.astype(np.float32), float(bits[0]))
    spent = float(counts.symbols[_ENDS] @ (bits[_ENDS] + np.arange(len(_ENDS))))
    bits[0] = min(bits[0], MOST_END_BITS)
    empty = (spent - counts.ended * bits[0]) / max(counts.empty, 1)
    return BandBits(counts.band, bits.astype(np.float32), max(float(empty), LEAST_EMPTY_BITS))


_ENDS = 16 * np.arange(15)
MOST_END_BITS = 6.0
LEAST_EMPTY_BITS = 0.02
"""Bounds on what an end may cost where few or none were seen."""


def total_bits(counts: SymbolCounts) -> float:
    """Bits of the component's data under the best codes for these counts."""
    total = float(counts.dc @ (_ideal_lengths(counts.dc) + np.arange(16)))
    for band in counts.bands:
        symbols = _ideal_lengths(band.symbols) + np.arange(256) % 16
        if band.band.runs:
            symbols[_ENDS] += np.arange(len(_ENDS))
        total += float(band.symbols @ symbols)
    return total


def typical_bits() -> SymbolBits:
    """Prices to start from, before anything was counted: short runs and small sizes are cheap."""
    run, size = np.divmod(np.arange(256), 16)
    ac = np.minimum(3 + size + 0.45 * run, UNSEEN_BITS) + size
    ac[0], ac[15 * 16] = 3, 9
    band = BandBits(SEQUENTIAL[0], ac.astype(np.float32), 3.0)
    return SymbolBits((np.arange(16) + 3).astype(np.float32), (band,))


def _ideal_lengths(counts: Counts) -> NDArray[np.float64]:
    total = max(int(counts.sum()), 1)
    unseen = min(np.log2(total + 1) + 1, UNSEEN_BITS)
    return np.where(counts > 0, -np.log2(np.maximum(counts, 1) / total), unseen)


def cheapest_bits(
    levels: Levels, layout: Layout, component: int, scale: float, workers: Workers = SERIAL
) -> SymbolBits:
    """Prices by the bands in which a component's levels take the fewest bits.

    ``scale`` is how many times larger the whole file is than what the levels stand for: tables
    are paid for once.
    """
    order, own = scan_order(layout, component), layout.own_blocks(component)
    counts = [count(levels, order, own, bands, workers) for bands in (SEQUENTIAL, *PROGRESSIVE)]
    return ideal_bits(min(counts, key=lambda c: scale * total_bits(c) + TABLE_BITS * len(c.bands)))
