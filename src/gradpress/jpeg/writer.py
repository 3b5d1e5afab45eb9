"""Symbols to a JPEG file: markers, tables, scans (T.81, annex B; JFIF 1.02; ICC.1, annex B)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.errors import GradpressError
from gradpress.jpeg.huffman import Counts, HuffmanTable, optimal_table
from gradpress.jpeg.params import Symbols
from gradpress.jpeg.rate import SymbolCounts, count, interleaved, scan_order
from gradpress.jpeg.scans import Coder, CostedScan, Scan, progressive_script

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
MAX_SEGMENT = 65533
"""Bytes that one marker segment can carry beside its length."""


@dataclass(frozen=True)
class Metadata:
    """What goes with the picture."""

    icc: bytes | None = None
    """An ICC profile."""
    exif: bytes | None = None
    """An EXIF block from its byte order mark on."""
    density: tuple[int, int] | None = None
    """Dots per inch, across and down."""


@dataclass(frozen=True)
class Written:
    """A file and how it is organised."""

    data: bytes
    progressive: bool
    scans: tuple[Scan, ...]
    scan_bits: tuple[int, ...]
    """Entropy-coded bits of each scan, before byte stuffing and padding."""


def write(
    symbols: Symbols, metadata: Metadata | None = None, *, progressive: bool | None = None
) -> Written:
    """The file; with ``progressive`` None the smaller of baseline and progressive."""
    plans: list[_Plan] = []
    if progressive is not True:
        plans.append(_baseline(symbols))
    if progressive is not False:
        plans.append(_progressive(symbols))
    plan = min(plans, key=lambda plan: plan.total_bits)
    data = SOI + _application(metadata or Metadata()) + plan.body() + EOI
    return Written(data, plan.progressive, plan.scans, plan.scan_bits)


@dataclass(frozen=True)
class _Plan:
    """A way to write the symbols, costed but not yet written."""

    progressive: bool
    scans: tuple[Scan, ...]
    scan_bits: tuple[int, ...]
    total_bits: int
    """With the headers that differ between plans."""
    body: Callable[[], bytes]


def baseline_bits(symbols: Symbols) -> int:
    """Entropy-coded bits of the interleaved baseline scan, exactly, before stuffing and padding."""
    dc, ac = _baseline_tables(symbols)
    return _baseline_data_bits(symbols, dc, ac)


def _baseline(symbols: Symbols) -> _Plan:
    """One interleaved scan; chroma shares its tables, for baseline allows two of each class."""
    dc, ac = _baseline_tables(symbols)
    scan = Scan(tuple(range(len(symbols.levels))), 0, 63)
    slots = [min(i, 1) for i in scan.components]
    tables = [(0x00 | i, table) for i, table in enumerate(dc)]
    tables += [(0x10 | i, table) for i, table in enumerate(ac)]
    header = _frame(symbols, 0xC0) + _dht(tables) + _sos(scan, slots, slots)
    bits = _baseline_data_bits(symbols, dc, ac)

    def body() -> bytes:
        sequence = interleaved(symbols.layout)
        return header + _kernels.write_baseline(
            list(symbols.levels),
            sequence.component,
            sequence.block,
            *_codes([dc[slot] for slot in slots]),
            *_codes([ac[slot] for slot in slots]),
        )

    return _Plan(False, (scan,), (bits,), bits + 8 * len(header), body)


def _progressive(symbols: Symbols) -> _Plan:
    coder = Coder(symbols)
    script = progressive_script(coder)
    header = _frame(symbols, 0xC2)

    def body() -> bytes:
        return header + b"".join(_scan_header(costed) + coder.write(costed) for costed in script)

    total = 8 * len(header) + sum(costed.total_bits for costed in script)
    scans = tuple(costed.scan for costed in script)
    return _Plan(True, scans, tuple(costed.bits for costed in script), total, body)


def _codes(tables: list[HuffmanTable]) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    return np.stack([table.words() for table in tables]), np.stack([t.sizes for t in tables])


def _baseline_counts(symbols: Symbols) -> tuple[SymbolCounts, ...]:
    return tuple(
        count(levels, scan_order(symbols.layout, i)) for i, levels in enumerate(symbols.levels)
    )


def _baseline_tables(symbols: Symbols) -> tuple[tuple[HuffmanTable, ...], tuple[HuffmanTable, ...]]:
    """DC and AC tables of luma and, where there is one, of chroma."""
    counts = _baseline_counts(symbols)
    groups = [counts[:1], counts[1:]] if len(counts) > 1 else [counts]
    dc = tuple(optimal_table(sum((_to_256(c.dc) for c in g), _no_counts())) for g in groups)
    ac = tuple(optimal_table(sum((c.ac for c in g), _no_counts())) for g in groups)
    return dc, ac


def _baseline_data_bits(
    symbols: Symbols, dc: tuple[HuffmanTable, ...], ac: tuple[HuffmanTable, ...]
) -> int:
    sizes = np.arange(256) % 16
    total = 0
    for i, counts in enumerate(_baseline_counts(symbols)):
        dc_counts, slot = _to_256(counts.dc), min(i, 1)
        total += dc[slot].cost(dc_counts) + ac[slot].cost(counts.ac)
        total += int(dc_counts @ sizes + counts.ac @ sizes)
    return total


def _no_counts() -> Counts:
    return np.zeros(256, np.int64)


def _to_256(counts: Counts) -> Counts:
    return np.pad(counts, (0, 256 - len(counts)))


def _scan_header(costed: CostedScan) -> bytes:
    """DHT with the scan's own tables, and SOS; a table's slot is its place in the scan."""
    kind = 0x10 if costed.scan.begin else 0x00
    tables = [(kind | slot, table) for slot, table in enumerate(costed.tables)]
    slots = list(range(len(costed.tables))) or [0] * len(costed.scan.components)
    zeros = [0] * len(slots)
    dc, ac = (zeros, slots) if costed.scan.begin else (slots, zeros)
    return (_dht(tables) if tables else b"") + _sos(costed.scan, dc, ac)


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _application(metadata: Metadata) -> bytes:
    """JFIF APP0, EXIF APP1 and the ICC profile in numbered APP2 pieces."""
    across, down = metadata.density or (1, 1)
    units = 1 if metadata.density else 0
    pieces = [
        _segment(0xE0, struct.pack(">5sHBHHBB", b"JFIF\0", 0x0101, units, across, down, 0, 0))
    ]
    if metadata.exif:
        payload = b"Exif\0\0" + metadata.exif
        if len(payload) > MAX_SEGMENT:
            raise GradpressError(
                f"the EXIF data is {len(payload)} bytes, more than the {MAX_SEGMENT} that fit in a "
                "JPEG file; remove some of it"
            )
        pieces.append(_segment(0xE1, payload))
    if metadata.icc:
        pieces += _icc_segments(metadata.icc)
    return b"".join(pieces)


def _icc_segments(profile: bytes) -> list[bytes]:
    room = MAX_SEGMENT - 14
    chunks = [profile[i : i + room] for i in range(0, len(profile), room)]
    if len(chunks) > 255:
        raise GradpressError(
            f"the ICC profile is {len(profile)} bytes, more than the {255 * room} that fit in a "
            "JPEG file; convert the picture to sRGB first"
        )
    return [
        _segment(0xE2, b"ICC_PROFILE\0" + bytes((number, len(chunks))) + chunk)
        for number, chunk in enumerate(chunks, 1)
    ]


def _frame(symbols: Symbols, marker: int) -> bytes:
    """DQT and SOF; components with equal steps share a table."""
    tables: list[bytes] = []
    slots = []
    for steps in symbols.steps:
        table = bytes(steps.tolist())
        if table not in tables:
            tables.append(table)
        slots.append(tables.index(table))
    dqt = _segment(0xDB, b"".join(bytes((slot,)) + table for slot, table in enumerate(tables)))
    layout = symbols.layout
    header = struct.pack(">BHHB", 8, layout.height, layout.width, len(slots))
    components = b"".join(
        bytes((i + 1, h << 4 | v, slots[i])) for i, (h, v) in enumerate(layout.factors)
    )
    return dqt + _segment(marker, header + components)


def _dht(tables: list[tuple[int, HuffmanTable]]) -> bytes:
    return _segment(0xC4, b"".join(bytes((slot,)) + table.segment() for slot, table in tables))


def _sos(scan: Scan, dc_slots: list[int], ac_slots: list[int]) -> bytes:
    payload = bytes((len(scan.components),))
    for component, dc, ac in zip(scan.components, dc_slots, ac_slots, strict=True):
        payload += bytes((component + 1, dc << 4 | ac))
    return _segment(0xDA, payload + bytes((scan.begin, scan.end, scan.high << 4 | scan.low)))
