"""The page about the command line, ``--help`` and the tests name the same options."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from docs import command_line
from gradpress.commands import cli, configuration
from gradpress.commands.verbs import COMMANDS

ROOT = Path(__file__).parent.parent
PAGE = command_line.PAGE.read_text(encoding="utf-8")
CONFIGURED = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
TESTS = "\n".join(
    path.read_text(encoding="utf-8")
    for path in Path(__file__).parent.glob("test_*.py")
    if path != Path(__file__)
)


def helped(*verb):
    """The spellings in the first column of a command's ``--help``."""
    text = CliRunner().invoke(cli.main, [*verb, "--help"], prog_name="gradpress").stdout
    lines = text[text.index("Options:") :].splitlines()
    columns = [line[2:].split("  ")[0] for line in lines if re.match(r"  -", line)]
    return {each for column in columns for each in re.findall(r"(?<![\w-])--?[\w-]+", column)}


def paged(verb=""):
    """The spellings in the tables of the page."""
    sections = re.split(r"^### ", PAGE, flags=re.MULTILINE)
    wanted = [each for each in sections if each.startswith(f"`gradpress {verb or 'INPUT...'}`")]
    rows = re.findall(r"^\| `(.*?)` \|", "\n".join(wanted), re.MULTILINE)
    return {each for row in rows for each in re.findall(r"(?<![\w-])--?[\w-]+", row)}


def used(option):
    return re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", TESTS) is not None


def test_the_tables_are_up_to_date():
    assert command_line.updated(PAGE) == PAGE, "run python docs/command_line.py"


@pytest.mark.parametrize("verb", [(), *((name,) for name in COMMANDS)])
def test_the_page_and_help_name_the_same_options(verb):
    assert paged(*verb) == helped(*verb) - {"-h", "--help"}


@pytest.mark.parametrize("command", [cli.main, *COMMANDS.values()], ids=lambda each: each.name)
def test_every_option_is_in_some_test(command):
    missing = [each.opts for each in command_line.shown(command) if not any(map(used, each.opts))]
    assert missing == []


def test_every_option_is_in_a_group():
    grouped = [
        each.name
        for name, options in command_line.groups().items()
        if name.startswith("`gradpress INPUT")
        for each in options
    ]
    assert sorted(grouped) == sorted(each.name for each in command_line.shown(cli.main))


def test_the_configuration_of_the_page_is_taken(tmp_path, monkeypatch):
    (text,) = CONFIGURED
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRADPRESS_NO_CONFIG")
    Path("gradpress.toml").write_text(text, encoding="utf-8")
    assert tomllib.loads(text)
    context = cli.main.make_context("gradpress", ["a.png"])
    assert context.params["effort"] == 7
    assert context.params["exclude"] == ("*.gif", "old/*")
    named = {option.name for option in configuration._options(cli.main.params).values()}
    assert named.isdisjoint(configuration.OF_A_CALL)


def test_the_page_names_every_verb_and_every_call_only_option():
    for verb in COMMANDS:
        assert f"`{verb}`" in PAGE
    for option in ("-o", "--in-place", "--backup", "--files-from", "-n", "--check", "--json"):
        assert f"`{option}`" in PAGE[PAGE.index("## Configuration") :]
