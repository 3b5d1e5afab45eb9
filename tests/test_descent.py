"""Descent: methods on problems with known answers, and the loop's promises."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradpress.descent import (
    Adam,
    Backtracking,
    Evaluation,
    Gradient,
    Momentum,
    ProximalGradient,
    Stop,
    Terms,
    constant,
    cosine,
    exponential,
    inverse_root,
    inverse_time,
    iterate,
    minimise,
)
from gradpress.descent.tree import tree_dot, tree_map, tree_norm


@dataclass
class Function:
    """A function with its gradient, counting evaluations."""

    value: object
    gradient: object
    evaluations: int = 0

    def evaluate(self, params):
        self.evaluations += 1
        value = float(self.value(params))
        return Evaluation(value, value, self.gradient(params), Terms(value))


def quadratic(scales):
    scales = np.asarray(scales, float)
    return Function(lambda x: 0.5 * (scales * x * x).sum(), lambda x: scales * x)


def rosenbrock():
    def gradient(x):
        return np.array(
            [-2 * (1 - x[0]) - 400 * x[0] * (x[1] - x[0] ** 2), 200 * (x[1] - x[0] ** 2)]
        )

    return Function(lambda x: (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2, gradient)


METHODS = [
    Gradient(),
    Gradient(constant(0.02)),
    Momentum(constant(0.01), 0.9),
    Momentum(constant(0.01), 0.9, nesterov=True),
    Adam(exponential(0.3, 0.99)),
]


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_an_uneven_quadratic_is_solved(method):
    solution = minimise(quadratic([1, 10, 60]), np.array([3.0, -2, 1]), method, max_steps=800)
    assert solution.score < 1e-4
    assert np.abs(solution.params).max() < 0.02


@pytest.mark.parametrize(
    ("method", "steps"),
    [
        (Gradient(), 20_000),
        (Momentum(constant(2e-4), 0.98), 6_000),
        (Momentum(constant(2e-4), 0.98, nesterov=True), 6_000),
        (Adam(exponential(0.05, 0.9995)), 6_000),
    ],
    ids=str,
)
def test_rosenbrocks_valley_is_followed_to_its_end(method, steps):
    solution = minimise(rosenbrock(), np.array([-1.2, 1.0]), method, max_steps=steps)
    assert np.allclose(solution.params, 1, atol=0.02)


@dataclass
class Lasso:
    """½|Ax - b|² + weight·|x|₁ for orthonormal A: soft thresholding gives the answer."""

    matrix: np.ndarray
    wanted: np.ndarray
    weight: float

    def evaluate(self, x):
        error = self.matrix @ x - self.wanted
        smooth = 0.5 * float(error @ error)
        rest = self.weight * float(np.abs(x).sum())
        return Evaluation(smooth + rest, smooth, self.matrix.T @ error, Terms(smooth, rest))

    def prox(self, x, gradient, rate):
        moved = x - rate * gradient
        return np.sign(moved) * np.maximum(np.abs(moved) - rate * self.weight, 0)


@given(st.integers(0, 2**32 - 1))
def test_proximal_gradient_solves_lasso(seed):
    rng = np.random.default_rng(seed)
    matrix = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    problem = Lasso(matrix, rng.normal(0, 3, 8), 1.0)
    answer = matrix.T @ problem.wanted
    answer = np.sign(answer) * np.maximum(np.abs(answer) - 1, 0)
    for method in (ProximalGradient(0.3), ProximalGradient(5.0, shrink=0.5, attempts=20)):
        solution = minimise(problem, np.zeros(8), method, max_steps=80)
        assert np.allclose(solution.params, answer, atol=1e-6)


def test_proximal_gradient_never_touches_its_parameters():
    class Words:
        def evaluate(self, word):
            return Evaluation(float(len(word)), 0.0, "shorter", Terms(len(word)))

        def prox(self, word, gradient, rate):
            assert gradient == "shorter"
            assert rate == 1.0
            return word[:-1] or "."

    solution = minimise(Words(), "gradient", ProximalGradient(), max_steps=20, tolerance=0.0)
    assert solution.params == "g"
    assert solution.stop is Stop.STALLED


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=6), st.floats(0.05, 1))
def test_rates_up_to_one_over_the_largest_curvature_never_go_up(scales, share):
    method = Gradient(constant(share / max(scales)))
    steps = itertools.islice(iterate(quadratic(scales), np.ones(len(scales)), method), 30)
    values = [step.value for step in steps]
    assert all(b <= a for a, b in itertools.pairwise(values))


def test_adam_is_kingma_and_bas():
    gradients = [np.array([0.3, -2.0]), np.array([0.1, 1.0]), np.array([-4.0, 0.5])]
    queue = iter(gradients)
    noisy = Function(lambda x: 1.0, lambda x: next(queue))
    steps = list(itertools.islice(iterate(noisy, np.zeros(2), Adam(constant(0.1))), 3))
    x, m, v = np.zeros(2), np.zeros(2), np.zeros(2)
    for t, g in enumerate(gradients[:2], 1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        x = x - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        assert np.allclose(steps[t].params, x)


def test_without_momentum_the_heavy_ball_is_gradient_descent():
    start = np.array([3.0, 1.0])
    ball = iterate(quadratic([1, 5]), start, Momentum(constant(0.1), 0.0))
    plain = iterate(quadratic([1, 5]), start, Gradient(constant(0.1)))
    for a, b in itertools.islice(zip(ball, plain, strict=False), 10):
        assert np.array_equal(a.params, b.params)


def test_trees_of_arrays_are_descended_on_as_one():
    parts = Function(
        lambda t: 0.5 * (t[0] ** 2).sum() + 2 * (t[1][0] ** 2).sum(),
        lambda t: (t[0], (4 * t[1][0],)),
    )
    start = (np.ones((2, 3)), (np.full(4, -2.0),))
    for method in METHODS:
        solution = minimise(parts, start, method, max_steps=400)
        assert tree_norm(solution.params) < 0.05
    assert tree_dot(start, start) == 6 + 16
    assert tree_map(np.negative, start)[1][0][0] == 2


def test_every_point_is_evaluated_once_and_values_belong_to_their_parameters():
    function = quadratic([1, 3])
    steps = list(itertools.islice(iterate(function, np.ones(2), Gradient(constant(0.1))), 12))
    assert function.evaluations == 12
    assert [step.index for step in steps] == list(range(12))
    for step in steps:
        assert step.value == function.value(step.params)


def test_the_best_by_measurement_is_kept_not_the_last():
    scores = iter([5.0, 2.0, 7.0, 3.0])
    solution = minimise(
        quadratic([1]), np.ones(1), Gradient(constant(0.5)),
        measure=lambda _: next(scores), max_steps=3,
    )  # fmt: skip
    assert (solution.best_step, solution.score) == (1, 2.0)
    assert np.array_equal(solution.params, [0.5])
    assert solution.history.measured == (5.0, 2.0, 7.0, 3.0)


def test_nothing_worse_than_the_start_comes_back():
    solution = minimise(quadratic([1]), np.ones(1), Gradient(constant(2.5)), max_steps=9)
    assert solution.best_step == 0
    assert solution.score == 0.5


def test_a_descent_says_why_it_stopped():
    start, method = np.ones(1), Gradient(constant(0.5))

    def stop(function=None, **options):
        return minimise(function or quadratic([1]), start, method, **options).stop

    assert stop(max_steps=3) is Stop.MAX_STEPS
    assert stop(max_steps=99, tolerance=0.9) is Stop.STALLED
    assert stop(max_steps=99, gradient_tolerance=1e-3) is Stop.GRADIENT
    assert stop(max_steps=99, time_limit=0.0) is Stop.TIME_LIMIT
    assert stop(max_steps=99, on_step=lambda step: step.index == 2) is Stop.CALLER
    assert stop(Function(lambda x: math.inf, lambda x: x)) is Stop.NONFINITE
    for reason in Stop:
        assert reason.value.endswith(".")


def test_a_run_that_leaves_the_numbers_keeps_its_last_finite_best():
    values = iter([3.0, 1.0, math.nan])
    lost = Function(lambda x: next(values), lambda x: x)
    solution = minimise(lost, np.ones(1), Gradient(constant(0.1)), max_steps=9)
    assert (solution.stop, solution.score, solution.best_step) == (Stop.NONFINITE, 1.0, 1)


def test_history_and_summary_tell_the_way():
    solution = minimise(quadratic([1]), np.ones(1), Gradient(constant(0.5)), max_steps=2)
    lines = solution.history.to_csv().splitlines()
    assert lines[0] == "step,seconds,objective,distortion,bits,measured"
    assert [line.split(",")[2] for line in lines[1:]] == ["0.5", "0.125", "0.03125"]
    assert "0.5 → 0.03125 at step 2 of 2" in str(solution)


def test_schedules():
    assert constant(0.1)(7) == 0.1
    assert exponential(0.1, 0.5)(2) == 0.025
    assert inverse_time(0.1, 10)(10) == 0.05
    assert inverse_root(0.1)(3) == 0.05
    assert cosine(0.1, 10)(0) == 0.1
    assert cosine(0.1, 10)(10) == pytest.approx(0)


def test_backtracking_keeps_armijos_promise():
    function = rosenbrock()
    x = np.array([-1.2, 1.0])
    here = function.evaluate(x)
    rule = Backtracking()
    params, rate = rule.search(function, x, here, -here.gradient, 1.0)
    promised = rule.sufficient * rate * here.gradient @ here.gradient
    assert function.evaluate(params).value <= here.value - promised
    uphill, _ = rule.search(function, x, here, here.gradient, 1.0)
    assert np.array_equal(uphill, x)
