"""The polish: blocks are exchanged where J falls, and what judges is held alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import PIL.Image
import pytest

from gradpress.descent import iterate
from gradpress.distortion.blend import Blend
from gradpress.distortion.mse import SquaredError
from gradpress.distortion.recipes import RECIPES, Recipe
from gradpress.jpeg.exchange import Exchange, exchange, halfway
from gradpress.jpeg.heat import block_bits
from gradpress.jpeg.model import planes_of
from gradpress.jpeg.objective import dequantised, merged
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.jpeg.perceptual import Draft
from gradpress.polish import PROPOSALS, Polish
from gradpress.studio import Studio
from gradpress.workers import SERIAL

LAGRANGIAN = 30.0


@pytest.fixture(scope="module")
def planes():
    """A part of the example picture."""
    with PIL.Image.open("examples/coffee.png") as picture:
        return planes_of(np.asarray(picture.convert("RGB"))[100:292, 150:406].copy())


@pytest.fixture(scope="module")
def studio(planes):
    recipe = RECIPES["perceptual"]
    return Studio(planes, recipe, recipe.blend(planes), SERIAL, opening=recipe.opened(planes))


@pytest.fixture(scope="module")
def objective(studio, planes):
    return studio.objective(Layout(planes.shape[2], planes.shape[1], FACTORS["420"]))


def first_order(objective, encoding):
    """What an encoding's errors cost: slope times error."""
    gradient = objective.evaluate(Draft(objective.original, encoding)).gradient
    errors = (c - o for c, o in zip(dequantised(encoding.symbols), objective.original, strict=True))
    return sum(
        float(np.einsum("rck,rck,rc,k->", g, e, s, objective.stiffness(i)))
        for i, (g, e, s) in enumerate(
            zip(gradient, errors, objective.visible.strengths, strict=True)
        )
    )


def test_what_judges_counts_alike(studio, objective):
    encoding = objective.first(LAGRANGIAN).encoding
    held = studio.balanced(objective, encoding, opens=True)
    costs = [
        first_order(replace(held, loss=Blend((part,)), anchor=0.0), encoding)
        for part in held.loss.parts
    ]
    assert costs == pytest.approx([costs[0]] * 4, rel=1e-3)
    assert first_order(held, encoding) == pytest.approx(first_order(objective, encoding), rel=1e-3)


def test_where_nothing_is_wrong_nothing_changes(planes):
    """A picture that is quantised without an error has no costs to balance."""
    recipe = RECIPES["perceptual"]
    flat = np.full_like(planes[:, :64, :64], 128)
    studio = Studio(flat, recipe, recipe.blend(flat), SERIAL)
    objective = studio.objective(Layout(64, 64, FACTORS["420"]))
    encoding = objective.first(1e-2).encoding
    assert studio.balanced(objective, encoding, opens=True) is objective


def grey_pair(planes):
    """An objective whose blocks do not meddle with each other, and two encodings."""
    grey = planes[:1]
    loss = Blend(((1.0, SquaredError(grey)),))
    objective = Studio(grey, Recipe(), loss, SERIAL).objective(
        Layout(grey.shape[2], grey.shape[1], FACTORS["grey"])
    )
    first = objective.first(LAGRANGIAN)
    return objective, first, objective.requantised(first, 2 * LAGRANGIAN)


def test_an_exchange_tells_what_blocks_add_and_save(planes):
    objective, first, second = grey_pair(planes)
    rng = np.random.default_rng(0)
    ends = [objective.evaluate(each).gradient for each in (first, second)]
    mean = tuple((a + b) / 2 for a, b in zip(*ends, strict=True))
    found = exchange(objective, first.encoding, second.encoding, mean)
    half = halfway(objective, first.encoding, second.encoding)
    assert half.added[0] == pytest.approx(found.added[0], rel=0.05, abs=300)  # roundings
    where = (rng.random(found.added[0].shape) < 0.5,)
    mixture = merged(where, second.encoding, first.encoding)
    before, after = (objective.terms(each).distortion for each in (first.encoding, mixture))
    assert after - before == pytest.approx(found.added[0][where[0]].sum(), rel=0.05)
    assert found.saved[0].sum() == pytest.approx(
        first.encoding.bits - second.encoding.bits, rel=0.1
    )


def test_own_tables_are_the_tables_of_the_symbols(objective):
    symbols = objective.first(LAGRANGIAN).encoding.symbols
    for own, same in zip(block_bits(symbols), block_bits(symbols, symbols), strict=True):
        np.testing.assert_array_equal(own, same)


def test_blocks_come_whole_from_either_side(objective):
    first = objective.first(LAGRANGIAN)
    second = objective.requantised(first, 2 * LAGRANGIAN)
    rng = np.random.default_rng(1)
    where = tuple(rng.random(each.shape[:2]) < 0.3 for each in first.targets)
    mixture = merged(where, second.encoding, first.encoding)
    assert mixture.lagrangian == first.encoding.lagrangian
    for i, places in enumerate(where):
        levels = mixture.symbols.levels[i]
        np.testing.assert_array_equal(levels[places], second.encoding.symbols.levels[i][places])
        np.testing.assert_array_equal(levels[~places], first.encoding.symbols.levels[i][~places])


def test_a_polish_lowers_j_and_never_raises_it(studio, objective):
    draft = objective.first(LAGRANGIAN)
    held = studio.balanced(objective, draft.encoding, opens=True)
    steps = list(iterate(held, draft, Polish(0.1), max_steps=2 * len(PROPOSALS)))
    values = [step.value for step in steps]
    assert np.all(np.diff(values) <= 0)
    assert values[-1] < 0.995 * values[0]
    for step in steps:
        assert step.params.encoding.lagrangian == LAGRANGIAN


def test_ranks_begin_with_what_gains_and_end_with_what_loses():
    added = np.array([[1.0, 4.0, -2.0, 3.0, -5.0, 0.0, -1.0]])
    saved = np.array([[1.0, 1.0, 1.0, -1.0, -1.0, 0.0, -1.0]])
    (ranks,) = Exchange((added,), (saved,)).ranks(2.0)
    order = np.argsort(ranks[0])
    assert set(order[:3]) == {2, 4, 5}  # better and smaller; better at a good price; the same
    assert list(order[3:5]) == [0, 1]
    assert set(order[5:]) == {3, 6}  # worse and larger; better at a bad price
