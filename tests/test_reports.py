"""``--report`` and ``--history``: what the command line writes down."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import png, scene

from gradpress import compress
from gradpress.batches import worker
from gradpress.commands import cli
from gradpress.outcomes import failed
from gradpress.reports import HISTORY, records_text


@pytest.fixture
def gradpress(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(png(scene(40, 50)))
    Path("b.png").write_bytes(png(scene(50, 40, seed=1)))

    def run(*arguments):
        outcome = CliRunner().invoke(
            cli.main, ["-e", "2", "--threads", "1", *arguments], prog_name="gradpress"
        )
        assert isinstance(outcome.exception, SystemExit | None), outcome.exception
        return outcome

    return run


def rows(path):
    return list(csv.reader(io.StringIO(Path(path).read_text(encoding="utf-8"))))


def test_one_picture_with_every_report(gradpress):
    outcome = gradpress(
        "a.png", "--json", "--report", "r.html", "--report", "r.json", "--report", "r.csv",
        "--history", "h.csv",
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.stderr
    page = Path("r.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert page.rstrip().endswith("</html>")
    assert "could not" not in page
    assert json.loads(Path("r.json").read_text()) == json.loads(outcome.stdout)
    (entry,) = json.loads(outcome.stdout)["files"]
    head, row = rows("r.csv")
    told = dict(zip(head, row, strict=True))
    assert told["bytes_after"] == str(entry["bytes_after"])
    assert float(told["metrics.ssimulacra2"]) == entry["metrics"]["ssimulacra2"]
    assert told["goal.ssimulacra2"] == "80.0"
    head, *steps = rows("h.csv")
    assert tuple(head) == HISTORY[1:]
    assert len(steps) == entry["steps"] + 1
    told = [dict(zip(head, step, strict=True)) for step in steps]
    met = [each for each in told if each["measured"] and float(each["measured"]) >= 80]
    kept = min(met, key=lambda each: float(each["bits"]))
    assert float(kept["measured"]) == pytest.approx(entry["metrics"]["ssimulacra2"], abs=0.01)
    last = told[-1]
    spent = float(last["lagrangian"]) * float(last["bits"])
    assert float(last["distortion"]) + spent == pytest.approx(float(last["objective"]))


def test_a_batch_with_a_broken_picture(gradpress):
    Path("c.png").write_text("no picture")
    outcome = gradpress(
        "a.png", "c.png", "b.png", "-o", "out", "--report", "r.html", "--report", "r.csv",
        "--history", "h.csv",
    )  # fmt: skip
    assert outcome.exit_code == 1
    page = Path("r.html").read_text(encoding="utf-8")
    assert page.count('class="picture"') == 2
    assert [row[0] for row in rows("r.csv")] == ["input", "a.png", "c.png", "b.png"]
    assert list(dict.fromkeys(row[0] for row in rows("h.csv"))) == ["picture", "a.png", "b.png"]


def test_a_report_may_lie_in_the_folder_that_is_made(gradpress):
    assert gradpress("a.png", "-o", "new/", "--report", "new/index.html").exit_code == 0
    assert Path("new/index.html").exists()


def test_a_picture_that_replaces_itself_is_still_compared_with_what_it_was(gradpress):
    Path("a.jpg").write_bytes(compress(scene(40, 50), target="psnr=48", effort=1).data)
    outcome = gradpress("a.jpg", "--in-place", "--report", "r.html")
    assert outcome.exit_code == 0, outcome.stderr
    assert 'data-layer="original"' in Path("r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["r.pdf", "r", "missing/r.html"])
def test_a_report_that_cannot_be_written_is_refused_before_any_work(gradpress, name):
    outcome = gradpress("a.png", "--report", name)
    assert outcome.exit_code == 2
    assert not Path("a.jpg").exists()


@pytest.mark.parametrize("option", ["--report", "--history"])
def test_an_existing_file_stands(gradpress, option):
    Path("r.csv").write_text("mine")
    assert gradpress("a.png", option, "r.csv").exit_code == 2
    assert Path("r.csv").read_text() == "mine"
    assert gradpress("a.png", option, "r.csv", "--overwrite", "always").exit_code == 0
    assert Path("r.csv").read_text() != "mine"


def test_what_was_done_before_an_interruption_is_reported(gradpress, monkeypatch):
    compressed = worker._compressed

    def interrupted(task, *rest):
        if task.source == Path("b.png"):
            raise KeyboardInterrupt
        return compressed(task, *rest)

    monkeypatch.setattr(worker, "_compressed", interrupted)
    outcome = gradpress(
        "a.png", "b.png", "-o", "out", "-j", "1", "--report", "r.html", "--report", "r.json"
    )
    assert outcome.exit_code == 130
    done, not_done = json.loads(Path("r.json").read_text())["files"]
    assert (done["input"], done["status"]) == ("a.png", "compressed")
    assert (not_done["input"], not_done["status"]) == ("b.png", "not-started")
    page = Path("r.html").read_text(encoding="utf-8")
    assert page.rstrip().endswith("</html>")
    assert page.count('href="#') == page.count('class="picture"') == 1


def test_processes_give_the_same_reports(gradpress):
    pages = []
    for jobs in ("1", "2"):
        outcome = gradpress(
            "a.png", "b.png", "-o", f"out{jobs}", "-j", jobs, "--report", f"{jobs}.html",
            "--history", f"{jobs}.csv",
        )  # fmt: skip
        assert outcome.exit_code == 0, outcome.stderr
        pages.append(Path(f"{jobs}.html").read_text(encoding="utf-8"))
    places = [re.findall(r"<h2>([ab].png)</h2>", page) for page in pages]
    assert places == [["a.png", "b.png"]] * 2
    images = [re.findall(r'src="(data:[^"]*)"', page) for page in pages]
    assert images[0] == images[1]
    one, two = (rows(f"{jobs}.csv") for jobs in "12")
    assert [row[:2] for row in one] == [row[:2] for row in two]


def test_a_picture_that_cannot_be_drawn_is_not_lost(gradpress, monkeypatch):
    def broken(*_, **__):
        raise MemoryError

    monkeypatch.setattr("gradpress.page.section.views", broken)
    outcome = gradpress("a.png", "--report", "r.html")
    assert outcome.exit_code == 0
    assert Path("a.jpg").exists()
    assert "not enough memory" in Path("r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["=1+1", "+x", "-2+3", "@a", "\tb"])
def test_a_name_is_no_formula(name):
    (cell,) = [row[0] for row in csv.reader(io.StringIO(records_text([failed(name, "x")])))][1:]
    assert cell[0] not in "=+-@\t"
