"""Scans, what they cost, and the search for the script of scans that costs least.

In a progressive file each component's AC coefficients may be cut into bands and into passes of
falling bit position, each scan with a table of its own. What a scan costs does not depend on
the others, so the script is put together from the cheapest parts, counted exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from gradpress import _kernels
from gradpress.jpeg.huffman import Counts, HuffmanTable, header_bytes, optimal_table
from gradpress.jpeg.params import Symbols
from gradpress.jpeg.rate import Sequence, interleaved, raster

SCAN_HEADER_BYTES = 8
"""SOS (T.81, B.2.3) without two bytes by component."""

SPLITS = (2, 5, 8, 12, 18)
"""Last coefficient of the lower band, where a component's band is cut in two."""

MAX_LOW = 3
"""Deepest bit position that a first pass may leave to refinements."""


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


@dataclass(frozen=True)
class CostedScan:
    """A scan with its optimal tables (by component; none for a DC refinement) and its cost."""

    scan: Scan
    tables: tuple[HuffmanTable, ...]
    bits: int
    """Entropy-coded data, before byte stuffing and the padding of the last byte."""
    header_bytes: int
    """SOS and DHT segments."""

    @property
    def total_bits(self) -> int:
        """Data, padding (half a byte in the mean) and headers."""
        return self.bits + 4 + 8 * self.header_bytes


class Coder:
    """Counts and writes the scans of one picture; remembers what it has counted."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self._sparse = tuple(
            _kernels.SparseLevels(levels, *symbols.layout.own_blocks(i))
            for i, levels in enumerate(symbols.levels)
        )
        self._cost = cache(self._cost_anew)

    def cost(self, scan: Scan) -> CostedScan:
        """The scan with its optimal tables, counted."""
        return self._cost(scan)

    def _cost_anew(self, scan: Scan) -> CostedScan:
        if scan.begin == 0:
            return self._cost_dc(scan)
        counts = np.zeros(256, np.int64)
        raw = self._sparse[scan.components[0]].count(
            scan.begin, scan.end, scan.low, scan.high > 0, counts
        )
        return _costed(scan, (counts,), raw)

    def _cost_dc(self, scan: Scan) -> CostedScan:
        sequence = self._sequence(scan)
        if scan.high:
            return CostedScan(scan, (), len(sequence.block), _sos_bytes(scan))
        levels = [self.symbols.levels[i] for i in scan.components]
        counts = np.zeros((len(levels), 256), np.int64)
        _kernels.count_dc(levels, sequence.component, sequence.block, scan.low, counts)
        raw = int((counts @ np.arange(256)).sum())
        return _costed(scan, tuple(counts), raw)

    def write(self, costed: CostedScan) -> bytes:
        """The scan's entropy-coded data, stuffed and padded."""
        scan, tables = costed.scan, costed.tables
        if scan.begin:
            return self._sparse[scan.components[0]].write(
                scan.begin, scan.end, scan.low, scan.high > 0, tables[0].words(), tables[0].sizes
            )
        sequence = self._sequence(scan)
        levels = [self.symbols.levels[i] for i in scan.components]
        if scan.high:
            return _kernels.write_dc_refinement(
                levels, sequence.component, sequence.block, scan.low
            )
        words = np.stack([table.words() for table in tables])
        sizes = np.stack([table.sizes for table in tables])
        return _kernels.write_dc(levels, sequence.component, sequence.block, scan.low, words, sizes)

    def _sequence(self, scan: Scan) -> Sequence:
        layout = self.symbols.layout
        if len(scan.components) == 1:
            return raster(layout, scan.components[0])
        return interleaved(layout)


def _costed(scan: Scan, counts: tuple[Counts, ...], raw_bits: int) -> CostedScan:
    tables = tuple(map(optimal_table, counts))
    data = raw_bits + sum(t.cost(c) for t, c in zip(tables, counts, strict=True))
    headers = _sos_bytes(scan) + 4 + sum(map(header_bytes, counts))
    return CostedScan(scan, tables, data, headers)


def _sos_bytes(scan: Scan) -> int:
    return SCAN_HEADER_BYTES + 2 * len(scan.components)


def progressive_script(coder: Coder) -> tuple[CostedScan, ...]:
    """The cheapest script found: DC first, then each component's AC, refinements last."""
    firsts: list[CostedScan] = []
    refinements: list[CostedScan] = []
    for component in range(len(coder.symbols.levels)):
        low = _best_low(coder, component)
        firsts += min(
            (_bands(coder, component, low, split) for split in (None, *SPLITS)), key=_total
        )
        refinements += _refinements(coder, component, low)
    refinements.sort(key=lambda costed: -costed.scan.low)
    return (*_dc_scans(coder), *firsts, *refinements)


def _total(scans: Iterable[CostedScan]) -> int:
    return sum(costed.total_bits for costed in scans)


def _bands(coder: Coder, component: int, low: int, split: int | None) -> tuple[CostedScan, ...]:
    edges = [(1, 63)] if split is None else [(1, split), (split + 1, 63)]
    return tuple(coder.cost(Scan((component,), begin, end, 0, low)) for begin, end in edges)


def _refinements(coder: Coder, component: int, low: int) -> tuple[CostedScan, ...]:
    return tuple(
        coder.cost(Scan((component,), 1, 63, bit + 1, bit)) for bit in reversed(range(low))
    )


def _best_low(coder: Coder, component: int) -> int:
    """Bit position of the first pass: deeper as long as that pays."""

    def total(low: int) -> int:
        return _total(_bands(coder, component, low, 8) + _refinements(coder, component, low))

    best = 0
    while best < MAX_LOW and total(best + 1) < total(best):
        best += 1
    return best


def _dc_scans(coder: Coder) -> tuple[CostedScan, ...]:
    """All components in one scan or each in its own, in one pass or two."""
    everything = tuple(range(len(coder.symbols.levels)))
    groups = {(everything,), tuple((i,) for i in everything)}
    scripts = [
        tuple(
            coder.cost(Scan(group, 0, 0, high, low)) for high, low in passes for group in components
        )
        for components in sorted(groups)
        for passes in (((0, 0),), ((0, 1), (1, 0)))
    ]
    return min(scripts, key=_total)
