"""Descend until a stopping rule holds, and keep the best."""

from __future__ import annotations

import math
from collections.abc import Callable

from gradpress.descent.contract import G, Method, Objective, P, S
from gradpress.descent.iterate import iterate
from gradpress.descent.solution import Recorder, Solution, Step, Stop
from gradpress.descent.tree import tree_norm


def minimise(
    objective: Objective[P, G],
    params: P,
    method: Method[P, G, S],
    *,
    measure: Callable[[P], float] | None = None,
    max_steps: int = 100,
    tolerance: float | None = None,
    gradient_tolerance: float | None = None,
    time_limit: float | None = None,
    on_step: Callable[[Step[P]], bool | None] = lambda step: None,
) -> Solution[P]:
    """The best point of at most ``max_steps`` steps; never worse than the start.

    It stops early when J fell by at most ``tolerance`` of itself over a step, when the
    gradient's norm is at most ``gradient_tolerance``, after ``time_limit`` seconds, when
    ``on_step`` returns True, or when something is no longer finite.
    """
    recorder: Recorder[P] = Recorder()
    norm = None if gradient_tolerance is None else tree_norm
    before = math.inf
    stop = Stop.MAX_STEPS
    for step in iterate(objective, params, method, measure=measure, gradient_norm=norm):
        recorder.add(step)
        if not math.isfinite(step.value):
            stop = Stop.NONFINITE
        elif on_step(step):
            stop = Stop.CALLER
        elif step.gradient_norm is not None and step.gradient_norm <= (gradient_tolerance or 0):
            stop = Stop.GRADIENT
        elif tolerance is not None and _stalled(before, step.value, tolerance):
            stop = Stop.STALLED
        elif time_limit is not None and step.seconds >= time_limit:
            stop = Stop.TIME_LIMIT
        elif step.index < max_steps:
            before = step.value
            continue
        break
    return recorder.solution(stop)


def _stalled(before: float, now: float, tolerance: float) -> bool:
    return math.isfinite(before) and before - now <= tolerance * abs(before)
