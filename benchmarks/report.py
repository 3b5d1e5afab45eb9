"""What the rows say: BD-rates, bytes at fixed quality, time and memory, as Markdown tables.

python -m benchmarks.report benchmarks/results/NAME.tsv [MORE.tsv ...]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean, median

from benchmarks.curves import Curve, bd_rate
from benchmarks.encoders import PEERS
from benchmarks.metrics import METRICS, PANEL, WITNESSES, Metric
from benchmarks.rows import Row, read_rows

ANCHORS = ("turbo-420", "jpegli-420", "mozjpeg-table2-420")
SCORES = (50.0, 60.0, 70.0, 80.0, 85.0)
AHEAD = 0.01
"""Fraction of the bytes by which another encoder must be ahead to count."""
JPEGS = frozenset(peer.name for peer in PEERS if peer.is_jpeg)


@dataclass(frozen=True)
class Results:
    """Measured rows, by encoder and picture."""

    rows: Sequence[Row]

    @cached_property
    def encoders(self) -> list[str]:
        """Their names, in the order of the rows."""
        return list(dict.fromkeys(row.encoder for row in self.rows))

    def of(self, encoder: str) -> list[Row]:
        """One encoder's rows."""
        return [row for row in self.rows if row.encoder == encoder]

    def curves(self, encoder: str, metric: Metric) -> dict[str, Curve | None]:
        """Bytes over quality, by picture."""
        points: dict[str, list[tuple[float, float]]] = {}
        for row in self.of(encoder):
            value = getattr(row, metric.name)
            if not math.isnan(value):
                points.setdefault(row.picture, []).append((row.bytes, metric.axis(value)))
        return {picture: Curve.through(some) for picture, some in points.items()}

    def bd_rates(self, encoder: str, anchor: str, metric: Metric) -> dict[str, float]:
        """Percent against the anchor, by picture, where both have a curve to compare."""
        ours, theirs = self.curves(encoder, metric), self.curves(anchor, metric)
        rates = {p: bd_rate(ours[p], theirs[p]) for p in sorted(ours.keys() & theirs.keys())}
        return {picture: rate for picture, rate in rates.items() if not math.isnan(rate)}

    def bpp_at(self, encoder: str, metric: Metric, value: float) -> dict[str, float]:
        """Bits per pixel that a quality costs, by picture; without pictures out of range."""
        pixels = {row.picture: row.pixels for row in self.of(encoder)}
        sizes = {
            picture: 8 * curve.size_at(metric.axis(value)) / pixels[picture]
            for picture, curve in self.curves(encoder, metric).items()
            if curve is not None
        }
        return {picture: size for picture, size in sizes.items() if not math.isnan(size)}


def panel_table(results: Results, anchor: str) -> str:
    """Mean BD-rates of all encoders against one by every metric, and their mean: the panel."""
    lines = []
    for encoder in results.encoders:
        if encoder == anchor:
            continue
        means = {m.name: _fmean(results.bd_rates(encoder, anchor, m).values()) for m in METRICS}
        panel = _fmean([means[metric.name] for metric in PANEL])
        lines.append(
            [encoder, _number(panel, "+.2f"), *(_number(means[m.name], "+.2f") for m in METRICS)]
        )
    head = [f"BD-rate against {anchor}, %", "panel", *(metric.name for metric in METRICS)]
    return table(head, lines)


def witness_table(results: Results, anchor: str) -> str:
    """The same by metrics that no loss contains; empty where none was measured."""
    lines = []
    for encoder in results.encoders:
        means = [_fmean(results.bd_rates(encoder, anchor, m).values()) for m in WITNESSES]
        if encoder != anchor and not all(map(math.isnan, means)):
            lines.append([encoder, *(_number(mean, "+.2f") for mean in means)])
    head = [f"witnesses against {anchor}, %", *(metric.name for metric in WITNESSES)]
    return table(head, lines) if lines else ""


def score_table(results: Results) -> str:
    """Mean bits per pixel at fixed SSIMULACRA2, and against the best peer JPEG of each picture.

    Over the pictures on which that encoder and some peer reach the score.
    """
    metric = PANEL[0]
    jpegs = [name for name in results.encoders if name in JPEGS and name != "guetzli"]
    head, columns = ["bpp at SSIMULACRA2, against the best JPEG peer"], []
    for score in SCORES:
        at = {encoder: results.bpp_at(encoder, metric, score) for encoder in results.encoders}
        best: dict[str, float] = {}
        for name in jpegs:
            for picture, bpp in at[name].items():
                best[picture] = min(bpp, best.get(picture, math.inf))
        head.append(f"{score:g}")
        columns.append([_against(at[encoder], best) for encoder in results.encoders])
    lines = [list(line) for line in zip(results.encoders, *columns, strict=True)]
    return table(head, lines)


def _against(bpp: dict[str, float], best: dict[str, float]) -> str:
    """Mean bpp, its difference to the best peers' mean, and where those are ahead."""
    both = sorted(bpp.keys() & best.keys())
    if not both:
        return ""
    ours, theirs = fmean(bpp[p] for p in both), fmean(best[p] for p in both)
    behind = sum(bpp[p] > (1 + AHEAD) * best[p] for p in both)
    return f"{ours:.3f} {100 * (ours / theirs - 1):+.1f} % ({behind} of {len(both)} behind)"


def ladder_table(results: Results) -> str:
    """Gradpress's levels of effort: bytes at equal SSIMULACRA2 against effort 5, and CPU time."""
    lines = []
    for encoder in results.encoders:
        if not encoder.startswith("gradpress-e"):
            continue
        rates = results.bd_rates(encoder, "gradpress-e5", PANEL[0])
        seconds = [row.cpu_seconds / row.megapixels for row in results.of(encoder)]
        lines.append([encoder, _number(_fmean(rates.values()), "+.2f"), f"{median(seconds):.2f}"])
    return table(["effort", "bytes, %", "CPU s/megapixel"], lines)


def cost_table(results: Results, anchors: Sequence[str]) -> str:
    """CPU time and memory, with the ratios of the processes' CPU time to the anchors'."""
    processes = {encoder: _process_seconds(results, encoder) for encoder in results.encoders}
    lines = []
    for encoder in results.encoders:
        rows = results.of(encoder)
        seconds = [row.cpu_seconds / row.megapixels for row in rows]
        peaks = [r.process_peak_bytes for r in rows if not math.isnan(r.process_peak_bytes)]
        lines.append(
            [
                encoder,
                f"{median(seconds):.3f}",
                f"{max(seconds):.3f}",
                _number(processes[encoder], ".3f"),
                *(_number(processes[encoder] / processes[a], ".1f") for a in anchors),
                _number(max(peaks, default=math.nan) / 1e6, ".0f"),
            ]
        )
    head = ["CPU seconds per megapixel", "median", "most", "whole process"]
    return table([*head, *(f"÷ {anchor}" for anchor in anchors), "peak MB"], lines)


def report(rows: Sequence[Row], anchors: Iterable[str] = ANCHORS) -> str:
    """All tables; anchors without rows are left out."""
    results = Results(rows)
    present = [anchor for anchor in anchors if anchor in results.encoders]
    tables = [panel_table(results, anchor) for anchor in present]
    tables += [witness_table(results, anchor) for anchor in present]
    tables += [score_table(results), ladder_table(results), cost_table(results, present)]
    return "\n\n".join(filter(None, tables))


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns line up."""
    body = [list(head), *map(list, lines)]
    widths = [max(len(line[i]) for line in body) for i in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    padded = [[line[0].ljust(widths[0]), *_right(line[1:], widths[1:])] for line in body]
    return "\n".join(f"| {' | '.join(line)} |" for line in [padded[0], rule, *padded[1:]])


def _right(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]


def _process_seconds(results: Results, encoder: str) -> float:
    """The mean over pictures of a process's CPU seconds per megapixel."""
    per_picture = [row.process_cpu_seconds / row.megapixels for row in results.of(encoder)]
    measured = [seconds for seconds in per_picture if not math.isnan(seconds)]
    return fmean(measured) if measured else math.nan


def _fmean(values: Iterable[float]) -> float:
    """The mean; nan of nothing."""
    known = list(values)
    return fmean(known) if known else math.nan


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)


def main() -> None:
    """Print the report of saved results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--anchors", nargs="+", default=list(ANCHORS), metavar="ENCODER")
    given = parser.parse_args()
    print(report([row for path in given.results for row in read_rows(path)], given.anchors))


if __name__ == "__main__":
    main()
