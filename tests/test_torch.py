"""The JPEG layer against real decoders and its own laws; losses made of torch functions."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import PIL.features
import PIL.Image
import pytest
from click.testing import CliRunner
from conftest import png, scene

import gradpress
from gradpress.commands.cli import main
from gradpress.distortion.mse import SquaredError
from gradpress.errors import GradpressError, UsageError
from gradpress.jpeg import model
from gradpress.jpeg.model import planes_of
from gradpress.jpeg.params import FACTORS, ZIGZAG, Layout

torch = pytest.importorskip("torch")

from benchmarks import layers  # noqa: E402
from gradpress import torch as bridge  # noqa: E402
from gradpress.torch import codec, whole  # noqa: E402

SIZES = [(1, 1), (2, 3), (8, 5), (50, 3), (17, 2), (7, 100), (33, 4), (37, 45), (64, 96)]
SAME = 0 if PIL.features.check("libjpeg_turbo") else 1
"""Levels by which Pillow's library may differ."""


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tensor(pixels):
    """``(1, C, H, W)`` in [0, 1]."""
    return torch.tensor(planes_of(pixels)[None] / 255, dtype=torch.float32)


def pixels_of(pictures):
    return np.rint(pictures.detach().numpy() * 255).astype(int).transpose(0, 2, 3, 1)


def pillows(pixels, **options):
    sink = io.BytesIO()
    PIL.Image.fromarray(pixels).save(sink, "JPEG", **options)
    with PIL.Image.open(sink) as picture:
        return np.asarray(picture).reshape(*pixels.shape[:2], -1).astype(int)


def picture_of(height, width):
    if height * width > 500:
        return scene(height, width, seed=height)
    return np.random.default_rng(width).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_layer_shows_what_pillow_shows(size, subsampling):
    picture = picture_of(*size)
    for quality in (5, 30, 75, 90, 100):
        shown = pillows(picture, quality=quality, subsampling=":".join(subsampling))
        ours = pixels_of(bridge.JPEG(quality, subsampling=subsampling)(tensor(picture)))[0]
        assert np.abs(ours - shown).max() <= SAME


def test_the_layer_takes_tables_of_its_own_and_grey_pictures():
    rng = np.random.default_rng(4)
    tables = rng.integers(1, 256, (2, 8, 8))
    picture = scene(40, 52)
    ours = pixels_of(bridge.JPEG(tables=torch.tensor(tables))(tensor(picture)))[0]
    qtables = [list(map(int, table.ravel())) for table in tables]
    assert np.abs(ours - pillows(picture, qtables=qtables, subsampling=2)).max() <= SAME
    grey = picture[..., 0].copy()
    ours = pixels_of(bridge.JPEG(60)(tensor(grey)))[0]
    assert np.abs(ours - pillows(grey, quality=60)).max() <= SAME


def test_a_batch_is_its_pictures_one_by_one():
    pictures = torch.cat([tensor(scene(24, 40, seed)) for seed in range(3)])
    quality = torch.tensor([20.0, 50.5, 95.0])
    together = bridge.JPEG(quality)(pictures)
    for i in range(3):
        alone = bridge.JPEG(float(quality[i]))(pictures[i : i + 1])
        assert torch.equal(together[i : i + 1], alone)
    again = bridge.JPEG(75)(pictures, quality=quality)
    assert torch.equal(together, again)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_the_type_of_the_pictures_is_kept(kind):
    shown = bridge.JPEG(80)(tensor(scene(16, 16)).to(kind))
    assert shown.dtype is kind
    assert 0 <= float(shown.min()) <= float(shown.max()) <= 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_graphics_card_gives_the_same_pixels():
    picture = tensor(scene(45, 70))
    assert torch.equal(bridge.JPEG(70).cuda()(picture.cuda()).cpu(), bridge.JPEG(70)(picture))


def stages(layout):
    """The codec's maps with plausible arguments, all but the last clear of their clamps."""
    rng = np.random.default_rng(0)
    rows, columns = layout.blocks(1)
    rgb = torch.tensor(rng.uniform(100, 150, (1, 3, layout.height, layout.width)))
    plane = torch.tensor(rng.uniform(60, 190, (1, layout.height, layout.width)))
    small = torch.tensor(rng.uniform(60, 190, (1, 8 * rows, 8 * columns)))
    blocks = torch.tensor(rng.normal(0, 8, (1, rows, columns, 8, 8)))
    return [
        (codec.ycc_from_rgb, rgb),
        (codec.rgb_from_ycc, rgb),
        (codec.forward_dct, small),
        (codec.inverse_dct, blocks),
        (lambda x: codec.downsample(x, layout, 1), plane),
        (lambda x: codec.upsample(x, layout, 1), small),
    ]


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
@pytest.mark.parametrize("size", [(5, 7), (9, 2)], ids=str)
def test_every_stage_has_the_gradient_of_its_real_map(size, subsampling, monkeypatch):
    layout = Layout(size[1], size[0], FACTORS[subsampling])
    rng = np.random.default_rng(1)
    gradients = []
    for stage, x in stages(layout):
        leaf = x.clone().requires_grad_()
        out = stage(leaf)
        weights = torch.tensor(rng.normal(0, 1, tuple(out.shape)))
        gradients.append((weights, torch.autograd.grad((out * weights).sum(), leaf)[0]))
    monkeypatch.setattr(codec, "floored", lambda x: x)
    for (stage, x), (weights, gradient) in zip(stages(layout), gradients, strict=True):
        move = torch.tensor(rng.normal(0, 1, tuple(x.shape)))
        # Linear: finite differences are exact, and the adjoint's identity holds with them.
        difference = (stage(x + move) - stage(x - move)) / 2
        assert float((difference * weights).sum()) == pytest.approx(
            float((move * gradient).sum()), rel=1e-9, abs=1e-9
        )
        assert torch.autograd.gradcheck(stage, (x.clone().requires_grad_(),), atol=1e-6)


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
def test_the_decoders_gradient_is_the_models(subsampling):
    picture = 90 + 0.3 * planes_of(scene(37, 45))[None].astype(float)  # clear of the clamps
    layout = Layout(45, 37, FACTORS[subsampling])
    steps = torch.full((1, 3, 8, 8), 12.0, dtype=torch.float64)
    levels = codec.encode(torch.tensor(picture).round(), steps, layout, cubic=False)
    levels = [level.detach().requires_grad_() for level in levels]
    shown = codec.decode(levels, steps, layout)
    weights = np.random.default_rng(2).normal(0, 1, tuple(shown.shape[1:])).astype(np.float32)
    (shown[0] * torch.tensor(weights)).sum().backward()
    rendering = model.render(tuple(_blocks(level, layout, 12) for level in levels), layout)
    assert np.abs(rendering.decoded - shown[0].detach().numpy()).max() < 3
    theirs = model.pull_back(rendering.samples, weights, layout)
    for level, other in zip(levels, theirs, strict=True):
        ours = _blocks(level.grad, layout, 1 / 12)
        own = level.shape[1:3]
        np.testing.assert_allclose(ours[: own[0], : own[1]], other[: own[0], : own[1]], atol=2e-3)


def _blocks(natural, layout, factor):
    """Blocks in zigzag order, those of whole MCUs; the rest is 0."""
    own = natural.shape[1:3]
    component = next(i for i in range(3) if layout.own_blocks(i) == tuple(own))
    blocks = np.zeros((*layout.blocks(component), 64), np.float32)
    blocks[: own[0], : own[1]] = factor * natural[0].detach().numpy().reshape(*own, 64)[..., ZIGZAG]
    return blocks


@pytest.mark.parametrize("cubic", [False, True])
def test_the_quantisers_surrogate_and_its_slope_by_steps(cubic):
    rng = np.random.default_rng(3)
    c = torch.tensor(rng.normal(0, 30, 200))
    q = torch.tensor(rng.uniform(1, 20, 200), requires_grad=True)
    level = whole.quantised(c / q, cubic=cubic)
    exact = torch.sign(c) * torch.floor(c.abs() / q + 0.5)
    assert torch.equal(level, exact)
    (q * level).sum().backward()
    off = (c / q - exact).detach()
    slope = 3 * off**2 if cubic else torch.ones(200, dtype=torch.float64)
    torch.testing.assert_close(q.grad, exact - slope * c / q.detach())

    def soft(scaled):
        return exact + (scaled - exact) ** 3 if cubic else scaled

    leaf = (c / q.detach()).requires_grad_()
    whole.quantised(leaf, cubic=cubic).sum().backward()
    difference = (soft(leaf.detach() + 1e-6) - soft(leaf.detach() - 1e-6)) / 2e-6
    torch.testing.assert_close(leaf.grad, difference, atol=1e-6, rtol=1e-6)


def test_what_is_clamped_gets_no_gradient():
    pictures = torch.tensor([-0.2, 0.5, 1.3]).repeat(8).reshape(1, 1, 1, 24).expand(1, 3, 8, 24)
    leaf = pictures.clone().requires_grad_()
    bridge.JPEG(95, subsampling="444")(leaf).sum().backward()
    assert torch.all(leaf.grad[..., 0::3] == 0)
    assert torch.all(leaf.grad[..., 2::3] == 0)
    assert torch.any(leaf.grad[..., 1::3] != 0)


@pytest.mark.parametrize("rounding", ["straight-through", "cubic"])
def test_descent_through_the_layer_lowers_what_is_seen_of_a_real_file(rounding):
    """A picture is changed so that its JPEG looks more like the original."""
    original = tensor(scene(48, 64, seed=2))
    layer = bridge.JPEG(30, rounding=rounding)
    pictures = original.clone().requires_grad_()
    descent = torch.optim.Adam([pictures], lr=1 / 255)
    tried = []
    for _ in range(12):
        value = perceived(layer(pictures), original)
        tried.append((float(value.detach()), pixels_of(pictures.clamp(0, 1))[0]))
        descent.zero_grad()
        value.backward()
        descent.step()
    least, best = min(tried, key=lambda each: each[0])
    assert least < 0.95 * tried[0][0]
    shown = pillows(best.astype(np.uint8), quality=30).astype(np.uint8)
    assert float(perceived(tensor(shown), original)) == pytest.approx(least, abs=1e-4 * SAME + 1e-7)


def test_straight_through_slopes_are_the_real_codecs_over_a_step():
    with PIL.Image.open("examples/coffee.png") as picture:
        side = 30 + layers.SIDE
        original = tensor(np.asarray(picture.convert("RGB"))[30:side, 30:side])

    def agreement(rounding):
        return layers.agreement(
            lambda x, q: bridge.JPEG(q, rounding=rounding)(x), original, 50, 1.0
        )

    assert agreement("straight-through") > 0.8
    assert 0.2 < agreement("cubic") < 0.6


def test_tables_learn():
    """Squared error alone makes the steps finer."""
    picture = tensor(scene(32, 32))
    tables = torch.nn.Parameter(torch.full((2, 8, 8), 40.0))
    layer = bridge.JPEG(tables=tables)
    assert [name for name, _ in layer.named_parameters()] == ["tables"]
    first = float((layer(picture) - picture).square().mean().detach())
    descent = torch.optim.Adam(layer.parameters(), lr=1.0)
    for _ in range(10):
        descent.zero_grad()
        (layer(picture) - picture).square().mean().backward()
        descent.step()
    assert float((layer(picture) - picture).square().mean().detach()) < 0.9 * first


def test_quality_has_a_gradient_and_moves_with_the_module():
    picture, quality = tensor(scene(24, 24)), torch.tensor(40.0, requires_grad=True)
    (bridge.JPEG()(picture, quality=quality) - picture).square().mean().backward()
    assert quality.grad < 0
    assert set(bridge.JPEG(75).state_dict()) == {"quality"}
    assert "420" in repr(bridge.JPEG(75))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda x: bridge.JPEG(75, torch.ones(2, 8, 8)), "not both"),
        (lambda x: bridge.JPEG(75, subsampling="411"), "444, 422, 420"),
        (lambda x: bridge.JPEG(75, rounding="soft"), "cubic"),
        (bridge.JPEG(), "quality or tables"),
        (bridge.JPEG(0), "1 to 100"),
        (bridge.JPEG(float("nan")), "1 to 100"),
        (lambda x: bridge.JPEG(75)(x[0]), r"\(N, 3, H, W\)"),
        (lambda x: bridge.JPEG(75)((x * 255).byte()), "floats"),
        (bridge.JPEG(tables=torch.ones(8, 8)), r"\(T, 8, 8\)"),
        (bridge.JPEG(torch.tensor([10.0, 20.0])), "2 pictures"),
    ],
)
def test_what_the_layer_cannot_take_is_said(make, words):
    with pytest.raises(UsageError, match=words):
        make(tensor(scene(16, 16)))


def squared(decoded, reference):
    return (decoded - reference).square().sum()


def features(picture):
    """Normalised features of fixed random convolutions: LPIPS without its download."""
    random = torch.Generator().manual_seed(0)
    for inputs, outputs, stride in ((3, 12, 1), (12, 24, 2), (24, 24, 2)):
        weights = torch.randn(outputs, inputs, 3, 3, generator=random) / (3 * inputs**0.5)
        picture = torch.relu(torch.nn.functional.conv2d(picture, weights, stride=stride))
        yield picture / (picture.square().sum(1, keepdim=True) + 1e-4).sqrt()


def perceived(decoded, reference):
    pairs = zip(features(decoded), features(reference), strict=True)
    return sum((a - b).square().sum(1).mean() for a, b in pairs)


@pytest.fixture(scope="module")
def photo():
    """A part of the example picture."""
    with PIL.Image.open("examples/coffee.png") as picture:
        return np.asarray(picture.convert("RGB"))[150:310, 220:380].copy()


def shown_of(data):
    with PIL.Image.open(io.BytesIO(data)) as picture:
        return tensor(np.asarray(picture.convert("RGB")))


def test_a_torch_loss_has_the_value_and_gradient_of_its_function():
    reference, decoded = (planes_of(scene(20, 30, seed)) for seed in (0, 1))
    prepared = bridge.loss(squared).prepare(reference)
    value, gradient = SquaredError(reference).value_and_gradient(decoded)
    ours, slope = prepared.value_and_gradient(decoded)
    assert ours == pytest.approx(value / 255**2)
    assert prepared.value(decoded) == ours
    np.testing.assert_allclose(slope, gradient / 255**2, atol=1e-6)
    grey = bridge.loss(squared).prepare(reference[:1]).value_and_gradient(decoded[:1])
    expected = SquaredError(reference[:1]).value_and_gradient(decoded[:1])
    assert grey[0] == pytest.approx(3 * expected[0] / 255**2)
    np.testing.assert_allclose(grey[1], 3 * expected[1] / 255**2, atol=1e-6)


def test_a_loss_like_lpips_is_lower_than_the_defaults_at_equal_bytes(photo):
    usual = gradpress.compress(photo, target_size=4000, effort=4)
    own = gradpress.compress(photo, target_size=4000, effort=4, loss=bridge.loss(perceived))
    assert 0.98 * 4000 < len(own.data) <= 4000
    with torch.no_grad():
        lower, higher = (float(perceived(shown_of(r.data), tensor(photo))) for r in (own, usual))
    assert lower < 0.95 * higher


def test_the_scale_of_a_loss_does_not_matter(photo):
    options = {"target_size": 2500, "effort": 3}
    small = photo[:96, :96]
    one = gradpress.compress(small, loss=bridge.loss(squared), **options)
    many = gradpress.compress(small, loss=bridge.loss(lambda a, b: 4096 * squared(a, b)), **options)
    assert one.data == many.data


def test_a_grey_picture_goes_through_a_torch_loss(photo):
    grey = photo[:64, :64, 1].copy()
    result = gradpress.compress(grey, target="psnr=34", effort=2, loss=bridge.loss(squared))
    assert result.metrics["psnr"] >= 34


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda a, b: (a - b).square().sum() * float("nan"), "finite number"),
        (lambda a, b: (a - b).square(), "shape"),
        (lambda a, b: 3.0, "float"),
        (lambda a, b: (a.detach() - b).square().sum(), "no gradient"),
        (lambda a, b: b.clone().requires_grad_().sum(), "does not depend"),
        (lambda a, b: -squared(a, b), "less for a better picture"),
        (lambda a, b: (a - b).square().sum((1, 2, 3)).sqrt() + 0 * a.sum(), "not finite"),
        (lambda a, b: 0 * a.sum(), "does not see"),
    ],
)
def test_what_is_amiss_with_a_loss_is_said(function, words):
    flat = np.full((16, 16, 3), 128, np.uint8)
    picture = flat if "not finite" in words else scene(32, 32)
    with pytest.raises(GradpressError, match=words):
        gradpress.compress(picture, effort=2, loss=bridge.loss(function))


def test_the_command_line_takes_module_and_function(tmp_path, monkeypatch):
    (tmp_path / "losses_of_mine.py").write_text(
        "def squared(decoded, reference):\n    return (decoded - reference).square().mean()\n"
    )
    (tmp_path / "a.png").write_bytes(png(scene(48, 48)))
    command = [str(tmp_path / "a.png"), "-e", "2", "--target", "psnr=30", "--loss"]
    failed = CliRunner().invoke(main, [*command, "losses_of_mine:squared"])
    assert failed.exit_code != 0
    assert "PYTHONPATH" in failed.output
    monkeypatch.syspath_prepend(tmp_path)
    missing = CliRunner().invoke(main, [*command, "losses_of_mine:absent"])
    assert missing.exit_code != 0
    assert "has no 'absent'" in missing.output
    done = CliRunner().invoke(main, [*command, "losses_of_mine:squared"])
    assert done.exit_code == 0
    assert (tmp_path / "a.jpg").exists()


def test_the_package_and_the_command_line_do_without_torch(tmp_path):
    (tmp_path / "a.png").write_bytes(png(scene(48, 48)))
    script = (
        "import sys, gradpress, gradpress.commands.cli\n"
        "gradpress.compress('a.png', effort=1, importance='a.png')\n"
        "for name in gradpress.__all__: getattr(gradpress, name)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
