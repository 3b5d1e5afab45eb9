"""Figures of a result with matplotlib: plain Figures, which notebooks show by themselves.

Nothing of matplotlib's global state is used or changed: no pyplot, no backend, no settings.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gradpress.descent import History
from gradpress.errors import GradpressError
from gradpress.image import Image
from gradpress.jpeg.heat import bits_map
from gradpress.jpeg.params import ZIGZAG
from gradpress.maps import Plane, decoded_planes, error_range, luma_error
from gradpress.metrics import metric
from gradpress.page.svg import amount
from gradpress.result import Result
from gradpress.wording import saving

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

INK, ACCENT, WARM = "#30353c", "#0b63c5", "#b4490e"
COMPONENTS = ("Y", "Cb", "Cr")
MOST_PIXELS = 2_000_000
"""A larger picture is thinned out before it is drawn: a figure does not show more."""


def overview(result: Result, original: Image | None = None) -> Figure:
    """Draw the picture before and after, error, bits, descent and the table of luma."""
    figure = _figure((13.0, 7.6))
    image = _original(result, original)
    decoded = decoded_planes(result.data)
    grid = figure.subplots(2, 3)
    _picture(grid[0, 0], image.planes, "Original" + _size(result.bytes_before))
    _picture(grid[0, 1], decoded, f"Compressed{_size(result.bytes_after)}{_saved(result)}")
    _error(grid[0, 2], luma_error(image.planes[: len(decoded)], decoded))
    if result.solution is None:
        for axes in grid[1]:
            axes.axis("off")
    else:
        _bits(grid[1, 0], bits_map(result.solution.params.symbols), result)
        _bits_and_distortion(grid[1, 1], result.solution.history, result.solution.best_step)
        _steps(grid[1, 2], result.solution.params.symbols.steps[0].tolist(), COMPONENTS[0])
    scores = (f"{name} {value:.{metric(name).digits}f}" for name, value in result.metrics.items())
    figure.suptitle(", ".join(scores), color=INK)
    return figure


def convergence(result: Result) -> Figure:
    """Draw D, R, J and λ by step, the step that was kept marked; measured scores on the right."""
    solution = result.solution
    if solution is None:
        raise GradpressError(f"there was no descent: {result.reason}")
    figure = _figure((10.0, 6.2))
    history = solution.history
    prices = [
        (value - distortion) / bits if bits else float("nan")
        for value, distortion, bits in zip(
            history.value, history.distortion, history.bits, strict=True
        )
    ]
    columns: tuple[tuple[str, Sequence[float]], ...] = (
        ("Distortion D", history.distortion),
        ("Bits R", history.bits),
        ("Objective J = D + λ·R", history.value),
        ("Price of a bit λ", prices),
    )
    for axes, (title, values) in zip(figure.subplots(2, 2, sharex=True).flat, columns, strict=True):
        _line(axes, title, history, values, solution.best_step)
    figure.suptitle(solution.stop.value, color=INK, fontsize="medium")
    return figure


def error(result: Result, original: Image | None = None) -> Figure:
    """Draw the signed error of luma, the decoded file less the original, with its colour bar."""
    figure = _figure((8.0, 5.6))
    image = _original(result, original)
    decoded = decoded_planes(result.data)
    _error(figure.subplots(), luma_error(image.planes[: len(decoded)], decoded))
    return figure


def _figure(size: tuple[float, float]) -> Figure:
    """An empty figure that notebooks show as a PNG whether or not they know matplotlib."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as missing:
        raise GradpressError(
            "plots need matplotlib, which is not installed: pip install 'gradpress[plot]'"
        ) from missing

    class Shown(Figure):
        """A figure outside of pyplot, which would otherwise be shown as text."""

        def _repr_png_(self) -> bytes:
            sink = io.BytesIO()
            self.savefig(sink, format="png", dpi=110)
            return sink.getvalue()

    return Shown(figsize=size, layout="constrained")


def _original(result: Result, original: Image | None) -> Image:
    if original is not None:
        return original
    if result.original is None:
        raise GradpressError("the original is not known any more; give it: original=read_image(…)")
    return result.original()


def _size(count: int | None) -> str:
    return "" if count is None else f", {count:,} bytes"


def _saved(result: Result) -> str:
    before = result.bytes_before
    return f" ({saving(before, result.bytes_after)})" if before else ""


def _thinned(height: int, width: int) -> int:
    return max(1, round(math.sqrt(height * width / MOST_PIXELS)))


def _picture(axes: Axes, planes: Plane, title: str) -> None:
    every = _thinned(*planes.shape[1:])
    pixels = np.clip(np.rint(planes[:, ::every, ::every]), 0, 255).astype(np.uint8)
    shown = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
    axes.imshow(shown, cmap="gray", vmin=0, vmax=255, extent=_extent(planes[0]))
    _titled(axes, title)


def _error(axes: Axes, values: Plane) -> None:
    most, every = error_range(values), _thinned(*values.shape)
    drawn = axes.imshow(
        values[::every, ::every],
        cmap="RdBu_r",
        vmin=-most,
        vmax=most,
        interpolation="nearest",
        extent=_extent(values),
    )
    _bar(axes, drawn, "levels of luma; red is lighter", "both")
    _titled(axes, "Error: compressed less original")


def _bits(axes: Axes, values: Plane, result: Result) -> None:
    high = max(float(np.percentile(values, 99.5)), 1.0)
    extent = (0.0, values.shape[1] * 8.0, values.shape[0] * 8.0, 0.0)
    drawn = axes.imshow(
        values, cmap="inferno", vmin=0, vmax=high, interpolation="nearest", extent=extent
    )
    _bar(axes, drawn, "bits of each 8 × 8 pixels", "max")
    axes.set_xlim(0, result.width)
    axes.set_ylim(result.height, 0)
    _titled(axes, "Where the bits went")


def _extent(plane: Plane) -> tuple[float, float, float, float]:
    return (0.0, float(plane.shape[1]), float(plane.shape[0]), 0.0)


def _bar(axes: Axes, drawn: AxesImage, label: str, extend: str) -> None:
    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(
        drawn, ax=axes, label=label, extend=extend, location="bottom", shrink=0.8, aspect=35
    )


def _titled(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize="medium", color=INK)
    axes.set_xticks([])
    axes.set_yticks([])


def _line(
    axes: Axes,
    title: str,
    history: History,
    values: Sequence[float],
    best: int,
    colour: str = ACCENT,
) -> None:
    axes.plot(history.index, values, color=colour, marker=".", linewidth=1.4)
    kept = history.index.index(best)
    axes.plot(best, values[kept], "o", markersize=9, fillstyle="none", color=colour)
    axes.set_title(title, fontsize="medium", color=INK, loc="left")
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.grid(axis="y", color="#d8dce2", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.locator_params(axis="x", integer=True)
    axes.yaxis.set_major_formatter(lambda value, _: amount(value))
    place = axes.get_subplotspec()
    if place is None or place.is_last_row():
        axes.set_xlabel("step")


def _bits_and_distortion(axes: Axes, history: History, best: int) -> None:
    """Both over each other, as shares of what they were at the start."""
    for label, values, colour in (("D", history.distortion, ACCENT), ("R", history.bits, WARM)):
        shares = [value / (values[0] or 1.0) for value in values]
        _line(axes, "Distortion and bits, start = 1", history, shares, best, colour)
        axes.annotate(
            label, (history.index[-1], shares[-1]), xytext=(9, 0), textcoords="offset points",
            color=colour, va="center", fontweight="bold",
        )  # fmt: skip


def _steps(axes: Axes, steps: Sequence[int], name: str) -> None:
    natural = np.empty(64, int)
    natural[ZIGZAG] = steps
    square = natural.reshape(8, 8)
    axes.imshow(np.log2(square), cmap="Blues", vmin=0, vmax=10)
    for row, column in np.ndindex(8, 8):
        axes.text(column, row, str(square[row, column]), ha="center", va="center", fontsize="small")
    _titled(axes, f"Quantisation table of {name}")
