"""``gradpress doctor``: what it finds here is true, and what is broken is told."""

from __future__ import annotations

import json
import os
import platform
import sys

import numpy as np
import PIL
import pytest
from click.testing import CliRunner

from gradpress import _kernels, pipeline
from gradpress.commands import cli, doctor
from gradpress.image import FORMATS


def run(*arguments):
    return CliRunner().invoke(cli.main, ["doctor", *arguments], prog_name="gradpress")


def test_a_sound_installation_is_told_and_exits_0():
    outcome = run("--json")
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    found = json.loads(outcome.stdout)
    assert found["schema"] == 1
    assert found["python"] == platform.python_version()
    assert found["packages"]["numpy"] == np.__version__
    assert found["packages"]["pillow"] == PIL.__version__
    assert found["instruction_set"] == _kernels.instruction_set()
    assert found["threads"] >= 1
    assert list(found["formats"]) == list(FORMATS)
    assert found["formats"]["PNG"]
    assert found["problems"] == []


def test_the_lines_say_the_same():
    health = doctor.examine()
    lines = dict(line.split(maxsplit=1) for line in doctor.text(health))
    assert lines["numpy"] == np.__version__
    assert lines["kernels"] == _kernels.instruction_set()
    assert {"PNG", "JPEG"} <= set(lines["reads"].split())
    assert lines["self"].endswith(health.self_test)


@pytest.mark.skipif(not os.path.exists("/proc/cpuinfo"), reason="Linux only")  # noqa: PTH110
def test_the_processor_has_what_the_system_says():
    with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
        system = file.read().split()
    found = doctor.examine().cpu_features
    assert ("AVX2" in found) == ("avx2" in system)
    assert ("AVX512F" in found) == ("avx512f" in system)


def test_an_extra_that_is_missing_is_no_problem(monkeypatch):
    known = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "torch" else known(name))
    health = doctor.examine()
    assert (health.extras["torch"], health.problems) == (None, ())
    assert any("not installed (own losses" in line for line in doctor.text(health))


def test_kernels_that_cannot_be_loaded_are_a_problem(monkeypatch):
    monkeypatch.delattr("gradpress._kernels")
    monkeypatch.setitem(sys.modules, "gradpress._kernels", None)
    outcome = run("--json")
    assert outcome.exit_code == 1
    assert json.loads(outcome.stdout)["instruction_set"] is None
    assert "the kernels cannot be loaded; install gradpress again" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_package_that_cannot_be_imported_is_a_problem(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    assert any("rich cannot be used" in each for each in doctor.examine().problems)


def test_formats_without_their_library_cannot_be_read(monkeypatch):
    from PIL import features  # noqa: PLC0415

    check = features.check
    monkeypatch.setattr(features, "check", lambda name: name not in ("jpg", "avif") and check(name))
    health = doctor.examine()
    assert not health.formats["AVIF"]
    assert any("no JPEG files" in each for each in health.problems)
    assert not any("AVIF" in each for each in health.problems)


def test_a_wrong_picture_fails_the_self_test(monkeypatch):
    compress = pipeline.compress

    def wrong(picture, **options):
        return compress(255 - picture, **options)

    monkeypatch.setattr(pipeline, "compress", wrong)
    health = doctor.examine()
    assert health.self_test == "failed"
    assert any("the self test failed" in each for each in health.problems)
