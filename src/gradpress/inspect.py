"""What a JPEG file holds, for people and as plain data; no pixels are decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gradpress import findings
from gradpress.findings import Findings
from gradpress.jpeg import metadata, quality, reader
from gradpress.jpeg.colour import colour_model, component_names
from gradpress.jpeg.metadata import Metadata
from gradpress.jpeg.params import ZIGZAG
from gradpress.jpeg.reader import Frame, Jpeg, QuantisationTable, StoredScan
from gradpress.jpeg.segments import APP0, APP15, COM, DAC, DHT, DQT, DRI, Kind, Part, marker_name
from gradpress.wording import printable

OWN_TABLES = 0.25
"""From this mean deviation on libjpeg's quality says little about tables."""
SHOWN_DEFECTS, SHOWN_LETTERS = 20, 200
"""Of the text: lines about defects, and letters of a comment."""

_KINDS = ("baseline", "extended sequential", "progressive", "lossless")
_LAYOUTS = {
    (1, 1): "4:4:4",
    (2, 1): "4:2:2",
    (2, 2): "4:2:0",
    (1, 2): "4:4:0",
    (4, 1): "4:1:1",
    (4, 2): "4:1:0",
}
"""By how many times coarser chroma is, across and down."""
_TABLES = (DQT, DHT, DAC, DRI)
_TRANSFORMS = ("no colour transform", "YCbCr", "YCCK")
"""Adobe's numbers."""


@dataclass(frozen=True)
class Component:
    """A component as the frame states it."""

    name: str
    identifier: int
    h: int
    v: int
    """Sampling factors across and down."""
    table: int
    """Slot of its quantisation table."""


@dataclass(frozen=True)
class Table:
    """A quantisation table."""

    slot: int
    bits: int
    """Of each entry."""
    components: tuple[str, ...]
    """Who uses it."""
    steps: tuple[tuple[int, ...], ...]
    """8 rows of 8, in natural order: frequency across rises to the right, down downwards."""


@dataclass(frozen=True)
class Scan:
    """A scan: which coefficients, which of their bits."""

    components: tuple[str, ...]
    begin: int
    end: int
    """First and last coefficient in zigzag order (Ss, Se); a lossless scan's predictor and 0."""
    high: int
    low: int
    """Successive approximation (Ah, Al): the bit positions before and after this scan."""
    bytes: int
    """Entropy-coded data."""
    restarts: int
    """Restart markers in it."""


@dataclass(frozen=True)
class Segment:
    """A run of the file's bytes; all of them together are the file."""

    name: str
    """Of the marker, such as APP1; else ``scan data``, ``stray bytes`` or ``trailing bytes``."""
    identifier: str
    """What an APPn segment holds, such as XMP."""
    offset: int
    bytes: int
    """With marker and length."""


@dataclass(frozen=True)
class Inspection:
    """What a JPEG file holds."""

    bytes: int
    width: int
    height: int
    """Pixels as stored: not turned as Exif says."""
    kind: str
    """``baseline``, ``extended sequential``, ``progressive`` or ``lossless``."""
    entropy_coding: str
    """``Huffman`` or ``arithmetic``."""
    precision: int
    """Bits of a sample."""
    colour: str
    """``grey``, ``YCbCr``, ``RGB``, ``CMYK``, ``YCCK`` or ``unknown``, as libjpeg takes it."""
    layout: str | None
    """``4:2:0`` and the like; None where the sampling has no such name."""
    bits_per_pixel: float | None
    """Of the whole file."""
    quality: int | None
    """libjpeg's whose tables are nearest; None without tables."""
    quality_exact: bool
    """Whether the tables are that quality's."""
    quality_deviation: float | None
    """Mean deviation of the steps from that quality's: 0.1 is a factor of 1.1."""
    components: tuple[Component, ...]
    tables: tuple[Table, ...]
    huffman_tables: int
    """How often one is defined."""
    restart_interval: int
    """MCUs, where the first scan begins; 0 for none."""
    scans: tuple[Scan, ...]
    metadata: Metadata
    accounting: dict[str, int]
    """Bytes by use; their sum is the file's."""
    segments: tuple[Segment, ...]
    findings: Findings
    """What its coefficients say."""
    trailing_jpeg: bool
    """Whether another JPEG picture follows the end of this one."""
    defects: tuple[str, ...]
    """What is wrong with the file."""


def inspect(data: bytes, name: str = "the picture") -> Inspection:
    """Say what a JPEG file holds; raises UnsupportedImage if it is none."""
    jpeg = reader.read(data, name)
    frame = jpeg.frame
    found = metadata.gather([(part.marker, jpeg.payload(part)) for part in jpeg.parts])
    colour = colour_model(frame, found)
    names = component_names(frame, colour)
    judged = quality.of_file(jpeg)
    pixels = frame.width * frame.height
    first = jpeg.scans[0].tables if jpeg.scans else jpeg.tables
    return Inspection(
        bytes=len(data),
        width=frame.width,
        height=frame.height,
        kind=kind(frame),
        entropy_coding="arithmetic" if frame.arithmetic else "Huffman",
        precision=frame.precision,
        colour=colour,
        layout=layout_name([(component.h, component.v) for component in frame.components]),
        bits_per_pixel=8 * len(data) / pixels if pixels else None,
        quality=judged.value if judged else None,
        quality_exact=judged is not None and judged.exact,
        quality_deviation=judged.deviation if judged else None,
        components=tuple(
            Component(name, c.identifier, c.h, c.v, c.slot)
            for name, c in zip(names, frame.components, strict=True)
        ),
        tables=tuple(_table(table, jpeg, names) for table in jpeg.quantisation),
        huffman_tables=len(jpeg.huffman),
        restart_interval=first.restart_interval,
        scans=tuple(_scan(scan, names) for scan in jpeg.scans),
        metadata=found,
        accounting=_accounting(jpeg.parts),
        segments=tuple(_segment(part, jpeg) for part in jpeg.parts),
        findings=findings.find(jpeg, names),
        trailing_jpeg=any(
            part.kind is Kind.TRAILING and data.startswith(b"\xff\xd8\xff", part.begin)
            for part in jpeg.parts
        ),
        defects=jpeg.defects,
    )


def kind(frame: Frame) -> str:
    """Name the process (T.81, table B.1)."""
    name = _KINDS[frame.marker & 3]
    return f"differential {name}" if frame.marker & 4 else name


def layout_name(factors: list[tuple[int, int]]) -> str | None:
    """Name the sampling of one or three components; None where it has no common name."""
    if len(factors) == 1:
        return "grey"
    (h, v), *chroma = factors
    if len(factors) != 3 or len(set(chroma)) > 1:
        return None
    (chroma_h, chroma_v), _ = chroma
    if h % chroma_h or v % chroma_v:
        return None
    return _LAYOUTS.get((h // chroma_h, v // chroma_v))


def text(found: Inspection) -> Iterator[str]:
    """Say what a file holds, line by line."""
    size = f"{found.width} × {found.height} pixels of {found.precision} bits"
    rate = "" if found.bits_per_pixel is None else f", {found.bits_per_pixel:.3f} bits per pixel"
    tables = f" with {_count(found.huffman_tables, 'table')}" if found.huffman_tables else ""
    yield f"  picture     {size}{rate}"
    yield f"  kind        {found.kind}, {found.entropy_coding} coding{tables}"
    yield f"  colour      {', '.join(dict.fromkeys(filter(None, (found.colour, found.layout))))}"
    yield f"  components  {', '.join(map(_component_text, found.components))}"
    yield f"  quality     {quality_text(found)}"
    yield f"  tables      {findings.tables_text(found.findings)}"
    if found.restart_interval:
        yield f"  restarts    every {_count(found.restart_interval, 'MCU')}"
    uses = (f"{use} {count}" for use, count in found.accounting.items())
    yield f"  bytes       {found.bytes} = {' + '.join(uses)}"
    yield from _metadata_text(found)
    for table in found.tables:
        users = " ".join(table.components) or "nobody"
        yield f"  quantisation table {table.slot} ({users})"
        yield from ("   " + "".join(f"{step:6}" for step in row) for row in table.steps)
    yield f"  {_count(len(found.scans), 'scan')}"
    for number, scan in enumerate(found.scans, 1):
        yield f"    {number:<3} {_scan_text(scan, found)}"
    yield from findings.text(found.findings)
    if found.trailing_jpeg:
        yield "  note: another JPEG picture follows the end of this one"
    defects = (*found.defects, *found.findings.damage)
    yield from (f"  note: {printable(defect)}" for defect in defects[:SHOWN_DEFECTS])
    if len(defects) > SHOWN_DEFECTS:
        yield f"  note: and {len(defects) - SHOWN_DEFECTS} defects more"


def quality_text(found: Inspection) -> str:
    """Say which quality of libjpeg's the tables are, so far as that can be said."""
    if found.quality is None or found.quality_deviation is None:
        return "cannot be told without quantisation tables"
    if found.quality_exact:
        return f"{found.quality} (libjpeg's tables)"
    apart = f"steps {100 * found.quality_deviation:.0f} % apart in the mean"
    if found.quality_deviation < OWN_TABLES:
        return f"about {found.quality} (tables like libjpeg's, {apart})"
    return f"tables of its own (the nearest of libjpeg's: {found.quality}, {apart})"


def _component_text(component: Component) -> str:
    return f"{component.name} {component.h}×{component.v} table {component.table}"


def _metadata_text(found: Inspection) -> Iterator[str]:
    """A line for each kind of segment that describes the picture, and what it says."""
    sizes: Counter[tuple[str, str]] = Counter()
    counts: Counter[tuple[str, str]] = Counter()
    for segment in found.segments:
        if segment.name.startswith("APP") or segment.name == "COM":
            sizes[segment.name, segment.identifier] += segment.bytes
            counts[segment.name, segment.identifier] += 1
    said = _said(found.metadata)
    for (name, held), size in sizes.items():
        number = counts[name, held]
        parts = [held, _count(number, "segment") if number > 1 else "", said.get(held, "")]
        content = ", ".join(filter(None, [*parts, f"{size} bytes"]))
        yield f"  {name:<11} {printable(content)}"
    for comment in found.metadata.comments:
        more = "…" if len(comment) > SHOWN_LETTERS else ""
        yield f"  comment     {printable(comment[:SHOWN_LETTERS])}{more}"


def _said(found: Metadata) -> dict[str, str]:
    """What is worth saying of a segment's content, by its identifier."""
    said = {}
    if found.jfif is not None:
        across, down = found.jfif.density
        units = f"dots per {found.jfif.units}" if found.jfif.units else "(shape of a pixel)"
        said["JFIF"] = f"version {found.jfif.version}, {across} × {down} {units}"
    if found.orientation is not None:
        said["Exif"] = f"orientation {found.orientation}"
    if found.icc is not None:
        said["ICC profile"] = f"profile of {_count(found.icc.bytes, 'byte')}"
    if found.adobe_transform is not None:
        known = found.adobe_transform < len(_TRANSFORMS)
        meaning = _TRANSFORMS[found.adobe_transform] if known else "unknown"
        said["Adobe"] = f"transform {found.adobe_transform} ({meaning})"
    return said


def _scan_text(scan: Scan, found: Inspection) -> str:
    if found.kind.endswith("lossless"):
        what = f"predictor {scan.begin}"
    else:
        what = f"{scan.begin}" if scan.begin == scan.end else f"{scan.begin}–{scan.end}"
        if scan.high or scan.low:
            what += f", bit {scan.low}" if scan.high else f", bits from {scan.low}"
    restarts = f", {_count(scan.restarts, 'restart')}" if scan.restarts else ""
    return f"{' '.join(scan.components):<8}  {what:<18}  {_count(scan.bytes, 'byte')}{restarts}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _table(table: QuantisationTable, jpeg: Jpeg, names: tuple[str, ...]) -> Table:
    natural = dict(zip(ZIGZAG.tolist(), table.steps, strict=True))
    rows = tuple(tuple(natural[8 * row + column] for column in range(8)) for row in range(8))
    users = (name for name, own in zip(names, jpeg.steps, strict=True) if own == table)
    return Table(table.slot, table.bits, tuple(users), rows)


def _scan(stored: StoredScan, names: tuple[str, ...]) -> Scan:
    scan = stored.scan
    components = tuple(names[component] for component in scan.components)
    band = (scan.begin, scan.end, scan.high, scan.low)
    return Scan(components, *band, stored.end - stored.begin, stored.restarts)


def _segment(part: Part, jpeg: Jpeg) -> Segment:
    name = marker_name(part.marker) if part.kind is Kind.MARKER else part.kind.value
    held = metadata.identifier(part.marker, jpeg.payload(part))
    return Segment(name, held, part.begin, part.end - part.begin)


def _accounting(parts: Iterable[Part]) -> dict[str, int]:
    uses = Counter(dict.fromkeys(("scan data", "tables", "headers", "metadata"), 0))
    for part in parts:
        uses[_use(part)] += part.end - part.begin
    return dict(uses)


def _use(part: Part) -> str:
    if part.kind is not Kind.MARKER:
        return str(part.kind.value)
    if APP0 <= part.marker <= APP15 or part.marker == COM:
        return "metadata"
    return "tables" if part.marker in _TABLES else "headers"
