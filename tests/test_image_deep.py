"""Reading pictures of more than 8 bits: no fraction is lost."""

import struct
import zlib

import numpy as np
import pytest

from gradpress.errors import UnsupportedImage
from gradpress.image import read_image
from tests.picture_files import chunk, close, laid, noise, planes, png16, tiff


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
