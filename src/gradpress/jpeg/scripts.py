"""The search for the script of scans that costs least.

In a progressive file each component's AC coefficients may be cut into bands, and each band into
passes of falling bit position. What a scan costs with a table of its own does not depend on the
others, so the script is put together from the cheapest parts, counted exactly; then scans with
similar statistics share tables. What was tried and what it gains is in ``notes/writer.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from gradpress.jpeg.huffman import Counts, header_bytes, optimal_table, share_tables
from gradpress.jpeg.params import Layout, Levels, Quantised
from gradpress.jpeg.scans import CodedScan, Coder, CountedScan, Scan, Slot

SEARCH_ROWS, SEARCH_BLOCKS = 8, 1024
"""A script is chosen on some MCU rows of a large picture: at least so many of them, and at least
so many blocks of the first component."""

CUTS = (1, 2, 3, 5, 8, 12, 20)
"""Zigzag positions after which a band may be cut in two, at about."""

STRIDES = (2, 1)
"""By which the best of them is then moved while that saves bits."""

MAX_LOW = 3
"""Deepest bit position that a first pass may leave to refinements."""

MCU_BLOCKS = 10
"""Blocks that an interleaved MCU may have (T.81, B.2.3)."""

BASELINE_SLOTS, PROGRESSIVE_SLOTS = 2, 4
"""Tables of each class that a decoder holds at a time (T.81, B.2.4.2)."""


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
    depths = {0, len(whole.passes) - 1}

    @cache
    def bits(cut: int) -> int:
        parts = ((begin, cut), (cut + 1, end))
        return sum(
            min(_passes(prices, component, *part, low).bits for low in depths) for part in parts
        )

    cut = min((cut for cut in CUTS if begin <= cut < end), key=bits, default=end)
    if cut == end or bits(cut) >= whole.bits:
        return (whole,)
    for stride in STRIDES:
        cut = _moved(bits, cut, stride, range(begin, end))
    low, high = (begin, cut), (cut + 1, end)
    return (*_best_bands(prices, component, *low), *_best_bands(prices, component, *high))


def _moved(bits: Callable[[int], int], cut: int, stride: int, allowed: range) -> int:
    """A cut moved by strides while that saves bits."""
    while True:
        best = min((c for c in (cut, cut - stride, cut + stride) if c in allowed), key=bits)
        if best == cut:
            return cut
        cut = best


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
