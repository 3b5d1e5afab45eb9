"""Whatever stands where a value should is taken, or refused in one line without a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import click
import PIL.Image
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gradpress import pipeline
from gradpress.commands import cli, configuration
from gradpress.errors import GradpressError
from gradpress.job import Job

OPTIONS = [
    each
    for each in cli.main.params
    if isinstance(each, click.Option) and not each.is_flag and each.opts[-1] != "--loss"
]
"""All that take a value; a loss of one's own is imported, and left to its own tests."""
KEYS = [each.opts[-1].lstrip("-") for each in cli.main.params if isinstance(each, click.Option)]

PARTS = st.sampled_from(
    [
        *(
            "0",
            "1",
            "9" * 30,
            "-1",
            "1e999",
            "nan",
            "inf",
            ".",
            "=",
            "%",
            "KB",
            "GiB",
            "bpp",
            "s",
            "h",
        ),
        *(
            "psnr",
            "ssimulacra2",
            "auto",
            "all",
            "gps",
            ",",
            "#",
            "rgb(",
            "hsl(0,0%,",
            ")",
            " ",
            "+",
        ),
        *("_", "٣", "²", "\udcff", "\x1b[2J", "\n", "*", "[", "-", "--", "c:", "é", "5" * 5000),
    ]
)
ANY = st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), max_size=8)
VALUES = st.lists(PARTS | ANY, max_size=5).map("".join)
"""Without slashes, so that no path leads out of the test's folder."""

bounded = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """A folder with a small picture; options are checked by the library, and that is all."""

    def steps(source, **options):
        Job.of(source, options)
        raise GradpressError("the options are fine")
        yield

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("fuzz"))
        patch.setattr(pipeline, "steps", steps)
        PIL.Image.linear_gradient("L").resize((12, 9)).save("a.png")
        yield


def run(*arguments):
    """Run the command; a refusal is one line behind the usage, whatever was refused."""
    outcome = CliRunner().invoke(
        cli.main, ["a.png", "-j1", *arguments], prog_name="gradpress", input=b""
    )
    assert isinstance(outcome.exception, SystemExit | None), outcome.exception
    assert "Traceback" not in outcome.stderr
    assert "defect" not in outcome.stderr
    if outcome.exit_code == 2:
        usage, _, complaint = outcome.stderr.partition("\nError: ")
        assert usage.startswith("Usage: gradpress")
        assert len(complaint.splitlines()) == 1
    else:
        assert outcome.exit_code in (0, 1)
    return outcome


@bounded
@given(st.sampled_from(OPTIONS), VALUES)
@example(OPTIONS[0], "\udcff")
def test_any_value_of_any_option(option, value):
    name = option.opts[-1]
    run(f"{name}={value}" if name.startswith("--") else f"{name}{value}")


@bounded
@given(st.lists(st.sampled_from(OPTIONS).map(lambda each: each.opts[0]) | VALUES, max_size=6))
@example([""])
@example(["5" * 5000])
@example(["-o", "5" * 5000])
@example(["-j", "5" * 5000])
@example(["--history", "5" * 5000])
def test_any_arguments(arguments):
    run(*arguments, "--dry-run")


@bounded
@given(st.sampled_from(KEYS), VALUES.filter(lambda each: "\udcff" not in each))
def test_any_value_in_the_environment(key, value):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(configuration.variable(key), value)
        run("--dry-run")


NUMBERS = st.integers() | st.floats() | st.booleans()
TEXTS = VALUES.map(lambda each: each.encode("utf-8", "replace").decode())
SCALARS = TEXTS | NUMBERS
TOML = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=4)


def toml(value):
    """Spell a value in TOML."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007F")
    return str(value).lower() if isinstance(value, bool) else repr(value)


@bounded
@given(st.sampled_from(KEYS) | TEXTS, TOML)
@example("effort", True)
@example("exclude", [[]])
def test_any_value_of_a_key(key, value):
    Path("own.toml").write_text(f"{toml(key)} = {toml(value)}\n", encoding="utf-8")
    outcome = run("--dry-run", "--config", "own.toml")
    if key not in KEYS:
        assert "own.toml" in outcome.stderr


@bounded
@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
@example(b"[tool]")
@example(b"a = " + b"[" * 3000)
@example(b"\xff\xfe")
@example(b"effort = 1979-05-27")
def test_any_file_of_configuration(data):
    Path("own.toml").write_bytes(data)
    run("--dry-run", "--config", "own.toml")
