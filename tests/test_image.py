"""Reading pictures: every sample, upright, opaque, and nothing but our own errors."""

import io
import re
import struct
import sys
import warnings
import zlib
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

SRGB = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
GREY_PROFILE = SRGB[:16] + b"GRAY" + SRGB[20:]


def noise(*shape, dtype=np.uint8, seed=1):
    high = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, high, shape, dtype, endpoint=True)


def saved(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png16(pixels, *extra):
    """A 16-bit PNG of (H, W, C) samples, filtered by rows with the sub, up and average filters."""
    height, width, channels = pixels.shape
    rows = pixels.astype(">u2").reshape(height, -1).view(np.uint8).astype(int)
    left = np.pad(rows, ((0, 0), (2 * channels, 0)))[:, : rows.shape[1]]
    above = np.pad(rows, ((1, 0), (0, 0)))[:-1]
    kinds = np.arange(height)[:, None] % 4
    filtered = rows - np.choose(kinds, [0 * rows, left, above, (left + above) // 2])
    data = np.hstack([kinds, filtered & 255]).astype(np.uint8).tobytes()
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(data))]
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IEND", b"")])


def tiff(order, pixels, *, planar=False, deflate=False, **tags):
    """A 16-bit TIFF of (H, W, C) samples in one strip, or one per component."""
    height, width, channels = pixels.shape
    samples = pixels.astype(np.dtype(np.uint16).newbyteorder(order))
    parts = [samples[..., c] for c in range(channels)] if planar else [samples]
    strips = [part.tobytes() for part in parts]
    strips = [zlib.compress(strip) for strip in strips] if deflate else strips
    offsets = [8 + sum(map(len, strips[:i])) for i in range(len(strips))]
    fields = {
        256: [width],
        257: [height],
        258: [16] * channels,
        259: [8 if deflate else 1],
        262: [1 if channels == 1 else 2],
        273: offsets,
        277: [channels],
        278: [height],
        279: list(map(len, strips)),
        284: [2 if planar else 1],
        **({338: [2]} if channels == 4 else {}),
        **{int(name[1:]): value for name, value in tags.items()},
    }
    return tiff_file(order, b"".join(strips), fields)


def tiff_file(order, strips, fields):
    at = 8 + len(strips)
    outside = at + 2 + 12 * len(fields) + 4
    table, extra = struct.pack(order + "H", len(fields)), b""
    for tag, values in sorted(fields.items()):
        packed = struct.pack(f"{order}{len(values)}I", *values)
        table += struct.pack(order + "HHI", tag, 4, len(values))
        table += packed if len(values) == 1 else struct.pack(order + "I", outside + len(extra))
        extra += b"" if len(values) == 1 else packed
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at)
    return header + strips + table + bytes(4) + extra


def planes(pixels, full=255):
    """The reference: (H, W[, C]) samples to (C, H, W) in [0, 255], in double precision."""
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    return np.moveaxis(pixels.astype(float) * 255 / full, 2, 0)


def laid(pixels, alpha, background, full=255):
    share = alpha / full
    return planes(pixels, full) * share + np.reshape(background, (-1, 1, 1)) * (1 - share)


def close(image, expected, tolerance=1e-4):
    assert image.planes.dtype == np.float32
    assert image.planes.flags.c_contiguous
    np.testing.assert_allclose(image.planes, expected, rtol=0, atol=tolerance)


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


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_of_16_bits_keeps_its_fractions(channels):
    pixels = noise(13, 9, channels, dtype=np.uint16)
    image = read_image(png16(pixels), background="black")
    if channels in (1, 3):
        close(image, planes(pixels, 65535), 1e-5)
    else:
        close(image, laid(pixels[..., :-1], pixels[..., -1], [0], 65535))
    assert "16-bit" not in str(image.notices)


def test_interlaced_png_of_16_bits_agrees_with_libpng():
    codecs = pytest.importorskip("imagecodecs")
    pixels = noise(33, 21, 3, dtype=np.uint16)
    data = codecs.png_encode(pixels, level=3)
    assert np.array_equal(codecs.png_decode(png16(pixels)), pixels)
    close(read_image(data), planes(pixels, 65535), 1e-5)


@pytest.mark.parametrize("key", [(1000, 2000, 3000), (1001, 2000, 3000)])
def test_a_transparent_colour_of_16_bits_is_matched_in_all_its_bits(key):
    pixels = np.full((2, 3, 3), (1000, 2000, 3000), np.uint16)
    image = read_image(png16(pixels, chunk(b"tRNS", struct.pack(">3H", *key))))
    white = key == (1000, 2000, 3000)
    close(image, np.full((3, 2, 3), 255) if white else planes(pixels, 65535), 1e-4)
    assert bool(image.notices) == white


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_transparent_grey_is_matched_in_the_bits_of_the_file(bits):
    full = 2**bits - 1
    row = np.arange(8) % (full + 1)
    packed = np.packbits(((row[:, None] >> np.arange(bits)[::-1]) & 1).astype(np.uint8))
    header = struct.pack(">IIBBBBB", 8, 1, bits, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"tRNS", struct.pack(">H", 1))]
    parts += [(b"IDAT", zlib.compress(b"\0" + packed.tobytes())), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
    expected = np.where(row == 1, 255, row * 255 / full)
    close(read_image(data), expected[None, None])


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("layout", [{}, {"deflate": True}])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tiff_of_16_bits_keeps_its_fractions(order, layout, channels):
    pixels = noise(6, 5, channels, dtype=np.uint16)
    image = read_image(tiff(order, pixels, **layout))
    if channels == 4:
        close(image, laid(pixels[..., :3], pixels[..., 3], [255], 65535))
    else:
        close(image, planes(pixels, 65535), 1e-5)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("channels", [3, 4])
def test_tiff_of_16_bit_planes_keeps_its_fractions(order, channels):
    pixels = noise(6, 5, channels, dtype=np.uint16)
    image = read_image(tiff(order, pixels, planar=True))
    alpha = pixels[..., 3] if channels == 4 else np.full((6, 5), 65535)
    close(image, laid(pixels[..., :3], alpha, [255], 65535))


def test_tiff_of_compressed_16_bit_planes_is_read_at_8_bits_and_said_so():
    pixels = noise(6, 5, 3, dtype=np.uint16)
    image = read_image(tiff("<", pixels, planar=True, deflate=True))
    close(image, planes(pixels >> 8), 0)
    assert image.notices == ("16-bit samples were read at 8 bits",)


@pytest.mark.parametrize("order", "<>")
def test_premultiplied_tiff_of_16_bits_is_laid_without_division(order):
    pixels = noise(6, 5, 4, dtype=np.uint16)
    pixels[..., :3] = pixels[..., :3] * (pixels[..., 3:] / 65535)
    image = read_image(tiff(order, pixels, t338=[1]))
    expected = planes(pixels[..., :3], 65535) + 255 * (1 - pixels[..., 3] / 65535)
    close(image, expected)


def test_tiff_that_counts_from_white_is_inverted():
    pixels = noise(6, 5, 1, dtype=np.uint16)
    close(read_image(tiff("<", pixels, t262=[0])), planes(65535 - pixels, 65535), 1e-5)


@pytest.mark.parametrize("full", [300, 1023, 65535])
def test_ppm_of_more_than_8_bits_keeps_its_fractions(full):
    pixels = noise(4, 7, 3, dtype=np.uint16) % np.uint32(full + 1)
    data = b"P6\n7 4\n%d\n" % full + pixels.astype(">u2").tobytes()
    close(read_image(data), planes(pixels, full), 1e-4)
    with pytest.raises(UnsupportedImage):
        read_image(data[:-1])


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
