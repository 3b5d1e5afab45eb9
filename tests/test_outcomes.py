"""What is said of a picture: a line, details, a document that any JSON reader takes."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradpress import outcomes, wording
from gradpress.goal import Lagrangian, Target, TargetSize
from gradpress.metrics import metric
from gradpress.outcomes import Record

RECORD = Record(
    input="photo.png",
    output="photo.jpg",
    status=outcomes.COMPRESSED,
    reason="the goal was reached",
    bytes_before=345678,
    bytes_after=45678,
    width=640,
    height=480,
    metrics={"psnr": 38.0213},
    goal=Target(metric("psnr"), 38),
    subsampling="420",
    progressive=True,
    steps=12,
    seconds=0.4111111111,
    cpu_seconds=0.5,
    peak_rss_bytes=50_000_000,
    notices=("transparency was laid on white",),
    stop="The goal was met.",
)
FAILED = outcomes.failed("b.png", "b.png: is damaged; convert it")
PASSED = replace(
    RECORD,
    status=outcomes.PASSED_THROUGH,
    reason="it is small already",
    bytes_after=345678,
    stop="",
)
UNREACHABLE = replace(RECORD, status=outcomes.UNREACHABLE, reason="37 dB is the most")
KEYS = {
    "input", "output", "status", "reason", "bytes_before", "bytes_after", "width", "height",
    "metrics", "goal", "subsampling", "progressive", "steps", "seconds", "cpu_seconds",
    "peak_rss_bytes",
}  # fmt: skip


def test_a_line_holds_all_that_counts():
    assert outcomes.line(RECORD) == (
        "photo.png → photo.jpg  345678 → 45678 bytes  −86.8 %  38.02 dB  12 steps  0.41 s"
    )


def test_a_line_says_why_nothing_changed_or_the_goal_was_missed():
    assert outcomes.line(PASSED).endswith("unchanged: it is small already")
    assert "dB" not in outcomes.line(PASSED)
    assert outcomes.line(UNREACHABLE).endswith("goal not reached: 37 dB is the most")


def test_a_failure_names_the_file_once():
    assert outcomes.line(FAILED) == "gradpress: b.png: is damaged; convert it"
    assert outcomes.line(outcomes.failed("b.png", "out/b.jpg exists")).endswith(
        ": out/b.jpg exists"
    )


def test_a_line_without_an_input_size_and_with_one_step():
    line = outcomes.line(replace(RECORD, bytes_before=None, steps=1))
    assert "  45678 bytes  38.02 dB  1 step  " in line


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_the_saving_has_the_sign_of_the_change(before, after):
    text = wording.saving(before, after)
    share = float(text.removesuffix(" %").replace("−", "-"))
    assert math.isclose(share, 100 * (after - before) / before, abs_tol=0.0501)
    assert (text[0] == "−") == (after < before)


def test_what_is_said_at_each_volume():
    assert outcomes.text(RECORD) == [
        outcomes.line(RECORD),
        "  note: transparency was laid on white",
    ]
    verbose = "\n".join(outcomes.text(RECORD, verbose=True))
    for part in ("at least 38 dB", "goal was reached", "4:2:0", "progressive", "The goal was met."):
        assert part in verbose
    assert outcomes.text(RECORD, quiet=True) == []
    assert outcomes.text(PASSED, quiet=True) == []
    assert outcomes.text(FAILED, quiet=True) == [outcomes.line(FAILED)]
    assert outcomes.text(FAILED, verbose=True) == [outcomes.line(FAILED)]
    assert outcomes.text(UNREACHABLE, quiet=True) == [outcomes.line(UNREACHABLE)]


def test_a_reason_is_said_once():
    for record in (PASSED, UNREACHABLE):
        assert "\n".join(outcomes.text(record, verbose=True)).count(record.reason) == 1


def test_the_document_has_the_keys_of_its_schema():
    whole = json.loads(outcomes.document([RECORD, FAILED], "1.2.3"))
    assert (whole.keys(), whole["schema"]) == ({"schema", "version", "summary", "files"}, 2)
    assert whole["version"] == "1.2.3"
    assert whole["summary"] == {
        "files": 2, "failed": 1, "skipped": 0, "not_started": 0,
        "bytes_before": 345678, "bytes_after": 45678,
    }  # fmt: skip
    good, bad = whole["files"]
    assert good.keys() == bad.keys() == KEYS
    assert good["metrics"] == {"psnr": 38.0213}
    assert good["goal"] == {"psnr": 38}
    assert (good["status"], bad["status"]) == ("compressed", "failed")
    assert (bad["reason"], bad["output"]) == ("is damaged; convert it", None)
    assert bad["bytes_after"] is bad["goal"] is bad["seconds"] is None


def test_goals_are_named_as_the_options():
    assert outcomes.goal_fields(TargetSize(1000)) == {"target_size": 1000}
    assert outcomes.goal_fields(Lagrangian(2.5)) == {"lagrangian": 2.5}


@given(st.text(), st.floats())
def test_any_name_and_number_gives_json_in_ascii(name, value):
    record = replace(RECORD, input=name + "\udcff", metrics={"psnr": value})
    text = outcomes.document([record], "1")
    (entry,) = json.loads(text, parse_constant=pytest.fail)["files"]
    assert text.isascii()
    assert entry["input"] == record.input
    assert entry["metrics"]["psnr"] == (value if math.isfinite(value) else None)


@given(st.text(st.characters()))
def test_any_name_gives_one_line_without_control_codes(name):
    line = outcomes.line(replace(RECORD, input=name, output=name))
    assert len(line.splitlines()) == 1
    assert line.isprintable()


def test_names_in_any_script_are_left_alone():
    assert wording.printable("ä b/☃ [bold].png") == "ä b/☃ [bold].png"
    assert wording.printable("a\n\x1b[2J\udcff") == r"a\n\x1b[2J\udcff"


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], 0),
        ([RECORD, PASSED], 0),
        ([RECORD, UNREACHABLE], 3),
        ([RECORD, FAILED], 1),
        ([UNREACHABLE, FAILED], 1),
    ],
)
def test_the_exit_code_is_that_of_the_worst(records, expected):
    assert outcomes.exit_code(records) == expected


def test_progress_shows_what_is_known():
    assert outcomes.progress("2/3 a\n.png", []) == r"2/3 a\n.png"
    assert outcomes.progress("a", ["step 2", "psnr 38.000"]) == "a  step 2  psnr 38.000"


def test_a_line_says_what_ordinary_jpeg_would_have_taken():
    goal = Target(metric("ssimulacra2"), 71.5, "as ordinary JPEG of quality 75")
    line = outcomes.line(replace(RECORD, goal=goal, metrics={"ssimulacra2": 71.53, "psnr": 36.0}))
    assert "ssimulacra2 71.53" in line
    assert "as ordinary JPEG of quality 75" in line
    assert "dB" not in line


SKIPPED = outcomes.skipped("c.png", "c.jpg is there already")
LEFT = outcomes.not_started("d.png", "the time was up")


def test_what_was_done_before_is_told_but_not_to_the_quiet():
    assert outcomes.text(SKIPPED) == ["c.png  skipped: c.jpg is there already"]
    assert outcomes.text(SKIPPED, quiet=True) == []
    assert outcomes.exit_code([SKIPPED]) == 0


def test_what_was_not_started_is_counted_and_is_no_success():
    assert outcomes.text(LEFT) == outcomes.text(LEFT, quiet=True) == []
    assert outcomes.exit_code([RECORD, LEFT]) == 1


def test_the_summary_adds_up_what_is_known():
    total = outcomes.summary([RECORD, FAILED, SKIPPED, LEFT, replace(RECORD, bytes_before=None)])
    assert (total.bytes_before, total.bytes_after) == (345678, 45678)
    assert outcomes.summary_line(total) == (
        "5 files  345678 → 45678 bytes  −86.8 %  1 failed  1 skipped  1 not started"
    )
    assert outcomes.summary_line(outcomes.summary([FAILED])) == "1 file  1 failed"


@pytest.mark.parametrize(("before", "code"), [(1000, 0), (1020, 0), (1021, 4), (2000, 4)])
def test_a_check_finds_what_shrinks_by_more_than_the_threshold(before, code):
    record = replace(RECORD, bytes_before=before, bytes_after=1000)
    assert outcomes.check_code([record], 1 - 1000 / 1020.5) == code
    assert outcomes.check_code([PASSED, SKIPPED, UNREACHABLE], 0.02) == 0
    assert outcomes.check_code([record, FAILED], 0.02) == 1


@given(st.dictionaries(st.text(), st.none() | st.floats() | st.integers() | st.text()))
def test_an_event_is_one_line_of_json(values):
    line = outcomes.event("step", **{f"_{key}": value for key, value in values.items()})
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert json.loads(line)["event"] == "step"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (89.4, "89 s"), (91, "2 min"), (12000, "3 h 20 min")]
)
def test_durations_are_rounded(seconds, said):
    assert wording.duration(seconds) == said
