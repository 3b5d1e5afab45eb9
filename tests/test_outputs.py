"""Where outputs go, and what is in the way, before any work is done."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradpress.batches.inputs import Found
from gradpress.batches.outputs import Placing, make_folder_for, output_path, plan
from gradpress.errors import GradpressError, UsageError

OLD = b"old"
posix = pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
unprivileged = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere"
)
NAMES = st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def named(source):
    return Found(None if source == "-" else Path(source))


def tasks(inputs, output=None, **placing):
    found = [each if isinstance(each, Found) else named(each) for each in inputs]
    return plan(found, Placing(output=output, **placing))


def refusals(inputs, output=None, **placing):
    return [task.refusal for task in tasks(inputs, output, **placing)]


def outputs(inputs, output=None, **placing):
    return [task.output.as_posix() for task in tasks(inputs, output, **placing)]


@pytest.mark.parametrize(
    ("source", "output", "many", "expected"),
    [
        ("photo.png", None, False, "photo.jpg"),
        ("a b/photo.v2.png", None, True, "a b/photo.v2.jpg"),
        ("photo", None, False, "photo.jpg"),
        (".png", None, False, ".png.jpg"),
        ("-photo.png", None, False, "-photo.jpg"),
        ("x/photo.png", "small.jpeg", False, "small.jpeg"),
        ("x/photo.png", "small", True, "small/photo.jpg"),
        ("x/photo.png", "small/", False, "small/photo.jpg"),
        ("x/photo.png", "folder", False, "folder/photo.jpg"),
        ("-", "out.jpg", False, "out.jpg"),
        ("photo.png", "-", False, None),
        ("-", None, False, None),
        ("-", "-", False, None),
    ],
)
def test_outputs_are_named(here, source, output, many, expected):
    (here / "folder").mkdir()
    assert output_path(named(source), Placing(output), many) == (expected and Path(expected))


@given(NAMES)
def test_an_output_lies_beside_its_input_or_in_the_folder(name):
    beside = output_path(named(f"x/{name}"), Placing(), many=True)
    inside = output_path(named(f"x/{name}"), Placing("y"), many=True)
    if name not in (".", ".."):
        assert beside is not None
        assert inside is not None
        assert (beside.parent, beside.suffix) == (Path("x"), ".jpg")
        assert inside == Path("y", beside.name)


def test_a_plan_creates_the_folder_it_needs(here):
    assert refusals(["a.png", "b.png"], "deep/er") == [None, None]
    assert refusals(["a.png"], "one/") == [None]
    assert names(here) == ["deep", "one"]
    assert names(here / "deep") == ["er"]


def test_two_inputs_never_share_an_output(here):
    assert outputs(["a.png", "a.tif", "a.gif"]) == ["a.jpg", "a.tif.jpg", "a.gif.jpg"]
    assert outputs(["a.png", "a.tif"], suffix="-s") == ["a-s.jpg", "a.tif-s.jpg"]
    first, second, third = tasks([*["a.png"] * 3])
    assert (first.output, second.output) == (Path("a.jpg"), Path("a.png.jpg"))
    assert "a.jpg is also the output of a.png" in third.refusal
    many = [Found(Path("x/a.png"), Path("b")), Found(Path("y/a.png"), Path("b"))]
    assert outputs(many, "out") == ["out/b/a.jpg", "out/b/a.png.jpg"]


def test_an_input_is_never_the_output_of_another(here):
    (here / "a.jpg").write_bytes(OLD)
    for overwrite in ("always", "smaller"):
        first, _ = refusals(["a.png", "a.jpg"], overwrite=overwrite)
        assert "a.jpg is an input too" in first


def test_what_is_there_is_refused_before_any_work(here):
    (here / "a.jpg").write_bytes(OLD)
    (refusal,) = refusals(["a.png"])
    assert refusal.startswith("a.jpg cannot be written: it exists already")
    assert "--overwrite always" in refusal
    (refusal,) = refusals(["a.jpg"])
    assert refusal.startswith("its output would replace it")
    assert refusals(["a.jpg"], overwrite="always") == [None]
    assert (here / "a.jpg").read_bytes() == OLD


def test_an_input_under_another_name_is_recognised(here):
    (here / "a.jpeg").write_bytes(OLD)
    (here / "a.jpg").hardlink_to(here / "a.jpeg")
    (refusal,) = refusals(["a.jpeg"])
    assert refusal.startswith("its output would replace it")


def test_a_missing_folder_is_refused_with_what_to_do(here):
    (here / "file").write_bytes(OLD)
    (refusal,) = refusals(["a.png"], "missing/b.jpg")
    assert "create it first" in refusal
    (refusal,) = refusals(["a.png"], "file/b.jpg")
    assert "not a folder" in refusal


def test_a_name_that_is_too_long_is_refused(here):
    (refusal,) = refusals(["x" * 300 + ".png"])
    assert "shorter" in refusal


@pytest.mark.parametrize(
    ("inputs", "output", "expected"),
    [
        (["-", "a.png"], None, "on its own"),
        (["a.png", "b.png"], "-", "one picture only"),
        (["-"], "folder", "is a folder"),
        (["-"], "new/", "is a folder"),
        (["a.png", "b.png"], "file", "is a file"),
        (["a.png"], "file/", "is a file"),
        (["a.png", "b.png"], "file/below", "cannot be created"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(here, inputs, output, expected):
    (here / "file").write_bytes(OLD)
    (here / "folder").mkdir()
    with pytest.raises(UsageError, match=expected):
        tasks(inputs, output, overwrite="always")
    assert names(here) == ["file", "folder"]


def test_of_several_what_is_there_is_done_and_the_rest_goes_on(here):
    (here / "out").mkdir()
    (here / "out" / "a.jpg").write_bytes(OLD)
    first, second = tasks(["a.png", "b.png"], "out")
    assert (first.refusal, first.done) == (None, "out/a.jpg is there already")
    assert (second.refusal, second.done) == (None, None)
    (only,) = tasks([Found(Path("in/a.png"), named=False, searched=True)], "out")
    assert only.done is not None
    for overwrite in ("always", "smaller"):
        first, _ = tasks(["a.png", "b.png"], "out", overwrite=overwrite)
        assert first.done is None


def test_a_tree_is_repeated_and_made_when_it_is_needed(here):
    (task,) = tasks([Found(Path("in/x/y/a.png"), Path("x/y"), named=False, searched=True)], "out")
    assert task.output == Path("out/x/y/a.jpg")
    assert names(here / "out") == []
    make_folder_for(task)
    assert names(here / "out" / "x") == ["y"]


@posix
def test_no_output_leaves_the_root(here):
    (here / "elsewhere").mkdir()
    (here / "out").mkdir()
    found = [Found(Path("in/x/a.png"), Path("x"), named=False, searched=True)]
    (task,) = tasks(found, "out")
    (here / "out" / "x").symlink_to(here / "elsewhere")
    with pytest.raises(GradpressError, match="leads out of out"):
        make_folder_for(task)
    (refusal,) = refusals(found, "out")
    assert "leads out of out" in refusal
    assert names(here / "elsewhere") == []


def test_a_dry_plan_makes_no_folder(here):
    assert len(plan([named("a.png"), named("b.png")], Placing("out"), create=False)) == 2
    assert names(here) == []


def test_a_suffix_goes_before_jpg(here):
    assert outputs(["x/a.b.png"], suffix="-small") == ["x/a.b-small.jpg"]
    assert outputs(["x/a.png"], "out/", suffix=".min") == ["out/a.min.jpg"]


def test_in_place_the_output_is_the_input(here):
    (here / "a.jpeg").write_bytes(OLD)
    (task,) = tasks(["a.jpeg"], in_place=True)
    assert (task.output, task.refusal) == (Path("a.jpeg"), None)


@posix
@pytest.mark.parametrize("kind", ["link", "folder"])
def test_in_place_only_regular_files_are_replaced(here, kind):
    if kind == "link":
        (here / "other.jpg").write_bytes(OLD)
        (here / "a.jpg").symlink_to("other.jpg")
    else:
        (here / "a.jpg").mkdir()
    (refusal,) = refusals(["a.jpg"], in_place=True)
    assert "is not replaced" in refusal


@unprivileged
def test_a_folder_without_permission_is_refused(here):
    (here / "locked").mkdir(mode=0o555)
    for refusal in refusals(["a.png"], "locked/a.jpg"):
        assert "no permission" in refusal


@pytest.mark.parametrize(
    ("placing", "complaint"),
    [
        ({"in_place": True, "output": "out"}, "leave out -o"),
        ({"in_place": True, "suffix": "x"}, "leave out -o"),
        ({"backup": True}, "--in-place"),
        ({"suffix": "../x"}, "folder"),
    ],
)
def test_what_contradicts_itself_is_wrong_usage(placing, complaint):
    with pytest.raises(UsageError, match=complaint):
        Placing(**placing)


def test_a_searched_folder_needs_a_place_for_its_outputs(here):
    found = [Found(Path("in/a.png"), named=False, searched=True)]
    with pytest.raises(UsageError, match="give -o FOLDER"):
        tasks(found)
    with pytest.raises(UsageError, match="one picture only"):
        tasks(found, "-")
    assert outputs(found, suffix="-s") == ["in/a-s.jpg"]
