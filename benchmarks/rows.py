"""What is kept: a row for each picture, encoder and setting, in a TSV file."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One file that one encoder made."""

    picture: str
    encoder: str
    setting: float
    pixels: int
    bytes: int
    """Of the whole file."""
    cpu_seconds: float
    """Of encoding within a running process, reading the picture included."""
    ssimulacra2: float = math.nan
    butteraugli: float = math.nan
    """Its 3-norm."""
    ms_ssim: float = math.nan
    psnr_y: float = math.nan
    """dB, over luma."""
    psnr: float = math.nan
    """dB, over RGB."""
    haarpsi: float = math.nan
    vsi: float = math.nan
    fsim: float = math.nan
    dss: float = math.nan
    process_cpu_seconds: float = math.nan
    """Of a process that does this one encode; nan where that was not measured."""
    process_peak_bytes: float = math.nan
    """The most memory that such a process holds."""

    @property
    def bpp(self) -> float:
        """Bits per pixel."""
        return 8 * self.bytes / self.pixels

    @property
    def megapixels(self) -> float:
        """The picture's size."""
        return self.pixels / 1e6


_TYPES = {"str": str, "int": int, "float": float}


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write a TSV file with a heading line; bits per pixel are added for the reader."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as sink:
        names = [*(field.name for field in fields(Row)), "bpp"]
        writer = csv.DictWriter(sink, names, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            values = asdict(row) | {"bpp": row.bpp}
            writer.writerow({name: _text(value) for name, value in values.items()})


def read_rows(path: Path) -> list[Row]:
    """Read what :func:`write_rows` wrote."""
    with path.open(newline="") as source:
        return [_row(values) for values in csv.DictReader(source, delimiter="\t")]


def _row(values: dict[str, str]) -> Row:
    return Row(**{f.name: _TYPES[str(f.type)](values.get(f.name) or "nan") for f in fields(Row)})


def _text(value: str | float) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.9g}"
    return str(value)
