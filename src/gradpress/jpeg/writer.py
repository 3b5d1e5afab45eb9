"""Symbols to a JPEG file: markers, tables, scans (T.81, annex B; JFIF 1.02; ICC.1, annex B)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gradpress.errors import GradpressError
from gradpress.jpeg.params import Layout, Quantised, Steps, Symbols, WideSteps
from gradpress.jpeg.scans import CodedScan, Coder, Scan, Slot
from gradpress.jpeg.scripts import baseline_script, progressive_script, script_bits
from gradpress.workers import SERIAL, Workers

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
MAX_SEGMENT = 65533
"""Bytes that one marker segment can carry beside its length."""

MAX_SIDE = 65535
"""Pixels across or down (T.81, B.2.2)."""
STUFFED = 1.02
"""More than byte stuffing makes of data: what has so many more bits is not written to be sure."""


@dataclass(frozen=True)
class Metadata:
    """What goes with the picture."""

    icc: bytes | None = None
    """An ICC profile."""
    segments: tuple[tuple[int, bytes], ...] = ()
    """Markers and payloads of further APPn and COM segments: EXIF and the like."""
    density: tuple[int, int] | None = None
    """Dots per inch, across and down, 1…65535."""


@dataclass(frozen=True)
class Written:
    """A file and how it is organised."""

    data: bytes
    progressive: bool
    scans: tuple[Scan, ...]
    scan_bits: tuple[int, ...]
    """Entropy-coded bits of each scan, before byte stuffing and padding."""


def write(
    symbols: Symbols,
    metadata: Metadata | None = None,
    *,
    progressive: bool | None = None,
    workers: Workers = SERIAL,
) -> Written:
    """Write the file; with ``progressive`` None the smaller of baseline and progressive."""
    _check_size(symbols.layout)
    opening = SOI + _application(metadata or Metadata())
    identifiers = range(1, len(symbols.levels) + 1)

    def header(progressive: bool) -> bytes:
        return opening + frame(
            symbols.layout, symbols.steps, 0xC2 if progressive else 0xC0, identifiers
        )

    return smallest(symbols, header, identifiers, progressive=progressive)


def smallest(
    symbols: Quantised,
    header: Callable[[bool], bytes],
    identifiers: Sequence[int],
    *,
    progressive: bool | None = None,
) -> Written:
    """The smallest file behind a header, which is told whether the file is progressive.

    ``identifiers`` are the components' numbers in the header.
    """
    coder = Coder(symbols)
    ways = {False: baseline_script, True: progressive_script}
    if progressive is not None:
        ways = {progressive: ways[progressive]}
    scripts = [(way, find(coder)) for way, find in ways.items()]
    most = STUFFED * min(script_bits(script) for _, script in scripts)
    files = [
        _written(coder, header(way), script, identifiers)
        for way, script in scripts
        if script_bits(script) <= most
    ]
    return min(files, key=lambda written: len(written.data))


def baseline_bits(symbols: Symbols) -> int:
    """Entropy-coded bits of the interleaved baseline scan, exactly, before stuffing and padding."""
    return sum(coded.bits for coded in baseline_script(Coder(symbols)))


def _written(
    coder: Coder, opening: bytes, script: tuple[CodedScan, ...], identifiers: Sequence[int]
) -> Written:
    scans = [_dht(coded.new) + _sos(coded, identifiers) + coder.write(coded) for coded in script]
    return Written(
        b"".join([opening, *scans, EOI]),
        script[0].scan.end == 0,
        tuple(coded.scan for coded in script),
        tuple(coded.bits for coded in script),
    )


def _check_size(layout: Layout) -> None:
    if not (1 <= layout.width <= MAX_SIDE and 1 <= layout.height <= MAX_SIDE):
        raise GradpressError(
            f"a picture of {layout.width}×{layout.height} pixels cannot be a JPEG file, "
            f"which has 1 to {MAX_SIDE} each way; scale it"
        )


def segment(marker: int, payload: bytes) -> bytes:
    """A marker with its length and what it holds."""
    if len(payload) > MAX_SEGMENT:
        raise GradpressError(
            f"a segment of {len(payload)} bytes is more than the {MAX_SEGMENT} that fit in a JPEG "
            "file; strip EXIF or what else is so large"
        )
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _application(metadata: Metadata) -> bytes:
    """JFIF APP0, EXIF and the like, and the ICC profile in numbered APP2 pieces."""
    across, down = metadata.density or (1, 1)
    units = 1 if metadata.density else 0
    jfif = struct.pack(">5sHBHHBB", b"JFIF\0", 0x0101, units, across, down, 0, 0)
    pieces = [segment(0xE0, jfif)]
    pieces += [segment(*each) for each in metadata.segments]
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
        segment(0xE2, b"ICC_PROFILE\0" + bytes((number, len(chunks))) + chunk)
        for number, chunk in enumerate(chunks, 1)
    ]


def frame(
    layout: Layout,
    steps: Sequence[Steps] | Sequence[WideSteps],
    marker: int,
    identifiers: Sequence[int],
) -> bytes:
    """DQT and SOF; components with equal steps share a table. Steps over 255 take 16 bits."""
    tables: list[bytes] = []
    slots = []
    for own in steps:
        wide = int(own.max()) > 255
        table = struct.pack(">64H" if wide else ">64B", *own.tolist())
        if table not in tables:
            tables.append(table)
        slots.append(tables.index(table))
    dqt = b"".join(bytes((len(t) // 128 << 4 | slot,)) + t for slot, t in enumerate(tables))
    header = struct.pack(">BHHB", 8, layout.height, layout.width, len(slots))
    components = b"".join(
        bytes((identifier, h << 4 | v, slot))
        for identifier, (h, v), slot in zip(identifiers, layout.factors, slots, strict=True)
    )
    return segment(0xDB, dqt) + segment(marker, header + components)


def _dht(slots: Sequence[Slot]) -> bytes:
    """One segment for all tables, none for no tables."""
    tables = [bytes((slot.ac << 4 | slot.index,)) + slot.table.segment() for slot in slots]
    return segment(0xC4, b"".join(tables)) if tables else b""


def _sos(coded: CodedScan, identifiers: Sequence[int]) -> bytes:
    scan = coded.scan
    unused = [0] * len(scan.components)
    dc = [slot.index for slot in coded.dc] or unused
    ac = [slot.index for slot in coded.ac] or unused
    payload = bytes((len(scan.components),))
    for component, dc_slot, ac_slot in zip(scan.components, dc, ac, strict=True):
        payload += bytes((identifiers[component], dc_slot << 4 | ac_slot))
    return segment(0xDA, payload + bytes((scan.begin, scan.end, scan.high << 4 | scan.low)))
