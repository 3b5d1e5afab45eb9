"""What a JPEG file says of itself: its frame, its tables and its scans (ITU-T T.81, annex B).

The bytes are untrusted: nothing is read past a segment's end. What is wrong with a file becomes one
of its ``defects``, and everything else is still read. Coefficients are not decoded here.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from gradpress.errors import UnsupportedImage
from gradpress.jpeg import segments
from gradpress.jpeg.scans import Scan
from gradpress.jpeg.segments import Kind, Part, marker_name, walk

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")


@dataclass(frozen=True)
class Component:
    """What a frame says of a component (T.81, B.2.2)."""

    identifier: int
    h: int
    v: int
    """Sampling factors across and down, 1…4."""
    slot: int
    """Of its quantisation table, 0…3."""


@dataclass(frozen=True)
class Frame:
    """The picture's size and kind (T.81, B.2.2)."""

    marker: int
    """0xC0…0xCF: SOF0…SOF15."""
    precision: int
    """Bits of a sample."""
    width: int
    height: int
    """Pixels; a height of 0 is stated later, by a DNL segment."""
    components: tuple[Component, ...]

    @property
    def arithmetic(self) -> bool:
        """Whether its entropy coding is arithmetic; else Huffman's."""
        return self.marker >= 0xC8

    @property
    def progressive(self) -> bool:
        """Whether its scans go from coarse to fine."""
        return self.marker & 3 == 2

    @property
    def lossless(self) -> bool:
        """Whether samples are predicted, not transformed (T.81, annex H)."""
        return self.marker & 3 == 3


@dataclass(frozen=True)
class QuantisationTable:
    """A table as the file defines it (T.81, B.2.4.1)."""

    slot: int
    bits: int
    """Of each entry: 8 or 16."""
    steps: tuple[int, ...]
    """64 in zigzag order, 1 or more."""


@dataclass(frozen=True)
class HuffmanCode:
    """A table as the file defines it (T.81, B.2.4.2)."""

    ac: bool
    slot: int
    counts: tuple[int, ...]
    """How many words have 1, 2, … 16 bits."""
    symbols: bytes
    """In order of their words."""


@dataclass(frozen=True)
class Tables:
    """What is in force at some place of a file."""

    steps: Mapping[int, QuantisationTable] = field(default_factory=dict)
    """By slot."""
    huffman: Mapping[tuple[bool, int], HuffmanCode] = field(default_factory=dict)
    """By class (AC or not) and slot."""
    restart_interval: int = 0
    """MCUs between restart markers; 0 for none."""


@dataclass(frozen=True)
class StoredScan:
    """A scan of a file; its entropy-coded data are ``data[begin:end]``."""

    scan: Scan
    slots: tuple[tuple[int, int], ...]
    """(DC, AC) slot of each component."""
    tables: Tables
    begin: int
    end: int
    restarts: int
    """Restart markers in the data."""


@dataclass(frozen=True)
class Jpeg:
    """A file taken apart."""

    data: bytes = field(repr=False)
    parts: tuple[Part, ...]
    frame: Frame
    scans: tuple[StoredScan, ...]
    tables: Tables
    """Those in force at the end."""
    quantisation: tuple[QuantisationTable, ...]
    """All that are defined, each once, in file order."""
    huffman: tuple[HuffmanCode, ...]
    """All that are defined, in file order."""
    defects: tuple[str, ...]
    """What is wrong with the file: plain phrases."""

    def payload(self, part: Part) -> bytes:
        """What a marker's segment holds behind its length."""
        return self.data[part.body : part.end] if part.body else b""

    @cached_property
    def steps(self) -> tuple[QuantisationTable | None, ...]:
        """Each component's table: that in force where its first scan begins (T.81, B.2.4.1)."""
        first: dict[int, Tables] = {}
        for scan in self.scans:
            for component in scan.scan.components:
                first.setdefault(component, scan.tables)
        return tuple(
            first.get(index, self.tables).steps.get(component.slot)
            for index, component in enumerate(self.frame.components)
        )


def read(data: bytes, name: str = "the picture") -> Jpeg:
    """Take a JPEG file apart; ``name`` is what the message calls it. Raises UnsupportedImage."""
    if not data.startswith(b"\xff\xd8"):
        raise UnsupportedImage(f"{name}: is {_other_than_jpeg(data)}")
    findings = _Findings()
    parts = tuple(walk(data))
    for part in parts:
        try:
            findings.take(part, data)
        except _Malformed as error:
            findings.defects.append(f"{marker_name(part.marker)} at byte {part.begin} {error}")
    if findings.frame is None:
        reason = "; ".join(findings.defects[:1]) or "it ends before one"
        raise UnsupportedImage(f"{name}: has no frame header that can be read ({reason})")
    return Jpeg(
        data,
        parts,
        findings.frame,
        tuple(findings.scans),
        findings.tables,
        tuple(findings.quantisation),
        tuple(findings.huffman),
        (*findings.defects, *_missing(parts, findings)),
    )


class _Malformed(ValueError):
    """A segment does not hold what its marker promises; says how."""


@dataclass
class _Findings:
    """What has been read so far."""

    frame: Frame | None = None
    tables: Tables = field(default_factory=Tables)
    scans: list[StoredScan] = field(default_factory=list)
    quantisation: dict[QuantisationTable, None] = field(default_factory=dict)
    huffman: list[HuffmanCode] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    header: tuple[Scan, tuple[tuple[int, int], ...]] | None = None
    """Of the scan whose data come next."""

    def take(self, part: Part, data: bytes) -> None:
        """Read one part; raises _Malformed."""
        if part.defect:
            self.defects.append(part.defect)
        if part.kind is Kind.SCAN:
            self._take_scan(part, data)
        elif part.body:
            self._take_segment(part.marker, data[part.body : part.end])

    def _take_segment(self, marker: int, payload: bytes) -> None:
        match marker:
            case segments.DQT:
                self._define(_quantisation(payload))
            case segments.DHT:
                self._define_codes(_huffman(payload))
            case segments.DRI:
                interval = _unpack(">H", payload)[0]
                self.tables = replace(self.tables, restart_interval=interval)
            case segments.SOS:
                self.header = None
                self.header = _scan_header(self.frame, payload)
            case segments.DNL if self.frame is not None and self.frame.height == 0:
                self.frame = replace(self.frame, height=_unpack(">H", payload)[0])
            case _ if marker in segments.FRAMES:
                if self.frame is not None:
                    raise _Malformed("is a second frame header, which is ignored")
                self.frame = _frame(marker, payload)

    def _define(self, tables: Iterator[QuantisationTable]) -> None:
        for table in tables:
            self.quantisation[table] = None
            steps = {**self.tables.steps, table.slot: table}
            self.tables = replace(self.tables, steps=steps)

    def _define_codes(self, codes: Iterator[HuffmanCode]) -> None:
        for code in codes:
            self.huffman.append(code)
            huffman = {**self.tables.huffman, (code.ac, code.slot): code}
            self.tables = replace(self.tables, huffman=huffman)

    def _take_scan(self, part: Part, data: bytes) -> None:
        if self.header is None:
            return
        restarts = sum(1 for _ in _RESTART.finditer(data, part.begin, part.end))
        self.scans.append(StoredScan(*self.header, self.tables, part.begin, part.end, restarts))


def _other_than_jpeg(data: bytes) -> str:
    return "not a JPEG file, which begins with the bytes FF D8" if data else "empty"


def _missing(parts: tuple[Part, ...], findings: _Findings) -> Iterator[str]:
    """What a whole file has and this one lacks."""
    last = parts[-1]
    if last.kind not in (Kind.UNREADABLE, Kind.TRAILING) and last.marker != segments.EOI:
        yield "the file is cut short: it has no end marker"
    if not findings.scans:
        yield "there are no scans"
    if findings.frame is not None and findings.frame.height == 0:
        yield "the height is stated nowhere"


def _unpack(form: str, payload: bytes, at: int = 0) -> tuple[int, ...]:
    """Read numbers at an offset; raises _Malformed where the segment has ended."""
    try:
        return struct.unpack_from(form, payload, at)
    except struct.error:
        raise _Malformed("is too short") from None


def _frame(marker: int, payload: bytes) -> Frame:
    precision, height, width, count = _unpack(">BHHB", payload)
    numbers = _unpack(f"{3 * count}B", payload, 6)
    components = tuple(
        Component(identifier, factors >> 4, factors & 15, slot)
        for identifier, factors, slot in zip(*(numbers[i::3] for i in range(3)), strict=True)
    )
    if not components or width == 0:
        raise _Malformed("describes a picture of no pixels")
    if any(not (1 <= c.h <= 4 and 1 <= c.v <= 4) for c in components):
        raise _Malformed("has sampling factors out of range")
    return Frame(marker, precision, width, height, components)


def _quantisation(payload: bytes) -> Iterator[QuantisationTable]:
    at = 0
    while at < len(payload):
        wide, slot = payload[at] >> 4, payload[at] & 15
        if wide > 1 or slot > 3:
            raise _Malformed(f"has a table of unknown kind ({payload[at]:02X})")
        steps = _unpack(">64H" if wide else ">64B", payload, at + 1)
        if 0 in steps:
            raise _Malformed("has a step of 0")
        yield QuantisationTable(slot, 16 if wide else 8, steps)
        at += 129 if wide else 65


def _huffman(payload: bytes) -> Iterator[HuffmanCode]:
    at = 0
    while at < len(payload):
        kind, slot = payload[at] >> 4, payload[at] & 15
        if kind > 1 or slot > 3:
            raise _Malformed(f"has a table of unknown kind ({payload[at]:02X})")
        counts = _unpack("16B", payload, at + 1)
        symbols = payload[at + 17 : at + 17 + sum(counts)]
        if len(symbols) < sum(counts):
            raise _Malformed("is too short")
        yield HuffmanCode(kind == 1, slot, counts, symbols)
        at += 17 + len(symbols)


def _scan_header(frame: Frame | None, payload: bytes) -> tuple[Scan, tuple[tuple[int, int], ...]]:
    """Read which components a scan codes, and the slots of their tables (T.81, B.2.3)."""
    if frame is None:
        raise _Malformed("comes before the frame header")
    count = _unpack("B", payload)[0]
    numbers = _unpack(f"{2 * count}B", payload, 1)
    begin, end, bits = _unpack("3B", payload, 1 + 2 * count)
    places = {component.identifier: i for i, component in enumerate(frame.components)}
    if not 1 <= count <= 4 or not places.keys() >= set(numbers[::2]):
        raise _Malformed("codes components that the frame does not have")
    components = tuple(places[identifier] for identifier in numbers[::2])
    slots = tuple((slot >> 4, slot & 15) for slot in numbers[1::2])
    return Scan(components, begin, end, bits >> 4, bits & 15), slots
