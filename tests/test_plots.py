"""Figures: what they show are the result's own numbers, and nothing else is touched."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from conftest import png, scene

import gradpress
from gradpress.errors import GradpressError
from gradpress.jpeg.heat import bits_map
from gradpress.maps import decoded_planes, luma_error

WITHOUT = """
import sys
sys.modules["matplotlib"] = None
import gradpress, numpy as np
result = gradpress.compress(np.zeros((16, 16), np.uint8), effort=1)
try:
    result.plot_convergence()
except gradpress.GradpressError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def result():
    return gradpress.compress(png(scene(90, 130)), effort=3)


@pytest.fixture
def matplotlib():
    return pytest.importorskip("matplotlib")


def drawn(figure):
    """Images of a figure by their titles."""
    return {
        axes.get_title(): np.asarray(axes.images[0].get_array())
        for axes in figure.axes
        if axes.images
    }


def test_without_matplotlib_the_way_to_it_is_told():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    assert "pip install 'gradpress[plot]'" in done.stdout


def test_nothing_is_imported_until_a_figure_is_asked_for():
    code = "import sys, gradpress, gradpress.result; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_an_overview_shows_pictures_error_and_bits(matplotlib, result):
    figure = result.plot()
    shown = drawn(figure)
    original, decoded = result.original().planes, decoded_planes(result.data)
    before, after, error, bits, table = shown.values()
    np.testing.assert_array_equal(before, original.transpose(1, 2, 0))
    np.testing.assert_array_equal(after, decoded.transpose(1, 2, 0))
    np.testing.assert_array_equal(error, luma_error(original, decoded))
    np.testing.assert_array_equal(bits, bits_map(result.solution.params.symbols))
    assert table.shape == (8, 8)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert str(result.solution.params.symbols.steps[0][0]) in texts


def test_convergence_shows_the_history(matplotlib, result):
    figure = result.plot_convergence()
    history = result.history
    lines = {axes.get_title(loc="left"): axes.lines for axes in figure.axes}
    for title, values in (
        ("Distortion D", history.distortion),
        ("Bits R", history.bits),
        ("Objective J = D + λ·R", history.value),
    ):
        line, mark = lines[title]
        np.testing.assert_array_equal(line.get_xdata(), history.index)
        np.testing.assert_array_equal(line.get_ydata(), values)
        np.testing.assert_array_equal(np.ravel(mark.get_xdata()), result.solution.best_step)


def test_an_error_s_scale_is_even_about_zero(matplotlib, result):
    figure = result.plot_error(result.original())
    (image,) = figure.axes[0].images
    low, high = image.get_clim()
    assert low == -high < 0
    assert len(figure.axes) == 2  # the colour bar


def test_a_figure_is_a_picture_in_a_notebook(matplotlib, result):
    assert result.plot_error()._repr_png_().startswith(b"\x89PNG")
    assert result._repr_jpeg_() == result.data
    assert len(repr(result)) < 1500


def test_global_state_is_left_alone(matplotlib, result):
    settings, loaded = dict(matplotlib.rcParams), "matplotlib.pyplot" in sys.modules
    result.plot()
    assert dict(matplotlib.rcParams) == settings
    assert ("matplotlib.pyplot" in sys.modules) == loaded


def test_a_file_that_was_passed_through_has_no_descent(matplotlib):
    data = gradpress.compress(scene(64, 64)[..., 0], effort=1).data
    kept = gradpress.compress(data, target_size=len(data))
    assert {"Original", "Compressed"} <= {title.partition(",")[0] for title in drawn(kept.plot())}
    with pytest.raises(GradpressError, match="no descent"):
        kept.plot_convergence()
