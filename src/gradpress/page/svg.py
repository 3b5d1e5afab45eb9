"""Charts as SVG: pure functions of numbers. Colours come from the page, by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gradpress.page.markup import Markup, element, join

SMALL, LARGE = (300.0, 190.0), (480.0, 290.0)
"""Width and height of a chart, in its own units; the page scales it."""
BAR = (480.0, 16.0)
"""Of a colour bar."""
LEFT, RIGHT, TOP, BOTTOM = 50.0, 12.0, 12.0, 40.0
"""Margins around the plot."""
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Series:
    """Points of one kind, in the order in which a line joins them."""

    label: str
    points: tuple[tuple[float, float], ...]
    notes: tuple[str, ...] = ()
    """What is said of each point when it is pointed at."""
    line: bool = True
    style: str = "a"
    """``a`` or ``b``, and ``mark`` for a point to be noticed."""


@dataclass(frozen=True)
class Axis:
    """A range of numbers laid on a stretch of the drawing."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Where a number lies, in the drawing's units."""
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from low to high, at most so many: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    step = 10.0 ** math.floor(math.log10(span / most))
    step *= next(factor for factor in (1, 2, 5, 10, 20) if span / (factor * step) <= most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def amount(value: float) -> str:
    """Write a number shortly: 1.25 M, 48 k, 0.031."""
    for size, prefix in _PREFIXES:
        if abs(value) >= size:
            return f"{value / size:.4g} {prefix}"
    return f"{value:.4g}"


def span(values: Sequence[float], *, padding: float = 0.06) -> tuple[float, float]:
    """The range of finite numbers and a little more; never empty."""
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    more = padding * (high - low) or abs(high) * 0.1 or 1.0
    return low - more, high + more


def chart(
    title: str,
    x_label: str,
    y_label: str,
    series: Sequence[Series],
    *,
    size: tuple[float, float] = LARGE,
    counted: bool = False,
) -> Markup:
    """Lines and points over a grid, with a title and a description for those who cannot see it.

    ``counted`` says that x counts: its ticks are whole and not below 0.
    """
    width, height = size
    points = [point for each in series for point in each.points if all(map(math.isfinite, point))]
    x = Axis(*span([p[0] for p in points]), LEFT, width - RIGHT)
    y = Axis(*span([p[1] for p in points]), height - BOTTOM, TOP)
    x_ticks = ticks(x.low, x.high, 7)
    if counted:
        x_ticks = [tick for tick in x_ticks if tick >= 0 and float(tick).is_integer()]
    return element(
        "svg",
        element("title", title),
        element("desc", _described(x_label, y_label, series)),
        join(_row(x, y, value) for value in ticks(y.low, y.high, 6)),
        join(_column(x, y, value) for value in x_ticks),
        _text(x_label, (x.begin + x.end) / 2, height - 6, "label middle"),
        join(_drawn(each, x, y) for each in series),
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        class_="chart",
    )


def colour_bar(colours: Sequence[str], labels: Sequence[str], title: str) -> Markup:
    """A row of colours, with labels spread evenly from its first to its last."""
    width, height = BAR
    step = width / len(colours)
    patches = (
        element("rect", x=i * step, y=0, width=step + 0.5, height=height, fill=colour)
        for i, colour in enumerate(colours)
    )
    last = len(labels) - 1
    anchors = ["start", *["middle"] * (last - 1), "end"]
    texts = (
        _text(label, i / last * width, height + 14, f"tick {anchor}")
        for i, (label, anchor) in enumerate(zip(labels, anchors, strict=True))
    )
    return element(
        "svg",
        element("title", title),
        join(patches),
        join(texts),
        viewBox=f"0 0 {width:g} {height + 18:g}",
        role="img",
        class_="bar",
    )


def _described(x_label: str, y_label: str, series: Sequence[Series]) -> str:
    said = [f"{y_label} over {x_label}."]
    for each in series:
        if each.points:
            (x0, y0), (x1, y1) = each.points[0], each.points[-1]
            ends = f"from {amount(y0)} at {amount(x0)} to {amount(y1)} at {amount(x1)}"
            one = f"{amount(y0)} at {amount(x0)}"
            said.append(f"{each.label}: {ends if len(each.points) > 1 else one}.")
    return " ".join(said)


def _row(x: Axis, y: Axis, value: float) -> Markup:
    at = y.at(value)
    line = element("line", x1=x.begin, x2=x.end, y1=at, y2=at, class_="grid")
    return join((line, _text(amount(value), x.begin - 6, at + 3.5, "tick end")))


def _column(x: Axis, y: Axis, value: float) -> Markup:
    at = x.at(value)
    line = element("line", x1=at, x2=at, y1=y.begin, y2=y.begin + 4, class_="grid")
    return join((line, _text(amount(value), at, y.begin + 16, "tick middle")))


def _text(text: str, x: float, y: float, style: str) -> Markup:
    return element("text", text, x=x, y=y, class_=style)


def _drawn(series: Series, x: Axis, y: Axis) -> Markup:
    placed = [
        (x.at(across), y.at(up), note)
        for (across, up), note in zip(
            series.points, series.notes or ("",) * len(series.points), strict=True
        )
        if math.isfinite(across) and math.isfinite(up)
    ]
    path = " ".join(f"{across:.1f},{up:.1f}" for across, up, _ in placed)
    line = element("polyline", points=path, class_=f"line {series.style}") if series.line else ""
    radius = 5.0 if series.style == "mark" else 3.0
    dots = (
        element(
            "circle",
            element("title", f"{series.label}: {note}" if note else series.label),
            cx=across,
            cy=up,
            r=radius,
            class_=f"dot {series.style}",
        )
        for across, up, note in placed
    )
    return join((line, *dots))
