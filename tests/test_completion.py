"""Completion: each shell's script, and what bash makes of it."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from gradpress.commands import cli

ASK = """
compopt() { echo files; }
complete() { :; }
source /dev/stdin
"""
"""Outside of a completion under way bash has no ``compopt``: this one tells what it is asked."""


def script(shell):
    outcome = CliRunner().invoke(cli.main, ["completion", shell], prog_name="gradpress")
    assert outcome.exit_code == 0
    return outcome.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script_of_its_own(shell):
    assert f"_GRADPRESS_COMPLETE={shell}_complete" in script(shell)
    assert sum(script(shell) == script(other) for other in ("bash", "zsh", "fish")) == 1


def test_an_unknown_shell_is_wrong_usage():
    outcome = CliRunner().invoke(cli.main, ["completion", "csh"], prog_name="gradpress")
    assert outcome.exit_code == 2
    assert "'csh' is not one of" in outcome.stderr


@pytest.fixture(scope="module")
def completer(tmp_path_factory):
    """A folder with the command in it, and bash."""
    bash = shutil.which("bash")
    if bash is None or sys.platform == "win32":
        pytest.skip("needs bash")
    folder = tmp_path_factory.mktemp("completion")
    command = folder / "gradpress"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gradpress "$@"\n')
    command.chmod(0o755)
    (folder / "learned.png").touch()
    text = script("bash")

    def complete(*words):
        names = " ".join(f"'{word}'" for word in words)
        last = f'COMP_WORDS=(gradpress {names}); COMP_CWORD={len(words)}; _gradpress_completion "$PWD/gradpress"\nprintf "%s\\n" "${{COMPREPLY[@]}}"\n'  # noqa: E501
        done = subprocess.run(
            [bash, "-c", f"{ASK}{last}"], input=text, cwd=folder,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split("\n")

    return complete


def test_bash_completes_options(completer):
    assert {"--target", "--target-size"} <= set(completer("a.png", "--targ"))


def test_bash_completes_values(completer):
    assert {"444", "422", "420"} <= set(completer("--chroma-subsampling", "4"))


def test_bash_completes_verbs_and_their_options(completer):
    assert "doctor" in completer("doc")
    assert "--max-pixels" in completer("inspect", "--max")


def test_files_go_before_verbs(completer):
    assert "files" in completer("lea")
    assert "files" in completer("")
    assert "files" in completer("-o", "")
    assert "doctor" not in completer("a.png", "doc")
