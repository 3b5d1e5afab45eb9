"""From the end of a descent onto its goal, closely.

A proposal, coarser or finer as the goal wants it, is taken over coefficient by coefficient at a
price of bits that meets the goal: what the descent chose is not thrown away.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from gradpress.course import CLOSE, FARTHEST, Aim, held
from gradpress.descent import Step
from gradpress.jpeg.exchange import Exchange, exchange
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import Encoding, mixed
from gradpress.jpeg.perceptual import Draft, PerceptualObjective
from gradpress.polish import proposed
from gradpress.search import Bracket, Measured, answered, response_of

MAX_LANDING = 8
"""Encodings that are measured near the goal."""
TURNS = ((1.0, 0.1), (0.0, 0.4), (0.0, 1.6))
"""Proposals in turn: how far down the gradient, in usual steps, and the least change of log λ."""
SETTLED = 1
"""The turn that begins where a descent has settled: what is near offers nothing."""
AHEAD = 0.6
"""Part of what λ alone would need to meet the goal that it is made at, if that is more."""
MAX_PROPOSALS = 12
"""Of all that is tried to bring the goal within reach."""
MAX_PRICES = 8
"""Tries of one proposal."""
STEEP = 0.25
"""How the goal answers to the price of an exchange, as a part of how it does to λ, at first."""
PLAIN = 0.33
"""The same of λ where the original is quantised, with the steps as they are."""
BOLD = 1.1
"""Part of the way to the goal that a price goes while the goal is not passed."""
MAX_PRICE = 3.0
"""Log of the price over λ beyond which nothing is left to take."""
NEAR = 0.012
"""Change of log λ that passes a goal that is nearly met."""
FRESH_STARTS = 12
"""Tries with steps made anew where those at hand cannot reach the goal."""
FRESH_STRIDE = 0.05
"""Change of log λ of the first of them; it doubles."""
MAX_SIDES = 6
"""Moves of λ until the goal lies between two encodings."""
MAX_MIXES = 10
"""Mixtures of those two."""
ROUGH = 0.8
"""Part of the margin that an estimate may be off the aim, to be quick; usually it is CLOSE."""

Approach = Generator[Encoding, Aim, None]
"""Encodings as near to the aim as can be; each answer is the aim with the estimates corrected."""


def land(
    objective: PerceptualObjective,
    draft: Draft,
    last: Step[Encoding],
    aim: Aim,
    rate: float,
    slope: Coefficients | None = None,
    *,
    settled: bool = False,
) -> Iterator[tuple[Step[Encoding], Measured]]:
    """Measured encodings nearer and nearer to the goal, from the end of a descent.

    The draft's slope need not be found again if it is known. Where a descent has settled, there is
    little more to gain by it.
    """
    exchanged = _exchanged(objective, draft, aim, rate, slope, settled=settled)
    del slope  # its memory is free when an encoding is measured
    yield from _measured(objective, exchanged, aim, last)


def settle(
    objective: PerceptualObjective, draft: Draft, aim: Aim
) -> Iterator[tuple[Step[Encoding], Measured]]:
    """The same from the original's draft at about the right λ, without a slope: quickly."""
    yield from _measured(objective, _requantised(objective, draft, aim), aim, None)


def _measured(
    objective: PerceptualObjective,
    approach: Approach,
    aim: Aim,
    last: Step[Encoding] | None,
) -> Iterator[tuple[Step[Encoding], Measured]]:
    """Between measurements, estimates are trusted that are corrected by what the last was off."""
    began = time.perf_counter() - (last.seconds if last else 0.0)
    first, pursuit, found = last.index + 1 if last else 0, aim.pursuit, math.nan
    candidate = next(approach)
    for index in range(first, first + MAX_LANDING):
        measured, terms = pursuit.measure(candidate), objective.terms(candidate)
        value = terms.distortion + candidate.lagrangian * candidate.bits
        score, seconds = pursuit.score(candidate, measured), time.perf_counter() - began
        yield Step(index, candidate, value, terms, score, None, seconds), measured
        if pursuit.close(measured) or pursuit.excess(measured) == found:
            return  # or nothing else is within reach
        found = pursuit.excess(measured)
        error = found - aim.gauge(candidate)
        candidate = approach.send(replace(aim, error=error))


def _exchanged(
    objective: PerceptualObjective,
    draft: Draft,
    aim: Aim,
    rate: float,
    slope: Coefficients | None,
    *,
    settled: bool,
) -> Approach:
    """By exchanges with proposals, each from where the last one led; where all fail, by λ."""
    turn, encoding = SETTLED if settled else 0, draft.encoding
    end = turn + MAX_PROPOSALS
    found: Exchange | None = None
    while True:
        while turn < end and not (found and aim.near(encoding)):
            draft = found.draft(encoding) if found else draft
            slope = objective.evaluate(draft).gradient if slope is None else slope
            strides, least = TURNS[turn % len(TURNS)]
            beyond = aim.kept(encoding)
            found = _proposed(objective, draft, slope, aim, strides * rate, least)
            encoding = _priced(found, aim)
            turn, slope = turn + 1, None
            if beyond and aim.kept(encoding):
                break  # if it is not near, no other one is
        if not aim.kept(encoding):
            break
        aim = yield encoding
        encoding = _priced(found, aim) if found else encoding
    yield from _mixed(objective, found.draft(encoding) if found else draft, aim)


def _proposed(
    objective: PerceptualObjective,
    draft: Draft,
    slope: Coefficients,
    aim: Aim,
    rate: float,
    least: float,
) -> Exchange:
    """What lies between a draft and a proposal on the side where the goal is."""
    encoding, excess = draft.encoding, aim.excess(draft.encoding)
    ahead = AHEAD * abs(excess / response_of(aim.pursuit.goal).priced)
    stride = math.copysign(min(max(ahead, least), TURNS[-1][1]), excess)
    factor = held(encoding.lagrangian * math.exp(stride), aim.bounds) / encoding.lagrangian
    proposal = proposed(objective, draft, slope, rate, factor)
    there = objective.evaluate(proposal).gradient
    return exchange(objective, draft, proposal, (slope, there))


def _requantised(objective: PerceptualObjective, draft: Draft, aim: Aim) -> Approach:
    """By λ alone."""

    def at(lagrangian: float) -> Encoding:
        return objective.requantised(draft, held(lagrangian, aim.bounds)).encoding

    encoding = draft.encoding
    while True:
        if abs(aim.excess(encoding)) > ROUGH * aim.pursuit.margin:
            encoding = _met(objective, encoding, at, aim, PLAIN, ROUGH)
        if abs(aim.excess(encoding)) > aim.pursuit.margin:
            break
        aim = yield encoding
    yield from _mixed(objective, draft, aim)


def _priced(found: Exchange, aim: Aim) -> Encoding:
    """The choice at the price that meets the goal."""
    return _met(found.objective, found.first.encoding, found.at, aim, STEEP)


def _met(
    objective: PerceptualObjective,
    first: Encoding,
    at: Callable[[float], Encoding],
    aim: Aim,
    steep: float,
    near: float = CLOSE,
) -> Encoding:
    """What meets the goal at some price of bits; blocks of two where prices pass it over.

    ``steep`` is how the goal answers, as a part of how it does to λ; the estimate may be off the
    aim by ``near``, a part of the margin.
    """
    near *= aim.pursuit.margin
    slope = -steep * response_of(aim.pursuit.goal).priced
    excess = aim.excess(first)
    bracket, x = Bracket(), excess / slope
    before: tuple[float, float] | None = None
    sides = {excess >= 0: (abs(excess), first)}
    for _ in range(MAX_PRICES):
        x = min(max(x, -MAX_PRICE), MAX_PRICE)
        encoding = at(first.lagrangian * math.exp(x))
        excess = aim.excess(encoding)
        if abs(excess) <= near:
            return encoding
        side = excess >= 0
        sides[side] = min(sides.get(side, (math.inf, encoding)), (abs(excess), encoding), key=_off)
        if abs(x) == MAX_PRICE:
            break
        slope = answered(slope, before, x, excess, 2.0)
        bracket = bracket.with_point(x, excess, before and before[1])
        before, between = (x, excess), bracket.secant()
        x = x + BOLD * excess / slope if between is None else between
    if len(sides) < 2:
        return min(sides.values(), key=_off)[1]
    return _between(objective, (sides[True][1], sides[False][1]), aim)


def _off(side: tuple[float, Encoding]) -> float:
    """How far an estimate is off the aim."""
    return side[0]


def _anew(objective: PerceptualObjective, draft: Draft, aim: Aim) -> Draft:
    """The original with other steps, beyond the goal if that can be reached."""
    for attempt in range(FRESH_STARTS):
        stride = min(FRESH_STRIDE * 2**attempt, FARTHEST)
        lagrangian = held(draft.encoding.lagrangian * math.exp(-stride), aim.bounds)
        draft = objective.first(lagrangian)
        if aim.excess(draft.encoding) >= 0:
            break
    return draft


def _mixed(objective: PerceptualObjective, draft: Draft, aim: Aim) -> Approach:
    """By mixtures of blocks of two encodings with the same steps, on either side of the goal."""
    sides = _sides(objective, draft, aim)
    while True:
        aim = yield _between(objective, sides, aim)
        if (aim.excess(sides[0]) >= 0) == (aim.excess(sides[1]) >= 0):
            sides = _sides(objective, draft, aim)


def _sides(objective: PerceptualObjective, draft: Draft, aim: Aim) -> tuple[Encoding, Encoding]:
    """Encodings with the same steps: beyond the goal, short of it.

    λ leads to the other side, and if that does not, other steps do. Both are the same encoding if
    one side cannot be reached.
    """
    found = _bracket(objective, draft, aim)
    if found is None:
        if aim.excess(draft.encoding) < 0:
            draft = _anew(objective, draft, aim)
        found = _bracket(objective, draft, aim)
    return found or (draft.encoding, draft.encoding)


def _bracket(
    objective: PerceptualObjective, draft: Draft, aim: Aim
) -> tuple[Encoding, Encoding] | None:
    """Move λ in growing strides, with the steps as they are, until the goal is passed."""
    slope = response_of(aim.pursuit.goal).priced
    ends: dict[bool, Encoding] = {}
    for attempt in range(MAX_SIDES):
        encoding = draft.encoding
        excess = aim.excess(encoding)
        ends.setdefault(excess >= 0, encoding)
        if len(ends) == 2:
            return ends[True], ends[False]
        x = 2.0**attempt * (1.3 * excess / -slope + math.copysign(NEAR, excess))
        lagrangian = encoding.lagrangian * math.exp(min(max(x, -FARTHEST), FARTHEST))
        draft = objective.requantised(draft, held(lagrangian, aim.bounds))
    return None


def _between(
    objective: PerceptualObjective, sides: tuple[Encoding, Encoding], aim: Aim
) -> Encoding:
    """A mixture of blocks from both sides that keeps the goal closely."""
    above, below = sides
    if above is below:
        return above
    over, under = aim.excess(above), aim.excess(below)
    low, high, best = 0.0, 1.0, above
    for _ in range(MAX_MIXES):
        share = low + min(max(over / (over - under), 0.2), 0.8) * (high - low)
        mixture = mixed(above, below, share, objective.workers)
        excess = aim.excess(mixture)
        if excess >= 0:
            low, best = share, mixture
            over, under = excess, under / 2 if low else under
        else:
            high, under = share, excess
        if abs(excess) <= ROUGH * aim.pursuit.margin:
            return mixture
    return best
