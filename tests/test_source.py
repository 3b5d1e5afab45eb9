"""A JPEG in: the descent starts from its coefficients, whichever way up they are stored."""

import io

import numpy as np
import PIL.Image
import pytest

import gradpress
from gradpress.image import read_image
from gradpress.jpeg import model
from gradpress.jpeg.params import FACTORS, Layout
from gradpress.jpeg.steps import SNAP, on_lattice
from gradpress.lossless import recode
from gradpress.source import FREE, origin_of

SAMPLINGS = {"444": 0, "422": 1, "420": 2}


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """Waves, an edge and grain, 144 by 176: whole MCUs in every layout and turn."""
    y, x = np.mgrid[:144, :176]
    grain = np.random.default_rng(3).normal(0, 6, (144, 176, 1))
    waves = 128 + 60 * np.sin(np.stack([x / 9, y / 13, (x + y) / 21], axis=-1))
    return np.clip(waves + grain + 40 * (x > y)[..., None], 0, 255).astype(np.uint8)


def saved(pixels: np.ndarray, quality: int = 85, subsampling: str = "420", turn: int = 1) -> bytes:
    exif = PIL.Image.Exif()
    exif[0x0112] = turn
    sink = io.BytesIO()
    PIL.Image.fromarray(pixels).save(
        sink, "JPEG", quality=quality, subsampling=SAMPLINGS[subsampling], exif=exif
    )
    return sink.getvalue()


def shown(data: bytes) -> np.ndarray:
    with PIL.Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("subsampling", ["444", "420"])
def test_coefficients_are_turned_as_the_pixels_are(photo, turn, subsampling):
    image = read_image(saved(photo, subsampling=subsampling, turn=turn))
    origin = origin_of(image, image.planes)
    layout = Layout(image.width, image.height, FACTORS[subsampling])
    nothing = tuple(np.zeros((*layout.blocks(i), 64), np.float32) for i in range(3))
    coefficients, finest = origin.started(layout, nothing)
    rendered = model.render(coefficients, layout).decoded
    assert np.abs(rendered - image.planes).max() < 3
    assert np.abs(rendered - image.planes).mean() < 0.6
    for blocks, steps in zip(coefficients, finest, strict=True):
        assert np.array_equal(blocks % steps, np.zeros_like(blocks))
        assert (steps > 1).any()


def test_a_turn_that_cuts_blocks_elsewhere_takes_the_pixels(photo):
    image = read_image(saved(photo[:140], turn=4))
    origin = origin_of(image, image.planes)
    layout = Layout(image.width, image.height, FACTORS["420"])
    own = tuple(np.ones((*layout.blocks(i), 64), np.float32) for i in range(3))
    begun, finest = origin.started(layout, own)
    assert all(map(np.array_equal, begun, own))
    assert all(np.array_equal(steps, FREE) for steps in finest)


def test_luma_alone_serves_another_sampling(photo):
    image = read_image(saved(photo, subsampling="444"))
    layout = Layout(image.width, image.height, FACTORS["420"])
    own = tuple(np.ones((*layout.blocks(i), 64), np.float32) for i in range(3))
    begun, finest = origin_of(image, image.planes).started(layout, own)
    assert not np.array_equal(begun[0], own[0])
    assert np.array_equal(begun[1], own[1])
    assert np.array_equal(finest[1], FREE)


def test_chroma_is_never_stored_finer_than_it_was(photo):
    layouts = tuple(Layout(176, 144, FACTORS[name]) for name in ("420", "444", "422"))
    for subsampling, wanted in (
        ("420", ["420"]),
        ("422", ["420", "422"]),
        ("444", list(SAMPLINGS)),
    ):
        image = read_image(saved(photo, subsampling=subsampling))
        chosen = origin_of(image, image.planes).suited(layouts)
        assert {FACTORS[name] for name in wanted} == {layout.factors for layout in chosen}
    image = read_image(saved(photo, subsampling="422", turn=6))
    assert origin_of(image, image.planes).suited(layouts) == layouts[:1]


def test_pixels_that_are_not_the_files_have_no_origin(photo):
    image = read_image(saved(photo))
    assert origin_of(image, image.planes) is not None
    assert origin_of(image, np.roll(image.planes, 1, axis=2)) is None
    assert origin_of(read_image(photo), image.planes) is None
    sink = io.BytesIO()
    PIL.Image.fromarray(photo).convert("CMYK").save(sink, "JPEG")
    cmyk = read_image(sink.getvalue())
    assert origin_of(cmyk, cmyk.planes) is None


def test_steps_keep_to_the_lattice_or_leave_it_clearly():
    own = np.arange(1, 65, dtype=np.uint8)
    for factor in (0.3, 1.0, 1.2, 2.0, 3.7):
        (steps,) = on_lattice([np.clip(own * factor, 1, 255).astype(np.uint8)], (own,))
        assert ((steps == own) | (steps >= SNAP * own)).all()
        assert factor >= SNAP or np.array_equal(steps, own)


@pytest.mark.parametrize("turn", [1, 6])
def test_near_the_source_it_beats_decoding_and_encoding(photo, turn):
    source = saved(photo, turn=turn)
    pixels = np.ascontiguousarray(read_image(source).planes.transpose(1, 2, 0).astype(np.uint8))
    aware = gradpress.compress(source, target="butteraugli=0.5")
    blind = gradpress.compress(pixels, target="butteraugli=0.5")
    assert aware.status is gradpress.Status.COMPRESSED
    assert aware.metrics["butteraugli"] <= 0.5
    assert len(aware.data) < 0.97 * len(blind.data)


def test_bits_that_cost_next_to_nothing_keep_every_pixel(photo):
    source = saved(photo)
    result = gradpress.compress(source, lagrangian=0.01, no_mark=True)
    assert np.array_equal(shown(result.data), shown(source))
    assert len(result.data) <= len(recode(source).data)


def test_a_file_of_lower_quality_is_not_encoded_again(photo):
    poor = saved(photo, quality=60)
    result = gradpress.compress(poor, quality=75)
    assert "quality 60" in result.reason
    assert np.array_equal(shown(result.data), shown(poor))
    assert len(result.data) <= len(poor)
    assert not np.array_equal(shown(gradpress.compress(poor, quality=40).data), shown(poor))


def test_what_cannot_shrink_with_loss_is_coded_anew_without(photo):
    source = saved(photo, quality=50)
    kept = gradpress.compress(source, target="psnr=100", no_mark=True)
    assert np.array_equal(shown(kept.data), shown(source))
    assert len(kept.data) <= len(recode(source).data)
    again = gradpress.compress(kept.data, target="psnr=100", no_mark=True)
    assert again.data == kept.data
