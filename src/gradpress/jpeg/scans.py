"""Scans, what they cost, and the search for the script of scans that costs least.

In a progressive file each component's AC coefficients may be cut into bands, and each band into
passes of falling bit position. What a scan costs with a table of its own does not depend on the
others, so the script is put together from the cheapest parts, counted exactly; then scans with
similar statistics share tables. What was tried and what it gains is in ``notes/writer.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.jpeg.huffman import (
    Counts,
    HuffmanTable,
    header_bytes,
    optimal_table,
    share_tables,
)
from gradpress.jpeg.params import Layout, Levels, Quantised
from gradpress.jpeg.rate import Sequence as BlockSequence
from gradpress.jpeg.rate import interleaved, raster

SEARCH_ROWS, SEARCH_BLOCKS = 16, 3072
"""A script is chosen on some MCU rows of a large picture: at least so many of them, and at least
so many blocks of the first component."""

CUTS = (1, 2, 3, 5, 8, 12, 18)
"""Zigzag positions after which a band may be cut in two."""

MAX_LOW = 3
"""Deepest bit position that a first pass may leave to refinements."""

MCU_BLOCKS = 10
"""Blocks that an interleaved MCU may have (T.81, B.2.3)."""

BASELINE_SLOTS, PROGRESSIVE_SLOTS = 2, 4
"""Tables of each class that a decoder holds at a time (T.81, B.2.4.2)."""


@dataclass(frozen=True)
class Scan:
    """One scan: which coefficients of which components, and which of their bits (T.81, B.2.3)."""

    components: tuple[int, ...]
    begin: int
    end: int
    """First and last coefficient (Ss, Se), zigzag positions."""
    high: int = 0
    """Ah: the bit position the pass before went down to; 0 for a first pass."""
    low: int = 0
    """Al: the bit position this pass goes down to."""

    @property
    def header_bytes(self) -> int:
        """Of its SOS segment."""
        return 8 + 2 * len(self.components)


@dataclass(frozen=True)
class CountedScan:
    """A scan's symbols, counted by component."""

    scan: Scan
    dc: tuple[Counts, ...]
    """Of each component, if the scan codes DC differences."""
    ac: tuple[Counts, ...]
    """Of each component, if the scan codes AC levels."""
    raw_bits: int
    """Bits that follow symbols uncoded."""


@dataclass(frozen=True)
class Slot:
    """A table where a decoder holds it."""

    ac: bool
    index: int
    table: HuffmanTable


@dataclass(frozen=True)
class CodedScan:
    """A scan with its tables and its cost."""

    scan: Scan
    dc: tuple[Slot, ...]
    """Of each component, if the scan codes DC differences."""
    ac: tuple[Slot, ...]
    """Of each component, if the scan codes AC levels."""
    new: tuple[Slot, ...]
    """Tables that the file defines before this scan."""
    bits: int
    """Entropy-coded data, before byte stuffing and the padding of the last byte."""

    @property
    def total_bits(self) -> int:
        """Data, padding (half a byte in the mean) and the DHT and SOS segments."""
        tables = [17 + int(np.count_nonzero(slot.table.sizes)) for slot in self.new]
        dht = 4 + sum(tables) if tables else 0
        return self.bits + 4 + 8 * (dht + self.scan.header_bytes)


class Coder:
    """Counts and writes the scans of one picture; remembers what it has counted."""

    def __init__(self, symbols: Quantised) -> None:
        self.symbols = symbols
        self._sparse: dict[int, _kernels.SparseLevels] = {}
        self._counted: dict[Scan, CountedScan] = {}

    def count(self, scan: Scan) -> CountedScan:
        """Count the scan's symbols."""
        if scan not in self._counted:
            self._counted[scan] = self._band(scan) if scan.begin else self._blocks(scan)
        return self._counted[scan]

    def write(self, coded: CodedScan) -> bytes:
        """Write the scan's entropy-coded data, stuffed and padded."""
        scan = coded.scan
        data: bytes
        if scan.begin:
            table = coded.ac[0].table
            data = self._sparse_levels(scan.components[0]).write(
                scan.begin, scan.end, scan.low, scan.high > 0, table.words(), table.sizes
            )
            return data
        levels, order = self._levels(scan), self._order(scan)
        where = (levels, order.component, order.block)
        if scan.end:
            data = _kernels.write_baseline(*where, *_codes(coded.dc), *_codes(coded.ac))
        elif scan.high:
            data = _kernels.write_dc_refinement(*where, scan.low)
        else:
            data = _kernels.write_dc(*where, scan.low, *_codes(coded.dc))
        return data

    def _band(self, scan: Scan) -> CountedScan:
        counts = np.zeros(256, np.int64)
        raw_bits = self._sparse_levels(scan.components[0]).count(
            scan.begin, scan.end, scan.low, scan.high > 0, counts
        )
        return CountedScan(scan, (), (counts,), raw_bits)

    def _blocks(self, scan: Scan) -> CountedScan:
        order = self._order(scan)
        if scan.high:
            return CountedScan(scan, (), (), len(order.block))
        levels = self._levels(scan)
        dc = np.zeros((len(levels), 256), np.int64)
        _kernels.count_dc(levels, order.component, order.block, scan.low, dc)
        ac = np.zeros((len(levels) if scan.end else 0, 256), np.int64)
        for counts, component in zip(ac, scan.components, strict=False):
            _kernels.count_ac(self._coded_levels(scan, component), counts)
        sizes = np.arange(256) % 16
        return CountedScan(scan, tuple(dc), tuple(ac), int(dc.sum(0) @ sizes + ac.sum(0) @ sizes))

    def _levels(self, scan: Scan) -> list[Levels]:
        return [self.symbols.levels[i] for i in scan.components]

    def _coded_levels(self, scan: Scan, component: int) -> Levels:
        """Of the blocks that the scan codes: padding only where components are interleaved."""
        levels = self.symbols.levels[component]
        if len(scan.components) > 1:
            return levels
        rows, columns = self.symbols.layout.own_blocks(component)
        return np.ascontiguousarray(levels[:rows, :columns])

    def _order(self, scan: Scan) -> BlockSequence:
        layout = self.symbols.layout
        if len(scan.components) == 1:
            return raster(layout, scan.components[0])
        return interleaved(layout)

    def _sparse_levels(self, component: int) -> _kernels.SparseLevels:
        if component not in self._sparse:
            self._sparse[component] = _kernels.SparseLevels(
                self.symbols.levels[component], *self.symbols.layout.own_blocks(component)
            )
        return self._sparse[component]


def _codes(slots: Iterable[Slot]) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    tables = [slot.table for slot in slots]
    return np.stack([table.words() for table in tables]), np.stack([t.sizes for t in tables])


def script_bits(script: Sequence[CodedScan]) -> int:
    """Bits of the scans and their headers, before byte stuffing."""
    return sum(coded.total_bits for coded in script)


def baseline_script(coder: Coder) -> tuple[CodedScan, ...]:
    """One interleaved scan, where it may be; components with similar statistics share tables."""
    counted = [coder.count(Scan(group, 0, 63)) for group in _together(coder) or _apart(coder)]
    dc = _fill_slots(False, [c for scan in counted for c in scan.dc], BASELINE_SLOTS)
    ac = _fill_slots(True, [c for scan in counted for c in scan.ac], BASELINE_SLOTS)
    places = _places(counted)
    new = [_distinct(dc + ac), *((),) * (len(counted) - 1)]
    parts = zip(counted, places, new, strict=True)
    return tuple(_coded(scan, dc[place], ac[place], own) for scan, place, own in parts)


def progressive_script(coder: Coder) -> tuple[CodedScan, ...]:
    """Find the cheapest script: DC first, then AC bands, then their refinements bit by bit."""
    prices = _Prices(*_thinned(coder.symbols))
    bands = [b for i in _everything(coder) for b in _best_bands(prices, i, 1, 63)]
    firsts = [band.passes[0] for band in bands]
    refinements = [scan for band in bands for scan in band.passes[1:]]
    stages = [firsts] + [
        [scan for scan in refinements if scan.low == low] for low in reversed(range(MAX_LOW))
    ]
    groups = [group for stage in stages for group in _by_table(coder, stage)]
    dc = min((_dc_scans(coder, *way) for way in _dc_ways(coder)), key=script_bits)
    return _with_ac(dc, groups)


class _Rows(NamedTuple):
    """Some rows of a picture."""

    layout: Layout
    levels: tuple[Levels, ...]


class _Prices:
    """What scans cost with tables of their own; remembers what it has been asked."""

    def __init__(self, symbols: Quantised, share: int) -> None:
        """``symbols`` are one part in ``share`` of the picture."""
        self._coder = Coder(symbols)
        self._share = share
        self._known: dict[Scan, int] = {}

    def bits(self, scan: Scan) -> int:
        """Bits of data and headers; of an AC scan."""
        if scan not in self._known:
            counted = self._coder.count(scan)
            counts = counted.ac[0]
            data = counted.raw_bits + optimal_table(counts).cost(counts)
            headers = header_bytes(counts) + scan.header_bytes
            self._known[scan] = self._share * data + 4 + 8 * headers
        return self._known[scan]


def _thinned(symbols: Quantised) -> tuple[Quantised, int]:
    """Every n-th MCU row of a large picture, and n."""
    layout = symbols.layout
    rows, factor = layout.mcus[0], layout.max_factors[1]
    blocks = int(np.prod(layout.blocks(0)))
    share = max(1, min(rows // SEARCH_ROWS, blocks // SEARCH_BLOCKS))
    if share == 1:
        return symbols, 1
    whole = layout.height // (8 * factor)  # the last row may hold padding
    levels = [
        np.ascontiguousarray(level.reshape(rows, -1, *level.shape[1:])[:whole:share])
        for level in symbols.levels
    ]
    kept = Layout(layout.width, 8 * factor * len(levels[0]), layout.factors)
    merged = tuple(level.reshape(-1, *level.shape[2:]) for level in levels)
    return _Rows(kept, merged), share


@dataclass(frozen=True)
class _Band:
    """A band of one component with its passes, the first and then refinements."""

    passes: tuple[Scan, ...]
    bits: int


def _everything(coder: Coder) -> tuple[int, ...]:
    return tuple(range(len(coder.symbols.levels)))


def _together(coder: Coder) -> list[tuple[int, ...]]:
    """All components as one interleaved scan takes them; nothing where none may."""
    everything = _everything(coder)
    blocks = sum(h * v for h, v in coder.symbols.layout.factors)
    return [everything] if len(everything) > 1 and blocks <= MCU_BLOCKS else []


def _apart(coder: Coder) -> list[tuple[int, ...]]:
    return [(component,) for component in _everything(coder)]


def _places(counted: Sequence[CountedScan]) -> list[slice]:
    """Where each scan's components stand in the row of all scans' components."""
    sizes = [len(scan.scan.components) for scan in counted]
    return [slice(end - n, end) for n, end in zip(sizes, accumulate(sizes), strict=True)]


def _coded(
    counted: CountedScan, dc: tuple[Slot, ...], ac: tuple[Slot, ...], new: tuple[Slot, ...]
) -> CodedScan:
    pairs = zip(dc + ac, counted.dc + counted.ac, strict=True)
    bits = counted.raw_bits + sum(slot.table.cost(counts) for slot, counts in pairs)
    return CodedScan(counted.scan, dc, ac, new, bits)


def _fill_slots(ac: bool, counts: Sequence[Counts], most: int) -> tuple[Slot, ...]:
    """Slots by counts: as few tables as pay."""
    slots: dict[int, Slot] = {}
    for index, group in enumerate(share_tables(counts, most)):
        slot = Slot(ac, index, optimal_table(np.sum([counts[i] for i in group], axis=0)))
        slots |= dict.fromkeys(group, slot)
    return tuple(slots[i] for i in range(len(counts)))


def _distinct(slots: Iterable[Slot]) -> tuple[Slot, ...]:
    return tuple({(slot.ac, slot.index): slot for slot in slots}.values())


def _best_bands(prices: _Prices, component: int, begin: int, end: int) -> tuple[_Band, ...]:
    """The band whole, or cut where that saves most and its parts cut again."""
    whole = _best_depth(prices, component, begin, end)
    best, bits = None, whole.bits
    for cut in (cut for cut in CUTS if begin <= cut < end):
        parts = [_best_depth(prices, component, *edges) for edges in ((begin, cut), (cut + 1, end))]
        if sum(part.bits for part in parts) < bits:
            best, bits = cut, sum(part.bits for part in parts)
    if best is None:
        return (whole,)
    low, high = (begin, best), (best + 1, end)
    return (*_best_bands(prices, component, *low), *_best_bands(prices, component, *high))


def _best_depth(prices: _Prices, component: int, begin: int, end: int) -> _Band:
    """The band in one pass, or with more and more bits left to refinements while that pays."""
    best = _passes(prices, component, begin, end, 0)
    for low in range(1, MAX_LOW + 1):
        deeper = _passes(prices, component, begin, end, low)
        if deeper.bits >= best.bits:
            break
        best = deeper
    return best


def _passes(prices: _Prices, component: int, begin: int, end: int, low: int) -> _Band:
    first = Scan((component,), begin, end, 0, low)
    refinements = (Scan((component,), begin, end, bit + 1, bit) for bit in reversed(range(low)))
    passes = (first, *refinements)
    return _Band(passes, sum(map(prices.bits, passes)))


def _dc_ways(coder: Coder) -> list[tuple[list[tuple[int, ...]], int]]:
    """All components in one scan or each in its own; in one pass or two."""
    ways = filter(None, (_together(coder), _apart(coder)))
    return [(components, low) for components in ways for low in (0, 1)]


def _dc_scans(coder: Coder, components: list[tuple[int, ...]], low: int) -> tuple[CodedScan, ...]:
    """DC in a first pass down to ``low`` and refinements; the first scan brings all tables."""
    firsts = [coder.count(Scan(group, 0, 0, 0, low)) for group in components]
    slots = _fill_slots(False, [c for scan in firsts for c in scan.dc], PROGRESSIVE_SLOTS)
    coded = [
        _coded(counted, slots[place], (), () if number else _distinct(slots))
        for number, (counted, place) in enumerate(zip(firsts, _places(firsts), strict=True))
    ]
    refinements = [
        _coded(coder.count(Scan(group, 0, 0, bit + 1, bit)), (), (), ())
        for bit in reversed(range(low))
        for group in components
    ]
    return (*coded, *refinements)


def _by_table(coder: Coder, stage: Sequence[Scan]) -> list[list[CountedScan]]:
    """Scans that may come in any order, grouped by the table they share."""
    counted = [coder.count(scan) for scan in stage]
    groups = share_tables([scan.ac[0] for scan in counted], most=len(counted))
    return [[counted[i] for i in group] for group in groups]


def _with_ac(
    dc: tuple[CodedScan, ...], groups: Sequence[list[CountedScan]]
) -> tuple[CodedScan, ...]:
    """All scans in order. Tables come by fours, the first four with the DC tables."""
    tables = [optimal_table(np.sum([scan.ac[0] for scan in group], axis=0)) for group in groups]
    slots = [Slot(True, i % PROGRESSIVE_SLOTS, table) for i, table in enumerate(tables)]
    first = dc[0]
    opening = tuple(slots[:PROGRESSIVE_SLOTS])
    scans = [
        CodedScan(first.scan, first.dc, first.ac, first.new + opening, first.bits),
        *dc[1:],
    ]
    for number, (slot, group) in enumerate(zip(slots, groups, strict=True)):
        fresh = number and number % PROGRESSIVE_SLOTS == 0
        new = tuple(slots[number : number + PROGRESSIVE_SLOTS]) if fresh else ()
        for counted in group:
            scans.append(_coded(counted, (), (slot,), new))
            new = ()
    return tuple(scans)
