"""Methods of descent on JPEG: by name, on targets, on tiles and inside a budget."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import partial

import numpy as np
import PIL.Image
import pytest
from conftest import scene

import gradpress
from gradpress.by_method import Descent, begun, pixel_objective, steps_of
from gradpress.commands.arguments import DESCENT
from gradpress.descent import Drawn, Sampled
from gradpress.descent.tree import add_scaled, tree_dot, tree_map
from gradpress.distortion import AbsoluteError, SquaredError
from gradpress.distortion.blend import Blend
from gradpress.distortion.recipes import RECIPES
from gradpress.errors import UsageError
from gradpress.interior import Interior
from gradpress.jpeg.latent import Latent
from gradpress.jpeg.model import planes_of
from gradpress.jpeg.objective import steps_for
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.jpeg.perceptual import REACH
from gradpress.jpeg.quality import CHROMINANCE, LUMINANCE
from gradpress.jpeg.reader import read
from gradpress.jpeg.start import prepare
from gradpress.jpeg.tables import tables_to_start_from
from gradpress.jpeg.tiles import Tiles
from gradpress.methods import RATES, SCHEDULES, Choice, method_of
from gradpress.result import Status
from gradpress.studio import Studio
from gradpress.workers import SERIAL

TREES = tuple(name for name in RATES if name not in {"proximal", "interior-point"})


def picture(height=96, width=128):
    with PIL.Image.open("examples/coffee.png") as opened:
        return np.asarray(opened.convert("RGB"))[100 : 100 + height, 150 : 150 + width].copy()


def problem(pixels, loss="perceptual", subsampling="420"):
    """The objective, its draft, the planes and what prepares the loss."""
    planes = planes_of(pixels)
    layout = Layout(pixels.shape[1], pixels.shape[0], FACTORS[subsampling])
    if loss in RECIPES:
        recipe = RECIPES[loss]
        objective = Studio(planes, recipe, recipe.blend(planes), SERIAL).objective(layout)
        return objective, objective.first(30.0), planes, partial(recipe.blend)
    error, curvature, price = {
        "mse": (SquaredError, 2.0, 39.0),
        "mae": (AbsoluteError, 0.16, 3.1),
    }[loss]

    def blend(part):
        return Blend(((1.0, error(part)),))

    objective = pixel_objective(prepare(planes, layout), blend(planes), curvature)
    return objective, objective.first(price, steps_for(price, curvature, layout)), planes, blend


@pytest.mark.parametrize("loss", ["perceptual", "ssimulacra2", "mse", "mae"])
@pytest.mark.parametrize("method", TREES)
def test_every_method_lowers_the_measured_j(method, loss):
    objective, draft, planes, blend = problem(picture(), loss)
    steps = list(steps_of(Descent(objective, draft, Choice(method), 5), planes, blend))
    best = min(steps, key=lambda step: step.value)
    assert best.value < steps[0].value
    terms = objective.terms(best.params.encoding)
    told = terms.distortion + best.params.encoding.lagrangian * terms.bits
    assert best.value == pytest.approx(told, rel=1e-6)


@pytest.mark.parametrize("method", TREES)
def test_the_file_keeps_the_quality_asked_for(method):
    result = gradpress.compress(
        picture(), target="psnr=34", method=method, effort=3, loss="mse", progressive="off"
    )
    assert result.status is Status.COMPRESSED
    assert 34 <= result.metrics["psnr"] <= 34.2


@pytest.mark.parametrize("loss", ["perceptual", "mse"])
def test_a_rate_that_is_found_lowers_j_and_a_wild_one_is_cut_and_told(loss):
    options = {"lagrangian": 30.0, "loss": loss, "effort": 5, "progressive": "off"}
    found = gradpress.compress(
        picture(), method="gradient", learning_rate="auto", iterations=6, **options
    )
    assert min(found.history.value) < found.history.value[0]
    assert found.notices == ()
    wild = gradpress.compress(
        picture(), method="adam", learning_rate=9.0, iterations=12, schedule="constant", **options
    )
    assert any("ran away" in notice for notice in wild.notices)
    assert min(wild.history.value) <= wild.history.value[0]


@pytest.mark.parametrize("loss", ["perceptual", "mae"])
@pytest.mark.parametrize("method", RATES)
def test_far_too_long_steps_are_cut_and_told(method, loss):
    goal = {"target_size": "0.8bpp"} if method == "interior-point" else {"lagrangian": 20.0}
    options = {"method": method, "loss": loss, "effort": 4, "progressive": "off", **goal}
    wild = gradpress.compress(picture(), learning_rate=1e4, **options)
    told = any("learning_rate" in notice for notice in wild.notices)
    assert told or (loss == "perceptual" and min(wild.history.value) < wild.history.value[0])
    assert wild.status is Status.COMPRESSED


GOALS = {
    "ssimulacra2": ({"target": "ssimulacra2=70"}, 70, 71),
    "psnr": ({"target": "psnr=33"}, 33, 33.2),
    "butteraugli": ({"distance": 1.5}, 1.4, 1.5),
}


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize(
    ("method", "loss"), [("lbfgs", "perceptual"), ("gradient", "mse"), (None, "mae")]
)
def test_every_kind_of_goal_is_met_closely(method, loss, goal):
    options, least, most = GOALS[goal]
    result = gradpress.compress(
        picture(), method=method, loss=loss, effort=3, progressive="off", **options
    )
    assert least <= result.metrics[goal] <= most


@pytest.mark.parametrize("loss", ["perceptual", "mae"])
@pytest.mark.parametrize("method", RATES)
def test_a_budget_is_kept_closely_by_every_method(method, loss):
    result = gradpress.compress(picture(), method=method, loss=loss, effort=3, target_size=1228)
    assert 0.98 * 1228 <= result.bytes_after <= 1228


@pytest.mark.parametrize("method", ["gradient", "sgd", "interior-point"])
def test_the_time_limit_ends_any_descent(method):
    result = gradpress.compress(
        picture(), method=method, target_size=1228, iterations=10**6, time_limit=0.5
    )
    assert result.solution.seconds < 5
    assert result.bytes_after <= 1228


def test_points_stand_for_targets_and_are_held_near_the_original():
    objective, draft, _, _ = problem(picture())
    latent = Latent(objective, draft.encoding)
    point = latent.point(draft.targets)
    for target, original in zip(latent.draft(point).targets, objective.original, strict=True):
        assert np.allclose(target, original, atol=1e-2)
    far = tree_map(lambda p: p + np.float32(5), point)
    for target, original, steps in zip(
        latent.draft(far).targets, objective.original, draft.encoding.symbols.steps, strict=True
    ):
        assert (target - original <= REACH * steps * 1.01 + 0.01).all()
    assert tree_dot(latent.evaluate(far).gradient, tree_map(np.ones_like, point)) >= 0


def test_a_step_is_about_one_and_a_whole_rate_about_a_minimum():
    """For squared error the slope at the original is 0 but for what crosses blocks and planes."""
    objective, draft, _, _ = problem(picture(), "mse", "444")
    latent = Latent(objective, draft.encoding)
    scale = latent.point(tuple(np.ones_like(target) for target in draft.targets))
    luma = scale[0][0, 0] * draft.encoding.symbols.steps[0]
    assert 0.3 < float(np.median(luma)) < 3
    gradient = latent.evaluate(latent.point(draft.targets)).gradient
    assert float(np.sqrt(np.mean(gradient[0] ** 2))) < 0.5


@pytest.mark.parametrize("loss", ["perceptual", "mse"])
def test_the_slope_says_how_j_changes_in_the_mean(loss):
    """Over moves of a quarter of a step the staircase is averaged out: the signs agree."""
    objective, draft, _, _ = problem(picture(192, 256), loss)
    latent = Latent(objective, draft.encoding)
    point = latent.point(draft.targets)
    here = latent.evaluate(point)
    ahead = latent.evaluate(add_scaled(point, -0.1, here.gradient))
    promised = 0.1 * tree_dot(here.gradient, here.gradient)
    assert 0.02 * promised < here.value - ahead.value < 2 * promised


def test_tiles_are_the_whole_cut_into_pieces():
    pixels = scene(700, 300)
    objective, draft, planes, blend = problem(pixels, "mse", "444")
    latent = Latent(objective, draft.encoding)
    tiles = Tiles(planes, blend, latent)
    assert tiles.count > 1
    point = latent.point(draft.targets)
    parts = tiles.split(point)
    for whole, again in zip(point, tiles.joined(parts), strict=True):
        assert np.array_equal(whole, again)
    distortion = sum(tiles.part(parts, i).terms.distortion for i in range(tiles.count))
    assert distortion == pytest.approx(latent.evaluate(point).terms.distortion, rel=0.02)
    there = Sampled(tiles, tiles.count).evaluate(Drawn(0, parts))
    assert there.terms.bits == pytest.approx(draft.encoding.bits, rel=0.05)


def test_stochastic_steps_depend_on_the_seed_alone():
    pixels = scene(300, 700)
    options = {"method": "sgd", "lagrangian": 30.0, "iterations": 1, "progressive": "off"}
    files = [
        gradpress.compress(pixels, seed=seed, threads=threads, **options).data
        for seed, threads in ((0, 1), (0, 2), (1, 1), (2, 1), (3, 1))
    ]
    assert files[0] == files[1]
    assert len(set(files)) == 2  # one of two tiles has its turn


@pytest.mark.parametrize("bpp", [0.6, 2.0])
def test_the_interior_point_keeps_the_budget_closely(bpp):
    pixels = picture(192, 256)
    limit = int(bpp * 192 * 256 / 8)
    result = gradpress.compress(pixels, target_size=limit, method="interior-point")
    assert 0.98 * limit <= result.bytes_after <= limit
    assert result.status is Status.COMPRESSED


def test_inside_the_budget_bits_have_the_price_of_the_room():
    objective, draft, _, _ = problem(picture(192, 256))
    budget = int(draft.encoding.bits / 8)
    method = Interior(lambda encoding: encoding.bits / 8, budget, 4, 0.1)
    inside = method.first(objective, draft)
    price = inside.encoding.lagrangian * method.room(inside.encoding)
    assert price == pytest.approx(draft.encoding.lagrangian * 0.08 * 8 * budget, rel=0.05)
    steps = [inside]
    state = method.init(inside)
    for _ in range(4):
        moved, state = method.step(objective, steps[-1], objective.evaluate(steps[-1]), state)
        steps.append(moved)
        assert method.room(moved.encoding) > 0
    last = method.last(objective, steps[-1])
    assert 0 < method.room(last.encoding) < 0.01 * 8 * budget


def test_without_a_budget_there_is_no_interior():
    with pytest.raises(UsageError, match="target size"):
        gradpress.compress(picture(), method="interior-point")


def jpeg(quality):
    sink = io.BytesIO()
    PIL.Image.fromarray(picture()).save(sink, "JPEG", quality=quality)
    return sink.getvalue()


@pytest.mark.parametrize("start", ["standard", "flat", "random"])
def test_tables_to_start_from_have_the_scale_of_those_that_suit(start):
    objective, draft, _, _ = problem(picture())
    suited = draft.encoding.symbols.steps
    tables = tables_to_start_from(start, suited, seed=3)
    for table, steps in zip(tables, suited, strict=True):
        assert np.log(table).mean() == pytest.approx(np.log(steps).mean(), abs=0.2)
    if start == "flat":
        assert all(len(set(table.tolist())) == 1 for table in tables)
    if start == "standard":
        shapes = (np.ravel(LUMINANCE), np.ravel(CHROMINANCE))
        assert tables[0].argmax() != 0
        assert np.corrcoef(np.sort(tables[0]), np.sort(shapes[0]))[0, 1] > 0.99
    begin = begun(objective, draft, Choice(start=start, seed=3))
    assert begin.encoding.lagrangian == draft.encoding.lagrangian
    assert not np.array_equal(begin.encoding.symbols.steps[0], suited[0])


def test_tables_of_another_file_are_taken_as_they_are(tmp_path):
    path = tmp_path / "other.jpg"
    path.write_bytes(jpeg(60))
    _, draft, _, _ = problem(picture())
    tables = tables_to_start_from(str(path), draft.encoding.symbols.steps, 0)
    wanted = read(jpeg(60)).steps
    for table, stored in zip(tables, wanted, strict=True):
        assert tuple(table.tolist()) == stored.steps


def test_other_starts_reach_the_goal_too(tmp_path):
    path = tmp_path / "other.jpg"
    path.write_bytes(jpeg(80))
    sizes = {}
    for start in ("curvature", "standard", "flat", "random", str(path)):
        result = gradpress.compress(picture(), target="psnr=33", start=start, progressive="off")
        assert result.metrics["psnr"] >= 33
        sizes[start] = result.bytes_after
    assert len(set(sizes.values())) > 2


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"method": "newton"}, "newton"),
        ({"schedule": "often"}, "often"),
        ({"learning_rate": 0.0}, "learning_rate 0"),
        ({"learning_rate": float("nan")}, "learning_rate nan"),
        ({"learning_rate": "fast"}, "fast"),
        ({"iterations": -1}, "iterations -1"),
        ({"tolerance": 1.0}, "tolerance 1"),
        ({"start": "no/such.jpg"}, "no/such"),
    ],
)
def test_what_is_wrong_is_said(options, complaint):
    with pytest.raises(UsageError, match=complaint):
        gradpress.compress(picture(), **options)


def test_iterations_and_tolerance_end_a_descent():
    options = {"method": "gradient", "lagrangian": 30.0, "progressive": "off"}
    assert gradpress.compress(picture(), iterations=3, **options).solution.steps == 3
    soon = gradpress.compress(picture(), iterations=60, tolerance=0.01, **options)
    assert soon.solution.steps < 60


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_begin_at_the_rate_and_never_rise(name):
    rates = [Choice(schedule=name).scheduled(0.2, 8)(k) for k in range(9)]
    assert rates[0] == 0.2
    assert rates == sorted(rates, reverse=True)
    assert (rates[-1] < 0.2) == (name != "constant")


def test_the_command_line_knows_the_names():
    names = {}
    for declare in DESCENT:
        command = declare(lambda: None)
        option = command.__click_params__[-1]
        names[option.name] = getattr(option.type, "choices", None)
    assert tuple(names["method"]) == tuple(RATES)
    assert tuple(names["schedule"]) == SCHEDULES


def test_methods_are_values():
    for name in TREES:
        first, again = (method_of(Choice(name), 8, print) for _ in range(2))
        assert type(first) is type(again)
    assert replace(Choice(), seed=3) != Choice()
