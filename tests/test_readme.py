"""The README's commands and its Python run as they stand, and its option list is whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language, after=""):
    """Fenced blocks of a language, from a marker comment on."""
    text = README[README.index(after) :]
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


COMMANDS = blocks("sh", "<!-- commands -->")[0].splitlines()


@pytest.fixture
def folder(tmp_path):
    """A folder with the examples in it, as the README's reader has."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_readme_runs(line, folder):
    run = line.replace("gradpress", f"'{sys.executable}' -m gradpress", 1)
    done = subprocess.run(run, shell=True, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (written,) = folder.glob("*.jpg")
    with PIL.Image.open(written) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (600, 400)


def test_the_main_command_ends_in_a_command_that_runs(folder):
    (setup,) = blocks("sh", "<!-- main command -->")[:1]
    last = setup.strip().split("&&")[-1].strip()
    assert last.startswith(".venv/bin/gradpress ")
    options = last.removeprefix(".venv/bin/gradpress ").split()
    done = subprocess.run([sys.executable, "-m", "gradpress", *options], cwd=folder, check=False)
    assert done.returncode == 0
    assert (folder / "examples" / "coffee.jpg").stat().st_size < 70_000


def test_the_python_of_the_readme_runs(folder):
    (code,) = blocks("python")
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert (folder / "coffee.jpg").stat().st_size <= 20_000


def test_the_size_of_the_example_is_told_truly():
    told = f"{(ROOT / 'examples' / 'coffee.png').stat().st_size:,} bytes"
    assert told in README
