"""From plain gradient descent to byte budgets, on a part of ``coffee.png``: docs/tutorial.md.

    python examples/tutorial.py [FOLDER] [--quick]

Prints what each chapter finds; with matplotlib and a FOLDER given, draws its figures there.
"""

from __future__ import annotations

import argparse
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

import gradpress
from gradpress.descent import (
    Adam,
    Evaluation,
    Gradient,
    ProximalGradient,
    Solution,
    Terms,
    constant,
    minimise,
)

PICTURE = Path(__file__).parent / "coffee.png"
CROP = (215, 130, 375, 290)
"""Left, upper, right, lower edge, in pixels."""
ITERATIONS = 100
LAGRANGIAN = 20.0
"""Squared error by pixel that a bit by pixel is worth, in the first chapters."""

Table = NDArray[np.float64]
"""``(8, 8)`` quantisation steps, rows of frequencies from the top down."""
Levels = NDArray[np.float64]
"""``(blocks, 8, 8)``."""


@dataclass(frozen=True)
class Grey:
    """J of a quantisation table for a grey picture: squared error + λ · bits, both by pixel.

    Steps are 1 at least.

    An objective for ``gradpress.descent``: anything with ``evaluate`` is one.
    """

    coefficients: NDArray[np.float64]
    """``(blocks, 8, 8)``, orthonormal."""
    lagrangian: float

    def evaluate(self, table: Table) -> Evaluation[Table]:
        """J and its slope by every step, where the rounded levels stay as they are.

        A level's bits are taken for 1.5 · log2(1 + |coefficient / step|).
        """
        steps = np.maximum(table, 1)
        scaled = np.abs(self.coefficients / steps)
        levels = np.rint(scaled)
        errors = steps * levels - np.abs(self.coefficients)
        distortion = np.square(errors).sum() / self.coefficients.size
        bits = 1.5 * np.log2(1 + scaled).sum() / self.coefficients.size
        by_error = (2 * errors * levels).sum(0)
        by_bits = -1.5 / math.log(2) * (scaled / (1 + scaled)).sum(0) / steps
        slope = (by_error + self.lagrangian * by_bits) / self.coefficients.size
        slope[(table <= 1) & (slope > 0)] = 0
        value = float(distortion + self.lagrangian * bits)
        return Evaluation(value, value, slope, Terms(float(distortion), float(bits)))


@dataclass(frozen=True)
class Lasso:
    """½ · squared error + λ · Σ |level|, by levels that are real numbers: bits with a corner at 0.

    The gradient is that of the squared error; ``prox`` answers for the rest.
    """

    scaled: Levels
    """Coefficients over their steps."""
    lagrangian: float

    def evaluate(self, levels: Levels) -> Evaluation[Levels]:
        """J and the gradient of its smooth part."""
        errors = levels - self.scaled
        smooth, size = float(np.square(errors).sum() / 2), float(np.abs(levels).sum())
        value = smooth + self.lagrangian * size
        return Evaluation(value, smooth, errors, Terms(smooth, size))

    def prox(self, levels: Levels, gradient: Levels, rate: float) -> Levels:
        """A gradient step, then every level nearer to 0 by rate · λ, and not beyond."""
        moved = levels - rate * gradient
        return np.sign(moved) * np.maximum(np.abs(moved) - rate * self.lagrangian, 0)


@dataclass(frozen=True)
class WithSigns:
    """The same J with a subgradient of all of it, as plain gradient descent needs it."""

    lasso: Lasso

    def evaluate(self, levels: Levels) -> Evaluation[Levels]:
        """J and one of its subgradients."""
        found = self.lasso.evaluate(levels)
        slope = found.gradient + self.lasso.lagrangian * np.sign(levels)
        return replace(found, smooth=found.value, gradient=slope)


def grey_objective(picture: PIL.Image.Image, lagrangian: float) -> Grey:
    """The objective of a picture whose sides are multiples of 8."""
    pixels = np.asarray(picture.convert("L"), np.float64) - 128
    height, width = pixels.shape
    blocks = pixels.reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2).reshape(-1, 8, 8)
    waves = np.cos(np.pi / 8 * np.arange(8)[:, np.newaxis] * (np.arange(8) + 0.5)) / 2
    waves[0] /= math.sqrt(2)
    return Grey(waves @ blocks @ waves.T, lagrangian)


def standard_table() -> Table:
    """What Pillow uses at quality 50."""
    sink = io.BytesIO()
    PIL.Image.new("L", (8, 8)).save(sink, "JPEG", quality=50)
    with PIL.Image.open(sink) as picture:
        slots: dict[int, list[int]] = picture.quantization  # type: ignore[attr-defined]
    return np.reshape(slots[0], (8, 8)).astype(float)


def grey_file(picture: PIL.Image.Image, table: Table) -> bytes:
    """The JPEG file that Pillow writes with a table."""
    steps = [int(step) for step in np.clip(np.rint(table), 1, 255).ravel()]
    sink = io.BytesIO()
    picture.convert("L").save(sink, "JPEG", qtables=[steps], optimize=True)
    return sink.getvalue()


def told(picture: PIL.Image.Image, table: Table) -> str:
    """Bytes and mean squared error of the real file."""
    data = grey_file(picture, table)
    with PIL.Image.open(io.BytesIO(data)) as shown:
        errors = np.asarray(shown, float) - np.asarray(picture.convert("L"), float)
    return f"{len(data):6,} bytes, MSE {np.square(errors).mean():6.2f}"


def chapter_1(picture: PIL.Image.Image) -> None:
    """Gradient descent on a table: rate 0.01, 100 iterations, squared error."""
    print("1. A learning rate of 0.01, 100 iterations, squared error")
    start, objective = standard_table(), grey_objective(picture, 0)
    found = minimise(objective, start, Gradient(constant(0.01)), max_steps=ITERATIONS)
    moved = np.abs(found.params - start).max()
    same = grey_file(picture, found.params) == grey_file(picture, start)
    print(f"   standard table          {told(picture, start)}")
    print(f"   after the descent       {told(picture, found.params)}")
    print(f"   steps moved by {moved:.2f} at most; the same file: {'yes' if same else 'no'}")


def chapter_2(picture: PIL.Image.Image) -> None:
    """Larger steps on squared error buy quality with bytes; J puts a price on them."""
    print("\n2. Larger steps, and what a bit costs")
    start = standard_table()
    print(f"   standard table          {told(picture, start)}")
    for words, price in (("squared error alone", 0.0), ("squared error + λ·bits", LAGRANGIAN)):
        method = Gradient(constant(20.0))
        found = minimise(grey_objective(picture, price), start, method, max_steps=1000).params
        print(f"   {words:23} {told(picture, found)}")
    size = len(grey_file(picture, found))
    scaled = (start * percent / 100 for percent in range(10, 101))
    table = next(table for table in scaled if len(grey_file(picture, table)) <= size)
    print(f"   standard table, scaled  {told(picture, table)}")


def chapter_3(picture: PIL.Image.Image) -> dict[str, Solution[Table]]:
    """One rate for all steps is too small for some and too large for others; Adam's are not."""
    print("\n3. The learning rate")
    objective, start = grey_objective(picture, LAGRANGIAN), standard_table()
    methods = {f"gradient, {rate:g}": Gradient(constant(rate)) for rate in (0.01, 2, 50, 1000)}
    found: dict[str, Solution[Table]] = {}
    for name, method in {**methods, "Adam, 0.5": Adam(constant(0.5))}.items():
        found[name] = minimise(objective, start, method, max_steps=ITERATIONS)
        values = found[name].history.value
        print(
            f"   {name:15} J {values[0]:.2f} → {values[-1]:7.2f} after {len(values) - 1} steps, "
            f"least {min(values):.2f} at step {found[name].best_step}"
        )
    return found


def chapter_4(picture: PIL.Image.Image) -> None:
    """Where bits have a corner, steps must land on it: proximal steps do."""
    print("\n4. Proximal steps")
    lasso = Lasso(grey_objective(picture, 0).coefficients / standard_table(), lagrangian=0.7)
    start = lasso.scaled
    by_gradient = minimise(WithSigns(lasso), start, Gradient(constant(0.3)), max_steps=30)
    by_prox = minimise(lasso, start, ProximalGradient(0.3), max_steps=30)
    for name, found in (("gradient", by_gradient), ("proximal", by_prox)):
        zeros = np.mean(found.params == 0)
        print(f"   {name:11} J {found.value:8.1f} after 30 steps, {zeros:.1%} of levels are 0")


def chapter_5(pixels: NDArray[np.uint8], iterations: int) -> dict[str, gradpress.Result]:
    """The whole codec: every coefficient is a parameter, the bits are the writer's own."""
    print("\n5. Every coefficient: methods on the real codec, squared error at one λ")
    tries: Mapping[str, dict[str, Any]] = {
        "gradient, 0.01": {"method": "gradient", "learning_rate": 0.01, "schedule": "constant"},
        "gradient, 0.3": {"method": "gradient", "learning_rate": 0.3, "schedule": "constant"},
        "gradient, 8": {"method": "gradient", "learning_rate": 8, "schedule": "constant"},
        "gradient, auto": {"method": "gradient", "learning_rate": "auto"},
        "Adam": {"method": "adam"},
        "proximal": {"method": "proximal"},
        "proximal, 1": {"method": "proximal", "learning_rate": 1},
    }
    found = {}
    for name, options in tries.items():
        result = gradpress.compress(
            pixels, loss="mse", lagrangian=60, start="standard", iterations=iterations,
            chroma_subsampling="420", **options,
        )  # fmt: skip
        found[name] = result
        values = history_of(result)
        fall = [f"{values[min(i, len(values) - 1)] / values[0] - 1:+.2%}" for i in (5, iterations)]
        print(f"   {name:15} J after 5 steps {fall[0]}, after {iterations} {fall[1]}")
        for notice in result.notices:
            print(f"{'':19}{notice}")
    return found


def chapter_6(pixels: NDArray[np.uint8]) -> dict[str, gradpress.Result]:
    """The same bytes, spent on what is seen."""
    print("\n6. What is seen: the same bytes with another loss")
    size = pixels.shape[0] * pixels.shape[1] // 8
    found = {}
    for loss in ("mse", "perceptual"):
        found[loss] = gradpress.compress(pixels, loss=loss, target_size=size)
        result = found[loss]
        scores = "PSNR {psnr:.2f} dB, SSIMULACRA2 {ssimulacra2:.1f}".format(**result.metrics)
        print(f"   {loss:11} {result.bytes_after:,} bytes: {scores}")
    return found


def chapter_7(pixels: NDArray[np.uint8]) -> gradpress.Result:
    """A budget of bytes is a constraint: by the right λ, or from inside by a barrier."""
    print("\n7. A budget of bytes")
    size = pixels.shape[0] * pixels.shape[1] // 6
    for method in ("proximal", "interior-point"):
        result = gradpress.compress(pixels, target_size=size, method=method)
        share, score = result.bytes_after / size, result.metrics["ssimulacra2"]
        print(f"   {method:15} {result.bytes_after:,} of {size:,} bytes ({share:.1%}), "
              f"SSIMULACRA2 {score:.1f}")  # fmt: skip
    return result


def history_of(result: gradpress.Result) -> tuple[float, ...]:
    """J by step."""
    assert result.history is not None
    return result.history.value


def curves(
    series: Mapping[str, tuple[float, ...]], path: Path, words: str, limits: tuple[float, float]
) -> None:
    """Draw J by step, each as its part of the start's."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.subplots()
    for name, values in series.items():
        axes.plot([value / values[0] for value in values], label=name, linewidth=1.5)
    axes.set_ylim(limits)
    axes.set_xlabel("step")
    axes.set_title(words, loc="left", fontsize="medium")
    axes.legend(frameon=False, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=90)


def side_by_side(pictures: Mapping[str, PIL.Image.Image], path: Path) -> None:
    """Draw pictures beside each other, each under its name."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(7.2, 2.7), layout="constrained")
    for axes, (name, picture) in zip(
        figure.subplots(1, len(pictures)), pictures.items(), strict=True
    ):
        axes.imshow(np.asarray(picture), interpolation="nearest")
        axes.set_title(name, fontsize="medium")
        axes.axis("off")
    figure.savefig(path, dpi=90)


def has_matplotlib() -> bool:
    """Whether figures can be drawn."""
    try:
        import matplotlib.figure  # noqa: F401, PLC0415
    except ImportError:
        print("\nmatplotlib is not installed: no figures")
        return False
    return True


def main() -> None:
    """Tell the story."""
    parser = argparse.ArgumentParser(description="Gradient descent on JPEG files, step by step.")
    parser.add_argument("folder", nargs="?", type=Path, help="where the figures go")
    parser.add_argument("--quick", action="store_true", help="a smaller picture, fewer steps")
    given = parser.parse_args()
    with PIL.Image.open(PICTURE) as whole:
        picture = whole.convert("RGB").crop(CROP)
    if given.quick:
        picture = picture.crop((0, 0, 64, 64))
    pixels = np.asarray(picture)

    chapter_1(picture)
    chapter_2(picture)
    tables = chapter_3(picture)
    chapter_4(picture)
    methods = chapter_5(pixels, 20 if given.quick else ITERATIONS)
    losses = chapter_6(pixels)
    budget = chapter_7(pixels)
    if given.folder is None or not has_matplotlib():
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    rates = {name: found.history.value for name, found in tables.items()}
    curves(rates, given.folder / "rates.png", "J of a table, start = 1", (0.7, 1.3))
    descents = {name: history_of(result) for name, result in methods.items()}
    curves(
        descents, given.folder / "methods.png", "J of every coefficient, start = 1", (0.98, 1.001)
    )
    shown = {f"{loss}, {r.bytes_after:,} bytes": r.image for loss, r in losses.items()}
    side_by_side({"original": picture, **shown}, given.folder / "losses.png")
    budget.plot_convergence().savefig(given.folder / "budget.png", dpi=70)


if __name__ == "__main__":
    main()
