"""The further methods × problems with known answers, and what each of them promises."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from descent_problems import (
    Apart,
    absolute_errors,
    disc,
    equations,
    halved_plane,
    lasso,
    loose,
    nested,
    quadratic,
    rosenbrock,
)
from hypothesis import given
from hypothesis import strategies as st

from gradpress.descent import (
    LBFGS,
    Accelerated,
    Adam,
    Automatic,
    Backtracking,
    BarzilaiBorwein,
    Drawn,
    Gradient,
    Guarded,
    GuardedRounds,
    InteriorPoint,
    InTurn,
    Momentum,
    ProximalGradient,
    Sampled,
    StochasticGradient,
    Stop,
    Subgradient,
    constant,
    inverse_root,
    inverse_time,
    iterate,
    linear,
    minimise,
)
from gradpress.descent.barrier import Walled
from gradpress.descent.tree import add_scaled, tree_norm, tree_size

SEEDS = st.integers(0, 2**32 - 1)
SMOOTH = {"quadratic": lambda: quadratic(300), "nested": nested, "rosenbrock": rosenbrock}
CURVED = {
    "BB1": (BarzilaiBorwein(), 600),
    "BB2": (BarzilaiBorwein(short=True), 600),
    "L-BFGS": (LBFGS(), 80),
    "L-BFGS 3": (LBFGS(memory=3), 150),
}


def values(problem, method, steps, start=None):
    way = iterate(problem, problem.start if start is None else start, method, max_steps=steps)
    return [step.value for step in way]


@pytest.mark.parametrize("method", CURVED)
@pytest.mark.parametrize("name", SMOOTH)
def test_curvature_seen_on_the_way_solves_stiff_problems(name, method):
    problem, (way, steps) = SMOOTH[name](), CURVED[method]
    solution = minimise(problem, problem.start, way, max_steps=steps, gradient_tolerance=1e-6)
    assert tree_norm(add_scaled(solution.params, -1.0, problem.answer)) < 1e-5
    assert solution.stop is Stop.GRADIENT


@given(SEEDS)
def test_lbfgs_with_enough_pairs_is_newtons_on_a_quadratic(seed):
    """With exact searches it ends in as many steps as dimensions; backtracking takes a few more."""
    problem = quadratic(100, seed=seed)
    solution = minimise(problem, problem.start, LBFGS(), max_steps=60, gradient_tolerance=1e-8)
    assert solution.stop is Stop.GRADIENT


@given(SEEDS)
def test_lbfgs_never_goes_up(seed):
    way = values(quadratic(1e3, seed=seed), LBFGS(), 30)
    assert all(b <= a for a, b in itertools.pairwise(way))


@given(SEEDS, st.booleans())
def test_barzilai_and_borwein_stay_below_the_latest_ten(seed, short):
    way = values(quadratic(1e3, seed=seed), BarzilaiBorwein(short), 60)
    for k in range(1, len(way)):
        assert way[k] <= max(way[max(k - 10, 0) : k])


def test_the_barzilai_borwein_rate_of_a_round_bowl_is_its_inverse_curvature():
    problem = quadratic(1.0, size=4)
    solution = minimise(problem, problem.start, BarzilaiBorwein(search=Backtracking(0.3)))
    assert solution.history.value[2] < 1e-20


@pytest.mark.parametrize("steps", [inverse_root(1.0), linear(0.2, 800)], ids=["root", "linear"])
def test_subgradient_steps_find_the_medians(steps):
    problem = absolute_errors()
    solution = minimise(problem, problem.start, Subgradient(steps), max_steps=800)
    assert np.allclose(solution.params, problem.answer, atol=0.05)


@given(SEEDS, st.floats(1e-3, 1.0), st.floats(1e-6, 1e6))
def test_a_subgradient_step_is_as_long_as_it_is_meant_to_be(seed, length, scale):
    problem = quadratic(10, seed=seed)
    slope = problem.gradient
    problem.gradient = lambda x: scale * slope(x)
    way = iterate(problem, problem.start, Subgradient(constant(length)), max_steps=1)
    start, end = (step.params for step in way)
    assert math.isclose(np.sqrt(((end - start) ** 2).mean()), length, rel_tol=1e-9)


def test_where_the_subgradient_is_zero_nothing_moves():
    problem = quadratic(5)
    problem.start = problem.answer
    steps = list(iterate(problem, problem.start, Subgradient(), max_steps=2))
    assert steps[-1].params is problem.answer


FISTA = [Accelerated(), "fixed", Accelerated(Backtracking(4.0), restart=False)]


@pytest.mark.parametrize("method", FISTA, ids=["backtracking", "fixed", "without restart"])
@pytest.mark.parametrize("seed", range(4))
def test_lasso_is_solved(seed, method):
    problem = lasso(seed)
    if method == "fixed":
        method = Accelerated(1 / problem.curvature)
    solution = minimise(problem, problem.start, method, max_steps=1000)
    assert np.allclose(solution.params, problem.answer, atol=2e-3)


@given(SEEDS)
def test_accelerated_steps_are_as_fast_as_their_theorem_says(seed):
    """J after k steps is within 2 L |x₀ - x*|² / (k + 1)² (Beck and Teboulle, theorem 4.4)."""
    problem = lasso(seed)
    least = problem.evaluate(problem.answer).value
    bound = 2 * problem.curvature * float(((problem.start - problem.answer) ** 2).sum())
    way = values(problem, Accelerated(1 / problem.curvature, restart=False), 60)
    for k, value in enumerate(way[1:], 1):
        assert least - 1e-9 <= value <= least + bound / (k + 1) ** 2 + 1e-9


def test_acceleration_pays_where_curvatures_differ():
    problem = lasso(3, rows=40, columns=30, weight=0.01)
    needed = {}
    for method in (ProximalGradient(1 / problem.curvature), Accelerated(1 / problem.curvature)):
        way = values(problem, method, 3000)
        least = problem.evaluate(problem.answer).value
        needed[type(method)] = next(
            (k for k, value in enumerate(way) if value < least + 1e-5), len(way)
        )
    assert needed[Accelerated] < needed[ProximalGradient] / 3


@pytest.mark.parametrize("make", [halved_plane, disc, loose])
def test_the_interior_point_reaches_the_wall_but_never_crosses_it(make):
    problem = make()
    solution = minimise(problem, problem.start, InteriorPoint(), max_steps=130)
    assert np.allclose(solution.params, problem.answer, atol=1e-4)
    assert all(problem.room(asked)[0] > 0 for asked in problem.asked)


def test_the_price_of_room_is_the_multiplier():
    problem, mu = halved_plane(), 1e-4
    walled = Walled(problem, mu)
    solution = minimise(walled, problem.start, LBFGS(), max_steps=100, gradient_tolerance=1e-9)
    room, _ = problem.room(solution.params)
    assert math.isclose(mu / room, 2.0, rel_tol=1e-3)
    assert solution.value - mu * math.log(1 / room) <= 2.0 + mu + 1e-9


@given(SEEDS)
def test_the_walls_gradient_is_its_slope(seed):
    rng = np.random.default_rng(seed)
    walled = Walled(disc(), 0.3)
    x, direction = rng.uniform(-0.5, 0.5, 2), rng.normal(size=2)
    ahead, behind = (walled.evaluate(x + w * direction).value for w in (1e-6, -1e-6))
    slope = walled.evaluate(x).gradient @ direction
    assert math.isclose(slope, (ahead - behind) / 2e-6, rel_tol=1e-4, abs_tol=1e-4)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("batch", [1, 3, 10])
def test_stochastic_steps_solve_equations_that_all_hold(seed, batch):
    problem = equations(seed)
    method = StochasticGradient(inverse_time(0.003, 400))
    way = iterate(Sampled(problem, batch, seed), Drawn(0, problem.start), method, max_steps=1500)
    for step in way:
        last = step.params.params
    assert np.linalg.norm(last - problem.answer) < 0.05 * np.linalg.norm(problem.answer)


@given(SEEDS, st.integers(1, 12), st.integers(1, 5))
def test_every_part_has_its_turn_before_any_has_its_second(seed, count, batch):
    sampled = Sampled(Apart(count), batch, seed)
    batch = min(batch, count)
    turns = [which for turn in range(count) for which in sampled.draw(turn)]
    assert len(turns) == count * batch
    for begin in range(0, len(turns), count):
        assert sorted(turns[begin : begin + count]) == list(range(count))


@given(SEEDS)
def test_a_whole_batch_is_the_whole_sum(seed):
    problem = equations(seed)
    whole = Sampled(problem, 40).evaluate(Drawn(0, problem.answer + 1))
    error = problem.rows @ (problem.answer + 1) - problem.wanted
    assert math.isclose(whole.value, 0.5 * float(error @ error), rel_tol=1e-9)
    assert np.allclose(whole.gradient, problem.rows.T @ error)


def test_a_part_is_on_average_the_whole():
    problem = equations()
    x = np.ones(5)
    parts = [Sampled(problem).evaluate(Drawn(k, x)).gradient for k in range(40)]
    assert np.allclose(np.mean(parts, axis=0), problem.rows.T @ (problem.rows @ x - problem.wanted))


def test_parts_that_are_not_looked_at_are_shared_not_copied():
    problem = Apart(6)
    start = Drawn(0, tuple(np.zeros(3) for _ in range(6)))
    way = list(iterate(Sampled(problem), start, StochasticGradient(constant(1 / 6)), max_steps=6))
    for before, after in itertools.pairwise(step.params.params for step in way):
        assert sum(a is b for a, b in zip(before, after, strict=True)) == 5
    assert [float(part[0]) for part in way[-1].params.params] == pytest.approx([0, 1, 2, 3, 4, 5])


def test_equal_seeds_draw_alike_and_others_do_not():
    one, same, other = (Sampled(Apart(30), 4, seed) for seed in (5, 5, 6))
    assert [one.draw(k) for k in range(9)] == [same.draw(k) for k in range(9)]
    assert [one.draw(k) for k in range(9)] != [other.draw(k) for k in range(9)]


def test_stochastic_rounds_that_run_away_are_cut_until_they_converge():
    """Parts are 1/2 (x - k)² of their own x: steps above 2 diverge."""
    problem, told = Apart(6), []
    start = Drawn(0, tuple(np.zeros(3) for _ in range(6)))
    method = GuardedRounds(constant(4 / 6), problem.count, told=told.append)
    for step in iterate(Sampled(problem), start, method, max_steps=120):
        last = step.params.params
    assert told == [0.25]
    assert [float(part[0]) for part in last] == pytest.approx([0, 1, 2, 3, 4, 5], abs=1e-3)


def test_stochastic_rounds_that_do_not_run_away_are_those_without_a_guard():
    problem = Apart(5)
    start = Drawn(0, tuple(np.zeros(3) for _ in range(5)))
    plain, guarded = (
        [step.params for step in iterate(Sampled(problem), start, method, max_steps=12)]
        for method in (
            StochasticGradient(constant(0.1)),
            GuardedRounds(constant(0.1), problem.count),
        )
    )
    for one, other in zip(plain, guarded, strict=True):
        assert one.turn == other.turn
        assert all(map(np.array_equal, one.params, other.params))


RUNAWAYS = {
    "gradient": Gradient(constant(1.0)),
    "momentum": Momentum(constant(1.0)),
    "nesterov": Momentum(constant(1.0), nesterov=True),
    "Adam": Adam(constant(1e3)),
}


@pytest.mark.parametrize("name", RUNAWAYS)
def test_a_descent_that_runs_away_is_cut_until_it_converges(name):
    problem, told = quadratic(50), []
    assert minimise(problem, problem.start, RUNAWAYS[name], max_steps=40).best_step == 0
    guarded = Guarded(RUNAWAYS[name], told=told.append)
    solution = minimise(problem, problem.start, guarded, max_steps=400)
    assert told == [0.25 ** (k + 1) for k in range(len(told))]
    assert told
    assert solution.value < 0.01 * solution.history.value[0]
    first = solution.history.value[0]
    assert max(solution.history.value) <= 2 * first


@given(SEEDS)
def test_a_guard_does_nothing_where_nothing_happens(seed):
    problem = quadratic(20, seed=seed)
    plain = values(problem, Gradient(constant(0.04)), 30)
    assert values(problem, Guarded(Gradient(constant(0.04))), 30) == plain


@given(SEEDS)
def test_a_cut_of_a_gradient_step_is_a_smaller_rate(seed):
    problem = quadratic(20, seed=seed)
    method = Guarded(Gradient(constant(0.08)), cut=0.5)
    watched = method.init(problem.start)._replace(share=0.5)
    evaluation = problem.evaluate(problem.start)
    moved, _ = method.step(problem, problem.start, evaluation, watched)
    assert np.allclose(moved, problem.start - 0.04 * evaluation.gradient, atol=1e-14)


def test_infinite_values_are_a_run_away_too():
    problem = quadratic(20)
    inside = problem.function
    problem.function = lambda x: inside(x) if np.abs(x).max() < 10 else math.inf
    solution = minimise(problem, problem.start, Guarded(Gradient(constant(5.0))), max_steps=300)
    assert solution.stop is Stop.MAX_STEPS
    assert solution.value < 0.01 * solution.history.value[0]


def test_the_loop_says_that_a_descent_ran_away():
    problem = quadratic(20)
    solution = minimise(problem, problem.start, Gradient(constant(1.0)), divergence=1.0)
    assert solution.stop is Stop.DIVERGED
    assert np.array_equal(solution.params, problem.start)
    calm = minimise(problem, problem.start, Gradient(constant(0.05)), divergence=1.0)
    assert calm.stop is Stop.MAX_STEPS


@given(st.integers(-12, 12), st.sampled_from([Gradient, Momentum, Adam]))
def test_a_rate_is_found_whatever_the_scale_of_the_problem(power, make):
    problem, scale = quadratic(10), 4.0**power
    function, slope = problem.function, problem.gradient
    problem.function = lambda x: scale * function(x)
    problem.gradient = lambda x: scale * slope(x)
    method = Guarded(Automatic(lambda rate: make(constant(rate))))
    solution = minimise(problem, problem.start, method, max_steps=200)
    assert solution.value < 0.05 * solution.history.value[0]


def test_a_found_rate_is_kept():
    problem, asked = quadratic(10), []

    def make(rate):
        asked.append(rate)
        return Gradient(constant(rate))

    list(iterate(problem, problem.start, Automatic(make), max_steps=1))
    tried = len(asked)
    list(iterate(problem, problem.start, Automatic(make), max_steps=9))
    assert len(asked) == 2 * tried


def test_sizes_count_all_leaves():
    assert tree_size((np.zeros((2, 3)), (np.zeros(4), np.float64(1.0)))) == 11


EVERY = [
    BarzilaiBorwein(), LBFGS(), Subgradient(), Accelerated(), Accelerated(0.01),
    Guarded(Gradient(constant(0.3))), Automatic(lambda rate: Gradient(constant(rate))),
]  # fmt: skip


@pytest.mark.parametrize("method", EVERY, ids=lambda method: type(method).__name__)
def test_the_way_is_the_same_every_time_and_the_start_is_left_alone(method):
    problem = lasso()
    problem.start.setflags(write=False)
    assert values(problem, method, 15) == values(problem, method, 15)
    assert not problem.start.any()


@pytest.mark.parametrize("method", EVERY, ids=lambda method: type(method).__name__)
def test_single_precision_stays_single(method):
    problem = lasso()
    evaluate = problem.evaluate
    problem.start = problem.start.astype(np.float32)

    def single(x):
        there = evaluate(x)
        return type(there)(
            there.value, there.smooth, there.gradient.astype(np.float32), there.terms
        )

    problem.evaluate = single
    last = list(iterate(problem, problem.start, method, max_steps=4))[-1]
    assert last.params.dtype == np.float32


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_methods_in_turn_are_one_and_then_the_other(steps):
    first, second, total = Momentum(constant(1e-4)), LBFGS(), 9
    together = list(
        iterate(rosenbrock(), rosenbrock().start, InTurn(first, steps, second), max_steps=total)
    )
    (*_, half) = iterate(rosenbrock(), rosenbrock().start, first, max_steps=steps)
    after = values(rosenbrock(), second, total - steps, half.params)
    assert [step.value for step in together[steps:]] == after
