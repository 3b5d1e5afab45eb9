"""Configuration: who has the last word, what is read at all, and what is said of wrong values."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from gradpress.batches import worker
from gradpress.commands import cli, configuration
from gradpress.outcomes import Record


@pytest.fixture
def project(monkeypatch, tmp_path):
    """A folder to work in, and a home without files of the user's."""
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    monkeypatch.delenv("GRADPRESS_NO_CONFIG")
    for name in ("XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA", "HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def options(project, monkeypatch):
    """What the library is asked for by arguments; wrong usage is what is said of it."""
    asked = []

    def steps(_source, **given):
        asked.append(given)
        raise MemoryError

    monkeypatch.setitem(sys.modules, "gradpress.pipeline", SimpleNamespace(steps=steps))

    def run(*arguments):
        given = ["-j", "1", *(arguments or ["a.png"])]
        outcome = CliRunner().invoke(cli.main, given, prog_name="gradpress")
        assert isinstance(outcome.exception, SystemExit | None), outcome.exception
        if outcome.exit_code == 2:
            return outcome.stderr
        return asked[-1]

    return run


def user(text):
    path = configuration.user_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_flags_go_before_variables_before_the_project_before_the_user(options, monkeypatch):
    assert options()["effort"] == 5
    user("effort = 2")
    assert options()["effort"] == 2
    Path("pyproject.toml").write_text("[tool.gradpress]\neffort = 3\n")
    assert options()["effort"] == 3
    Path("gradpress.toml").write_text("effort = 4\n")
    assert options()["effort"] == 4
    monkeypatch.setenv("GRADPRESS_EFFORT", "6")
    assert options()["effort"] == 6
    assert options("a.png", "-e", "7")["effort"] == 7


def test_each_place_adds_to_the_others(options, monkeypatch):
    user('chroma-subsampling = "444"')
    Path("gradpress.toml").write_text("seed = 3")
    monkeypatch.setenv("GRADPRESS_MIN_SAVINGS", "5%")
    found = options()
    chosen = found["chroma_subsampling"], found["seed"], found["min_savings"]
    assert chosen == ("444", 3, 0.05)


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("effort = 7", "effort", 7),
        ('target = "psnr=40"', "target", "psnr=40"),
        ("target-size = 120000", "target_size", "120000"),
        ("distance = 1", "distance", 1.0),
        ("max-pixels = 99", "max_pixels", 99),
        ("min-savings = 0.1", "min_savings", 0.1),
        ("lossless = true", "lossless", True),
        ('threads = "3"', "threads", 3),
        ('background = "#102030"', "background", "#102030"),
    ],
)
def test_values_are_read_as_the_command_line_reads_them(options, line, name, value):
    Path("gradpress.toml").write_text(line)
    assert options()[name] == value


def test_variables_that_switch_something_on(options, monkeypatch):
    monkeypatch.setenv("GRADPRESS_LOSSLESS", "true")
    assert options()["lossless"] is True
    monkeypatch.setenv("GRADPRESS_LOSSLESS", "0")
    assert options().get("lossless", False) is False


def test_a_list_is_configured_and_replaced_by_flags(project, monkeypatch):
    seen = []
    monkeypatch.setattr(cli, "gather", lambda _names, gathering, _search: seen.append(gathering))
    Path("gradpress.toml").write_text('exclude = ["*.gif", "old/*"]')
    for arguments in (["x"], ["x", "--exclude", "*.tif"]):
        CliRunner().invoke(cli.main, arguments, prog_name="gradpress")
    assert [each.exclude for each in seen] == [("*.gif", "old/*"), ("*.tif",)]


def test_metadata_are_configured_by_one_name_or_several(options):
    Path("gradpress.toml").write_text('strip = "gps"\nno-mark = true')
    assert (options()["strip"], options()["no_mark"]) == (("gps",), True)
    Path("gradpress.toml").write_text('strip = ["gps", "xmp"]')
    assert options()["strip"] == ("gps", "xmp")
    found = options("a.png", "--preset", "web")
    assert (found["strip"], found["preset"]) == ((), "web")


@pytest.mark.parametrize("configured", ['target = "psnr=40"', "lagrangian = 3", "lossless = true"])
def test_a_goal_that_is_given_replaces_one_that_was_configured(options, configured):
    Path("gradpress.toml").write_text(configured)
    found = options("a.png", "-q", "75")
    assert found["quality"] == 75
    assert not any(found.get(goal) for goal in ("target", "lagrangian", "lossless"))


def test_a_configured_size_does_not_stay_beside_a_quality_that_is_given(options):
    Path("gradpress.toml").write_text('target = "psnr=40"\ntarget-size = "9KB"')
    assert options()["target_size"] == "9KB"
    assert options("a.png", "-d", "2")["target_size"] is None


def test_a_goal_of_the_project_replaces_the_users(options):
    user("quality = 90")
    Path("gradpress.toml").write_text("distance = 2")
    found = options()
    assert (found["quality"], found["distance"]) == (None, 2.0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("effort = 10", "gradpress.toml: effort: 10 is not in the range"),
        ("effort = true", "gradpress.toml: effort: True is not a text or number"),
        ("seed = 1.5", "gradpress.toml: seed: '1.5' is not a valid integer"),
        ("seed = [1]", "gradpress.toml: seed: [1] is not a text or number"),
        ("recursive = 1", "gradpress.toml: recursive: 1 is not true or false"),
        ("exclude = true", "gradpress.toml: exclude: True is not a text"),
        ("exclude = [[1]]", "gradpress.toml: exclude: [1] is not a text"),
        ('jobs = "many"', "gradpress.toml: jobs: 'many' is not a number of jobs"),
        ('target = "fine"', "gradpress.toml: target: target 'fine' is not understood"),
        ('quality = 9\ndistance = 1', "gradpress.toml: distance: give one goal only"),
        ("efort = 1", "gradpress.toml: efort is not an option that can be configured; is effort"),
        ("target_size = 1", "is target-size meant?"),
        ('output = "x"', "gradpress.toml: output is not an option that can be configured"),
        ("in-place = true", "gradpress.toml: in-place is not an option"),
        ("effort = ", "gradpress.toml is not TOML"),
        ("a = " + "[" * 5000, "gradpress.toml is not TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_file_and_key(options, text, complaint):
    Path("gradpress.toml").write_text(text)
    assert complaint in options()


def test_a_wrong_variable_is_named(options, monkeypatch):
    monkeypatch.setenv("GRADPRESS_EFFORT", "high")
    assert "GRADPRESS_EFFORT: 'high' is not" in options()


def test_variables_that_are_nobodys_are_left_alone(options, monkeypatch):
    monkeypatch.setenv("GRADPRESS_HOME", "/x")
    monkeypatch.setenv("GRADPRESS_DEBUG", "")
    monkeypatch.setenv("GRADPRESS_EFFORT", "")
    assert options()["effort"] == 5


def test_a_table_that_is_none_is_refused(options):
    Path("pyproject.toml").write_text("[tool]\ngradpress = 3\n")
    assert "pyproject.toml: tool.gradpress is not a table" in options()


def test_options_that_only_the_library_can_judge_name_what_was_configured(project):
    Path("gradpress.toml").write_text("freeze-tables = true")
    Path("a.png").touch()
    outcome = CliRunner().invoke(cli.main, ["a.png", "-j", "1"], prog_name="gradpress")
    assert outcome.exit_code == 2
    assert "gradpress.toml: freeze-tables)" in outcome.stderr


def test_the_folder_of_the_pictures_has_no_say(options):
    Path("photos").mkdir()
    Path("photos/gradpress.toml").write_text("effort = 9")
    assert options("photos/a.png")["effort"] == 5


def test_folders_above_count_inside_a_repository_only(options, project, monkeypatch):
    inner = project / "a" / "b"
    inner.mkdir(parents=True)
    (project / "gradpress.toml").write_text("effort = 8")
    monkeypatch.chdir(inner)
    assert options()["effort"] == 5
    (project / ".git").mkdir()
    assert options()["effort"] == 8
    (project / "a" / "gradpress.toml").write_text("seed = 1")
    assert (options()["effort"], options()["seed"]) == (5, 1)
    (project / "a" / ".git").mkdir()
    (project / "a" / "gradpress.toml").unlink()
    assert options()["effort"] == 5


def test_paths_are_relative_to_the_file_that_names_them(options, project, monkeypatch):
    (project / ".git").mkdir()
    (project / "inner").mkdir()
    (project / "gradpress.toml").write_text('qtables = "tables.json"')
    monkeypatch.chdir(project / "inner")
    assert options()["qtables"] == str(project / "tables.json")
    assert options("a.png", "--qtables", "t.json")["qtables"] == "t.json"


def test_one_file_may_be_named_or_none_wanted(options, monkeypatch):
    user("seed = 1")
    Path("gradpress.toml").write_text("effort = 8")
    Path("other.toml").write_text("effort = 2")
    found = options("a.png", "--config", "other.toml")
    assert (found["effort"], found["seed"]) == (2, 0)
    assert options("a.png", "--no-config")["effort"] == 5
    monkeypatch.setenv("GRADPRESS_CONFIG", "other.toml")
    assert options()["effort"] == 2
    assert options("a.png", "--no-config")["effort"] == 5
    monkeypatch.setenv("GRADPRESS_CONFIG", "none.toml")
    assert "none.toml cannot be read" in options()


def test_help_and_version_ask_no_file(project):
    Path("gradpress.toml").write_text("nonsense")
    for option in ("--help", "--version"):
        assert CliRunner().invoke(cli.main, [option]).exit_code == 0


def test_a_look_without_writing_is_quick_whatever_is_configured(options):
    Path("gradpress.toml").write_text("effort = 9")
    assert options("a.png", "--check")["effort"] == 1
    assert options("a.png", "--check", "-e", "3")["effort"] == 3


def test_in_place_needs_no_configured_suffix(project, monkeypatch):
    seen = []

    def attempt(task, job, *_):
        seen.append(job.placing)
        yield Record("a.jpg", None, "failed", "stand-in")

    monkeypatch.setattr("gradpress.batches.batch.attempt", attempt)
    assert worker.attempt is not attempt
    Path("gradpress.toml").write_text('suffix = "-small"')
    Path("a.jpg").touch()
    for option in ("--in-place", "--dry-run"):
        CliRunner().invoke(cli.main, ["a.jpg", "-j", "1", option], prog_name="gradpress")
    assert [each.suffix for each in seen] == ["", "-small"]


def test_the_doctor_tells_what_is_in_force(project, monkeypatch):
    Path("gradpress.toml").write_text("effort = 8")
    monkeypatch.setenv("GRADPRESS_SEED", "4")
    runner = CliRunner()
    found = json.loads(runner.invoke(cli.main, ["doctor", "--json"]).stdout)["configuration"]
    assert found == {str(project / "gradpress.toml"): ["effort"], "the environment": ["seed"]}
    Path("gradpress.toml").write_text("effort = 80")
    outcome = runner.invoke(cli.main, ["doctor"])
    assert outcome.exit_code == 1
    assert "the configuration is wrong" in outcome.stderr
    assert "gradpress.toml: effort: 80" in outcome.stderr
