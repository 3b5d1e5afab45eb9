"""From the end of a descent onto its goal, closely.

Changing λ throws away what a descent chose. So the last encodings of the descent, one beyond the
goal and one short of it, are mixed block by block: whatever lies between is as good.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradpress.descent import Step
from gradpress.gauge import Gauge
from gradpress.jpeg.exchange import halfway
from gradpress.jpeg.objective import Encoding, mixed
from gradpress.jpeg.perceptual import Draft, PerceptualObjective
from gradpress.outset import held
from gradpress.search import Measured, Pursuit, response_of

FARTHEST = 0.3
"""Change of log λ that one step may make."""
NEAR = 0.012
"""Change of log λ that is not worth a step that raises J."""
MAX_LANDING = 8
"""Encodings that are measured near the goal."""
FRESH_STARTS = 12
"""Tries with steps made anew where those at hand cannot reach the goal."""
FRESH_STRIDE = 0.05
"""Change of log λ of the first of them; it doubles."""
MAX_SIDES = 6
"""Steps of the landing until the goal lies between two of them."""
FINER = 2.0
"""Change of log λ that finer blocks are found by where a descent ended short of the goal."""
SHARES = (0.98, 0.95, 0.9, 0.8, 0.65, 0.5)
"""Of blocks that stay when others are made finer."""
MAX_MIXES = 10
"""Mixtures of those two."""
CLOSE, ROUGH = 0.5, 0.8
"""Parts of the margin that an estimate may be off the aim: usually, and to be quick."""


def land(
    objective: PerceptualObjective,
    draft: Draft,
    pursuit: Pursuit,
    gauge: Gauge,
    last: Step[Encoding] | None,
    recent: tuple[Encoding, ...],
    bounds: tuple[float, float],
) -> Iterator[tuple[Step[Encoding], Measured]]:
    """Measured encodings nearer and nearer to the goal.

    Between measurements, estimates are trusted that are corrected by what the last one was off.
    """
    began = time.perf_counter() - (last.seconds if last else 0.0)
    first = last.index + 1 if last else 0
    corrected, found = _Corrected(pursuit, gauge, 0.0), math.nan
    sides = _sides(objective, draft, corrected, recent, bounds)
    for index in range(first, first + MAX_LANDING):
        candidate = _between(objective, sides, corrected, ranked=last is not None)
        measured = pursuit.measure(candidate)
        if last is not None and candidate is last.params:
            terms = last.terms
        else:
            terms = objective.terms(candidate)
        value = terms.distortion + candidate.lagrangian * candidate.bits
        score = pursuit.score(candidate, measured)
        seconds = time.perf_counter() - began
        yield Step(index, candidate, value, terms, score, None, seconds), measured
        if pursuit.close(measured) or pursuit.excess(measured) == found:
            return  # or nothing else is within reach
        found = pursuit.excess(measured)
        corrected = _Corrected(pursuit, gauge, found - gauge(candidate))
        if (corrected.excess(sides[0]) >= 0) == (corrected.excess(sides[1]) >= 0):
            sides = _sides(objective, draft, corrected, recent, bounds)


@dataclass(frozen=True)
class _Corrected:
    """Estimates of the excess, corrected."""

    pursuit: Pursuit
    gauge: Gauge
    error: float

    def excess(self, encoding: Encoding) -> float:
        """0 is what is aimed at."""
        return self.gauge(encoding) + self.error


def _sides(
    objective: PerceptualObjective,
    draft: Draft,
    corrected: _Corrected,
    recent: tuple[Encoding, ...],
    bounds: tuple[float, float],
) -> tuple[Encoding, Encoding]:
    """Encodings with the same steps on either side of the goal: beyond it, short of it.

    The latest ones of the descent are best; if they lie on one side, λ leads to the other, and
    if that does not, other steps do. Both are the same encoding if one side cannot be reached.
    """
    known = [encoding for encoding in recent if _same_steps(encoding, draft.encoding)]
    found = _raised(objective, draft, corrected, known, bounds) if recent else None
    found = found or _bracket(objective, draft, corrected, known, bounds)
    if found is not None:
        return found
    for attempt in range(FRESH_STARTS):
        if corrected.excess(draft.encoding) >= 0:
            break
        stride = min(FRESH_STRIDE * 2**attempt, FARTHEST)
        lagrangian = held(draft.encoding.lagrangian * math.exp(-stride), bounds)
        draft = objective.first(lagrangian)
    return _bracket(objective, draft, corrected, [], bounds) or (draft.encoding, draft.encoding)


def _raised(
    objective: PerceptualObjective,
    draft: Draft,
    corrected: _Corrected,
    known: Sequence[Encoding],
    bounds: tuple[float, float],
) -> tuple[Encoding, Encoding] | None:
    """An encoding beyond the goal from one that is a little short of it.

    A lower λ as a whole may not even be better, but some blocks of what it finds are; those of the
    original are worth more for a bit than those of targets that the descent has moved.
    """
    encoding = draft.encoding
    if corrected.excess(encoding) >= 0 or any(corrected.excess(each) >= 0 for each in known):
        return None
    lagrangian, best = held(encoding.lagrangian * math.exp(-FINER), bounds), encoding
    for targets in (objective.original, draft.targets):
        finer = objective.requantised(replace(draft, targets=targets), lagrangian).encoding
        ranks, coarse = halfway(objective, finer, best).ranks(encoding.lagrangian), best
        for share in SHARES:
            mixture = mixed(finer, coarse, share, objective.workers, ranks)
            if corrected.excess(mixture) >= 0:
                return mixture, encoding
            best = max(best, mixture, key=corrected.excess)
    return None


def _bracket(
    objective: PerceptualObjective,
    draft: Draft,
    corrected: _Corrected,
    known: Sequence[Encoding],
    bounds: tuple[float, float],
) -> tuple[Encoding, Encoding] | None:
    """Move λ in growing strides, with the steps as they are, until the goal is passed."""
    slope = response_of(corrected.pursuit.goal).priced
    ends = {corrected.excess(encoding) >= 0: encoding for encoding in known}
    for attempt in range(MAX_SIDES):
        encoding = draft.encoding
        excess = corrected.excess(encoding)
        ends.setdefault(excess >= 0, encoding)
        if len(ends) == 2:
            return ends[True], ends[False]
        x = 2.0**attempt * (1.3 * excess / -slope + math.copysign(NEAR, excess))
        lagrangian = encoding.lagrangian * math.exp(min(max(x, -FARTHEST), FARTHEST))
        draft = objective.requantised(draft, held(lagrangian, bounds))
    return None


def _same_steps(first: Encoding, second: Encoding) -> bool:
    return all(map(np.array_equal, first.symbols.steps, second.symbols.steps))


def _between(
    objective: PerceptualObjective,
    sides: tuple[Encoding, Encoding],
    corrected: _Corrected,
    *,
    ranked: bool,
) -> Encoding:
    """A mixture of blocks from both sides that keeps the goal closely.

    The steps are the same, so that what lies between two good encodings is as good; if ranked, it
    is better, as the blocks that are worth least go first.
    """
    above, below = sides
    if above is below:
        return above
    over, under = corrected.excess(above), corrected.excess(below)
    ranks = halfway(objective, above, below).ranks(above.lagrangian) if ranked else None
    near = (CLOSE if ranked else ROUGH) * corrected.pursuit.margin
    low, high, best = 0.0, 1.0, above
    for _ in range(MAX_MIXES):
        share = low + min(max(over / (over - under), 0.2), 0.8) * (high - low)
        mixture = mixed(above, below, share, objective.workers, ranks)
        excess = corrected.excess(mixture)
        if excess >= 0:
            low, best = share, mixture
            over, under = excess, under / 2 if low else under
        else:
            high, under = share, excess
        if abs(excess) <= near:
            return mixture
    return best
