"""Descend until a limit is met, and keep the best."""

from __future__ import annotations

from collections.abc import Callable

from gradpress.descent.contract import G, Method, Objective, P, S
from gradpress.descent.iterate import iterate
from gradpress.descent.solution import Recorder, Solution, Step, Stop


def minimise(
    objective: Objective[P, G],
    params: P,
    method: Method[P, G, S],
    *,
    measure: Callable[[P], float | None] | None = None,
    max_steps: int = 100,
    tolerance: float | None = None,
    window: int = 1,
    gradient_tolerance: float | None = None,
    time_limit: float | None = None,
    divergence: float | None = None,
    on_step: Callable[[Step[P]], bool | None] = lambda step: None,
) -> Solution[P]:
    """The best point of at most ``max_steps`` steps; never worse than the start.

    The options are those of :func:`~gradpress.descent.iterate.iterate`. ``on_step`` sees every
    step and ends the descent by returning True.
    """
    steps = iterate(
        objective,
        params,
        method,
        measure=measure,
        max_steps=max_steps,
        tolerance=tolerance,
        window=window,
        gradient_tolerance=gradient_tolerance,
        time_limit=time_limit,
        divergence=divergence,
    )
    recorder: Recorder[P] = Recorder()
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return recorder.solution(end.value)
        recorder.add(step)
        if on_step(step):
            return recorder.solution(Stop.CALLER)
