"""Methods of descent beside each other: J at the end over J at the start, from the same start.

``python -m benchmarks.methods FOLDER`` prints, for every loss, how far each method brings J down
on a few pictures, on how many it does, in how many evaluations and how much CPU time; then how
the stochastic steps' cost grows with the picture, and how the interior point keeps budgets.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from functools import partial
from itertools import product
from pathlib import Path
from statistics import fmean

import gradpress
from benchmarks.metrics import Pixels, read_pixels
from benchmarks.report import table
from benchmarks.scaling import tiled
from benchmarks.sweep import pictures_in, spread
from gradpress.by_method import Descent, Loss, pixel_objective, steps_of
from gradpress.course import Course
from gradpress.descent import Drawn, ProximalGradient, Sampled, Step, iterate
from gradpress.distortion import AbsoluteError, Picture, SquaredError
from gradpress.distortion.blend import Blend
from gradpress.distortion.recipes import RECIPES
from gradpress.jpeg.latent import Latent
from gradpress.jpeg.model import planes_of
from gradpress.jpeg.objective import JpegObjective, steps_for
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.jpeg.perceptual import Draft, PerceptualObjective
from gradpress.jpeg.start import prepare
from gradpress.jpeg.tiles import Tiles
from gradpress.methods import RATES, Choice, usual_method
from gradpress.perceive import method_of
from gradpress.studio import Studio
from gradpress.workers import SERIAL

PIXEL = {"mse": (SquaredError, 39.0, 2.0), "mae": (AbsoluteError, 3.1, 0.16)}
"""Losses that are sums over samples: λ of medium quality, and the curvature there."""
PERCEPTUAL_LAGRANGIAN = 30.0
COLUMNS = ("J", "against the default", "fell", "CPU s/MP")
PARTS = ("methods", "stochastic", "budgets")
LOSSES = ("perceptual", "ssimulacra2", "mse", "mae")
METHODS = tuple(name for name in RATES if name != "interior-point")
MEGAPIXELS = (1.0, 4.0, 24.0)
TIMED_STEPS = 60
BUDGETS = (0.3, 0.6, 1.0, 2.0)
"""Bits per pixel."""


@dataclass(frozen=True)
class Problem:
    """A picture under a loss, and where every method starts."""

    loss_name: str
    planes: Picture
    loss: Loss
    objective: PerceptualObjective
    draft: Draft

    @classmethod
    def of(cls, pixels: Pixels, name: str) -> Problem:
        """At 4:2:0 and medium quality."""
        planes = planes_of(pixels)
        layout = Layout(pixels.shape[1], pixels.shape[0], FACTORS["420"])
        if name in PIXEL:
            error, lagrangian, curvature = PIXEL[name]

            def loss(part: Picture) -> Blend:
                return Blend(((1.0, error(part)),))

            objective = pixel_objective(prepare(planes, layout), loss(planes), curvature)
            steps = steps_for(lagrangian, curvature, layout)
            draft = objective.first(lagrangian, steps)
            return cls(name, planes, loss, objective, draft)
        recipe = RECIPES[name]
        objective = Studio(planes, recipe, recipe.blend(planes), SERIAL).objective(layout)
        draft = objective.first(PERCEPTUAL_LAGRANGIAN)
        return cls(name, planes, partial(recipe.blend), objective, draft)

    def steps(self, method: str, evaluations: int, rate: str | None = None) -> Iterator[float]:
        """J by evaluation at which a step ends; the start first."""
        choice = Choice(method, rate)
        steps: Iterator[Step[Draft]] | Iterator[Step[object]]
        if method == "proximal" and self.loss_name != "mae":
            steps = self._proximal(choice, evaluations)
        else:
            steps = steps_of(
                Descent(self.objective, self.draft, choice, evaluations), self.planes, self.loss
            )
        for step in steps:
            yield step.value
            if step.evaluations > evaluations:
                return

    def _proximal(self, choice: Choice, evaluations: int) -> Iterator[Step[object]]:
        """The default's: on squared error whole proximal steps, on perceptual losses short ones."""
        encoding = self.draft.encoding
        if self.loss_name == "mse":
            objective = JpegObjective(self.objective.layout, SquaredError(self.planes), SERIAL)
            yield from iterate(objective, encoding, ProximalGradient(1.0, shrink=0.5))
        method = method_of(Course(None, evaluations, 0), choice)
        yield from iterate(self.objective, self.draft, method)


@dataclass(frozen=True)
class Run:
    """One method on one problem."""

    picture: str
    loss: str
    method: str
    evaluations: int
    """Of J and its gradient that were granted, after the start's."""
    fall: float
    """The least J over that of the start."""
    cpu_seconds: float
    """Per megapixel."""


def run(picture: str, problem: Problem, method: str, evaluations: int) -> Run:
    """Descend."""
    began = time.process_time()
    values = list(problem.steps(method, evaluations))
    spent = time.process_time() - began
    first = problem.objective.evaluate(problem.draft).value
    seconds = spent / (problem.planes[0].size / 1e6)
    return Run(picture, problem.loss_name, method, evaluations, min(values) / first, seconds)


def runs(
    paths: list[Path],
    side: int | None,
    losses: list[str],
    methods: list[str],
    evaluations: list[int],
) -> Iterator[Run]:
    """Methods, picture by picture."""
    for path in paths:
        pixels = centre(read_pixels(path), side)
        for loss in losses:
            problem = Problem.of(pixels, loss)
            for method, count in product(methods, evaluations):
                yield run(path.stem, problem, method, count)


def write(path: Path, done: list[Run]) -> None:
    """A TSV file with a heading line."""
    with path.open("w", newline="") as sink:
        writer = csv.writer(sink, delimiter="\t", lineterminator="\n")
        writer.writerow(field.name for field in fields(Run))
        for each in done:
            *names, fall, seconds = astuple(each)
            writer.writerow([*names, f"{fall:.6f}", f"{seconds:.3f}"])


def read(path: Path) -> list[Run]:
    """What :func:`write` wrote."""
    with path.open(newline="") as source:
        return [
            Run(
                row["picture"], row["loss"], row["method"], int(row["evaluations"]),
                float(row["fall"]), float(row["cpu_seconds"]),
            )
            for row in csv.DictReader(source, delimiter="\t")
        ]  # fmt: skip


def centre(pixels: Pixels, side: int | None) -> Pixels:
    """The middle of a picture; all of it for None."""
    if side is None:
        return pixels
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side].copy()


def by_method(done: list[Run], loss: str) -> str:
    """The table of one loss: J against the start's and the default's, pictures, CPU time."""
    counts = sorted({each.evaluations for each in done if each.loss == loss})
    heading = [f"{loss}: method", *(f"{title}, {n}" for n in counts for title in COLUMNS)]
    lines = []
    for method in dict.fromkeys(each.method for each in done):
        cells = [method]
        for count in counts:
            ours = _falls(done, loss, method, count)
            default = _falls(done, loss, usual_method(loss), count)
            against = [ours[p].fall / default[p].fall - 1 for p in ours.keys() & default.keys()]
            cells += [
                f"{100 * (fmean(each.fall for each in ours.values()) - 1):+.2f} %",
                f"{100 * fmean(against):+.2f} %" if against else "",
                f"{sum(each.fall < 1 for each in ours.values())} of {len(ours)}",
                f"{fmean(each.cpu_seconds for each in ours.values()):.2f}",
            ]
        lines.append(cells)
    return table(heading, lines)


def _falls(done: list[Run], loss: str, method: str, evaluations: int) -> dict[str, Run]:
    wanted = (loss, method, evaluations)
    return {
        each.picture: each for each in done if (each.loss, each.method, each.evaluations) == wanted
    }


def stochastic(picture: Pixels) -> str:
    """CPU time of one stochastic step by size of the picture."""
    lines = []
    for size in MEGAPIXELS:
        problem = Problem.of(tiled(picture, size), "perceptual")
        latent = Latent(problem.objective, problem.draft.encoding)
        tiles = Tiles(problem.planes, problem.loss, latent)
        drawn = Drawn(0, tiles.split(latent.point(problem.draft.targets)))
        sampled = Sampled(tiles)
        began = time.process_time()
        for turn in range(TIMED_STEPS):
            sampled.evaluate(drawn._replace(turn=turn))
        seconds = (time.process_time() - began) / TIMED_STEPS
        lines.append([f"{size:g}", str(tiles.count), f"{1000 * seconds:.1f}"])
    return table(["megapixels", "tiles", "CPU ms per step"], lines)


def batches(picture: Pixels) -> str:
    """J by whole gradients and by stochastic rounds, so that equal times can be compared."""
    lines = []
    for size in MEGAPIXELS[:2]:
        for loss in ("ssimulacra2", "mse"):
            problem = Problem.of(tiled(picture, size), loss)
            for method, counts in (("gradient", (6, 8)), ("sgd", (4, 6, 8))):
                for count in counts:
                    each = run(picture="", problem=problem, method=method, evaluations=count)
                    change = f"{100 * (each.fall - 1):+.2f} %"
                    name = f"{size:g}, {loss}, {method}"
                    lines.append([name, str(count), change, f"{each.cpu_seconds:.2f}"])
    return table(["megapixels, loss, method", "evaluations or rounds", "J", "CPU s/MP"], lines)


def budgets(pictures: list[Pixels]) -> str:
    """Bytes over the budget, and SSIMULACRA2, by the interior point and by the default."""
    lines = []
    for bpp in BUDGETS:
        for method in ("proximal", "interior-point"):
            used, scores = [], []
            for pixels in pictures:
                result = gradpress.compress(pixels, target_size=f"{bpp}bpp", method=method)
                used.append(result.bytes_after / int(bpp * pixels.shape[0] * pixels.shape[1] / 8))
                scores.append(result.metrics["ssimulacra2"])
            span = f"{100 * min(used):.2f}…{100 * max(used):.2f} %"
            lines.append([f"{bpp:g} bpp, {method}", span, f"{fmean(scores):.2f}"])
    return table(["budget and method", "of the budget used", "SSIMULACRA2"], lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of pictures; or the TSV of an earlier run")
    parser.add_argument("--pictures", type=int, metavar="N", help="so many, spread over the folder")
    parser.add_argument("--side", type=int, metavar="PIXELS", help="of their middles only")
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=list(LOSSES))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--evaluations", nargs="+", type=int, default=[8], metavar="N")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--output", type=Path, metavar="TSV", help="keep the runs of the methods")
    given = parser.parse_args()
    if given.folder.suffix == ".tsv":
        print_tables(read(given.folder))
        return
    paths = spread(pictures_in(given.folder), given.pictures)
    if "methods" in given.parts:
        done = list(runs(paths, given.side, given.losses, given.methods, given.evaluations))
        if given.output:
            write(given.output, done)
        print_tables(done)
    if "stochastic" in given.parts:
        print(stochastic(read_pixels(paths[0])), end="\n\n")
        print(batches(read_pixels(paths[0])), end="\n\n")
    if "budgets" in given.parts:
        print(budgets([centre(read_pixels(path), given.side) for path in paths]))


def print_tables(done: list[Run]) -> None:
    """One table for each loss."""
    for loss in dict.fromkeys(each.loss for each in done):
        print(by_method(done, loss), end="\n\n")


if __name__ == "__main__":
    main()
