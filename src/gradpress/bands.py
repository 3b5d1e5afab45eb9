"""Pictures too large to be held at once in all the forms that a descent needs.

λ, tables and prices are found on a mosaic of the picture. Then band after band is quantised, and
where there is effort descended on, at one λ; the bands' levels make one file. Of the whole only
the planes, the levels and what a decoder shows are held: about 30 bytes per pixel.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gradpress.course import Course, held
from gradpress.descent import Recorder, Step, Stop, Terms, minimise
from gradpress.distortion import Picture
from gradpress.distortion.importance import Weights, emphasised
from gradpress.distortion.recipes import Recipe
from gradpress.distortion.ssimulacra2 import Ssimulacra2Error, pooled_score
from gradpress.effort import Effort
from gradpress.goal import Goal, Lagrangian
from gradpress.jpeg import model
from gradpress.jpeg.model import planes_of
from gradpress.jpeg.objective import Encoding, counted, mixed
from gradpress.jpeg.params import Layout, Symbols
from gradpress.jpeg.perceptual import Draft, PerceptualObjective
from gradpress.jpeg.qtables import Tables
from gradpress.methods import PROXIMAL
from gradpress.metrics import Metric
from gradpress.outset import BOUNDS
from gradpress.perceive import descend_perceptually, method_of
from gradpress.search import Measured, Pursuit, answered, response_of, scorers
from gradpress.studio import Studio, mosaic, mosaic_of
from gradpress.workers import Workers

BIG = 1 << 25
"""Pixels of a picture from which on it is taken in bands."""
BAND_PIXELS = 1 << 21
LEAST_ROWS = 256
"""Enough for all scales of SSIMULACRA2."""
GRAIN = 64
"""Rows that bands are multiples of: whole MCUs, and whole pixels of coarser scales."""
EASE = 2.5
"""How generous the margin is: scores are put together from bands."""
DOUBT = 0.07
"""Points of SSIMULACRA2 by which a score put together from bands may be too high."""
AROUND = 192
"""Rows on either side of a band that SSIMULACRA2's coarsest scale looks at."""
ROUNDS = 4
"""Times that λ is corrected until the goal lies between two encodings."""
BOLD = 1.3
"""Part of the way to the goal that λ goes while the goal is not passed."""
MIXTURES = 3
"""Of those two."""


def bands(height: int, width: int) -> list[tuple[int, int]]:
    """First row and end of each band; none is much smaller than the others."""
    rows = max(BAND_PIXELS // width, LEAST_ROWS)
    count = max(1, round(height / rows))
    edges = [round(height * i / count / GRAIN) * GRAIN for i in range(count)]
    return list(zip(edges, [*edges[1:], height], strict=True))


def scored(
    metric: Metric,
    planes: Picture,
    show: Callable[[int, int], NDArray[np.uint8]],
    workers: Workers,
) -> float:
    """Score a picture against ``(C, H, W)`` planes; ``show`` gives its rows, ``(h, W[, C])``.

    SSIMULACRA2 sees beyond a band's edges, and DOUBT is subtracted from it; for other metrics the
    edges are those of pictures.
    """
    height, width = planes.shape[1:]
    spans = bands(height, width)
    shares = np.array([end - begin for begin, end in spans]) / height

    def part(begin: int, end: int) -> tuple[Picture, Picture]:
        return np.ascontiguousarray(planes[:, begin:end]), planes_of(show(begin, end))

    if metric.name != "ssimulacra2":
        pairs = (part(*span) for span in spans)
        return metric.pool([metric.prepare(a, workers)(b) for a, b in pairs], shares)
    norms = []
    for begin, end in spans:
        above, below = max(begin - AROUND, 0), min(end + AROUND, height)
        reference, picture = part(above, below)
        rows = begin - above, None if end == height else end - above
        norms.append(Ssimulacra2Error.of(reference, workers).norms(picture, *rows))
    return pooled_score(norms, shares) - DOUBT


def cut(symbols: Symbols, begin: int, end: int) -> Symbols:
    """Some rows of a picture: multiples of GRAIN, or its end."""
    layout = symbols.layout
    part = Layout(layout.width, end - begin, layout.factors)
    first = begin // (8 * layout.max_factors[1])
    levels = tuple(
        component[first * v : first * v + part.blocks(i)[0]]
        for i, (component, (_, v)) in enumerate(zip(symbols.levels, layout.factors, strict=True))
    )
    return Symbols(part, symbols.steps, levels)


@dataclass(frozen=True)
class Panorama:
    """A large picture under one loss."""

    planes: Picture
    recipe: Recipe
    layouts: Sequence[Layout]
    effort: Effort
    """Its evaluations hold for each band, all of it for the mosaic."""
    metric: Metric
    """The goal's, or what tells which of two files is the better one."""
    workers: Workers
    tables: tuple[Tables, ...] = ()
    """What steps start from, if not from what is seen."""
    frozen: bool = False
    """Whether they stay."""
    importance: Weights | None = None

    def descend(
        self, goal: Goal, file_bytes: Callable[[Encoding], float]
    ) -> Iterator[tuple[Step[Encoding], Measured]]:
        """Encodings of the whole, measured: nearer and nearer to the goal."""
        began = time.perf_counter()
        planes = mosaic(self.planes)
        blend, share = self.recipe.blend(planes, self.workers), planes.size / self.planes.size
        sampled = Pursuit(
            goal,
            self.metric,
            *scorers(self.metric, planes, blend, self.workers),
            None,
            lambda encoding: encoding.bits / 8 / share,
            self.workers,
            EASE,
        )
        pursuit = replace(sampled, file_bytes=file_bytes)
        importance = mosaic_of(self.importance)
        loss = emphasised(blend, planes, importance)
        studio = Studio(
            planes, self.recipe, loss, self.workers, self.tables, self.frozen, importance
        )
        found = self._sampled(studio, sampled)
        for index, (encoding, terms, measured) in enumerate(self._towards(pursuit, found)):
            value = terms.distortion + encoding.lagrangian * terms.bits
            score, seconds = pursuit.score(encoding, measured), time.perf_counter() - began
            yield Step(index, encoding, value, terms, score, None, seconds), measured

    def _towards(
        self, pursuit: Pursuit, found: Encoding
    ) -> Iterator[tuple[Encoding, Terms, Measured]]:
        """Encodings as measured: λ moves until the goal is passed, then blocks are mixed."""
        ends: dict[bool, tuple[float, Encoding, Terms]] = {}
        lagrangian, slope = found.lagrangian, -response_of(pursuit.goal).priced
        before: tuple[float, float] | None = None
        for _ in range(ROUNDS):
            encoding, terms = self._encoded(found, lagrangian)
            measured = self._measured(pursuit, encoding)
            yield encoding, terms, measured
            if isinstance(pursuit.goal, Lagrangian) or pursuit.close(measured):
                return
            excess = pursuit.excess(measured)
            ends[excess >= 0] = excess, encoding, terms
            if len(ends) == 2:
                break
            x = math.log(lagrangian)
            slope, before = answered(slope, before, x, excess, 1.0), (x, excess)
            x = BOLD * excess / slope
            lagrangian = held(lagrangian * math.exp(min(max(x, -1.0), 1.0)), BOUNDS)
        else:
            return
        (over, above, terms), (under, below, _) = ends[True], ends[False]
        low, high = 0.0, 1.0
        for _ in range(MIXTURES):
            share = low + min(max(over / (over - under), 0.1), 0.9) * (high - low)
            encoding = mixed(above, below, share, self.workers)
            measured = self._measured(pursuit, encoding)
            yield encoding, terms, measured
            if pursuit.close(measured):
                return
            excess = pursuit.excess(measured)
            low, over = (share, excess) if excess >= 0 else (low, over)
            high, under = (share, excess) if excess < 0 else (high, under)

    def _measured(self, pursuit: Pursuit, encoding: Encoding) -> Measured:
        def show(begin: int, end: int) -> NDArray[np.uint8]:
            return model.decode(cut(encoding.symbols, begin, end), self.workers)

        quality = scored(self.metric, self.planes, show, self.workers)
        return Measured(quality, pursuit.file_bytes(encoding), 0.0)

    def _sampled(self, studio: Studio, pursuit: Pursuit) -> Encoding:
        """The best encoding of a mosaic of the picture: its steps, prices and λ."""
        height, width = studio.planes.shape[1:]
        layouts = [Layout(width, height, each.factors) for each in self.layouts]
        recorder: Recorder[Encoding] = Recorder()
        for step, _ in descend_perceptually(studio, layouts, pursuit, self.effort):
            recorder.add(step)
        return recorder.solution(Stop.CONVERGED).params

    def _encoded(self, found: Encoding, lagrangian: float) -> tuple[Encoding, Terms]:
        """The whole at λ with the steps that were found."""
        height, width = self.planes.shape[1:]
        factors, steps = found.symbols.layout.factors, found.symbols.steps
        parts, distortion = [], 0.0
        for begin, end in bands(height, width):
            planes = np.ascontiguousarray(self.planes[:, begin:end])
            importance = None if self.importance is None else self.importance[begin:end]
            loss = emphasised(self.recipe.blend(planes, self.workers), planes, importance)
            studio = Studio(planes, self.recipe, loss, self.workers, importance=importance)
            objective = studio.objective(Layout(width, end - begin, factors))
            if self.effort.evaluations:
                objective = studio.appraised(objective, lagrangian)
            original = objective.original
            encoding = objective.quantise(original, steps, found.prices, lagrangian)
            if self.effort.evaluations:
                encoding = self._descended(objective, Draft(original, encoding))
            distortion += objective.terms(encoding).distortion
            parts.append(encoding.symbols.levels)
        levels = tuple(np.concatenate(component) for component in zip(*parts, strict=True))
        layout = Layout(width, height, factors)
        whole = counted(layout, steps, levels, found.prices, lagrangian, self.workers)
        return whole, Terms(distortion, whole.bits)

    def _descended(self, objective: PerceptualObjective, draft: Draft) -> Encoding:
        """The end of a band's descent at one λ, with the steps as they are."""
        course = Course(None, self.effort.steps, self.effort.proposals)
        method = method_of(course, PROXIMAL, fits=False)
        solution = minimise(objective, draft, method, max_steps=course.steps + course.proposals)
        return solution.params.encoding
