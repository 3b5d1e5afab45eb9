"""The one loop: evaluate, hand out, step."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from math import isfinite

from gradpress.descent.contract import G, Method, Objective, P, S
from gradpress.descent.once import Once
from gradpress.descent.solution import Step, Stop
from gradpress.descent.stopping import Limits, is_sound
from gradpress.descent.tree import tree_norm


def iterate(
    objective: Objective[P, G],
    params: P,
    method: Method[P, G, S],
    *,
    measure: Callable[[P], float | None] | None = None,
    max_steps: int | None = None,
    tolerance: float | None = None,
    window: int = 1,
    gradient_tolerance: float | None = None,
    time_limit: float | None = None,
    divergence: float | None = None,
) -> Generator[Step[P], None, Stop]:
    """Steps from ``params`` (step 0) on, until a limit is met or the consumer has seen enough.

    Every point is evaluated once; ``measure`` gives its exact score (less is better), or None
    where it has not been measured. The descent ends after ``max_steps`` steps, when the least J
    fell by at most ``tolerance`` of itself over the latest ``window`` steps, when the gradient's
    norm is at most ``gradient_tolerance``, at the first step past ``time_limit`` seconds, or where
    J is above the least so far by more than ``divergence`` times the start's |J|. Without limits
    it is endless, but it always ends where J or its gradient is not finite. The generator's
    return value says which it was.
    """
    limits = Limits(max_steps, tolerance, window, gradient_tolerance, time_limit, divergence)
    began = time.perf_counter()
    known = Once(objective)
    state = method.init(params)
    evaluation = known.evaluate(params)
    least = deque([evaluation.value], maxlen=window + 1)
    index, first = 0, evaluation.value
    while True:
        exact = None if measure is None or not isfinite(evaluation.value) else measure(params)
        norm = None if gradient_tolerance is None else tree_norm(evaluation.gradient)
        seconds, asked = time.perf_counter() - began, known.evaluations
        step = Step(index, params, evaluation.value, evaluation.terms, exact, norm, seconds, asked)
        yield step
        stop = limits.stop(step, least, first) if is_sound(evaluation) else Stop.NONFINITE
        if stop is not None:
            return stop
        arrived, state = method.step(known, params, evaluation, state)
        if arrived is not params:
            del evaluation  # its memory is free before the next one is made
            params, evaluation = arrived, known.evaluate(arrived)
        least.append(min(least[-1], evaluation.value))
        index += 1
