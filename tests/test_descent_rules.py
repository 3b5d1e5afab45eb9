"""Step rules: schedules, and what backtracking promises."""

from __future__ import annotations

import numpy as np
import pytest
from descent_problems import lasso, quadratic, rosenbrock
from hypothesis import assume, given
from hypothesis import strategies as st

from gradpress.descent import (
    Backtracking,
    constant,
    cosine,
    exponential,
    inverse_root,
    inverse_time,
    linear,
)
from gradpress.descent.tree import all_finite

RATES = st.floats(1e-6, 1e3)


@given(RATES, st.integers(1, 200))
def test_schedules_begin_at_their_rate_and_never_rise(rate, steps):
    schedules = (
        constant(rate),
        exponential(rate, 0.97),
        inverse_time(rate, steps),
        inverse_root(rate),
        cosine(rate, steps),
        linear(rate, steps),
    )
    for schedule in schedules:
        rates = np.array([schedule(index) for index in range(2 * steps)])
        assert rates[0] == rate
        assert (np.diff(rates) <= 0).all()
        assert (rates >= 0).all()


@given(RATES, st.integers(1, 100))
def test_schedules_are_where_their_names_say(rate, steps):
    assert inverse_time(rate, steps)(steps) == pytest.approx(rate / 2)
    assert exponential(rate, 0.9)(steps) == pytest.approx(0.9 * exponential(rate, 0.9)(steps - 1))
    assert inverse_root(rate)(4 * steps - 1) == pytest.approx(inverse_root(rate)(steps - 1) / 2)
    for down in (cosine(rate, 2 * steps), linear(rate, 2 * steps)):
        assert down(steps) == pytest.approx(rate / 2)
        assert down(2 * steps) == down(3 * steps) == 0


@given(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), st.floats(1e-3, 1e3))
def test_armijos_condition_holds_where_a_search_ends_and_not_one_cut_before(point, rate):
    problem, rule = rosenbrock(), Backtracking()
    x = np.array(point)
    here = problem.evaluate(x)
    slope = -float(here.gradient @ here.gradient)
    assume(slope < -1e-6)

    def keeps(rate):
        value = problem.function(x - rate * here.gradient)
        return value <= here.value + rule.sufficient * rate * slope

    found, used = rule.search(problem, x, here, -here.gradient, rate)
    assert np.array_equal(found, x - used * here.gradient)
    assert keeps(used)
    assert used == rate or not keeps(used / rule.shrink)


@given(st.integers(0, 99), st.floats(1e-3, 1e3))
def test_the_quadratic_bound_holds_within_one_cut_of_the_curvature(seed, rate):
    problem = lasso(seed)
    here = problem.evaluate(problem.start)
    found, used = Backtracking().search_prox(problem, problem.start, here, rate)
    move, there = found - problem.start, problem.evaluate(found)
    bound = here.smooth + here.gradient @ move + move @ move / (2 * used)
    assert there.smooth <= bound * (1 + 1e-12)
    assert there.value <= here.value * (1 + 1e-12)
    assert used >= min(rate, 0.5 / problem.curvature)


def test_a_search_that_fails_leaves_the_point_alone():
    problem, rule = quadratic(10), Backtracking(attempts=3)
    here = problem.evaluate(problem.start)
    found, used = rule.search(problem, problem.start, here, here.gradient, 1.0)
    assert found is problem.start
    assert used == 0.125
    steep = lasso()
    steep.prox = lambda x, gradient, rate: x + 1e3
    found, _ = rule.search_prox(steep, steep.start, steep.evaluate(steep.start), 1.0)
    assert found is steep.start


def test_finite_means_every_number_in_the_tree():
    assert all_finite((np.ones(3), (np.zeros((2, 2), np.float32),)))
    assert not all_finite((np.ones(3), (np.array([1, np.nan]),)))
    assert not all_finite(np.float32("inf"))
    assert not all_finite(float("-inf"))
    assert all_finite(("words", object()))
