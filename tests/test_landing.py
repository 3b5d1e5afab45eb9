"""A landing meets the goal, and keeps what the descent chose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradpress.course import Aim, Course
from gradpress.descent import iterate
from gradpress.distortion.recipes import RECIPES
from gradpress.gauge import Gauge
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.landing import land
from gradpress.methods import PROXIMAL
from gradpress.perceive import method_of
from gradpress.studio import Studio
from gradpress.workers import SERIAL
from tests.pursuits import coffee, pursuit_of

LAGRANGIAN = 5.0
"""High quality: what a settled descent has chosen is far better than what λ alone leads to."""
COSTS = 0.06
"""Of λ · bits: most that J may rise, at the end's λ, where it is about stationary."""


@pytest.fixture(scope="module")
def studio():
    """Of a part of the example picture."""
    planes = coffee()
    recipe = RECIPES["perceptual"]
    judges = recipe.judges(planes, dear=False)
    return Studio(planes, recipe, recipe.blend(planes), SERIAL, judges=judges)


@pytest.fixture(scope="module", params=[(1, 3), (2, 8), (4, 14)])
def end(request, studio):
    """An objective, and the last step of a descent with so many steps and proposals."""
    layout = Layout(studio.planes.shape[2], studio.planes.shape[1], FACTORS["420"])
    objective = studio.appraised(studio.objective(layout), LAGRANGIAN)
    method = method_of(Course(None, *request.param), PROXIMAL)
    *_, last = iterate(objective, objective.first(LAGRANGIAN), method, max_steps=sum(request.param))
    return objective, last


def aim_at(studio, encoding, beyond):
    """A goal so many points of SSIMULACRA2 beyond what an encoding has."""
    pursuit = pursuit_of(studio, "ssimulacra2", 0.0)
    goal = replace(pursuit.goal, value=pursuit.measure(encoding).quality + beyond)
    pursuit = replace(pursuit, goal=goal)
    return Aim(pursuit, Gauge(pursuit.estimated_excess), (1e-3, 1e6))


@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize("beyond", [-0.2, -0.03, 0.1, 0.4])
def test_a_landing_keeps_what_the_descent_chose(studio, end, beyond, settled):
    objective, last = end
    encoding = last.params.encoding
    aim = aim_at(studio, encoding, beyond)
    landed = list(land(objective, last.params, last, aim, 0.1, settled=settled))
    goal = aim.pursuit.goal.value
    kept = [step for step, found in landed if goal <= found.quality <= goal + 0.2]
    assert kept
    least = min(step.terms.distortion + encoding.lagrangian * step.params.bits for step in kept)
    assert least - last.value < COSTS * encoding.lagrangian * encoding.bits
