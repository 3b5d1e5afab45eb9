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
from benchmarks.metrics import METRICS
from benchmarks.rows import Row, read_rows

ANCHORS = ("turbo-420", "mozjpeg-flat-420", "mozjpeg-psnr-420")
DECIBELS = (30.0, 33.0, 36.0, 40.0)


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

    def curves(self, encoder: str, metric: str) -> dict[str, Curve | None]:
        """Bytes over quality, by picture."""
        points: dict[str, list[tuple[float, float]]] = {}
        for row in self.of(encoder):
            points.setdefault(row.picture, []).append((row.bytes, getattr(row, metric)))
        return {picture: Curve.through(some) for picture, some in points.items()}

    def bd_rates(self, encoder: str, anchor: str, metric: str) -> dict[str, float]:
        """Percent against the anchor, by picture, where both have a curve to compare."""
        ours, theirs = self.curves(encoder, metric), self.curves(anchor, metric)
        rates = {p: bd_rate(ours[p], theirs[p]) for p in sorted(ours.keys() & theirs.keys())}
        return {picture: rate for picture, rate in rates.items() if not math.isnan(rate)}


def bd_table(results: Results, anchor: str, metric: str) -> str:
    """BD-rates of all encoders against one: mean of the pictures', the worst, how many ahead."""
    lines = []
    for encoder in results.encoders:
        rates = results.bd_rates(encoder, anchor, metric)
        if encoder == anchor or not rates:
            continue
        worst = max(rates, key=lambda picture: rates[picture])
        ahead = sum(rate < 0 for rate in rates.values())
        lines.append(
            [
                encoder,
                f"{fmean(rates.values()):+.2f}",
                f"{rates[worst]:+.2f} ({worst})",
                f"{ahead} of {len(rates)}",
            ]
        )
    return table([f"BD-rate by {metric} against {anchor}, %", "mean", "worst", "ahead on"], lines)


def size_table(results: Results, metric: str, qualities: Iterable[float]) -> str:
    """Mean bytes at fixed qualities, over the pictures on which every encoder reaches each."""
    curves = {encoder: results.curves(encoder, metric) for encoder in results.encoders}
    head, columns = [f"mean bytes at {metric}"], []
    for quality in qualities:
        sizes = {
            encoder: {p: c.size_at(quality) for p, c in by_picture.items() if c is not None}
            for encoder, by_picture in curves.items()
        }
        reached = set.intersection(
            *({p for p, size in some.items() if not math.isnan(size)} for some in sizes.values())
        )
        head.append(f"{quality:g} dB, n = {len(reached)}")
        columns.append([_mean([some[p] for p in reached]) for some in sizes.values()])
    return table(head, [list(line) for line in zip(results.encoders, *columns, strict=True)])


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
    tables = [bd_table(results, anchor, metric) for metric in METRICS for anchor in present]
    tables += [size_table(results, "psnr", DECIBELS), cost_table(results, present)]
    return "\n\n".join(tables)


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


def _mean(sizes: Sequence[float]) -> str:
    return f"{fmean(sizes):.0f}" if sizes else ""


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
