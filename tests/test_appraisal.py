"""Weights by what errors cost: they follow the loss, block by block and by frequency."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import PIL.Image
import pytest

from gradpress.distortion.blend import NOTHING, Blend
from gradpress.distortion.in_bands import LEAST_ROWS, InBands, bands_of
from gradpress.distortion.mse import SquaredError
from gradpress.distortion.recipes import RECIPES
from gradpress.jpeg import model
from gradpress.jpeg.appraisal import TRUST, appraise, balanced, weighed
from gradpress.jpeg.objective import dequantised
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.jpeg.perceptual import Draft, PerceptualObjective
from gradpress.jpeg.start import prepare
from gradpress.jpeg.visibility import Sight, visibility

LAGRANGIAN = 40.0


@pytest.fixture(scope="module")
def planes():
    with PIL.Image.open("examples/coffee.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))[100:292, 150:406]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32)


def objective_of(planes, loss):
    layout = Layout(planes.shape[2], planes.shape[1], FACTORS["420"])
    start = prepare(planes, layout)
    seen = visibility(planes, layout, Sight())
    return PerceptualObjective(layout, loss, 0.2, seen, start.targets)


class Weighted:
    """Squared error that counts more in some pixels."""

    def __init__(self, reference, weights):
        self.reference, self.weights = reference, weights.astype(np.float32)

    def value_and_gradient(self, decoded):
        error = decoded - self.reference
        return float((self.weights * error * error).sum()), 2 * self.weights * error


def reweighed(planes, loss, plain=0.0):
    objective = objective_of(planes, Blend(((1.0, loss),)))
    encoding = objective.first(LAGRANGIAN).encoding
    return objective, encoding, weighed(objective, appraise(objective, encoding, NOTHING), plain)


def test_of_squared_error_all_blocks_and_frequencies_become_alike(planes):
    objective, _, after = reweighed(planes, SquaredError(planes))
    gain = model.gain(objective.layout)[0]
    for before, now in (
        (objective.visible.strengths[0], after.visible.strengths[0]),
        (objective.visible.profiles[0] / gain, after.visible.profiles[0] / gain),
    ):
        assert np.log(now).std() < 0.6 * np.log(before).std()


def test_what_counts_more_weighs_more(planes):
    weights = np.ones(planes.shape[1:])
    weights[:, : planes.shape[2] // 2] = 9.0
    _, _, plain = reweighed(planes, Weighted(planes, np.ones_like(weights)))
    _, _, after = reweighed(planes, Weighted(planes, weights))
    ratio = np.log(after.visible.strengths[0] / plain.visible.strengths[0])
    columns = ratio.shape[1] // 2
    between = ratio[:, : columns - 4].mean() - ratio[:, columns + 4 :].mean()
    assert between == pytest.approx(TRUST * np.log(9), rel=0.25)


@pytest.mark.parametrize("plain", [0.0, 1.0])
def test_components_weigh_as_much_as_before(planes, plain):
    objective, encoding, after = reweighed(planes, SquaredError(planes), plain)
    for i, decoded in enumerate(dequantised(encoding.symbols)):
        error = decoded - objective.original[i]
        assert after.visible.error(i, error) == pytest.approx(
            objective.visible.error(i, error), rel=1e-3
        )
        assert np.all(after.visible.strengths[i] > 0)
        assert np.all(after.visible.profiles[i] > 0)


def test_a_loss_without_slope_changes_nothing(planes):
    objective = objective_of(planes, NOTHING)
    nothing = appraise(objective, objective.first(LAGRANGIAN).encoding, NOTHING)
    assert weighed(objective, nothing, 0.0) is objective
    assert balanced(objective, nothing) is objective


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


def test_what_judges_has_its_share(planes):
    recipe = RECIPES["perceptual"]
    objective = objective_of(planes, recipe.blend(planes))
    encoding = objective.plain(LAGRANGIAN)
    judges = recipe.judges(planes, dear=True)
    held = balanced(objective, appraise(objective, encoding, judges))
    assert len(held.loss.parts) == len(objective.loss.parts) + 2
    costs = [
        first_order(replace(held, loss=Blend((part,)), anchor=0.0), encoding)
        for part in held.loss.parts
    ]
    counts = [1.0, 1.0, *(weight for weight, _ in judges.parts)]
    assert costs == pytest.approx([costs[0] * count for count in counts], rel=1e-3)
    assert first_order(held, encoding) == pytest.approx(first_order(objective, encoding), rel=1e-3)


def test_where_nothing_is_wrong_nothing_changes(planes):
    """A picture that is quantised without an error has no costs to balance."""
    flat = np.full_like(planes[:, :64, :64], 128)
    recipe = RECIPES["perceptual"]
    objective = objective_of(flat, recipe.blend(flat))
    nothing = appraise(objective, objective.plain(1e-2), recipe.judges(flat, dear=True))
    assert balanced(objective, nothing) is objective
    assert weighed(objective, nothing, recipe.plain) is objective


def test_a_single_metric_has_no_other_judges(planes):
    for name, recipe in RECIPES.items():
        assert bool(recipe.judges(planes, dear=False).parts) == (name == "perceptual")


def test_a_loss_in_bands_is_the_sum_of_theirs():
    rng = np.random.default_rng(2)
    reference, decoded = rng.uniform(0, 255, (2, 3, 3 * LEAST_ROWS + 7, 2100)).astype(np.float32)
    loss = InBands(reference, SquaredError)
    rows = bands_of(reference)
    assert len(rows) > 1
    assert [r.start for r in rows] == [0, *(r.stop for r in rows[:-1])]
    assert rows[-1].stop == reference.shape[1]
    value, gradient = loss.value_and_gradient(decoded)
    whole, expected = SquaredError(reference).value_and_gradient(decoded)
    assert value == pytest.approx(whole)
    assert loss.value(decoded) == pytest.approx(whole)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)
