"""The one loop: evaluate, hand out, step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from gradpress.descent.contract import G, Method, Objective, P, S
from gradpress.descent.solution import Step


def iterate(
    objective: Objective[P, G],
    params: P,
    method: Method[P, G, S],
    *,
    measure: Callable[[P], float] | None = None,
    gradient_norm: Callable[[G], float] | None = None,
) -> Iterator[Step[P]]:
    """Endless steps from ``params`` (step 0) on; whoever consumes them decides when to stop.

    Every point is evaluated once, and measured once where ``measure`` gives its exact score
    (less is better).
    """
    began = time.perf_counter()
    state = method.init(params)
    index = 0
    while True:
        evaluation = objective.evaluate(params)
        measured = None if measure is None else measure(params)
        norm = None if gradient_norm is None else gradient_norm(evaluation.gradient)
        seconds = time.perf_counter() - began
        yield Step(index, params, evaluation.value, evaluation.terms, measured, norm, seconds)
        params, state = method.step(objective, params, evaluation, state)
        index += 1
