"""Methods × problems with known answers, and what each method promises."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from descent_problems import (
    absolute_errors,
    finite_difference,
    lasso,
    nested,
    quadratic,
    rosenbrock,
)
from hypothesis import given
from hypothesis import strategies as st

from gradpress.descent import (
    Adam,
    Backtracking,
    Gradient,
    Momentum,
    ProximalGradient,
    constant,
    cosine,
    exponential,
    inverse_root,
    iterate,
    linear,
    minimise,
)
from gradpress.descent.tree import add_scaled, tree_dot, tree_map, tree_norm

SEEDS = st.integers(0, 2**32 - 1)
SMOOTH = {
    "quadratic": (lambda: quadratic(20), 0.04, 1),
    "ill-conditioned": (lambda: quadratic(300), 0.003, 8),
    "nested": (nested, 0.1, 1),
    "rosenbrock": (rosenbrock, 4e-4, 20),
}
METHODS = {
    "backtracking": lambda rate, steps: Gradient(),
    "momentum": lambda rate, steps: Momentum(constant(rate), 0.95),
    "nesterov": lambda rate, steps: Momentum(constant(rate), 0.95, nesterov=True),
    "Adam": lambda rate, steps: Adam(cosine(0.1, steps)),
}


def history(problem, method, steps):
    """Parameters and J by step."""
    way = itertools.islice(iterate(problem, problem.start, method), steps + 1)
    return [(step.params, step.value) for step in way]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_problems_are_solved(name, method):
    make, rate, patience = SMOOTH[name]
    problem, steps = make(), 600 * patience
    solution = minimise(
        problem, problem.start, METHODS[method](rate, steps), max_steps=steps,
        gradient_tolerance=1e-6,
    )  # fmt: skip
    distance = tree_norm(add_scaled(solution.params, -1.0, problem.answer))
    assert distance < 0.02
    assert solution.value < 1e-3 * solution.history.value[0]


@given(SEEDS)
def test_the_problems_gradients_are_their_functions_slopes(seed):
    rng = np.random.default_rng(seed)
    for problem in (quadratic(20, seed=seed), rosenbrock()):
        x, direction = rng.normal(size=(2, *problem.start.shape))
        slope = finite_difference(problem.function, x, direction)
        assert np.isclose(problem.gradient(x) @ direction, slope, rtol=1e-5, atol=1e-5)
    problem, x, direction = (p := nested()), p.start, tree_map(lambda a: rng.normal(size=a.shape),
                                                              p.start)  # fmt: skip
    ahead, behind = (problem.function(add_scaled(x, w, direction)) for w in (1e-5, -1e-5))
    assert np.isclose(tree_dot(problem.gradient(x), direction), (ahead - behind) / 2e-5, rtol=1e-5)


@pytest.mark.parametrize("schedule", [inverse_root(1.0), linear(0.2, 800), exponential(0.3, 0.99)])
def test_shrinking_subgradient_steps_find_the_medians(schedule):
    problem = absolute_errors()
    solution = minimise(problem, problem.start, Gradient(schedule), max_steps=800)
    assert np.allclose(solution.params, problem.answer, atol=0.05)


@given(SEEDS, st.sampled_from([1.0, 0.5, "bound", "fall"]))
def test_lasso_is_solved(seed, how):
    problem = lasso(seed % 50)
    method = {
        "bound": ProximalGradient(Backtracking(first=4.0)),
        "fall": ProximalGradient(4.0, shrink=0.5, attempts=30),
    }.get(how) or ProximalGradient(how / problem.curvature)
    solution = minimise(problem, problem.start, method, max_steps=4000, tolerance=1e-14, window=9)
    assert np.allclose(solution.params, problem.answer, atol=2e-3)
    values = solution.history.value
    assert all(b <= a + 1e-12 * abs(a) for a, b in itertools.pairwise(values))


@given(SEEDS)
def test_proximal_steps_are_as_fast_as_their_theorem_says(seed):
    """J after k steps of rate 1/L is within L |x₀ - x*|² / 2k (Beck and Teboulle, 2009)."""
    problem = lasso(seed)
    least = problem.evaluate(problem.answer).value
    bound = 0.5 * problem.curvature * float(((problem.start - problem.answer) ** 2).sum())
    way = history(problem, ProximalGradient(1 / problem.curvature), 60)
    for k, (_, value) in enumerate(way[1:], 1):
        assert least - 1e-9 <= value <= least + bound / k + 1e-9


def test_at_the_answer_a_proximal_step_stays():
    problem = lasso()
    for rate in (0.001, 0.1, 3.0):
        gradient = problem.evaluate(problem.answer).gradient
        assert np.allclose(problem.prox(problem.answer, gradient, rate), problem.answer)


def test_without_a_second_part_a_proximal_step_is_a_gradient_step():
    problem = quadratic(20)
    problem.prox = lambda x, gradient, rate: x - rate * gradient
    ours = history(problem, ProximalGradient(0.03), 20)
    for (x, _), (y, _) in zip(ours, history(problem, Gradient(constant(0.03)), 20), strict=True):
        assert np.allclose(x, y, rtol=0, atol=1e-14)


@given(SEEDS, st.floats(0.05, 1), st.floats(1, 1e4))
def test_a_rate_up_to_one_over_the_curvature_never_goes_up(seed, share, condition):
    way = history(quadratic(condition, seed=seed), Gradient(constant(share / condition)), 30)
    assert all(b <= a * (1 + 1e-12) for (_, a), (_, b) in itertools.pairwise(way))


@given(SEEDS, st.floats(1e-3, 0.04))
def test_without_momentum_a_ball_is_gradient_descent(seed, rate):
    plain = history(quadratic(20, seed=seed), Gradient(constant(rate)), 12)
    for nesterov in (False, True):
        ball = history(quadratic(20, seed=seed), Momentum(constant(rate), 0.0, nesterov), 12)
        assert all(
            np.allclose(x, y, atol=1e-14) for (x, _), (y, _) in zip(plain, ball, strict=True)
        )


@given(SEEDS, st.integers(-8, 8))
def test_adam_does_not_see_the_scale_of_the_function(seed, power):
    scale = 2.0**power
    one, other = quadratic(20, seed=seed), quadratic(20, seed=seed)
    slope = other.gradient
    other.gradient = lambda x: scale * slope(x)
    method = Adam(constant(0.05), epsilon=0.0)
    for (x, _), (y, _) in zip(history(one, method, 9), history(other, method, 9), strict=True):
        assert np.allclose(x, y, rtol=1e-12)


def test_adams_first_step_is_its_rate_against_the_gradients_sign():
    problem = quadratic(50)
    (_, _), (x, _) = history(problem, Adam(constant(0.25)), 1)
    assert np.allclose(x, -0.25 * np.sign(problem.gradient(problem.start)), atol=1e-6)


TORCH_TWINS = {
    "plain": (Gradient(constant(0.02)), "SGD", {"lr": 0.02}),
    "momentum": (Momentum(constant(0.02), 0.8), "SGD", {"lr": 0.02, "momentum": 0.8}),
    "nesterov": (
        Momentum(constant(0.02), 0.8, nesterov=True),
        "SGD",
        {"lr": 0.02, "momentum": 0.8, "nesterov": True},
    ),
    "Adam": (
        Adam(constant(0.1), 0.8, 0.99, 1e-6),
        "Adam",
        {"lr": 0.1, "betas": (0.8, 0.99), "eps": 1e-6},
    ),
}


@pytest.mark.parametrize("name", TORCH_TWINS)
def test_pytorch_takes_the_same_steps(name):
    torch = pytest.importorskip("torch")
    method, twin, options = TORCH_TWINS[name]
    problem = quadratic(20)
    x = torch.zeros(len(problem.start), dtype=torch.float64)
    optimiser = getattr(torch.optim, twin)([x], **options)
    for params, _ in history(problem, method, 40):
        assert np.allclose(params, x.numpy(), rtol=1e-9, atol=1e-12)
        x.grad = torch.from_numpy(problem.gradient(x.numpy()))
        optimiser.step()


EVERY = [
    Gradient(),
    Gradient(constant(0.01)),
    Momentum(),
    Momentum(nesterov=True),
    Adam(),
    ProximalGradient(0.01),
    ProximalGradient(Backtracking()),
    ProximalGradient(shrink=0.5),
]


@pytest.mark.parametrize("method", EVERY, ids=str)
def test_the_way_is_the_same_every_time_and_the_start_is_left_alone(method):
    problem = lasso()
    problem.start.setflags(write=False)
    first, again = history(problem, method, 15), history(problem, method, 15)
    for (x, a), (y, b) in zip(first, again, strict=True):
        assert np.array_equal(x, y)
        assert a == b
    assert not problem.start.any()


@pytest.mark.parametrize("method", EVERY[:5], ids=str)
def test_single_precision_stays_single(method):
    problem = quadratic(5)
    slope = problem.gradient
    problem.gradient = lambda x: slope(x).astype(np.float32)
    problem.start = problem.start.astype(np.float32)
    assert history(problem, method, 3)[-1][0].dtype == np.float32


@pytest.mark.parametrize("make", [Gradient, Momentum, Adam])
def test_schedules_are_followed_from_their_first_step(make):
    problem, asked = quadratic(5), []

    def schedule(index):
        asked.append(index)
        return 0.01 if index else 0.0

    way = history(problem, make(schedule), 3)
    assert asked == [0, 1, 2]
    assert np.array_equal(way[0][0], way[1][0])
    assert not np.array_equal(way[1][0], way[2][0])


def test_two_ways_to_cut_the_rate_are_one_too_many():
    with pytest.raises(ValueError, match=r"shrink 0\.5"):
        ProximalGradient(Backtracking(), shrink=0.5)
