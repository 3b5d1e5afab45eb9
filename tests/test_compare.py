"""Two pictures side by side: the metrics' numbers, and what the verb says of them."""

from __future__ import annotations

import io
import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner
from conftest import png, scene
from hypothesis import given
from hypothesis.extra.numpy import arrays

from gradpress import compress as press
from gradpress.commands import answers, cli
from gradpress.compare import compare
from gradpress.errors import GradpressError, UsageError
from gradpress.image import read_image
from gradpress.metrics import METRICS, MOST_DECIBELS, NAMES, metric, metrics
from gradpress.workers import SERIAL, Workers

LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601-7."""
PIXELS = arrays(np.uint8, (5, 7, 3))


PSNRS = tuple(each for each in METRICS if each.name.startswith("psnr"))


def scores(one, other, chosen=METRICS):
    return compare(read_image(one), read_image(other), chosen).scores


def decibels(difference):
    """The definition of PSNR, in double precision."""
    return 10 * math.log10(255**2 / np.mean(np.square(difference, dtype=float)))


def noisy(pixels, seed=1):
    noise = np.random.default_rng(seed).integers(-9, 10, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


@given(PIXELS, PIXELS)
def test_psnr_and_psnr_y_are_what_they_are_defined_as(one, other):
    found = scores(one, other, PSNRS)
    difference = one.astype(float) - other
    for name, apart in (("psnr", difference), ("psnr-y", difference @ LUMA)):
        if np.abs(apart).max() > 1e-3:
            assert found[name] == pytest.approx(decibels(apart), abs=1e-3)
        else:
            assert found[name] == MOST_DECIBELS


@pytest.mark.parametrize("each", METRICS, ids=NAMES)
def test_a_metric_is_best_for_the_reference_itself_and_falls_with_noise(each):
    picture = scene(70, 90)
    planes = read_image(picture).planes
    score = each.prepare(planes, SERIAL)
    near = read_image(noisy(picture)).planes
    far = planes + 3 * (near - planes)
    ranked = [score(planes.copy()), score(near), score(np.clip(far, 0, 255))]
    assert ranked == sorted(ranked, reverse=each.higher_is_better)
    assert len(set(ranked)) == 3


@pytest.mark.parametrize("each", METRICS, ids=NAMES)
def test_a_metric_gives_the_same_bits_on_any_number_of_threads(each):
    picture = scene(300, 90)
    one, other = read_image(picture).planes, read_image(noisy(picture)).planes
    with Workers(3) as workers:
        assert each.prepare(one, workers)(other) == each.prepare(one, SERIAL)(other)


def test_identical_pictures_have_100_decibels():
    found = scores(scene(9, 9), scene(9, 9), PSNRS)
    assert found == {"psnr": MOST_DECIBELS, "psnr-y": MOST_DECIBELS}


def test_a_difference_too_small_to_count_has_no_more_than_identical_pictures():
    image = read_image(scene(9, 9))
    other = replace(image, planes=image.planes + np.float32(1e-4))
    assert compare(image, other, PSNRS).scores["psnr"] == MOST_DECIBELS


def test_grey_is_taken_as_rgb_beside_colour_and_as_itself_beside_grey():
    grey, colour = scene(20, 30)[..., 0], scene(20, 30)
    spread = np.repeat(grey[..., None], 3, axis=2)
    assert scores(grey, colour) == scores(spread, colour)
    assert scores(colour, grey) == scores(colour, spread)
    other = noisy(grey)
    alone = scores(grey, other)
    assert alone == pytest.approx(scores(spread, np.repeat(other[..., None], 3, axis=2)), abs=1e-3)


def test_pictures_are_compared_upright_and_opaque():
    pixels = scene(20, 30)
    sink, exif = io.BytesIO(), PIL.Image.Exif()
    exif[0x0112] = 3
    PIL.Image.fromarray(pixels[::-1, ::-1].copy()).save(sink, "PNG", exif=exif)
    assert scores(pixels, sink.getvalue(), PSNRS)["psnr"] == MOST_DECIBELS
    clear = np.dstack([pixels, np.full(pixels.shape[:2], 0, np.uint8)])
    assert scores(png(clear), np.full_like(pixels, 255), PSNRS)["psnr"] == MOST_DECIBELS


def test_sizes_that_differ_are_named():
    with pytest.raises(GradpressError, match="a has 30 × 20 and b has 20 × 30 pixels"):
        compare(read_image(scene(20, 30)), read_image(scene(30, 20)), names=("a", "b"))


def test_what_was_done_to_the_pictures_is_noticed():
    image = read_image(scene(9, 9))
    other = replace(image, icc=b"profile", notices=("it was turned",))
    found = compare(image, other, PSNRS, names=("a", "b")).notices
    assert found[0] == "b: it was turned"
    assert "profiles" in found[1]
    turned_back = replace(other, notices=())
    assert compare(other, turned_back, PSNRS).notices == ("the original: it was turned",)


def test_the_compressors_own_figure_is_the_one_compared():
    pixels = scene(60, 80)
    result = press(pixels, target="psnr=34")
    assert scores(pixels, result.data, PSNRS)["psnr"] == pytest.approx(
        result.metrics["psnr"], abs=1e-3
    )


def test_metrics_are_found_by_name():
    assert [metric(name) for name in NAMES] == list(METRICS)
    assert len(set(NAMES)) == len(METRICS)
    assert metric(" PSNR ").name == "psnr"
    assert [each.name for each in metrics("psnr-y, psnr,psnr-y")] == ["psnr-y", "psnr"]


@pytest.mark.parametrize("names", ["", "psnr,", "snr", "psnr ssim"])
def test_unknown_metrics_are_wrong_usage_that_names_the_choices(names):
    with pytest.raises(UsageError, match=", ".join(NAMES)):
        metrics(names)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run ``gradpress compare`` in a folder with three pictures; never a traceback."""
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(png(scene(20, 30)))
    Path("b.png").write_bytes(png(noisy(scene(20, 30))))
    Path("small.png").write_bytes(png(scene(9, 9)))

    def invoke(*arguments, stdin=None):
        words = ["compare", *arguments]
        outcome = CliRunner().invoke(cli.main, words, input=stdin, prog_name="gradpress")
        assert isinstance(outcome.exception, SystemExit | None), outcome.exception
        return outcome

    return invoke


def test_the_verb_prints_a_line_for_each_metric(run):
    outcome = run("a.png", "b.png")
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    told = dict(each.split(" ") for each in outcome.stdout.splitlines())
    assert tuple(told) == NAMES
    expected = scores(Path("a.png"), Path("b.png"))
    assert told == {each.name: f"{expected[each.name]:.{each.digits}f}" for each in METRICS}


def test_the_verb_prints_the_metrics_asked_for(run):
    outcome = run("a.png", "b.png", "--metrics", "psnr-y")
    assert [each.split()[0] for each in outcome.stdout.splitlines()] == ["psnr-y"]


def test_the_verb_prints_json(run):
    outcome = run("a.png", "-", "--json", "--threads", "2", stdin=Path("b.png").read_bytes())
    assert outcome.exit_code == 0
    assert json.loads(outcome.stdout) == {
        "schema": answers.SCHEMA,
        "version": cli.installed_version(),
        "original": "a.png",
        "picture": "-",
        "width": 30,
        "height": 20,
        "metrics": scores(Path("a.png"), Path("b.png")),
        "notices": [],
    }


def test_notes_go_to_standard_error(run):
    Path("clear.png").write_bytes(png(np.dstack([scene(20, 30), scene(20, 30)[..., 0]])))
    outcome = run("a.png", "clear.png", "--background", "red", "--metrics", "psnr")
    assert outcome.stderr == "note: clear.png: transparency was laid on red\n"
    assert outcome.stdout.startswith("psnr ")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["a.png", "small.png"], "a.png has 30 × 20 and small.png has 9 × 9 pixels"),
        (["a.png", "none.png"], "none.png: cannot be opened"),
        (["a.png", "."], "is a folder"),
        (["a.png", "-"], "-: is empty"),
        (["a.png", "b.png", "--max-pixels", "599"], "exceed the limit"),
    ],
)
def test_what_cannot_be_compared_is_one_line(run, arguments, complaint):
    outcome = run(*arguments, stdin=b"")
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    (told,) = outcome.stderr.splitlines()
    assert told.startswith("gradpress: ")
    assert complaint in told


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["a.png"], "Missing argument"),
        (["a.png", "b.png", "c.png"], "unexpected extra argument"),
        (["a.png", "b.png", "--metrics", "best"], "choose from ssimulacra2"),
        (["-", "-"], "once only"),
        (["a.png", "b.png", "--background", "greeen"], "not a colour"),
        (["a.png", "b.png", "--threads", "0"], "threads"),
    ],
)
def test_wrong_usage_exits_2(run, arguments, complaint):
    outcome = run(*arguments, stdin=b"x")
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert complaint in outcome.stderr
    assert outcome.stderr.startswith("Usage: gradpress compare ")


@pytest.mark.parametrize(("error", "code"), [(KeyError("x"), 1), (KeyboardInterrupt(), 130)])
def test_nothing_ends_in_a_traceback(run, monkeypatch, error, code):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr(sys.modules["gradpress.compare"], "compare", fail)
    outcome = run("a.png", "b.png")
    assert (outcome.exit_code, outcome.stdout) == (code, "")
    assert len(outcome.stderr.splitlines()) == 1


def test_a_score_that_is_no_number_is_null(run, monkeypatch):
    def unlucky(_reference, _workers):
        return lambda _picture: math.nan

    odd = (replace(METRICS[0], prepare=unlucky),)
    monkeypatch.setattr("gradpress.metrics.METRICS", odd)
    outcome = run("a.png", "b.png", "--json")
    assert json.loads(outcome.stdout)["metrics"] == {METRICS[0].name: None}
