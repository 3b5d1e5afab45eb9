"""Goals: what is read, what is refused, and that a limit is never rounded up."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradpress.errors import UsageError
from gradpress.goal import (
    DEFAULT_GOAL,
    Lagrangian,
    QualityRequest,
    SizeRequest,
    Target,
    TargetSize,
    parse_size,
    parse_target,
    request_from_options,
)
from gradpress.metrics import METRICS, metric

UNITS = {"": 1, "B": 1, "KB": 1000, "MB": 10**6, "KiB": 1024, "MiB": 1024**2}
NUMBERS = st.decimals("0.001", "99999", places=3)


def size(text, pixels=1000, file_bytes=2000):
    return parse_size(text).resolve(pixels=pixels, file_bytes=file_bytes).bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (120000, 120000),
        ("120000", 120000),
        ("120KB", 120000),
        ("120kb", 120000),
        ("64KiB", 65536),
        (" 1.5 MB ", 1500000),
        ("1.001KB", 1001),
        (".5MiB", 524288),
        ("0.5bpp", 62),
        ("0.5BPP", 62),
        ("29%", 580),
        ("0.001%", 1),
    ],
)
def test_sizes_are_read(text, expected):
    assert size(text) == expected


@given(NUMBERS, st.sampled_from(sorted(UNITS)), st.sampled_from([str.lower, str.upper, str]))
def test_a_size_is_the_exact_product_rounded_down(number, unit, case):
    exact = Fraction(number) * UNITS[unit]
    if exact >= 1:
        assert size(f"{number}{case(unit)}") == math.floor(exact)


@given(NUMBERS, st.integers(1, 10**9), st.integers(1, 10**10))
def test_relative_sizes_never_exceed_their_part(number, pixels, file_bytes):
    for text, exact in (
        (f"{number}bpp", Fraction(number) * pixels / 8),
        (f"{number}%", Fraction(number) * file_bytes / 100),
    ):
        limit = size(text, pixels, file_bytes)
        assert limit == 1 or exact - 1 < limit <= exact


@given(st.text())
def test_any_text_is_read_or_refused_with_what_is_accepted(text):
    try:
        outcome = str(parse_size(text).amount > 0)
    except UsageError as error:
        outcome = str(error)
    assert outcome == "True" or "give" in outcome


@pytest.mark.parametrize(
    "text",
    ["", "KB", "-5", "0", "0%", "0bpp", "0.4", "1e5", "12 apples", "nan", "inf", "1,5MB", "5GB5",
     "9" * 5000, "٣KB", -1, 0],
)  # fmt: skip
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UsageError, match="target size"):
        parse_size(text)


def test_a_part_of_no_file_is_refused():
    assert parse_size("1bpp").resolve(pixels=8, file_bytes=None) == TargetSize(1)
    with pytest.raises(UsageError, match="needs an input file"):
        parse_size("30%").resolve(pixels=8, file_bytes=None)


PSNR, SCORE = metric("psnr"), metric("ssimulacra2")


@pytest.mark.parametrize("text", ["psnr=38", "PSNR=38", " psnr = 38.0 "])
def test_targets_are_read(text):
    assert parse_target(text) == Target(PSNR, 38)


@pytest.mark.parametrize("each", METRICS, ids=lambda each: each.name)
@given(share=st.floats(0, 1))
def test_a_target_of_every_metric_is_read_within_its_range(each, share):
    value = round(each.goals[0] + share * (each.goals[1] - each.goals[0]), 6)
    assert parse_target(f"{each.name}={value:f}") == Target(each, value)


@pytest.mark.parametrize(
    "text", ["", "38", "psnr", "psnr=", "psnr=x", "psnr=-1", "psnr=nan", "ssimm=1", "psnr=1=2"]
)
def test_what_is_no_target_is_refused(text):
    with pytest.raises(UsageError, match=r"give|choose"):
        parse_target(text)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_goals_out_of_range_cannot_be_made(value):
    for make in (lambda value: Target(PSNR, value), Lagrangian):
        with pytest.raises(UsageError, match="out of range"):
            make(value)
    for options in ((None, None, value, None, None), (None, None, None, None, value)):
        with pytest.raises(UsageError, match="out of range"):
            request_from_options(*options)


def test_bounds_of_goals():
    assert Target(PSNR, 100).value == 100
    for make in (
        lambda: Target(PSNR, 100.1),
        lambda: TargetSize(0),
        lambda: QualityRequest(0),
        lambda: QualityRequest(101),
    ):
        with pytest.raises(UsageError):
            make()


def test_one_goal_or_the_default():
    def goal(*options):
        return request_from_options(*options).goal

    assert goal(None, None, None, None, None) == DEFAULT_GOAL == Target(SCORE, 80)
    assert goal("psnr=40", None, None, None, None) == Target(PSNR, 40)
    assert goal(None, 75, None, None, None) == QualityRequest(75)
    assert goal(None, None, 1.5, None, None) == Target(metric("butteraugli"), 1.5)
    assert goal(None, None, None, "2KB", None) == SizeRequest(Fraction(2000), "bytes")
    assert goal(None, None, None, None, 5.0) == Lagrangian(5.0)


def test_a_size_beside_a_quality_is_a_ceiling():
    for quality in (("psnr=40", None, None), (None, 75, None), (None, None, 2.0)):
        request = request_from_options(*quality, "2KB", None)
        assert request.ceiling == SizeRequest(Fraction(2000), "bytes")
        assert not isinstance(request.goal, SizeRequest)


@pytest.mark.parametrize(
    "options",
    [("psnr=40", 75, None, None, None), ("psnr=40", None, None, None, 1.0),
     (None, None, None, 5, 1.0), (None, 1, 2.0, None, None)],
)  # fmt: skip
def test_two_goals_are_refused(options):
    with pytest.raises(UsageError, match="one goal only"):
        request_from_options(*options)


def test_a_quality_becomes_the_score_of_ordinary_jpeg():
    goal = QualityRequest(75).resolve(71.5, 43210)
    assert (goal.metric.name, goal.value) == ("ssimulacra2", 71.5)
    assert "43210 bytes" in str(goal)


def test_goals_describe_themselves():
    assert str(Target(PSNR, 38)) == "psnr at least 38 dB"
    assert str(Target(metric("butteraugli"), 1)) == "butteraugli at most 1"
    assert str(TargetSize(1000)) == "at most 1000 bytes"
    assert str(Lagrangian(2.5)) == "λ = 2.5"
