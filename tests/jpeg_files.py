"""JPEG files by several encoders, and what another library reads from them."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import PIL.Image
from conftest import scene

from gradpress.jpeg.params import ZIGZAG, Symbols


def by_pillow(pixels=None, mode=None, **options):
    """What libjpeg-turbo writes, through Pillow."""
    sink = io.BytesIO()
    picture = PIL.Image.fromarray(scene(61, 83) if pixels is None else pixels)
    (picture.convert(mode) if mode else picture).save(sink, "JPEG", **options)
    return sink.getvalue()


def levels_by_jpeglib(data):
    """Levels by component, ``(rows, columns, 64)`` in zigzag order, as jpeglib reads them."""
    import jpeglib  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.jpg")
        path.write_bytes(data)
        dct = jpeglib.read_dct(str(path))
    components = [c for c in (dct.Y, dct.Cb, dct.Cr, dct.K) if c is not None]
    return [np.asarray(c).reshape(*c.shape[:2], 64)[..., ZIGZAG] for c in components]


def assert_as_jpeglib(found, data):
    """The levels of the blocks that hold samples are jpeglib's."""
    theirs = levels_by_jpeglib(data)
    assert len(theirs) == len(found.levels)
    for i, other in enumerate(theirs):
        own = found.own_levels(i)
        assert np.array_equal(own, other[: own.shape[0], : own.shape[1]])


def random_symbols(layout, rng, density=0.2, amplitude=30, most_step=255):
    """Random levels; the padding outside the picture is empty."""
    levels = []
    for i in range(len(layout.factors)):
        shape = (*layout.blocks(i), 64)
        values = rng.integers(-amplitude, amplitude + 1, shape) * (rng.random(shape) < density)
        values[..., 0] = rng.integers(-1023, 1024, shape[:2])
        rows, columns = layout.own_blocks(i)
        values[rows:] = 0
        values[:, columns:] = 0
        levels.append(values.astype(np.int16))
    kind = np.uint8 if most_step < 256 else np.uint16
    steps = tuple(rng.integers(1, most_step + 1, 64).astype(kind) for _ in levels)
    return Symbols(layout, steps, tuple(levels))
