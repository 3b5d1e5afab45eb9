"""A JPEG file's quantised levels: Huffman-coded, sequential or progressive, of 8 bits.

The bytes are untrusted: size, scans and memory have limits that are checked before anything is
decoded, every scan must continue what came before it, and time is linear in blocks and scans. What
is wrong is an error that names the offset; with ``salvage`` it is noted, and what could be decoded
is kept. The kernel is ``kernels/decode.cpp``; T.81 is ITU-T T.81.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.errors import ImageTooLarge, UnsupportedImage
from gradpress.jpeg import metadata, segments
from gradpress.jpeg.colour import colour_model
from gradpress.jpeg.params import Layout, Levels, WideSteps
from gradpress.jpeg.reader import Frame, HuffmanCode, Jpeg, StoredScan, read
from gradpress.jpeg.scans import Scan
from gradpress.jpeg.segments import Kind
from gradpress.jpeg.standard_codes import STANDARD

NO_FAULT = 0
FAULTS = {
    1: "has a Huffman table with more words than fit into their lengths",
    2: "holds bits that are no word of its Huffman table",
    3: "holds a symbol that such scans do not have",
    4: "holds a level behind the end of its band",
    5: "holds a level of more than 16 bits",
    6: "ends too early",
    7: "lacks a restart marker, or has one out of turn",
}
"""By the numbers of ``Fault`` in ``kernels/decode.h``."""

MAX_BIT = 13
"""Bit positions that successive approximation may begin at (T.81, G.1.1.1.2)."""

UNKNOWN = 127
"""The bit position of a coefficient that no scan has coded."""


@dataclass(frozen=True)
class Limits:
    """What a file may ask for."""

    pixels: int = 100_000_000
    scans: int = 500
    """Real files have about a dozen."""
    memory: int = 2_000_000_000
    """Bytes of levels, padding to whole MCUs included."""


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Coefficients:
    """A JPEG picture as its file stores it."""

    jpeg: Jpeg = field(repr=False)
    """The file taken apart: markers, trailing bytes and all."""
    layout: Layout
    steps: tuple[WideSteps, ...]
    """Of each component, ``(64,)`` in 1…65535, zigzag order."""
    levels: tuple[Levels, ...]
    """``layout.blocks(i) + (64,)`` int16, zigzag order; the padding is as the file has it, or 0."""
    known: tuple[NDArray[np.int8], ...]
    """Of each component, ``(64,)``: the bit position each coefficient is known down to, UNKNOWN
    for one that was never coded (it is 0)."""
    spent: tuple[NDArray[np.int64], ...]
    """Of each component, ``(65,)``: the bits of each coefficient in all scans, with those of runs
    that lead to it, and last the bits that end blocks and bands; padding is left out."""
    damage: tuple[str, ...] = ()
    """What was wrong and has been passed over, with ``salvage``."""

    @property
    def identifiers(self) -> tuple[int, ...]:
        """The components' numbers in the file."""
        return tuple(component.identifier for component in self.jpeg.frame.components)

    @cached_property
    def colour(self) -> str:
        """``grey``, ``YCbCr``, ``RGB``, ``CMYK``, ``YCCK`` or ``unknown``."""
        found = metadata.gather([(p.marker, self.jpeg.payload(p)) for p in self.jpeg.parts])
        return colour_model(self.jpeg.frame, found)

    @property
    def complete(self) -> bool:
        """Whether every coefficient is known to its last bit."""
        return not self.damage and not any(bits.any() for bits in self.known)

    @property
    def trailing(self) -> bytes:
        """What follows the end of the picture, such as further pictures."""
        last = self.jpeg.parts[-1]
        return self.jpeg.data[last.begin : last.end] if last.kind is Kind.TRAILING else b""

    def own_levels(self, component: int) -> Levels:
        """Those of the blocks that hold samples."""
        rows, columns = self.layout.own_blocks(component)
        return self.levels[component][:rows, :columns]


def decode(
    source: bytes | Jpeg,
    *,
    name: str = "the picture",
    salvage: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Coefficients:
    """Decode a file's levels; ``name`` is what messages call it.

    Raises UnsupportedImage or ImageTooLarge; with ``salvage`` damage behind the frame header is
    passed over so far as anything can be decoded.
    """
    jpeg = read(source, name) if isinstance(source, bytes) else source
    _check(jpeg, name, limits)
    frame = jpeg.frame
    layout = Layout(frame.width, frame.height, tuple((c.h, c.v) for c in frame.components))
    count = len(frame.components)
    _check_memory(layout, name, limits)
    work = _Work(
        jpeg,
        layout,
        tuple(np.zeros((*layout.blocks(i), 64), np.int16) for i in range(count)),
        tuple(np.full(64, UNKNOWN, np.int8) for _ in range(count)),
        np.zeros((count, 65), np.int64),
    )
    damage = []
    for scan in jpeg.scans:
        defect = work.take(scan, salvage)
        if defect:
            damage.append(f"the scan at byte {scan.begin} {defect}")
            if not salvage:
                raise _damaged(name, damage[0])
    damage += _lacking(jpeg, work)
    if damage and not salvage:
        raise _damaged(name, damage[0])
    return Coefficients(
        jpeg,
        layout,
        tuple(_steps(jpeg, name)),
        work.levels,
        work.known,
        tuple(work.spent),
        tuple(damage),
    )


@dataclass(frozen=True)
class _Work:
    """The picture so far as it has been decoded; its arrays are written to."""

    jpeg: Jpeg
    layout: Layout
    levels: tuple[Levels, ...]
    known: tuple[NDArray[np.int8], ...]
    spent: NDArray[np.int64]

    def take(self, stored: StoredScan, salvage: bool) -> str:
        """Decode a scan; returns what is wrong with it."""
        frame = self.jpeg.frame
        scan = stored.scan if frame.progressive else Scan(stored.scan.components, 0, 63)
        unfit = self._unfit(scan)
        if unfit:
            return unfit
        tables = Tables.of(scan, stored)
        if tables.missing:
            return f"refers to {tables.missing}, which the file has not defined"
        spent = np.zeros((len(scan.components), 65), np.int64)
        fault, offset, _, _, _ = _kernels.decode_scan(
            self.jpeg.data,
            stored.begin,
            stored.end,
            [self.levels[i] for i in scan.components],
            self._shapes(scan, tables),
            tables.counts,
            tables.symbols,
            frame.progressive,
            (scan.begin, scan.end, scan.high, scan.low),
            self.layout.mcus,
            stored.tables.restart_interval,
            salvage,
            spent,
        )
        for component, bits in zip(scan.components, spent, strict=True):
            self.spent[component] += bits
            self.known[component][scan.begin : scan.end + 1] = scan.low
        return "" if fault == NO_FAULT else f"{FAULTS[fault]}, near byte {offset}"

    def _unfit(self, scan: Scan) -> str:
        """Why a scan cannot be part of this picture."""
        before = scan.high if scan.high else UNKNOWN
        known = [self.known[component] for component in scan.components]
        impossible = _impossible(scan, self.jpeg.frame.progressive)
        if not impossible and any(
            (bits[scan.begin : scan.end + 1] != before).any() for bits in known
        ):
            return "does not continue the scans before it"
        return impossible

    def _shapes(self, scan: Scan, tables: Tables) -> NDArray[np.int32]:
        """What the kernel is told of each component."""
        rows = [
            (*self.layout.own_blocks(i), *self.layout.factors[i], dc, ac)
            for i, (dc, ac) in zip(scan.components, tables.places, strict=True)
        ]
        return np.array(rows, np.int32)


def _impossible(scan: Scan, progressive: bool) -> str:
    """Why no picture has such a scan (T.81, G.1.1.1)."""
    band = f"{scan.begin} to {scan.end} down to bit {scan.low}"
    wrong = {
        "codes a component twice": len(set(scan.components)) < len(scan.components),
        f"codes coefficients {band}, which do not exist": (
            scan.begin > scan.end or scan.end > 63 or scan.low > MAX_BIT
        ),
        "mixes DC and AC in a progressive picture": progressive and scan.begin == 0 < scan.end,
        "interleaves AC of several components": scan.begin > 0 and len(scan.components) > 1,
        f"refines from bit {scan.high} to bit {scan.low}": scan.high and scan.low != scan.high - 1,
    }
    return next((what for what, is_so in wrong.items() if is_so), "")


@dataclass(frozen=True)
class Tables:
    """The Huffman tables of one scan."""

    counts: NDArray[np.uint8]
    """``(n, 16)``"""
    symbols: NDArray[np.uint8]
    """``(n, 256)``"""
    places: tuple[tuple[int, int], ...]
    """Of each component: the indices of its DC and its AC table; 0 where it needs none."""
    missing: str
    """A table that is not there."""

    @classmethod
    def of(cls, scan: Scan, stored: StoredScan) -> Tables:
        """Those that the scan refers to, as they are in force."""
        codes = stored.tables.huffman or STANDARD
        needs = {False: scan.begin == 0 and scan.high == 0, True: scan.end > 0}
        wanted = dict.fromkeys((ac, pair[ac]) for pair in stored.slots for ac in needs if needs[ac])
        missing = [f"{'AC' if ac else 'DC'} table {slot}" for ac, slot in wanted.keys() - codes]
        found = [codes[key] for key in wanted if key in codes] or [
            HuffmanCode(True, 0, (0,) * 16, b"")
        ]
        places = {key: index for index, key in enumerate(wanted)}
        return cls(
            np.array([code.counts for code in found], np.uint8),
            np.frombuffer(
                b"".join(code.symbols[:256].ljust(256, b"\0") for code in found), np.uint8
            ).reshape(-1, 256),
            tuple(
                (places.get((False, dc), 0), places.get((True, ac), 0)) for dc, ac in stored.slots
            ),
            min(missing, default=""),
        )


def _damaged(name: str, defect: str) -> UnsupportedImage:
    return UnsupportedImage(
        f"{name}: is damaged or cut short: {defect}; use an intact copy, or --salvage to keep "
        "what is there"
    )


def _check(jpeg: Jpeg, name: str, limits: Limits) -> None:
    """Refuse by name what is not decoded."""
    frame = jpeg.frame
    kind = _unsupported(jpeg)
    if kind:
        raise UnsupportedImage(f"{name}: is {kind}; convert it to an ordinary JPEG or PNG first")
    if frame.height == 0:
        raise UnsupportedImage(f"{name}: states its height nowhere; use an intact copy")
    pixels = frame.width * frame.height
    if pixels > limits.pixels:
        raise ImageTooLarge(
            f"{name}: {frame.width} x {frame.height} = {pixels:,} pixels exceed the limit of "
            f"{limits.pixels:,}; raise it with --max-pixels"
        )
    if len(jpeg.scans) > limits.scans:
        raise UnsupportedImage(
            f"{name}: has {len(jpeg.scans)} scans, more than {limits.scans}: it is built to waste "
            "time"
        )


def _unsupported(jpeg: Jpeg) -> str:
    frame: Frame = jpeg.frame
    if frame.marker & 4 or any(part.marker in (segments.DHP, segments.EXP) for part in jpeg.parts):
        return "a hierarchical JPEG"
    if frame.lossless:
        return "a lossless JPEG"
    if frame.arithmetic:
        return "a JPEG with arithmetic coding"
    if frame.precision != 8:
        return f"a JPEG of {frame.precision} bits"
    if len(frame.components) > 4:
        return f"a JPEG of {len(frame.components)} components"
    return ""


def _check_memory(layout: Layout, name: str, limits: Limits) -> None:
    blocks = [layout.blocks(i) for i in range(len(layout.factors))]
    memory = sum(128 * rows * columns for rows, columns in blocks)
    if memory > limits.memory:
        raise ImageTooLarge(
            f"{name}: its levels take {memory:,} bytes, more than {limits.memory:,}; "
            "make the picture smaller first"
        )


def _lacking(jpeg: Jpeg, work: _Work) -> Iterator[str]:
    """What the scans together leave open."""
    if any((bits == UNKNOWN).all() for bits in work.known):
        yield "some components have no scan"
    elif any(bits.any() for bits in work.known) and not _ends(jpeg):
        yield f"the file ends at byte {jpeg.parts[-1].end}, and scans are missing"


def _ends(jpeg: Jpeg) -> bool:
    """Whether the end marker is there, and so all that there was."""
    return any(part.marker == segments.EOI for part in jpeg.parts[-2:])


def _steps(jpeg: Jpeg, name: str) -> Iterator[WideSteps]:
    for component, table in zip(jpeg.frame.components, jpeg.steps, strict=True):
        if table is None:
            raise UnsupportedImage(
                f"{name}: has no quantisation table {component.slot}; use an intact copy"
            )
        yield np.array(table.steps, np.uint16)
