"""Weights by what errors cost: they follow the loss, block by block and by frequency."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import PIL.Image
import pytest

from gradpress.distortion.blend import Blend
from gradpress.distortion.in_bands import LEAST_ROWS, InBands, bands_of
from gradpress.distortion.mse import SquaredError
from gradpress.goal import Target, TargetSize
from gradpress.jpeg import model
from gradpress.jpeg.appraisal import TRUST, appraised
from gradpress.jpeg.exchange import halfway
from gradpress.jpeg.objective import dequantised, mixed
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.jpeg.perceptual import PerceptualObjective
from gradpress.jpeg.start import prepare
from gradpress.jpeg.visibility import Sight, visibility
from gradpress.metrics import metric
from gradpress.outset import lift_of

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


def appraise(planes, loss, plain=0.0):
    blend = Blend(((1.0, loss),))
    objective = objective_of(planes, blend)
    encoding = objective.first(LAGRANGIAN).encoding
    return objective, encoding, appraised(objective, encoding, blend, plain)


def test_of_squared_error_all_blocks_and_frequencies_become_alike(planes):
    objective, _, after = appraise(planes, SquaredError(planes))
    gain = model.gain(objective.layout)[0]
    for before, now in (
        (objective.visible.strengths[0], after.visible.strengths[0]),
        (objective.visible.profiles[0] / gain, after.visible.profiles[0] / gain),
    ):
        assert np.log(now).std() < 0.6 * np.log(before).std()


def test_what_counts_more_weighs_more(planes):
    weights = np.ones(planes.shape[1:])
    weights[:, : planes.shape[2] // 2] = 9.0
    _, _, plain = appraise(planes, Weighted(planes, np.ones_like(weights)))
    _, _, after = appraise(planes, Weighted(planes, weights))
    ratio = np.log(after.visible.strengths[0] / plain.visible.strengths[0])
    columns = ratio.shape[1] // 2
    between = ratio[:, : columns - 4].mean() - ratio[:, columns + 4 :].mean()
    assert between == pytest.approx(TRUST * np.log(9), rel=0.25)


@pytest.mark.parametrize("plain", [0.0, 1.0])
def test_components_weigh_as_much_as_before(planes, plain):
    objective, encoding, after = appraise(planes, SquaredError(planes), plain)
    for i, decoded in enumerate(dequantised(encoding.symbols)):
        error = decoded - objective.original[i]
        assert after.visible.error(i, error) == pytest.approx(
            objective.visible.error(i, error), rel=1e-3
        )
        assert np.all(after.visible.strengths[i] > 0)
        assert np.all(after.visible.profiles[i] > 0)


def test_a_loss_without_slope_changes_nothing(planes):
    objective, encoding, _ = appraise(planes, SquaredError(planes))
    assert appraised(objective, encoding, Blend(()), 0.0) is objective


def test_ranked_blocks_cost_less_for_a_bit_than_any(planes):
    objective = objective_of(planes, Blend(((1.0, SquaredError(planes)),)))
    above = objective.first(LAGRANGIAN)
    below = objective.requantised(above, 1.5 * above.encoding.lagrangian)
    ranks = halfway(objective, above.encoding, below.encoding).ranks(LAGRANGIAN)
    everything = np.sort(np.concatenate([rank.ravel() for rank in ranks]))
    np.testing.assert_allclose(everything, np.arange(len(everything)) / len(everything))

    def cost(encoding):
        more = objective.terms(encoding).distortion - objective.terms(above.encoding).distortion
        return more / (above.encoding.bits - encoding.bits)

    whole = cost(below.encoding)
    for share, part in ((0.1, 0.6), (0.2, 0.8)):
        assert cost(mixed(above.encoding, below.encoding, share, ranks=ranks)) < part * whole


def test_the_last_ranks_are_worth_most_for_a_bit(planes):
    objective = objective_of(planes, Blend(((1.0, SquaredError(planes)),)))
    below = objective.first(LAGRANGIAN)
    above = objective.requantised(below, LAGRANGIAN / 1.5)
    ranks = halfway(objective, above.encoding, below.encoding).ranks(LAGRANGIAN)

    def worth(encoding):
        less = objective.terms(below.encoding).distortion - objective.terms(encoding).distortion
        return less / (encoding.bits - below.encoding.bits)

    raised = mixed(above.encoding, below.encoding, 0.9, ranks=ranks)
    assert worth(raised) > 1.3 * worth(above.encoding) > 0


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


@pytest.mark.parametrize("goal", [Target(metric("ssimulacra2"), 70.0), TargetSize(10_000)])
@pytest.mark.parametrize("evaluations", [1, 8, 24])
def test_what_is_left_to_gain_falls_to_nothing(goal, evaluations):
    left = [lift_of(goal, evaluations, done) for done in range(evaluations + 2)]
    assert all(a > b for a, b in pairwise(left[: evaluations + 1]))
    assert left[evaluations:] == [0.0, 0.0]
    assert lift_of(goal, 2 * evaluations) >= lift_of(goal, evaluations)
