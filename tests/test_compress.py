"""The whole way: goals kept, starts never made worse, the same bytes every time."""

from __future__ import annotations

import io
import itertools
import os
import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import PIL.Image
import pytest
from conftest import png, scene
from hypothesis import given, settings
from hypothesis import strategies as st

import gradpress
from gradpress.descent import ProximalGradient, iterate
from gradpress.distortion import SquaredError
from gradpress.jpeg import model
from gradpress.jpeg.objective import JpegObjective
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.jpeg.writer import baseline_bits, write


def shown(data):
    with PIL.Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


def psnr(decoded, original):
    if decoded.ndim == 2:
        decoded = np.stack([decoded] * 3, axis=-1)
    error = np.mean((decoded.astype(float) - original) ** 2)
    return 10 * np.log10(255**2 / max(error, 6.5e-6))


@pytest.mark.parametrize("target", [26, 33, 38, 44])
@pytest.mark.parametrize("effort", [1, 5])
def test_a_quality_is_reached_and_hardly_exceeded(photo, target, effort):
    result = gradpress.compress(photo, target=f"psnr={target}", effort=effort)
    quality = psnr(shown(result.data), photo)
    assert target <= quality <= target + 0.1
    assert result.metrics["psnr"] == pytest.approx(quality, abs=1e-6)
    assert result.status is gradpress.Status.COMPRESSED


@pytest.mark.parametrize("size", ["3KB", "6000", "1.5bpp", "30%"])
def test_a_size_is_never_exceeded_and_nearly_used(photo, size):
    source = png(photo)
    limits = {"3KB": 3000, "6000": 6000, "1.5bpp": 1.5 * 96 * 128 / 8, "30%": 0.3 * len(source)}
    result = gradpress.compress(source, target_size=size)
    assert 0.97 * limits[size] <= len(result.data) <= limits[size]
    assert result.bytes_before == len(source)


def test_impossible_goals_give_the_closest_file_and_say_so(photo):
    best = gradpress.compress(photo, target="psnr=80")
    assert best.status is gradpress.Status.UNREACHABLE
    assert psnr(shown(best.data), photo) > 48
    assert "80" in best.reason
    least = gradpress.compress(photo, target_size=100)
    assert least.status is gradpress.Status.UNREACHABLE
    assert 100 < len(least.data) < 400


@pytest.mark.parametrize("loss", ["mse", "mae"])
@pytest.mark.parametrize("lagrangian", [3.0, 60.0])
def test_the_objective_never_ends_above_its_start(photo, loss, lagrangian):
    result = gradpress.compress(photo, lagrangian=lagrangian, loss=loss)
    history = result.history
    pairs = zip(history.value, history.measured, strict=True)
    scores = [value if measured is None else measured for value, measured in pairs]
    assert result.solution.score == min(scores) <= scores[0]


@pytest.mark.parametrize("name", ["420", "422", "444"])
def test_plain_proximal_gradient_descends_on_a_jpeg(photo, name):
    planes = photo.transpose(2, 0, 1).astype(np.float32)
    layout = Layout(photo.shape[1], photo.shape[0], FACTORS[name])
    start = gradpress.compress(photo, lagrangian=20.0, chroma_subsampling=name, effort=2)
    objective = JpegObjective(layout, SquaredError(planes))
    steps = iterate(objective, start.solution.params, ProximalGradient(), max_steps=3)
    values = [step.value for step in steps]
    assert values[-1] < values[0]
    assert all(b <= a for a, b in itertools.pairwise(values))


@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_more_effort_never_ends_higher(photo, loss):
    scores = [
        gradpress.compress(photo, lagrangian=20.0, loss=loss, effort=effort).solution.score
        for effort in (2, 4, 5, 7)
    ]
    assert all(b <= a for a, b in itertools.pairwise(scores))


def test_absolute_error_is_descended_on(photo):
    result = gradpress.compress(photo, lagrangian=4.0, loss="mae")
    rough = gradpress.compress(photo, lagrangian=4.0, loss="mae", effort=2)
    assert result.solution.score < rough.solution.score


def test_equal_options_give_equal_bytes_on_any_number_of_threads():
    picture = scene(300, 200)
    files = {gradpress.compress(picture, target="psnr=34", threads=n).data for n in (1, 1, 2, 3, 8)}
    assert len(files) == 1


def test_instruction_sets_give_equal_bytes(tmp_path):
    (tmp_path / "in.png").write_bytes(png(scene(64, 80)))
    code = (
        "import gradpress, sys;"
        "sys.stdout.buffer.write(gradpress.compress(sys.argv[1], target='psnr=36').data)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "in.png")],
            env=os.environ | {"GRADPRESS_ISA": isa},
            capture_output=True,
            check=True,
        ).stdout
        for isa in ("portable", "avx2", "avx512")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("subsampling", ["auto", "444", "422", "420"])
@pytest.mark.parametrize("progressive", ["auto", "on", "off"])
def test_two_decoders_show_what_the_model_says(photo, subsampling, progressive):
    result = gradpress.compress(
        photo, target="psnr=35", chroma_subsampling=subsampling, progressive=progressive
    )
    symbols = result.solution.params.symbols
    expected = model.decode(symbols).astype(int)
    assert np.abs(shown(result.data) - expected).max() <= 1
    assert np.abs(imagecodecs.jpeg8_decode(result.data) - expected).max() <= 1
    assert subsampling in ("auto", result.subsampling)
    assert progressive == "auto" or result.progressive == (progressive == "on")


def test_baseline_bits_are_counted_exactly(photo):
    result = gradpress.compress(photo, target="psnr=36", progressive="off")
    symbols = result.solution.params.symbols
    assert write(symbols, progressive=False).scan_bits == (baseline_bits(symbols),)


@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    kind=st.sampled_from(["scene", "noise", "flat", "checks"]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25, deadline=None)
def test_pictures_of_any_size_and_kind(width, height, kind, seed):
    rng = np.random.default_rng(seed)
    checks = (np.indices((height, width)).sum(0) % 2 * 255).astype(np.uint8)
    pictures = {
        "scene": lambda: scene(height, width, seed),
        "noise": lambda: rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
        "flat": lambda: np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8),
        "checks": lambda: checks[..., np.newaxis].repeat(3, axis=2),
    }
    pixels = pictures[kind]()
    result = gradpress.compress(pixels, target="psnr=30", effort=3)
    decoded = shown(result.data)
    assert decoded.shape[:2] == (height, width)
    if result.status is gradpress.Status.COMPRESSED:
        assert psnr(decoded, pixels) >= 30


def test_the_longest_sides_that_the_standard_allows():
    line = np.arange(65535, dtype=np.uint32).astype(np.uint8).reshape(1, -1)
    result = gradpress.compress(line, target="psnr=30", effort=1)
    assert (result.width, result.height) == (65535, 1)
    assert result.metrics["psnr"] >= 30


def test_grey_is_written_as_grey(photo):
    grey = photo[..., 1].copy()
    result = gradpress.compress(grey, target="psnr=36")
    assert result.subsampling == "grey"
    assert shown(result.data).shape == grey.shape
    coloured = gradpress.compress(np.stack([grey] * 3, axis=-1), target="psnr=36")
    assert coloured.data == result.data


def test_a_jpeg_is_never_made_larger():
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    sink = io.BytesIO()
    PIL.Image.fromarray(noise).save(sink, "JPEG", quality=20, optimize=True)
    small = sink.getvalue()
    kept = gradpress.compress(small, target="psnr=100")
    assert len(kept.data) <= len(small)
    assert shown(kept.data).tolist() == shown(small).tolist()
    already = gradpress.compress(kept.data, target="psnr=100")
    assert already.status is gradpress.Status.PASSED_THROUGH
    assert already.data == kept.data
    fits = gradpress.compress(small, target_size=len(small))
    assert fits.data == small
    assert "already" in fits.reason
    assert len(gradpress.compress(small, target="psnr=20").data) < len(small)


def test_steps_give_a_valid_file_at_any_time(photo):
    sizes = []
    for snapshot in gradpress.steps(photo, target="psnr=36"):
        assert shown(snapshot.best.data).shape == photo.shape
        sizes.append(len(snapshot.best.data))
        if snapshot.step.index == 1:
            break
    assert len(sizes) == 2


def test_profile_and_capture_data_are_kept(photo):
    from PIL import ImageCms  # noqa: PLC0415

    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = PIL.Image.Exif()
    exif[0x010E], exif[0x0112] = "a description", 6
    sink = io.BytesIO()
    PIL.Image.fromarray(photo).save(sink, "PNG", icc_profile=icc, exif=exif, dpi=(300, 300))
    result = gradpress.compress(sink.getvalue(), target="psnr=34")
    with PIL.Image.open(io.BytesIO(result.data)) as picture:
        assert picture.size == (photo.shape[0], photo.shape[1])  # turned upright
        assert picture.info["icc_profile"] == icc
        assert picture.getexif()[0x010E] == "a description"
        assert picture.getexif()[0x0112] == 1
        assert picture.info["dpi"] == (300, 300)


def test_results_save_themselves_without_overwriting(photo, tmp_path):
    result = gradpress.compress(photo, target="psnr=30")
    path = tmp_path / "out.jpg"
    result.save(path)
    assert path.read_bytes() == result.data
    with pytest.raises(gradpress.GradpressError, match=r"out\.jpg"):
        result.save(path)
    result.save(path, overwrite=True)
    assert result.image.size == (photo.shape[1], photo.shape[0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": "psnr=30", "quality": 70}, "one"),
        ({"target": "psnr=-1"}, "-1"),
        ({"effort": 10}, "10"),
        ({"loss": "psychic"}, "psychic"),
        ({"chroma_subsampling": "411"}, "411"),
        ({"progressive": "perhaps"}, "perhaps"),
        ({"threads": 0}, "0"),
        ({"lagrangian": float("nan")}, "nan"),
        ({"target_size": "30%"}, "30"),
    ],
)
def test_wrong_options_are_named(photo, options, words):
    with pytest.raises(gradpress.UsageError, match=words):
        gradpress.compress(photo, **options)


def test_unknown_options_are_type_errors(photo):
    with pytest.raises(TypeError, match="qualty"):
        gradpress.compress(photo, qualty=3)


def test_importing_loads_nothing_and_compressing_needs_no_torch():
    code = (
        "import sys, gradpress; assert 'numpy' not in sys.modules and 'PIL' not in sys.modules;"
        "gradpress.compress; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there():
    for name in gradpress.__all__:
        assert getattr(gradpress, name).__doc__
    with pytest.raises(AttributeError, match="nonsense"):
        gradpress.nonsense  # noqa: B018


ODD = Path(__file__).parent.parent.parent / "shared" / "data" / "odd"


@pytest.mark.skipif(not ODD.is_dir(), reason="the odd files are not at hand")
def test_odd_files_become_jpegs_or_clear_refusals():
    lines = []
    for path in sorted(p for p in ODD.rglob("*") if p.is_file() and p.suffix != ".md"):
        try:
            result = gradpress.compress(path, target="psnr=34", effort=1)
        except gradpress.GradpressError as error:
            lines.append(str(error))
            continue
        with PIL.Image.open(io.BytesIO(result.data)) as picture:
            picture.load()
            if result.status is not gradpress.Status.PASSED_THROUGH:
                assert picture.size == (result.width, result.height)
    assert all("\n" not in line for line in lines)
