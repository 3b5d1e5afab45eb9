"""Exchanges choose the better level of two; proposals lower J, and λ keeps to its course."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gradpress.course import Aim, Course, gained
from gradpress.descent import iterate
from gradpress.distortion.blend import Blend
from gradpress.distortion.mse import SquaredError
from gradpress.distortion.recipes import RECIPES, Recipe
from gradpress.gauge import Gauge
from gradpress.jpeg.exchange import exchange
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.jpeg.perceptual import Draft
from gradpress.methods import PROXIMAL
from gradpress.perceive import REHEARSAL, method_of, rehearsed
from gradpress.polish import PROPOSALS, Polish, proposed
from gradpress.search import answered
from gradpress.studio import Studio
from gradpress.workers import SERIAL
from tests.pursuits import coffee, pursuit_of

LAGRANGIAN = 30.0


@pytest.fixture(scope="module")
def planes():
    """A part of the example picture."""
    return coffee()


@pytest.fixture(scope="module")
def studio(planes):
    recipe = RECIPES["perceptual"]
    return Studio(
        planes, recipe, recipe.blend(planes), SERIAL, judges=recipe.judges(planes, dear=True)
    )


@pytest.fixture(scope="module")
def objective(studio, planes):
    layout = Layout(planes.shape[2], planes.shape[1], FACTORS["420"])
    return studio.appraised(studio.objective(layout), LAGRANGIAN)


def offer(objective, factor=0.7):
    """A draft, another one with the same steps, and what lies between them."""
    first = objective.first(LAGRANGIAN)
    here = objective.evaluate(first).gradient
    second = proposed(objective, first, here, 0.2, factor)
    slopes = here, objective.evaluate(second).gradient
    return first, second, slopes, exchange(objective, first, second, slopes)


@pytest.mark.parametrize("price", [1e-3, 0.3 * LAGRANGIAN, LAGRANGIAN, 1e4])
def test_every_level_comes_from_either_draft(objective, price):
    first, second, _, found = offer(objective)
    draft = found.draft(found.at(price))
    levels = zip(*(each.encoding.symbols.levels for each in (draft, first, second)), strict=True)
    for mixture, a, b in levels:
        assert np.all((mixture == a) | (mixture == b))
    assert draft.encoding.lagrangian == LAGRANGIAN
    for mixture, a, b in zip(draft.targets, first.targets, second.targets, strict=True):
        assert np.all((mixture == a) | (mixture == b))


def test_without_a_price_the_slopes_decide(objective):
    first, second, slopes, found = offer(objective)
    draft = found.draft(found.at(0.0))
    for i, levels in enumerate(draft.encoding.symbols.levels):
        a, b = (each.encoding.symbols.levels[i] for each in (first, second))
        gains = (slopes[0][i] + slopes[1][i]) * (b - a) < -1e-3
        gains[..., 0] = False  # the first of a block is found along the scan
        rows, columns = objective.layout.own_blocks(i)
        apart = np.zeros_like(gains)
        apart[:rows, :columns] = np.abs(b - a)[:rows, :columns] == 1
        np.testing.assert_array_equal(levels[gains & apart], b[gains & apart])


def test_bits_fall_as_their_price_rises(objective):
    *_, found = offer(objective)
    bits = [found.at(LAGRANGIAN * 4.0**k).bits for k in range(-2, 3)]
    assert np.all(np.diff(bits) < 0)


def test_of_what_does_not_meddle_the_exchange_is_better_than_both(planes):
    """Squared error of a grey picture is a sum over coefficients: the slopes tell it exactly."""
    grey = planes[:1]
    loss = Blend(((1.0, SquaredError(grey)),))
    objective = Studio(grey, Recipe(), loss, SERIAL).objective(
        Layout(grey.shape[2], grey.shape[1], FACTORS["grey"])
    )
    first = objective.first(LAGRANGIAN)
    second = objective.requantised(Draft(first.targets, first.encoding), 3 * LAGRANGIAN)
    ends = [objective.evaluate(each) for each in (first, second)]
    slopes = ends[0].gradient, ends[1].gradient
    taken = exchange(objective, first, second, slopes)
    found = objective.evaluate(taken.draft(taken.at(LAGRANGIAN)))
    values = [end.smooth + LAGRANGIAN * end.terms.bits for end in ends]
    assert found.value < min(values)


def test_a_polish_lowers_j_and_never_raises_it(objective):
    method = Polish(Course(None, 1, 8), 0.1)
    draft = objective.first(LAGRANGIAN)
    steps = list(iterate(objective, draft, method, max_steps=2 * len(PROPOSALS)))
    values = [step.value for step in steps]
    assert np.all(np.diff(values) <= 0)
    assert values[-1] < 0.97 * values[0]
    for step in steps:
        assert step.params.encoding.lagrangian == LAGRANGIAN


def test_steps_may_stay(objective):
    draft = objective.first(LAGRANGIAN)
    (*_, last) = iterate(objective, draft, Polish(Course(None, 1, 2), 0.1, fits=False), max_steps=2)
    for before, after in zip(
        draft.encoding.symbols.steps, last.params.encoding.symbols.steps, strict=True
    ):
        np.testing.assert_array_equal(before, after)


def course_of(studio, excess, goal=70.0):
    """One whose gauge always shows the same."""
    pursuit = pursuit_of(studio, "ssimulacra2", goal)
    return Course(Aim(pursuit, Gauge(lambda _: excess), (1e-2, 1e5)), 1, 3, 5.0)


def test_the_course_follows_the_excess(studio, objective):
    encoding = objective.first(LAGRANGIAN).encoding
    ends = [course_of(studio, x).after_proposals(encoding, 3) for x in (-2.0, 0.3, 3.0)]
    assert ends[0] < ends[1] < ends[2]
    ahead = [course_of(studio, -3.0).after_steps(encoding, done) for done in (0, 1)]
    assert ahead[0] > ahead[1]  # more is foreseen from the start
    assert Course(None, 1, 3).after_steps(encoding, 0) == LAGRANGIAN
    far = course_of(studio, 1e9)
    assert far.after_steps(encoding, 0) < 2 * LAGRANGIAN
    tied = replace(far, aim=replace(far.aim, bounds=(1.0, 31.0)))
    assert tied.after_steps(encoding, 0) == 31.0


def test_more_work_gains_more():
    assert gained(0, 0) == 0
    assert 0 < gained(1, 0) < gained(2, 0) < gained(6, 0) < gained(6, 1) < gained(6, 99) == 1
    assert gained(1, 1) < gained(1, 2) < gained(1, 99) == 1


def test_a_rehearsal_foresees_what_a_long_descent_gains(studio, objective):
    aim = course_of(studio, 0.0).aim
    aim = replace(aim, gauge=Gauge(aim.pursuit.estimated_excess))
    draft = objective.first(LAGRANGIAN)
    foreseen = rehearsed(objective, draft, method_of(Course(None, *REHEARSAL), PROXIMAL), aim)
    method = method_of(Course(None, 2, 8), PROXIMAL)
    (*_, last) = iterate(objective, draft, method, max_steps=10)
    grown = aim.gauge(last.params.encoding) - aim.gauge(draft.encoding)
    assert foreseen == pytest.approx(grown, rel=0.25)


def test_an_answer_is_the_slope_of_a_line_within_reason():
    def line(x):
        return 3.0 - 1.5 * x

    assert answered(1.0, (0.0, line(0.0)), 2.0, line(2.0), 2.0) == pytest.approx(1.5)
    assert answered(1.0, (0.0, line(0.0)), 2.0, line(2.0), 1.0) == 1.0
    assert answered(8.0, (0.0, line(0.0)), 2.0, line(2.0), 1.0) == 2.0
    assert answered(8.0, None, 2.0, 1.0, 1.0) == answered(8.0, (2.0, 1.0), 2.0, 1.0, 1.0) == 8.0
