"""The examples run as they stand, and show what they say."""

import re
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def run(capsys, monkeypatch):
    """Run an example; what it printed."""

    def example(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return example


def numbers(text):
    """All numbers of a text, whatever stands between them."""
    return [float(each) for each in re.findall(r"-?\d[\d,]*(?:\.\d+)?", text.replace(",", ""))]


def test_the_api_example_reaches_its_goals(run):
    good, small, *steps = (
        line.split(": ")[1].replace(",", "").split() for line in run("api.py").splitlines()
    )
    assert 75 <= float(good[2]) <= 75.3
    assert 0.98 * 20_000 <= int(small[0]) <= 20_000
    assert steps


def test_the_tutorial_tells_what_happens(run, tmp_path):
    chapters = run("tutorial.py", tmp_path, "--quick").split("\n\n")
    slow, price, rates, proximal, codec, seen, budget = (c.splitlines()[1:] for c in chapters[:7])
    assert slow[-1].endswith("the same file: yes")
    standard, alone, priced = (numbers(line.split("bytes")[0])[-1] for line in price[:3])
    assert alone > 1.5 * standard
    assert priced < alone
    small, _, _, huge, adam = (numbers(line.split("after")[0])[-1] for line in rates)
    assert adam < small < huge
    few, many = (numbers(line)[-2] for line in proximal)
    assert few < 1
    assert many > 50
    falls = {line.split(" J ")[0].strip(): numbers(line)[-1] for line in codec if " J " in line}
    assert falls["proximal"] < falls["gradient, 0.01"] < 0
    mse, perceptual = (numbers(line)[-1] for line in seen)
    assert perceptual > mse
    assert all(90 < numbers(line.split("(")[1])[0] <= 100 for line in budget)
    figures = {"rates.png", "methods.png", "losses.png", "budget.png"}
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == (figures if find_spec("matplotlib") else set())


def test_text_gets_sharper_where_it_is_marked(run, tmp_path):
    lines = run("own_loss.py", tmp_path, "--quick").splitlines()[1:]
    plain, marked, command = (numbers(line.split("bytes;")[1]) for line in lines[:3])
    assert marked[0] < 0.85 * plain[0]
    assert marked[2] > plain[2]
    assert (tmp_path / "marked.jpg").read_bytes() == (tmp_path / "command.jpg").read_bytes()
    assert command == marked
    if find_spec("torch"):
        torch, both = (numbers(line.split("bytes;")[1]) for line in lines[3:])
        assert torch[1] < 0.85 * plain[1]
        assert both[1] < 0.97 * torch[1]
    else:
        assert "not installed" in lines[3]
