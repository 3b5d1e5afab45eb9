"""The part of a page that is about one picture."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradpress.image import Image
from gradpress.jpeg import reader
from gradpress.jpeg.heat import BlockBits, bits_map
from gradpress.jpeg.reader import Jpeg
from gradpress.maps import decoded_planes, error_range, luma_error
from gradpress.metrics import metric
from gradpress.ordinary import OrdinaryPoint, ordinary_curve
from gradpress.page import panels
from gradpress.page.colours import DARKER_LIGHTER, FEW_MANY, Scale
from gradpress.page.command import command
from gradpress.page.markup import Markup, element
from gradpress.page.pictures import Sheets, views
from gradpress.page.viewer import viewer
from gradpress.result import Result
from gradpress.wording import saving
from gradpress.workers import SERIAL, Workers

QUALITIES = (20, 40, 60, 75, 85, 92, 96)
FEW_QUALITIES = (40, 70, 85, 95)
LARGE = 3_000_000
"""Pixels from which the curve has few points: a score takes a second there."""
ALL_BITS = 99.5
"""Per cent of the blocks whose bits the scale takes in."""


@dataclass(frozen=True)
class Subject:
    """A picture that was compressed, and how."""

    source: str
    """Its name."""
    output: str
    """The name of its JPEG file."""
    result: Result
    options: Mapping[str, Any]
    """Those that were given, by name."""

    @property
    def slug(self) -> str:
        """Begins the identifiers of its section."""
        return slug_of(self.source)


def slug_of(source: str) -> str:
    """A name for a picture's section that HTML and URLs allow."""
    name = source.encode(errors="surrogatepass")
    return f"p{hashlib.blake2s(name, digest_size=6).hexdigest()}"


def section(
    subject: Subject, most: int, *, alone: bool = True, workers: Workers = SERIAL
) -> Markup:
    """Everything about a picture, with images of at most about ``most`` bytes."""
    result = subject.result
    shown = _shown(subject, most, workers) if result.solution else ()
    parts = (
        panels.figures(result),
        *shown[:1],
        element(
            "div",
            panels.convergence(result),
            *shown[1:],
            panels.tables(_steps(reader.read(result.data))),
            panels.settings(
                result,
                subject.options,
                command(subject.source, subject.output, subject.options),
            ),
            class_="panels",
        ),
    )
    return _framed(subject, alone, *parts)


def _framed(subject: Subject, alone: bool, *parts: str) -> Markup:
    name, result = subject.source, subject.result
    badge = element("span", result.status.value, class_=f"badge {result.status.value}")
    if alone:
        heading = element("h2", name, " ", badge)
        return element("section", heading, *parts, id=subject.slug, class_="picture")
    size = f"{result.bytes_after:,} bytes"
    change = f", {saving(result.bytes_before, result.bytes_after)}" if result.bytes_before else ""
    summary = element(
        "summary", element("h2", name), badge, element("span", size + change, class_="note")
    )
    return element("details", summary, *parts, id=subject.slug, class_="picture")


def _shown(subject: Subject, most: int, workers: Workers) -> tuple[Markup, Markup]:
    """The viewer, and the panel with the curve of ordinary JPEG."""
    result = subject.result
    assert result.original is not None
    image = result.original()
    sheets = _sheets(result, image)
    seen = viewer(
        subject.slug, subject.source, views(sheets, most), sheets.error_scale, sheets.bits_scale
    )
    del sheets
    return seen, panels.curve(result, _curve(result, image, workers))


def _sheets(result: Result, image: Image) -> Sheets:
    decoded = decoded_planes(result.data)
    original = image.planes[: len(decoded)]
    error = luma_error(original, decoded)
    most = error_range(error)
    bits = _bits(result)
    high = 1.0 if bits is None else _rounded_up(float(np.percentile(bits, ALL_BITS)))
    return Sheets(
        original,
        decoded,
        error,
        bits,
        Scale(-most, most, DARKER_LIGHTER, "levels of 255"),
        Scale(0.0, high, FEW_MANY, "bits"),
        image.icc,
        result.data,
    )


def _rounded_up(value: float) -> float:
    """To two digits, 1 at least."""
    step = 10.0 ** max(math.floor(math.log10(max(value, 1.0))) - 1, 0)
    return max(math.ceil(value / step) * step, 1.0)


def _bits(result: Result) -> BlockBits | None:
    if result.solution is None:
        return None
    scans = reader.read(result.data).scans
    return bits_map(result.solution.params.symbols, 8.0 * sum(s.end - s.begin for s in scans))


def _curve(result: Result, image: Image, workers: Workers) -> tuple[OrdinaryPoint, ...]:
    grey = result.subsampling == "grey"
    planes = image.planes[:1] if grey else image.planes
    qualities = FEW_QUALITIES if result.width * result.height > LARGE else QUALITIES
    return ordinary_curve(planes, metric(next(iter(result.metrics))), qualities, workers)


def _steps(jpeg: Jpeg) -> list[tuple[int, ...] | None]:
    return [None if each is None else each.steps for each in jpeg.steps]


def failure(name: str, slug: str, reason: str) -> Markup:
    """The section of a picture that could not be shown."""
    return element("section", element("h2", name), element("p", reason, class_="failed"), id=slug)
