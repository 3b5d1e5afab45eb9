"""The loop, its ends and its outcome: what is counted, kept, and said."""

from __future__ import annotations

import itertools
import math
import time
import weakref

import numpy as np
import pytest
from descent_problems import Problem, lasso, quadratic, rosenbrock
from hypothesis import given
from hypothesis import strategies as st

from gradpress.descent import (
    Adam,
    Backtracking,
    Evaluation,
    Gradient,
    Momentum,
    ProximalGradient,
    Recorder,
    Step,
    Stop,
    Terms,
    constant,
    iterate,
    minimise,
)

ANY_SCORE = st.one_of(st.floats(-5, 5), st.sampled_from([math.inf, -math.inf, math.nan]))


def parabola(start=1.0):
    return Problem(lambda x: 0.5 * x @ x, lambda x: x, np.array([start]), np.zeros(1))


HALVING = Gradient(constant(0.5))


@pytest.mark.parametrize(
    "method",
    [Gradient(), Momentum(constant(1e-4)), Adam(), Gradient(Backtracking(first=64))],
    ids=str,
)
def test_no_point_is_evaluated_twice_and_all_are_counted(method):
    problem = rosenbrock()
    solution = minimise(problem, problem.start, method, max_steps=60)
    points = [point.tobytes() for point in problem.asked]
    assert len(set(points)) == len(points) == solution.evaluations
    assert solution.evaluations >= solution.steps + 1 == 61


@pytest.mark.parametrize(
    "method", [ProximalGradient(Backtracking()), ProximalGradient(shrink=0.5, attempts=40)], ids=str
)
def test_proximal_line_searches_evaluate_nothing_twice_in_a_row(method):
    problem = lasso()
    solution = minimise(problem, problem.start, method, max_steps=20)
    assert len(problem.asked) == solution.evaluations
    assert all(a is not b for a, b in itertools.pairwise(problem.asked))


def test_a_step_that_was_not_taken_is_not_evaluated_again():
    problem = parabola()
    rule = Backtracking(first=1e9, attempts=3, grow=1.0)
    solution = minimise(problem, problem.start, Gradient(rule), max_steps=2)
    assert sum(point is problem.start for point in problem.asked) == 1
    assert len(problem.asked) == solution.evaluations == 7
    assert solution.params is problem.start


def test_values_and_measurements_belong_to_the_parameters_they_come_with():
    problem = rosenbrock()
    steps = iterate(problem, problem.start, Gradient(), measure=np.sum, max_steps=40)
    for step in steps:
        assert step.value == problem.function(step.params)
        assert step.measured == step.params.sum()


@given(st.lists(ANY_SCORE, min_size=1, max_size=12))
def test_the_best_is_the_first_of_the_least_finite_scores(scores):
    points = [np.array([float(i)]) for i in range(len(scores))]
    recorder = Recorder()
    for i, score in enumerate(scores):
        recorder.add(Step(i, points[i], 1.0, Terms(1.0), score, None, 0.0))
    solution = recorder.solution(Stop.CALLER)
    finite = [score for score in scores if math.isfinite(score)]
    expected = scores.index(min(finite)) if finite else 0
    assert solution.best_step == expected
    assert solution.params is points[expected]


def test_measured_decides_over_not_measured():
    recorder = Recorder()
    for i, (value, measured) in enumerate([(5.0, None), (9.0, 7.0), (1.0, None), (8.0, 6.0)]):
        recorder.add(Step(i, i, value, Terms(value), measured, None, 0.0))
    solution = recorder.solution(Stop.CALLER)
    assert (solution.params, solution.score, solution.value) == (3, 6.0, 8.0)


@given(st.floats(-3, 3), st.floats(0.01, 5), st.integers(0, 15))
def test_nothing_worse_than_the_start_ever_comes_back(start, rate, steps):
    for method in (Gradient(constant(rate)), Momentum(constant(rate)), Adam(constant(rate))):
        solution = minimise(parabola(start), np.array([start]), method, max_steps=steps)
        assert solution.score == min(solution.history.value) <= 0.5 * start * start


def blow_up(value, gradient):
    return Problem(lambda x: value(x[0]), lambda x: np.array([gradient(x[0])]), np.ones(1), None)


REASONS = {
    Stop.MAX_STEPS: (parabola, {"max_steps": 3}),
    Stop.STALLED: (parabola, {"tolerance": 0.9}),
    Stop.GRADIENT: (parabola, {"gradient_tolerance": 1e-3}),
    Stop.TIME_LIMIT: (parabola, {"time_limit": 0.0}),
    Stop.NONFINITE: (lambda: blow_up(lambda x: math.nan if x < 1 else 1, lambda x: x), {}),
}


def ending(steps):
    """What a generator returns in the end."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


@pytest.mark.parametrize("reason", REASONS)
def test_the_loop_and_the_solution_say_why_it_ended(reason):
    make, options = REASONS[reason]
    solution = minimise(make(), np.ones(1), HALVING, **options)
    assert solution.stop is reason
    assert reason.value in str(solution)
    steps = iterate(make(), np.ones(1), HALVING, **options)
    assert ending(steps) is reason


def test_the_caller_may_stop_and_nothing_more_is_done():
    problem = parabola()
    solution = minimise(problem, problem.start, HALVING, on_step=lambda step: step.index == 2)
    assert (solution.stop, solution.steps, len(problem.asked)) == (Stop.CALLER, 2, 3)
    for step in iterate(problem, problem.start, HALVING):
        if step.index == 2:
            break
    assert len(problem.asked) == 6


def test_without_limits_a_descent_goes_on():
    problem = parabola()
    assert sum(1 for _ in itertools.islice(iterate(problem, problem.start, HALVING), 500)) == 500


def test_time_runs_out_at_the_first_step_past_the_limit(monkeypatch):
    ticks = itertools.count(100)
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    solution = minimise(parabola(), np.ones(1), HALVING, time_limit=4)
    assert solution.stop is Stop.TIME_LIMIT
    assert solution.history.seconds == (1, 2, 3, 4)
    assert solution.seconds == 4


def test_a_swinging_descent_stalls_only_over_its_window():
    problem, ball = parabola(), Momentum(constant(0.5), 0.8)
    impatient = minimise(problem, problem.start, ball, tolerance=1e-3, max_steps=500)
    patient = minimise(problem, problem.start, ball, tolerance=1e-3, window=20, max_steps=500)
    assert impatient.stop is patient.stop is Stop.STALLED
    assert patient.score < 1e-6 < impatient.score
    least = np.minimum.accumulate(patient.history.value)
    assert (least[:-21] - least[20:-1] > 1e-3 * least[:-21]).all()
    assert least[-21] - least[-1] <= 1e-3 * least[-21]


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_ends_the_descent_where_it_is(wrong):
    problem = blow_up(lambda x: x, lambda x: wrong if x < 1 else 1.0)
    solution = minimise(problem, problem.start, HALVING)
    assert (solution.stop, solution.score, solution.steps) == (Stop.NONFINITE, 0.5, 1)


@pytest.mark.parametrize("wrong", [math.nan, -math.inf])
def test_a_value_that_is_not_finite_is_neither_best_nor_measured(wrong):
    problem = blow_up(lambda x: wrong if x < 1 else 1.0, lambda x: 1.0)
    measured = []

    def measure(x):
        measured.append(x)
        return float(x[0])

    solution = minimise(problem, problem.start, HALVING, measure=measure)
    assert (solution.stop, solution.best_step, len(measured)) == (Stop.NONFINITE, 0, 1)


def test_parameters_that_are_not_finite_are_never_best():
    class Lost:
        def init(self, params):
            return None

        def step(self, objective, params, evaluation, state):
            return np.array([math.nan]), state

    deaf = Problem(lambda x: -1.0 if np.isnan(x) else 1.0, np.nan_to_num, np.ones(1), None)
    assert minimise(deaf, deaf.start, Lost(), max_steps=2).best_step == 0


class Opaque:
    """Parameters without arithmetic, comparison, length or truth."""

    def __init__(self, number):
        self.number = number

    def _refuse(self, *_):
        raise AssertionError("parameters were touched")

    __add__ = __sub__ = __mul__ = __eq__ = __len__ = __bool__ = __array__ = __iter__ = _refuse
    __hash__ = None


class Stairs:
    """Numbers in a box, that know the way down, and a word that only the objective's prox reads."""

    def evaluate(self, params):
        return Evaluation(float(params.number), 0.0, Opaque("down"), Terms(params.number))

    def prox(self, params, gradient, rate):
        assert gradient.number == "down"
        return Opaque(max(params.number - rate, 0))


@pytest.mark.parametrize("method", [ProximalGradient(1.0), ProximalGradient(1.0, shrink=0.5)])
def test_proximal_gradient_leaves_parameters_to_the_objective(method):
    solution = minimise(Stairs(), Opaque(5), method, tolerance=0.0, measure=lambda p: p.number)
    assert solution.params.number == solution.score == 0
    assert (solution.stop, solution.best_step) == (Stop.STALLED, 5)


def test_a_method_may_use_more_of_an_objective_than_the_loop_does():
    class Knowing:
        def init(self, params):
            return None

        def step(self, objective, params, evaluation, state):
            return objective.answer, state

    problem = quadratic(10)
    solution = minimise(problem, problem.start, Knowing(), max_steps=1)
    assert solution.score == 0


def test_one_gradient_is_in_memory_at_a_time():
    alive = weakref.WeakSet()

    class Heavy:
        pass

    class Watched(Stairs):
        def evaluate(self, params):
            assert not alive
            gradient = Heavy()
            alive.add(gradient)
            return Evaluation(float(params.number), 0.0, gradient, Terms(0.0))

        def prox(self, params, gradient, rate):
            return Opaque(params.number - rate)

    assert minimise(Watched(), Opaque(9), ProximalGradient(), max_steps=5).score == 4


def test_an_account_adds_up():
    problem = parabola()
    scores = iter([3.0, 1.0, 2.0])
    solution = minimise(
        problem, problem.start, HALVING, max_steps=2, measure=lambda _: next(scores)
    )
    assert "J 0.5 → 0.125, measured 3 → 1, at step 1 of 2, 3 evaluations" in str(solution)
    header, *rows = solution.history.to_csv().splitlines()
    assert header.split(",")[0] == "step"
    table = [[float(field) for field in row.split(",")] for row in rows]
    columns = [list(column) for column in zip(*table, strict=True)]
    assert columns[0] == [0, 1, 2]
    assert columns[2] == columns[3] == [0.5, 0.125, 0.03125]
    assert columns[5] == [3, 1, 2]
    assert list(solution.history.seconds) == sorted(solution.history.seconds)


@pytest.mark.parametrize("options", [{"window": 0}, {"max_steps": -1}])
def test_limits_that_make_no_sense_are_refused(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"{name} {value}"):
        minimise(parabola(), np.ones(1), HALVING, **options)


def test_an_outcome_needs_a_step():
    with pytest.raises(ValueError, match="no step"):
        Recorder().solution(Stop.CALLER)
