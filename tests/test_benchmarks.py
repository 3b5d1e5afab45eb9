"""Laws of the benchmark's arithmetic, and that its peers and processes do what they say."""

import io
import math
import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import scene

pytest.importorskip("scipy")

from benchmarks import rows as tsv
from benchmarks.cost import process_cost
from benchmarks.curves import Curve, bd_rate, pareto
from benchmarks.encoders import PEERS, encode_mozjpeg, gradpress_at
from benchmarks.metrics import METRICS, PANEL, WITNESSES, psnr, psnr_y, shown_pixels
from benchmarks.report import Results, report, score_table, table
from benchmarks.rows import Row
from benchmarks.scaling import tiled
from benchmarks.sweep import comparable, measured, pictures_in, spread

ROOT = Path(__file__).parent.parent
JUDGE = ROOT.parent / "shared" / "bench"

sizes = st.floats(1e2, 1e7)
qualities = st.floats(20, 50)
points = st.lists(st.tuples(sizes, qualities), min_size=1, max_size=12)


@st.composite
def curves(draw):
    """A curve through points that rise by at least 0.1 dB each, from 30 to 36 dB at least."""
    gaps = draw(st.lists(st.floats(0.1, 4), min_size=3, max_size=8))
    growth = draw(st.lists(st.floats(1.01, 3), min_size=len(gaps), max_size=len(gaps)))
    heights = 30 + 6 * np.cumsum([0, *gaps]) / sum(gaps)
    heights[-1] = 36
    return list(zip(1000 * np.cumprod([1, *growth]), heights, strict=True))


@given(points)
def test_a_frontier_rises_in_size_and_quality_and_dominates_the_rest(some):
    kept = pareto(some)
    assert set(kept) <= set(some)
    assert all(a[0] <= b[0] and a[1] < b[1] for a, b in pairwise(kept))
    assert all(any(k[0] <= size and k[1] >= q for k in kept) for size, q in some)


@given(curves())
def test_a_curve_passes_through_its_points_and_ends_with_them(some):
    curve = Curve.through(some)
    for size, quality in some:
        assert curve.size_at(quality) == pytest.approx(size, rel=1e-9)
    assert math.isnan(curve.size_at(29.9))
    assert math.isnan(curve.size_at(36.1))


@given(curves(), st.floats(0.2, 5))
def test_scaled_sizes_give_their_factor(some, factor):
    scaled = Curve.through([(factor * size, quality) for size, quality in some])
    assert bd_rate(scaled, Curve.through(some)) == pytest.approx(100 * (factor - 1), abs=1e-6)


@given(curves(), curves())
def test_a_bd_rate_and_its_reverse_cancel(some, others):
    a, b = Curve.through(some), Curve.through(others)
    there, back = bd_rate(a, b) / 100, bd_rate(b, a) / 100
    assert (1 + there) * (1 + back) == pytest.approx(1, rel=1e-9)


def test_a_bd_rate_needs_curves_that_overlap():
    low, high = Curve.through([(1, 30), (2, 31)]), Curve.through([(3, 32), (4, 33)])
    assert math.isnan(bd_rate(low, high))
    assert Curve.through([(1, 30), (2, 30)]) is None
    assert math.isnan(bd_rate(None, low))


def test_psnr_of_a_known_error():
    original = np.full((4, 6, 3), 100, np.uint8)
    shown = original.copy()
    shown[..., 0] += 3
    assert psnr(original, shown) == pytest.approx(10 * math.log10(255**2 / 3))
    assert psnr_y(original, shown) == pytest.approx(20 * math.log10(255 / (3 * 0.299)))
    assert psnr(original, original) == psnr_y(original, original) == 100


@pytest.mark.skipif(not JUDGE.exists(), reason="the judge's bench is not here")
def test_metrics_and_bd_rates_are_the_judges(monkeypatch, photo):
    monkeypatch.syspath_prepend(str(JUDGE.parent))
    judge = pytest.importorskip("bench.bdrate")
    metrics = pytest.importorskip("bench.metrics")

    noisy = np.clip(photo + np.random.default_rng(0).normal(0, 9, photo.shape), 0, 255)
    noisy = noisy.astype(np.uint8)
    by_judge = {m.name: m for m in METRICS if m.name in ("psnr", "psnr_y")}
    theirs = metrics.measure(metrics.Reference(photo), noisy, by_judge)
    ours = {name: m.prepare(photo)(noisy) for name, m in by_judge.items()}
    assert ours == pytest.approx(theirs, abs=1e-4)

    names = ("turbo-420", "mozjpeg-psnr", "jpegli-420")
    saved = [r for r in judge.load(JUDGE / "data" / "peers.jsonl.gz") if r["encoder"] in names]
    results = Results([_as_row(r) for r in saved])
    theirs = {"butteraugli": "butteraugli_3norm"}
    for metric in METRICS:
        for name in names[1:]:
            its = theirs.get(metric.name, metric.name)
            expected = judge.Results(saved).per_image(name, "turbo-420", its)
            assert len(expected) == 24
            assert results.bd_rates(name, "turbo-420", metric) == pytest.approx(expected, abs=2e-3)


def _as_row(saved):
    return Row(
        picture=saved["image"],
        encoder=saved["encoder"],
        setting=saved["q"],
        pixels=round(8 * saved["bytes"] / saved["bpp"]),
        bytes=saved["bytes"],
        cpu_seconds=saved["seconds"],
        ssimulacra2=saved["ssimulacra2"],
        butteraugli=saved["butteraugli_3norm"],
        ms_ssim=saved["ms_ssim"],
        psnr=saved["psnr"],
        psnr_y=saved["psnr_y"],
    )


def _row(encoder, picture, size, quality, **more):
    values = {"setting": 1.0, "pixels": 1000, "psnr_y": quality, "cpu_seconds": 0.5} | more
    return Row(
        picture=picture, encoder=encoder, bytes=size, psnr=quality, ssimulacra2=quality, **values
    )


def _two_encoders():
    return [
        _row(encoder, picture, round(factor * size), quality)
        for encoder, factor in (("turbo-420", 1), ("half", 0.5))
        for picture, size in (("a", 1000), ("b", 4000))
        for quality, size in ((29.0, size), (33.0, 2 * size), (37.0, 4 * size))
    ]


def test_rows_come_back_from_a_file(tmp_path):
    rows = [*_two_encoders(), _row("x", "c", 7, 30.5, process_cpu_seconds=1.5)]
    path = tmp_path / "folder" / "rows.tsv"
    tsv.write_rows(path, rows)
    assert list(map(repr, tsv.read_rows(path))) == list(map(repr, rows))  # nan equals nan in text


def test_a_report_says_half_where_it_is_half():
    panel = next(line for line in report(_two_encoders()).splitlines() if "| half" in line)
    assert [cell.strip() for cell in panel.split("|")[3:8]] == [
        "-50.00",
        "",
        "",
        "-50.00",
        "-50.00",
    ]


def test_bits_per_pixel_at_a_score_are_held_against_the_best_jpeg_of_each_picture():
    rows = [
        _row(encoder, "a", size, quality)
        for encoder, factor in (("turbo-420", 1.0), ("mozjpeg-420", 0.9), ("gradpress-e5", 0.81))
        for quality, size in ((40.0, 1000 * factor), (90.0, 4000 * factor))
    ]
    lines = score_table(Results(rows)).splitlines()
    assert "-10.0 % (0 of 1 behind)" in lines[-1]
    assert "+11.1 % (1 of 1 behind)" in lines[2]


def test_tables_line_up():
    lines = table(["head", "n"], [["a", "1"], ["longer", "100"]]).splitlines()
    assert len({len(line) for line in lines}) == 1


@given(st.lists(st.integers(), min_size=2, max_size=30, unique=True), st.integers(2, 30))
def test_spread_keeps_the_ends_and_the_order(items, count):
    kept = spread(items, count)
    assert len(kept) == min(count, len(items))
    assert (kept[0], kept[-1]) == (items[0], items[-1])
    assert kept == [item for item in items if item in set(kept)]


@given(st.integers(1, 40), st.integers(1, 40), st.floats(1e-5, 0.01))
def test_tiling_keeps_the_shape_and_begins_with_the_picture(height, width, megapixels):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    larger = tiled(pixels, megapixels)
    factor = math.sqrt(megapixels * 1e6 / (height * width))
    assert larger.shape[:2] == (max(1, round(height * factor)), max(1, round(width * factor)))
    common = tuple(slice(min(a, b)) for a, b in zip(larger.shape, pixels.shape, strict=True))
    assert np.array_equal(larger[common], pixels[common])


@pytest.fixture(scope="module")
def picture(tmp_path_factory, photo):
    """A folder with one picture."""
    path = tmp_path_factory.mktemp("pictures") / "photo.png"
    PIL.Image.fromarray(photo).save(path)
    return path


SAMPLING = {"420": (2, 2), "444": (1, 1)}


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_gives_more_for_more_bytes(peer, picture, photo):
    if peer.missing:
        pytest.skip(f"no {peer.missing[0]}")
    settings = peer.settings[0], peer.settings[-1]
    low, high = (
        measured(peer, x, "photo", picture, photo.size // 3, _measures(photo)) for x in settings
    )
    assert low.bytes < high.bytes
    assert low.psnr < high.psnr
    data = peer.encode(picture, peer.settings[0])
    assert shown_pixels(data).shape == photo.shape
    if not peer.is_jpeg:
        return
    with PIL.Image.open(io.BytesIO(data)) as file:
        assert (file.format, file.size) == ("JPEG", (128, 96))
        if peer.name != "guetzli":
            assert file.layer[0][1:3] == SAMPLING[peer.name.rpartition("-")[2]]
            assert file.info.get("progressive")


def _measures(photo):
    return {metric.name: metric.prepare(photo) for metric in METRICS}


@pytest.mark.parametrize("metric", WITNESSES, ids=lambda metric: metric.name)
def test_a_witness_prefers_the_better_file(metric, photo):
    pytest.importorskip("piq")
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, photo.shape)
    better, worse = (np.clip(photo + n * noise, 0, 255).astype(np.uint8) for n in (3, 20))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # piq's own
        measure = metric.prepare(photo)
        assert metric.axis(measure(better)) > metric.axis(measure(worse))


def test_libvips_does_not_remember_a_picture(tmp_path):
    pytest.importorskip("pyvips")
    path = tmp_path / "picture.png"
    files = []
    for seed in (0, 1):
        PIL.Image.fromarray(scene(32, 32, seed)).save(path)
        files.append(encode_mozjpeg(path, 80, table=1, subsample=True))
    assert files[0] != files[1]


def test_gradpress_is_ahead_of_turbo_by_the_whole_panel(tmp_path):
    with PIL.Image.open(ROOT / "examples" / "coffee.png") as whole:
        pixels = np.asarray(whole.convert("RGB"))[100:356, 150:470].copy()
    path = tmp_path / "part.png"
    PIL.Image.fromarray(pixels).save(path)
    ours, turbo = gradpress_at(3), PEERS[0]
    results = Results(
        [
            measured(encoder, x, "part", path, pixels.size // 3, _measures(pixels))
            for encoder, settings in ((ours, (50, 60, 70, 80)), (turbo, (30, 60, 80, 92)))
            for x in settings
        ]
    )
    for metric in PANEL:
        assert results.bd_rates(ours.name, turbo.name, metric)["part"] < 0


def test_a_process_costs_itself_and_not_its_parent(picture):
    ballast = np.ones(40_000_000)  # 320 MB, which a forked child's account would show
    cost = process_cost("turbo-420", picture, 74)
    assert 5e6 < cost.peak_bytes < 150e6 < ballast.nbytes
    assert cost.cpu_seconds > 0
    assert cost.bytes == len(PEERS[0].encode(picture, 74))


def test_a_process_that_fails_says_why(tmp_path):
    with pytest.raises(RuntimeError, match=r"turbo-420 failed on none\.png"):
        process_cost("turbo-420", tmp_path / "none.png", 74)


def test_the_command_measures_saves_and_reports(picture, tmp_path):
    out = tmp_path / "rows.tsv"
    options = ["--efforts", "1", "--peers", "turbo-420", "--settings", "3", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", str(picture.parent), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = tsv.read_rows(out)
    assert len(rows) == 6
    for encoder in ("gradpress-e1", "turbo-420"):
        own = [row for row in rows if row.encoder == encoder]
        timed = [row for row in own if not math.isnan(row.process_cpu_seconds)]
        assert timed == [comparable(own)]
        assert timed[0].process_cpu_seconds > timed[0].cpu_seconds / 2
    assert "BD-rate against turbo-420, %" in done.stdout
    assert "CPU seconds per megapixel" in done.stdout


def test_pictures_are_found_by_their_suffix(tmp_path):
    for name in ("b.PNG", "a.jpg", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in pictures_in(tmp_path)] == ["a.jpg", "b.PNG"]
