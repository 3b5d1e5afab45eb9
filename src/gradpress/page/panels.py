"""What a page says of one picture beside showing it: numbers, descent, curve, tables, settings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from gradpress.descent import History
from gradpress.jpeg.params import ZIGZAG
from gradpress.metrics import Metric, metric
from gradpress.options import DEFAULTS
from gradpress.ordinary import OrdinaryPoint, ordinary_bytes
from gradpress.page.command import asked
from gradpress.page.markup import Markup, element, join
from gradpress.page.svg import SMALL, Series, chart
from gradpress.result import Result
from gradpress.wording import chroma, saving

COMPONENTS = ("Y", "Cb", "Cr")
ALWAYS = ("loss", "effort", "chroma_subsampling", "progressive")
"""Options that are told even where they are what they are by default."""
MOST_STEPS = 200
"""Of a descent, on the page."""
HEATS = 10
"""Shades of a table's cells."""

Row = Sequence[str]


def panel(title: str, *content: str, wide: bool = False) -> Markup:
    """A titled part of the page."""
    style = "panel wide" if wide else "panel"
    return element("section", element("h3", title), *content, class_=style)


def table(head: Row, rows: Iterable[Row], caption: str) -> Markup:
    """A plain table, the first column naming the row."""
    return element(
        "div",
        element(
            "table",
            element("caption", caption, class_="hidden"),
            element("thead", element("tr", join(element("th", t, scope="col") for t in head))),
            element("tbody", join(map(_row, rows))),
        ),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def _row(cells: Row) -> Markup:
    first, *rest = cells
    return element(
        "tr", element("th", first, scope="row"), join(element("td", cell) for cell in rest)
    )


def folded(title: str, *content: str) -> Markup:
    """What is shown on request."""
    return element("details", element("summary", title), *content, class_="more")


def score(by: Metric, value: float) -> str:
    """A metric's value with the places that mean something, and its unit."""
    return f"{value:.{by.digits}f}{f' {by.unit}' if by.unit else ''}"


def better(by: Metric) -> str:
    """Say which way is up."""
    return "higher is better" if by.higher_is_better else "lower is better"


def figures(result: Result) -> Markup:
    """The numbers that count, large."""
    after, before = result.bytes_after, result.bytes_before
    bpp = 8 * after / (result.width * result.height)
    of = "" if before is None else f"of {before:,}; "
    tiles = [("Bytes", f"{after:,}", f"{of}{bpp:.3f} bits per pixel")]
    if before:
        tiles.append(("Saved", saving(before, after), "of the input file"))
    for name, value in result.metrics.items():
        by = metric(name)
        tiles.append((name, score(by, value), better(by)))
    if result.solution:
        count = result.solution.steps
        steps = f"{count} step{'' if count == 1 else 's'}; {result.cpu_seconds:.2f} s of CPU"
        tiles.append(("Time", f"{result.seconds:.2f} s", steps))
    shape = f"{result.width} × {result.height}"
    scans = "progressive" if result.progressive else "baseline"
    tiles.append(("Pixels", shape, f"{chroma(result.subsampling)}, {scans}"))
    return element("dl", join(_tile(*tile) for tile in tiles), class_="tiles")


def _tile(label: str, value: str, note: str) -> Markup:
    said = element("span", note, class_="note")
    return element("div", element("dt", label), element("dd", element("b", value), said))


def told(count: int, kept: int) -> list[int]:
    """Places of the steps that a page tells of: all, or of very many some; the kept one always."""
    every = math.ceil(count / MOST_STEPS)
    return sorted({*range(0, count, every), kept, count - 1})


def prices(history: History) -> tuple[float, ...]:
    """λ of each step: what J holds beyond D, by bit."""
    columns = zip(history.value, history.distortion, history.bits, strict=True)
    return tuple((value - d) / bits if bits else math.nan for value, d, bits in columns)


def convergence(result: Result) -> Markup:
    """Distortion, bits, J and λ by step, and all of it in numbers."""
    solution, history = result.solution, result.history
    if solution is None or history is None:
        return Markup("")
    columns = (
        ("Distortion D", history.distortion),
        ("Bits R", history.bits),
        ("Objective J = D + λ·R", history.value),
        ("Price of a bit λ", prices(history)),
    )
    best = solution.best_step
    charts = (_steps_chart(title, values, history, best) for title, values in columns)
    note = (
        f"{solution.stop.value} The file is step {best}, marked with a ring. λ follows the goal: J "
        "of steps at different λ cannot be compared. Measured steps were decoded and scored as a "
        "viewer shows them."
    )
    return panel(
        "Descent",
        element("div", join(charts), class_="charts"),
        element("p", note, class_="hint"),
        folded("Steps in numbers", _steps_table(result, history, best)),
        wide=True,
    )


def _steps_chart(title: str, values: Sequence[float], history: History, best: int) -> Markup:
    def series(label: str, places: Sequence[int], *, line: bool, style: str) -> Series:
        points = tuple((float(history.index[at]), values[at]) for at in places)
        notes = tuple(
            f"step {history.index[at]}: {values[at]:.6g}, after {history.seconds[at]:.2f} s"
            for at in places
        )
        return Series(label, points, notes, line, style)

    kept = history.index.index(best)
    drawn = (
        series(title, told(len(values), kept), line=True, style="a"),
        series("the file", (kept,), line=False, style="mark"),
    )
    lines = chart(title, "step", title, drawn, size=SMALL, counted=True)
    return element("figure", element("figcaption", title), lines)


def _steps_table(result: Result, history: History, best: int) -> Markup:
    by = metric(next(iter(result.metrics)))
    head = ("Step", "Seconds", "Evaluations", "D", "Bits", "J", "λ", by.name)
    rows = zip(
        map(str, history.index),
        (f"{value:.2f}" for value in history.seconds),
        map(str, history.evaluations),
        (f"{value:.6g}" for value in history.distortion),
        (f"{value:,.0f}" for value in history.bits),
        (f"{value:.6g}" for value in history.value),
        (f"{value:.4g}" for value in prices(history)),
        ("" if value is None else score(by, value) for value in _padded(result, history)),
        strict=True,
    )
    places = told(len(history.index), history.index.index(best))
    every = list(rows)
    return table(head, [every[at] for at in places], "The descent step by step")


def _padded(result: Result, history: History) -> tuple[float | None, ...]:
    return result.qualities or (None,) * len(history.index)


def curve(result: Result, points: Sequence[OrdinaryPoint]) -> Markup:
    """Ordinary JPEG by quality, and this file beside it."""
    name, value = next(iter(result.metrics.items()))
    by = metric(name)
    ordinary = Series(
        "ordinary JPEG",
        tuple((float(point.bytes), point.score) for point in points),
        tuple(f"quality {p.quality}: {p.bytes:,} bytes, {score(by, p.score)}" for p in points),
        style="b",
    )
    own = Series(
        "this file",
        ((float(result.bytes_after), value),),
        (f"{result.bytes_after:,} bytes, {score(by, value)}",),
        line=False,
        style="mark",
    )
    axis = f"{name}{f', {by.unit}' if by.unit else ''}"
    rows = [(f"{p.quality}", f"{p.bytes:,}", score(by, p.score)) for p in points]
    return panel(
        "Rate and distortion",
        element("p", *_keys(("b", "ordinary JPEG"), ("mark", "this file")), class_="keys"),
        chart(f"{axis} by bytes", "bytes", axis, [ordinary, own]),
        element("p", _verdict(result, by, value, points), class_="hint"),
        folded(
            "Ordinary JPEG in numbers", table(("Quality", "Bytes", axis), rows, "Ordinary JPEG")
        ),
    )


def _verdict(result: Result, by: Metric, value: float, points: Sequence[OrdinaryPoint]) -> str:
    said = "Ordinary JPEG is libjpeg-turbo 4:2:0, baseline, with optimised Huffman tables."
    bytes_ = ordinary_bytes(points, by, value)
    if bytes_ is None:
        return f"{better(by).capitalize()}. {said}"
    change = saving(round(bytes_), result.bytes_after)
    return (
        f"{better(by).capitalize()}. At this {by.name} ordinary JPEG takes about {bytes_:,.0f} "
        f"bytes: this file is {change} beside it. {said}"
    )


def _keys(*keys: tuple[str, str]) -> list[Markup]:
    return [element("span", label, class_=f"key {style}") for style, label in keys]


def tables(steps: Sequence[Sequence[int] | None]) -> Markup:
    """The quantisation tables (zigzag order, by component), equal ones once."""
    known = [
        (COMPONENTS[i] if len(steps) > 1 else "Grey", tuple(each))
        for i, each in enumerate(steps[:3])
        if each is not None
    ]
    grouped = groupby(known, key=lambda pair: pair[1])
    drawn = [_steps_square(", ".join(name for name, _ in group), each) for each, group in grouped]
    note = (
        "Steps by frequency: across to the right, down downwards. The larger the step, the coarser "
        "the coefficient."
    )
    return panel(
        "Quantisation tables",
        element("div", join(drawn), class_="tables"),
        element("p", note, class_="hint"),
    )


def _steps_square(name: str, steps: tuple[int, ...]) -> Markup:
    natural = np.empty(64, int)
    natural[ZIGZAG] = steps
    rows = (
        element("tr", join(element("td", str(step), class_=_heat(step)) for step in row))
        for row in natural.reshape(8, 8).tolist()
    )
    return element("table", element("caption", name), element("tbody", join(rows)), class_="steps")


def _heat(step: int) -> str:
    return f"h{min(int(math.log2(step) / 8 * HEATS), HEATS - 1)}"


def settings(result: Result, options: Mapping[str, Any], line: str) -> Markup:
    """What was asked for, what it came to, and the command that does it again."""
    always = {name: value for name, value in DEFAULTS.items() if name in ALWAYS}
    chosen = {**always, **asked(options)}
    named = [(name.replace("_", "-"), str(value)) for name, value in chosen.items()]
    rows = [("goal", str(result.goal)), ("outcome", result.reason), *named]
    pairs = (element("div", element("dt", k), element("dd", v)) for k, v in rows)
    notices = join(element("li", notice) for notice in result.notices)
    return panel(
        "Settings",
        element("dl", join(pairs), class_="settings"),
        element("ul", notices, class_="notices") if notices else "",
        element("h4", "The same again"),
        element(
            "div",
            element("pre", element("code", line), tabindex="0", aria_label="Command"),
            element("button", "Copy", type="button", data_copy=True, class_="controls"),
            class_="command",
        ),
        wide=True,
    )
