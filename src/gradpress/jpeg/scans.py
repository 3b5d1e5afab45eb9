"""Scans of a JPEG file: what they hold, what they cost, and their entropy-coded data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.jpeg.huffman import Counts, HuffmanTable
from gradpress.jpeg.params import Levels, Quantised
from gradpress.jpeg.rate import Sequence as BlockSequence
from gradpress.jpeg.rate import interleaved, raster


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
