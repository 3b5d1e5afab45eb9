"""Reading pictures: every sample, upright, opaque, and nothing but our own errors."""

import io
import re
import struct
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from subprocess import run

import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageOps
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL.PngImagePlugin import PngInfo

from gradpress.errors import GradpressError, ImageTooLarge, UnsupportedImage, UsageError
from gradpress.image import read_image
from tests.picture_files import chunk, close, laid, noise, planes, png16, saved, tiff

SRGB = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
GREY_PROFILE = SRGB[:16] + b"GRAY" + SRGB[20:]


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (1, 1, 3), (4, 9, 3)])
def test_arrays_become_planes(shape):
    pixels = noise(*shape)
    image = read_image(pixels)
    close(image, planes(pixels), 0)
    assert (image.width, image.height) == (shape[1], shape[0])
    assert (image.file_bytes, image.jpeg, image.notices) == (None, None, ())


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), float),
        np.zeros((4, 4), np.uint16),
        np.zeros((3, 4, 5), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_ambiguous_arrays_are_refused_with_their_shape(array):
    with pytest.raises(UsageError) as error:
        read_image(array)
    assert str(array.shape) in str(error.value)
    assert str(array.dtype) in str(error.value)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM", "SGI", "ICO", "WEBP", "AVIF"])
@pytest.mark.parametrize("shape", [(17, 23), (17, 23, 3)])
def test_lossless_formats_give_the_samples_saved(kind, shape):
    pixels = noise(*shape)
    options = {
        "WEBP": {"lossless": True},
        "AVIF": {"quality": 100, "subsampling": "4:4:4"},
        "ICO": {"sizes": [(23, 17)]},
    }
    data = saved(PIL.Image.fromarray(pixels), kind, **options.get(kind, {}))
    image = read_image(data)
    grey = len(shape) == 2 and kind not in ("WEBP", "AVIF")
    expected = planes(pixels) if grey or len(shape) == 3 else planes(pixels).repeat(3, 0)
    close(image, expected, 4 if kind == "AVIF" else 0)
    assert image.file_bytes == len(data)
    assert image.notices == ()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBX", "YCbCr", "HSV", "I", "F"])
def test_every_opaque_mode_of_pillow_is_read_as_pillow_shows_it(mode):
    picture = PIL.Image.fromarray(noise(9, 11, 3)).convert(mode)
    image = read_image(picture)
    grey = mode in ("1", "L", "I", "F")
    shown = picture if mode in ("I", "F") else picture.convert("L" if grey else "RGB")
    close(image, planes(np.asarray(shown), 65535 if mode == "I" else 255), 1e-4)


@pytest.mark.parametrize("mode", ["LA", "PA", "RGBA", "La", "RGBa"])
def test_every_transparent_mode_of_pillow_is_laid_on_the_background(mode):
    rgba = PIL.Image.fromarray(noise(9, 11, 4))
    picture = rgba.convert({"La": "LA", "PA": "P"}.get(mode, "RGBA")).convert(mode)
    if mode == "PA":
        picture.putalpha(rgba.getchannel("A"))
    grey = mode in ("LA", "La")
    plain = np.asarray(picture.convert("LA" if grey else "RGBA"))
    image = read_image(picture, background="#808080")
    close(image, laid(plain[..., :-1], plain[..., -1], [128]))
    assert "transparency was laid on #808080" in image.notices


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_alpha_is_laid_at_full_precision(height, width, seed):
    pixels = noise(height, width, 4, seed=seed)
    image = read_image(saved(PIL.Image.fromarray(pixels), "PNG"), background="rgb(255, 10, 20)")
    close(image, laid(pixels[..., :3], pixels[..., 3], [255, 10, 20]))


def test_alpha_that_hides_nothing_is_not_mentioned():
    pixels = noise(5, 5, 4)
    pixels[..., 3] = 255
    image = read_image(saved(PIL.Image.fromarray(pixels), "PNG"), background="red")
    close(image, planes(pixels[..., :3]), 0)
    assert image.notices == ()


def test_grey_on_a_colour_becomes_colour():
    pixels = noise(5, 5, 2)
    image = read_image(saved(PIL.Image.fromarray(pixels), "PNG"), background="red")
    close(image, laid(pixels[..., :1], pixels[..., 1], [255, 0, 0]))


@pytest.mark.parametrize("background", ["no such colour", "#12", ""])
def test_unknown_backgrounds_are_refused(background):
    with pytest.raises(UsageError, match="background"):
        read_image(np.zeros((2, 2), np.uint8), background=background)


@pytest.mark.parametrize("value", [-1.0, 256.0, np.nan, np.inf])
def test_floats_out_of_range_are_refused_with_their_range(value):
    pixels = np.full((3, 3), 100, np.float32)
    pixels[1, 1] = value
    with pytest.raises(UnsupportedImage, match="samples reach"):
        read_image(PIL.Image.fromarray(pixels))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_turns_pixels_as_pillow_turns_them(kind, orientation):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "maker"
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = PIL.Image.fromarray(noise(6, 10, 3))
    data = saved(picture, kind, exif=exif, dpi=(100, 200), **options)
    image = read_image(data)
    with PIL.Image.open(io.BytesIO(data)) as opened:
        upright = PIL.ImageOps.exif_transpose(opened)
        close(image, planes(np.asarray(upright)), 0)
    kept = PIL.Image.Exif()
    kept.load(image.exif)
    assert kept.get(0x0112, 1) == 1
    assert kept[0x010F] == "maker"
    if kind in ("JPEG", "PNG"):
        assert image.density == ((200, 100) if orientation >= 5 else (100, 200))


def test_a_pillow_image_is_turned_as_its_file_is():
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    data = saved(PIL.Image.fromarray(noise(6, 10, 3)), "PNG", exif=exif)
    with PIL.Image.open(io.BytesIO(data)) as picture:
        close(read_image(picture), read_image(data).planes, 0)
        close(read_image(PIL.ImageOps.exif_transpose(picture)), read_image(data).planes, 0)


def test_damaged_and_oversized_exif_is_dropped_with_a_notice():
    picture = PIL.Image.fromarray(noise(6, 10, 3))
    damaged = read_image(saved(picture, "PNG", exif=b"Exif\0\0nothing of the kind"))
    assert damaged.exif is None
    assert "EXIF data is damaged" in damaged.notices[0]
    entry = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
    large = read_image(saved(picture, "PNG", exif=b"II*\0\x08\0\0\0" + entry + bytes(70000)))
    assert large.exif is None
    assert large.planes.shape == (3, 10, 6)
    assert "too many for a JPEG" in large.notices[0]


@pytest.mark.parametrize(
    ("mode", "profile", "kept"),
    [
        ("RGB", SRGB, True),
        ("L", GREY_PROFILE, True),
        ("L", SRGB, False),
        ("RGB", GREY_PROFILE, False),
        ("RGB", b"no profile at all" * 20, False),
    ],
)
def test_a_profile_is_kept_if_it_describes_the_planes(mode, profile, kept):
    data = saved(PIL.Image.new(mode, (3, 3)), "PNG", icc_profile=profile)
    image = read_image(data)
    assert image.icc == (profile if kept else None)
    assert any("profile" in notice for notice in image.notices) != kept


def test_cmyk_without_a_profile_is_converted_and_said_so():
    picture = PIL.Image.fromarray(noise(8, 8, 3)).convert("CMYK")
    image = read_image(saved(picture, "TIFF"))
    close(image, planes(np.asarray(picture.convert("RGB"))), 0)
    assert image.icc is None
    assert "CMYK" in image.notices[0]


def test_cmyk_jpeg_comes_out_in_the_colours_that_went_in():
    colours = np.array([[[200, 30, 40], [20, 160, 60], [250, 250, 250], [10, 10, 10]]], np.uint8)
    picture = PIL.Image.fromarray(colours.repeat(16, 0).repeat(16, 1)).convert("CMYK")
    image = read_image(saved(picture, "JPEG", quality=100))
    close(image, planes(np.asarray(picture.convert("RGB"))), 6)


def test_lab_is_converted_to_srgb():
    colours = noise(8, 8, 3) // 2 + 64
    to_lab = PIL.ImageCms.buildTransform(
        PIL.ImageCms.createProfile("sRGB"), PIL.ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = PIL.ImageCms.applyTransform(PIL.Image.fromarray(colours), to_lab)
    assert lab is not None
    close(read_image(lab), planes(colours), 6)
    close(read_image(saved(lab, "TIFF")), planes(colours), 6)


def test_the_first_of_several_frames_is_taken_and_said_so():
    frames = [PIL.Image.fromarray(noise(8, 8, seed=seed)) for seed in range(3)]
    for kind in ("GIF", "TIFF", "PNG", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        image = read_image(data)
        close(image, planes(np.asarray(frames[0])).repeat(len(image.planes), 0), 0)
        assert "the first of 3 frames was taken" in image.notices, kind


def test_an_hdr_gain_map_is_missed_aloud():
    xmp = b'<x:xmpmeta><rdf:Description hdrgm:Version="1.0"/></x:xmpmeta>'
    small = PIL.Image.new("RGB", (8, 8))
    image = read_image(saved(small, "JPEG", xmp=xmp) + saved(small, "JPEG"))
    assert image.notices == ("the HDR gain map was left out",)
    assert image.further.matters


def test_every_kind_of_source_gives_the_same_picture(tmp_path):
    data = saved(PIL.Image.fromarray(noise(8, 8, 3)), "JPEG")
    path = tmp_path / "ein bîld.png"
    path.write_bytes(data)
    with path.open("rb") as file:
        images = [read_image(source) for source in (data, path, str(path), file, io.BytesIO(data))]
    for image in images:
        close(image, images[0].planes, 0)
        assert image.jpeg == data
        assert image.file_bytes == len(data)
    assert read_image(saved(PIL.Image.new("L", (1, 1)), "PNG")).jpeg is None


def test_unreadable_paths_are_named(tmp_path):
    (tmp_path / "empty.png").touch()
    for path in (tmp_path / "missing.png", tmp_path, tmp_path / "empty.png"):
        with pytest.raises(UnsupportedImage) as error:
            read_image(path)
        assert str(path) in str(error.value)
    with pytest.raises(UnsupportedImage, match="from a pipe"):
        read_image(b"neither this nor that", name="from a pipe")
    with pytest.raises(UnsupportedImage):
        read_image("a\0b")


@pytest.mark.parametrize("source", [None, 3, io.StringIO("text")])
def test_other_kinds_of_source_are_refused(source):
    with pytest.raises(UsageError):
        read_image(source)


def test_sizes_are_checked_before_decoding(tmp_path):
    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")
    with pytest.raises(ImageTooLarge, match=r"400,000,000 .* 100,000,000.*--max-pixels"):
        read_image(data)
    with pytest.raises(UnsupportedImage):
        read_image(data[:40] + b"?" + data[41:])
    with pytest.raises(ImageTooLarge, match="65535"):
        read_image(np.zeros((1, 65536), np.uint8))
    with pytest.raises(UnsupportedImage, match="no pixels"):
        read_image(np.zeros((0, 3), np.uint8))
    path = tmp_path / "large.bmp"
    path.write_bytes(bytes(1000))
    with pytest.raises(ImageTooLarge, match="1,000 bytes"):
        read_image(path, max_pixels=10)


def test_the_limit_is_ours_and_not_pillows(monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    data = saved(PIL.Image.fromarray(noise(8, 8)), "PNG")
    assert read_image(data).planes.shape == (1, 8, 8)
    with pytest.raises(ImageTooLarge, match="64 pixels"):
        read_image(data, max_pixels=63)


def test_a_jpeg_of_endless_scans_is_refused():
    data = saved(PIL.Image.new("L", (8, 8)), "JPEG", progressive=True)
    scan = b"\xff\xda\0\x08\1\1\0\1\5\x10\0\xff"
    with pytest.raises(UnsupportedImage, match="scans"):
        read_image(data[:-2] + scan * 1000 + data[-2:])


def test_a_damaged_checksum_is_noticed():
    data = bytearray(saved(PIL.Image.fromarray(noise(8, 8)), "PNG"))
    data[data.index(b"IEND") - 5] ^= 1
    with pytest.raises(UnsupportedImage):
        read_image(bytes(data))


def seeds():
    """A small file of every kind that Pillow can write."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    colour, grey = PIL.Image.fromarray(noise(9, 7, 3)), PIL.Image.fromarray(noise(9, 7))
    text = PngInfo()
    text.add_text("key", "value", zip=True)
    return [
        saved(colour, "PNG", exif=exif, pnginfo=text, icc_profile=SRGB),
        png16(noise(9, 7, 3, dtype=np.uint16)),
        png16(noise(9, 7, 2, dtype=np.uint16)),
        saved(colour.convert("P"), "PNG", transparency=3),
        saved(colour, "JPEG", exif=exif, icc_profile=SRGB, dpi=(72, 72)),
        saved(colour, "JPEG", progressive=True, quality=30),
        saved(colour.convert("CMYK"), "JPEG"),
        saved(colour, "MPO", save_all=True, append_images=[colour]),
        saved(grey, "GIF", save_all=True, append_images=[grey.rotate(90)]),
        saved(colour, "WEBP", exif=exif),
        saved(colour, "TIFF", exif=exif, dpi=(72, 72)),
        saved(colour, "TIFF", compression="tiff_lzw"),
        tiff(">", noise(9, 7, 3, dtype=np.uint16), planar=True),
        saved(colour, "BMP"),
        saved(grey, "PPM"),
        b"P6 7 9 1000 " + noise(9, 7, 3, dtype=np.uint16).tobytes(),
        saved(colour, "SGI"),
        saved(colour, "ICO", sizes=[(7, 9)]),
        saved(colour, "AVIF", speed=10),
    ]


SEEDS = seeds()


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 2**16), st.binary(max_size=4)), max_size=5),
    st.one_of(st.none(), st.integers(0, 2**16)),
)
def test_damaged_files_are_read_or_refused(seed, changes, cut):
    data = bytearray(seed)
    for place, patch in changes:
        at = place % len(data)
        data[at : at + len(patch)] = patch
    try:
        image = read_image(bytes(data[: cut and cut % len(data)]), max_pixels=10**5)
    except GradpressError as refusal:
        message = str(refusal)
    else:
        check(image)
        return
    assert re.fullmatch("the picture: .+", message)


def check(image):
    assert image.planes.ndim == 3
    assert image.planes.shape[0] in (1, 3)
    assert 0 <= image.planes.min() <= image.planes.max() <= 255


def test_warnings_of_pillow_stay_inside_on_every_thread():
    data = saved(PIL.Image.fromarray(noise(64, 64)), "PNG")
    with warnings.catch_warnings(), ThreadPoolExecutor(4) as pool:
        warnings.simplefilter("error")
        before = list(warnings.filters)
        list(pool.map(lambda _: read_image(data), range(40)))
        assert warnings.filters == before


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_reading_takes_modest_memory():
    script = """
import re, numpy as np
from pathlib import Path
from gradpress.image import read_image
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
data = b"P6 3000 2000 255 " + bytes(18_000_000)
before = peak()
read_image(data)
print((peak() - before) / 6e6)
"""
    out = run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 12 < float(out.stdout) < 26  # bytes per pixel: 12 of planes, 3 of samples, 4 in Pillow


def test_importing_is_light():
    script = "import sys, gradpress.image; print([m for m in sys.modules if m.startswith('PIL.')])"
    out = run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "Plugin" not in out.stdout
    assert "ImageCms" not in out.stdout
