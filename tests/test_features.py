"""The table of features: every tick names tests, and those are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np

import gradpress
from tests.conftest import scene

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")


def rows(text):
    """The cells of the tables of a text, but for headings."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] and not row[0].startswith("---")]


TABLE, BACKED = map(rows, PAGE.split("## What backs the last column"))


def functions(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}


def test_the_table_is_whole():
    assert len(TABLE) > 20
    assert {len(row) for row in TABLE} == {11}


def test_every_tick_is_backed_and_nothing_else():
    ticked = [row[0] for row in TABLE if row[-1].startswith("✓")]
    assert ticked == [row[0] for row in BACKED]


def test_every_test_that_is_named_is_there():
    for feature, named in BACKED:
        tests = re.findall(r"`(tests/\w+\.py)::(\w+)`", named)
        assert tests, feature
        for path, name in tests:
            assert name in functions(path), f"{path}::{name} backs {feature!r} and is not there"


def test_tables_are_fitted_to_the_picture():
    smooth = np.broadcast_to(np.arange(64, dtype=np.uint8)[:, None, None] * 3, (64, 64, 3))
    found = [
        gradpress.compress(np.ascontiguousarray(each), target="psnr=40", effort=3)
        for each in (smooth, scene(64, 64))
    ]
    first, second = (result.image.quantization[0] for result in found)
    ratio = np.array(first) / np.array(second)
    assert ratio.max() > 1.2 * ratio.min()  # not one table scaled


def test_sampling_is_chosen_by_the_picture():
    """Fine stripes of red and blue against a picture with a breath of colour."""
    y, x = np.mgrid[:64, :64]
    stripes = np.where((x % 2 == 0)[..., None], (200, 40, 40), (40, 40, 200)).astype(np.uint8)
    waves = 128 + 60 * np.sin(x / 3) + 40 * np.cos(y / 4)
    breath = np.stack([waves, waves, waves + x / 8], axis=-1).astype(np.uint8)
    chosen = [
        gradpress.compress(each, effort=5, target="ssimulacra2=80").subsampling
        for each in (stripes, breath)
    ]
    assert chosen == ["444", "420"]
