"""Re-coding without loss: the same pixels from fewer bytes, and everything else as it was."""

from __future__ import annotations

import io
import struct

import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner
from conftest import png, scene
from hypothesis import given, settings
from hypothesis import strategies as st
from jpeg_files import by_pillow, random_symbols

import gradpress
from gradpress.commands.cli import main
from gradpress.errors import UnsupportedImage, UsageError
from gradpress.jpeg import mpf, segments
from gradpress.jpeg.decoder import decode
from gradpress.jpeg.params import Layout
from gradpress.jpeg.reader import read
from gradpress.jpeg.writer import SOI, frame, segment, smallest
from gradpress.lossless import recode

EOI = b"\xff\xd9"


def pixels(data):
    with PIL.Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


def described(data):
    """Markers and payloads of what describes the picture, in order."""
    jpeg = read(data)
    kept = (*range(segments.APP0, segments.APP15 + 1), segments.COM)
    return [(part.marker, jpeg.payload(part)) for part in jpeg.parts if part.marker in kept]


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 75},
        {"quality": 92, "subsampling": 0},
        {"quality": 50, "subsampling": "4:1:1", "optimize": True},
        {"quality": 85, "progressive": True},
        {"quality": 80, "restart_marker_blocks": 1},
        {"quality": 80, "mode": "L"},
        {"quality": 80, "mode": "CMYK"},
        {"quality": 80, "keep_rgb": True},
        {"quality": 80, "comment": b"a comment", "icc_profile": bytes(70_000), "dpi": (300, 200)},
    ],
    ids=str,
)
def test_pixels_and_markers_stay_and_bytes_go(options):
    data = by_pillow(**options)
    found = recode(data)
    assert found.changed
    assert len(found.data) < len(data)
    assert np.array_equal(pixels(found.data), pixels(data))
    assert described(found.data) == described(data)


def test_what_has_been_recoded_stays_as_it_is():
    once = recode(by_pillow(quality=80)).data
    again = recode(once)
    assert not again.changed
    assert again.data == once
    assert "fewer bytes" in again.reason


FACTORS = st.tuples(st.integers(1, 4), st.integers(1, 4))


def file_of(symbols, progressive, identifiers):
    def header(progressive):
        marker = 0xC2 if progressive else 0xC1
        return SOI + frame(symbols.layout, symbols.steps, marker, identifiers)

    return smallest(symbols, header, identifiers, progressive=progressive).data


@given(
    factors=st.lists(FACTORS, min_size=1, max_size=4),
    size=st.tuples(st.integers(1, 100), st.integers(1, 100)),
    seed=st.integers(0, 2**32 - 1),
    most_step=st.sampled_from([255, 65535]),
    progressive=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_any_sampling_any_number_of_components_and_wide_tables_stay(
    factors, size, seed, most_step, progressive
):
    layout = Layout(*size, tuple(factors))
    rng = np.random.default_rng(seed)
    symbols = random_symbols(layout, rng, density=0.05, most_step=most_step)
    identifiers = rng.choice(256, len(factors), replace=False).tolist()
    data = file_of(symbols, progressive, identifiers)
    before = decode(data)
    assert before.complete
    assert before.identifiers == tuple(identifiers)
    for i, (levels, steps) in enumerate(zip(symbols.levels, symbols.steps, strict=True)):
        rows, columns = layout.own_blocks(i)
        assert np.array_equal(before.own_levels(i), levels[:rows, :columns])
        assert np.array_equal(before.steps[i], steps)
    found = recode(data)
    after = decode(found.data)
    assert len(found.data) <= len(data)
    assert (after.layout, after.identifiers) == (before.layout, before.identifiers)
    for i in range(len(factors)):
        assert np.array_equal(after.own_levels(i), before.own_levels(i))
        assert np.array_equal(after.steps[i], before.steps[i])


def test_bytes_in_the_padding_of_mcus_are_saved():
    rng = np.random.default_rng(0)
    layout = Layout(17, 17, ((2, 2), (1, 1), (1, 1)))
    clean = random_symbols(layout, rng)
    dirty = [levels.copy() for levels in clean.levels]
    dirty[0][3] = rng.integers(-99, 100, dirty[0][3].shape)
    dirty[0][:, 3] = rng.integers(-99, 100, dirty[0][:, 3].shape)
    noisy = file_of(type(clean)(layout, clean.steps, tuple(dirty)), False, (1, 2, 3))
    assert len(recode(noisy).data) <= len(file_of(clean, None, (1, 2, 3))) < len(noisy)


def test_levels_that_eight_bits_do_not_code_pass_through():
    at = decode(by_pillow(scene(16, 16), quality=100, mode="L"))
    assert recode(at.jpeg.data).changed
    wide = file_with_level_of_11_bits()
    found = recode(wide)
    assert not found.changed
    assert found.data == wide
    assert "range" in found.reason


def file_with_level_of_11_bits():
    """One block: DC 0, AC 1 is 1024, then the end of the block."""
    dht = segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\x00")
    dht += segment(0xC4, b"\x10" + bytes([1, 1] + [0] * 14) + b"\x00\x0b")
    bits = "0" + "10" + "10000000000" + "0"
    coded = int(bits.ljust(16, "1"), 2).to_bytes(2)
    layout = Layout(8, 8, ((1, 1),))
    head = frame(layout, (np.ones(64, np.uint8),), 0xC1, (1,))
    return SOI + bytes(0) + head + dht + segment(0xDA, bytes((1, 1, 0, 0, 63, 0))) + coded + EOI


def test_scans_that_are_missing_pass_through():
    data = by_pillow(progressive=True)
    cut = data[: data.rindex(b"\xff\xc4")] + EOI
    found = recode(cut)
    assert not found.changed
    assert found.data == cut


def with_index(data, order, extra):
    """A file with an MPF index of itself and of a picture behind it."""
    number = ">" if order == b"MM" else "<"
    second = by_pillow(scene(16, 16))

    def index(first, offset):
        entries = struct.pack(f"{number}IIIHH", 0x030000, first, 0, 0, 0)
        entries += struct.pack(f"{number}IIIHH", 0, len(second), offset, 0, 0)
        tags = struct.pack(f"{number}HHHI4s", 3, 0xB000, 7, 4, b"0100")
        tags += struct.pack(f"{number}HHII", 0xB001, 4, 1, 2)
        tags += struct.pack(f"{number}HHIII", 0xB002, 7, len(entries), 50, 0)
        block = order + struct.pack(f"{number}HI", 42, 8) + tags + entries
        return segment(0xE2, b"MPF\0" + block)

    place = 2 + len(extra)
    first = len(data) + len(extra) + len(index(0, 0))
    return data[:2] + extra + index(first, first - place - 8) + data[2:] + second, second


@pytest.mark.parametrize("order", [b"MM", b"II"])
def test_pictures_behind_the_first_are_found_by_its_index(order):
    data, second = with_index(by_pillow(), order, segment(0xFE, b"first") + b"\xff\xff")
    found = recode(data)
    assert found.changed
    assert found.data.endswith(EOI + second)
    with (
        PIL.Image.open(io.BytesIO(data)) as before,
        PIL.Image.open(io.BytesIO(found.data)) as after,
    ):
        assert before.n_frames == after.n_frames == 2
        before.seek(1)
        after.seek(1)
        assert np.array_equal(np.asarray(before), np.asarray(after))
        assert after.mpinfo[0xB002][0]["Size"] == len(found.data) - len(second)


def test_an_index_that_cannot_be_read_keeps_the_file_as_it_is():
    data, _ = with_index(by_pillow(), b"MM", b"")
    found = recode(data.replace(struct.pack(">HH", 0xB002, 7), struct.pack(">HH", 0xB009, 7)))
    assert not found.changed
    assert "other pictures" in found.reason


@given(st.binary(max_size=80), st.sampled_from([b"MM\0*", b"II*\0", b""]))
def test_no_index_does_harm(tail, order):
    payload = mpf.HEADER + order + tail
    changed = mpf.moved(payload, mpf.Move(10, 10, 1000, 900))
    assert changed is None or len(changed) == len(payload)


def test_trailing_bytes_stay():
    data = by_pillow() + b"whatever follows"
    assert recode(data).data.endswith(EOI + b"whatever follows")


def test_a_damaged_file_is_an_error_and_with_salvage_what_is_left_of_it():
    data = by_pillow(quality=90)
    cut = data[: len(data) // 2]
    with pytest.raises(UnsupportedImage, match="near byte"):
        recode(cut)
    found = recode(cut, salvage=True)
    assert found.changed
    assert "damaged" in found.reason
    assert any("near byte" in damage for damage in found.found.damage)
    after = decode(found.data)
    assert after.complete
    assert np.array_equal(after.own_levels(0), decode(cut, salvage=True).own_levels(0))


def test_the_library_gives_a_result():
    data = by_pillow(quality=90)
    result = gradpress.compress(data, lossless=True)
    assert (result.status.value, result.bytes_before) == ("compressed", len(data))
    assert (result.width, result.height) == (83, 61)
    assert np.array_equal(np.asarray(result.image), pixels(data))
    assert gradpress.compress(result.data, lossless=True).status.value == "passed-through"


@pytest.mark.parametrize(
    ("source", "options", "complaint"),
    [
        (png(scene(8, 8)), {"lossless": True}, "not a JPEG file"),
        (scene(8, 8), {"lossless": True}, "pixels"),
        (by_pillow(), {"lossless": True, "quality": 80}, "no other goal"),
        (by_pillow(), {"salvage": True}, "lossless only"),
        (by_pillow(), {"lossless": True, "max_pixels": 100}, "exceed the limit"),
    ],
)
def test_what_cannot_be_is_said(source, options, complaint):
    with pytest.raises((UnsupportedImage, UsageError, gradpress.ImageTooLarge), match=complaint):
        gradpress.compress(source, **options)


def test_the_command_recodes_files(tmp_path):
    path, out = tmp_path / "a.jpg", tmp_path / "b.jpg"
    path.write_bytes(by_pillow())
    answer = CliRunner().invoke(main, [str(path), "--lossless", "-o", str(out)])
    assert answer.exit_code == 0, answer.output
    assert out.stat().st_size < path.stat().st_size
    assert np.array_equal(pixels(out.read_bytes()), pixels(path.read_bytes()))
    assert CliRunner().invoke(main, [str(path), "--lossless", "-q80", "-o-"]).exit_code == 2
