"""Estimates of the excess: what an evaluation tells is what a decoder would."""

from __future__ import annotations

import pytest

from gradpress.descent import Terms
from gradpress.distortion.recipes import RECIPES
from gradpress.gauge import RECENT, Gauge, gauge_of
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.studio import Studio
from gradpress.workers import SERIAL
from tests.pursuits import coffee, pursuit_of


@pytest.fixture(scope="module")
def studio():
    """Of a part of the example picture."""
    planes = coffee()
    recipe = RECIPES["perceptual"]
    return Studio(planes, recipe, recipe.blend(planes), SERIAL)


def drafts_of(studio):
    objective = studio.objective(
        Layout(studio.planes.shape[2], studio.planes.shape[1], FACTORS["420"])
    )
    return objective, [objective.first(lagrangian) for lagrangian in (10.0, 40.0)]


def test_what_is_learnt_is_what_is_estimated(studio):
    objective, drafts = drafts_of(studio)
    pursuit = pursuit_of(studio, "ssimulacra2", 70)
    rough, first = Gauge(pursuit.estimated_excess), drafts[0].encoding
    asked, told = (gauge_of(pursuit, studio.loss, first, rough) for _ in range(2))
    for draft in drafts:
        told.learn(draft.encoding, objective.evaluate(draft).terms)
        assert told(draft.encoding) == pytest.approx(asked(draft.encoding), abs=1e-4)
    exact = pursuit.excess(pursuit.measure(drafts[0].encoding))
    assert asked(drafts[0].encoding) == pytest.approx(exact, abs=1e-9)


def test_nothing_is_learnt_of_a_metric_that_no_part_measures(studio):
    _, (draft, _) = drafts_of(studio)
    pursuit = pursuit_of(studio, "psnr", 33)
    rough = Gauge(pursuit.estimated_excess)
    gauge = gauge_of(pursuit, studio.loss, draft.encoding, rough)
    gauge.learn(draft.encoding, Terms(0.0, 0.0, (0.0, 0.0, 0.0)))
    exact = pursuit.excess(pursuit.measure(draft.encoding))
    assert gauge(draft.encoding) == pytest.approx(exact, abs=1e-9)


def test_the_latest_are_remembered(studio):
    objective, _ = drafts_of(studio)
    asked = []
    encodings = [objective.first(10.0 + i).encoding for i in range(RECENT + 1)]
    gauge = Gauge(lambda encoding: asked.append(encoding) or 1.0, error=0.25)
    for encoding in (*encodings, encodings[-1], encodings[1]):
        assert gauge(encoding) == 0.75
    assert len(asked) == len(encodings)
    gauge(encodings[0])
    assert len(asked) == len(encodings) + 1
