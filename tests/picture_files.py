"""Pictures of known samples as the bytes of files, and what is to be read from them."""

import io
import struct
import zlib

import numpy as np


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
