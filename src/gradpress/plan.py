"""Before the descent: which layout, which λ, which steps, from a few sampled rows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from gradpress.distortion import Distortion, psnr
from gradpress.goal import Goal, Lagrangian, Target, TargetSize
from gradpress.jpeg.objective import COARSENESS, Encoding, quantise
from gradpress.jpeg.start import Forecast, Forecaster, Start, find_lagrangian
from gradpress.workers import Workers

LAGRANGIANS = (1e-3, COARSENESS * 255**2 * 64)
"""λ of squared error below which no bit is saved any more, and above which every bit is."""
ORDINARY = 37.0
"""dB to begin with where the goal is by another metric."""
LATER = 0.008
"""Fraction of J by which the descent improves 4:2:0 more than layouts with finer chroma."""
HOPELESS = 0.02
"""Fraction by which 4:4:4 may lose to 4:2:0 in J for 4:2:2, between them, to be tried."""


@dataclass(frozen=True)
class Plan:
    """Where to start: unquantised planes, and which λ, steps and prices."""

    start: Start
    forecast: Forecast


def plan(
    starts: Iterable[Start],
    goal: Goal,
    distortion: Distortion,
    samples: int,
    overhead_bytes: float,
    share: float,
) -> Plan:
    """Find the λ that the goal needs, and of several layouts the one of least J there.

    ``samples`` is the number of the picture's samples, ``overhead_bytes`` what a file holds beside
    its entropy-coded data, ``share`` the part of the rows to look at. Later starts are prepared
    only when they are looked at.
    """

    def excess(forecast: Forecast) -> float:
        return _forecast_excess(forecast, goal, distortion, samples, overhead_bytes)

    def search(forecaster: Forecaster, guess: float) -> Forecast:
        return find_lagrangian(forecaster, excess, guess, LAGRANGIANS, tolerance=0.02)

    guess = COARSENESS * 12.0**2
    if isinstance(goal, Target) and goal.metric.name == "psnr":
        guess *= 255**2 * 10 ** (-goal.value / 10) / 12
    remaining = iter(starts)
    best = next(remaining)
    forecaster = Forecaster(best, share)
    forecast = search(forecaster, guess)
    for rival in remaining:
        challenger = Forecaster(rival, share)
        challenger(forecast.lagrangian)  # the first one only learns prices
        challenge = challenger(forecast.lagrangian)
        if challenge.objective < (1 - LATER) * forecast.objective:
            best, forecaster = rival, challenger
            forecast = search(challenger, forecast.lagrangian)
        elif challenge.objective > (1 + HOPELESS) * forecast.objective:
            break
        del rival  # its memory, before the next one is prepared
    return Plan(best, forecaster.refined(forecast))


def _forecast_excess(
    forecast: Forecast, goal: Goal, distortion: Distortion, samples: int, overhead_bytes: float
) -> float:
    match goal:
        case Target(metric, value):
            wanted = value if metric.name == "psnr" else ORDINARY
            return psnr(forecast.distortion, samples) - wanted
        case TargetSize(limit):
            return math.log((forecast.bits / 8 + overhead_bytes) / limit)
        case Lagrangian(value):
            return math.log(value / price(forecast, distortion, samples))


def price(forecast: Forecast, distortion: Distortion, samples: int) -> float:
    """λ in units of the distortion, where the forecast's is in units of squared error."""
    rms = math.sqrt(forecast.distortion / samples)
    return forecast.lagrangian * distortion.curvature_at(rms) / 2


def first_encoding(
    chosen: Plan, goal: Goal, distortion: Distortion, samples: int, workers: Workers
) -> Encoding:
    """The plan's targets quantised: where the descent starts."""
    forecast, targets = chosen.forecast, chosen.start.targets
    unit = price(forecast, distortion, samples) / forecast.lagrangian
    lagrangian = goal.value if isinstance(goal, Lagrangian) else unit * forecast.lagrangian
    return quantise(
        chosen.start.layout,
        targets,
        forecast.steps,
        forecast.prices,
        lagrangian,
        2 * unit,
        origin=targets,
        workers=workers,
    )
