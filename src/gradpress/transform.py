"""Blocks, the DCT and chroma resampling: linear maps with their adjoints.

The 8×8 DCT-II is orthonormal (ITU-T T.81, A.3.3), so its inverse is its adjoint. Blocks are
``(rows, columns, 64)`` float32 in zigzag order; planes are ``(8 rows, 8 columns)`` samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.workers import SERIAL, Workers

Plane = NDArray[np.float32]
Blocks = NDArray[np.float32]


def forward_dct(
    plane: Plane, shift: float = 0.0, workers: Workers = SERIAL, *, clamped: Plane | None = None
) -> Blocks:
    """Coefficients of ``plane - shift``; with shift 0 the adjoint of :func:`inverse_dct`.

    ``clamped`` are the samples that the inverse gave after clamping to [0, 255]: where they lie
    on a bound, the adjoint lets nothing through.
    """
    rows, columns = plane.shape[0] // 8, plane.shape[1] // 8
    blocks = np.empty((rows, columns, 64), np.float32)

    def run(begin: int, end: int) -> None:
        stripe = slice(8 * begin, 8 * end)
        mask = None if clamped is None else clamped[stripe]
        _kernels.forward_dct(plane[stripe], shift, blocks[begin:end], mask)

    workers.stripes(rows, run)
    return blocks


def inverse_dct(
    blocks: Blocks,
    shift: float = 0.0,
    workers: Workers = SERIAL,
    *,
    bounds: tuple[float, float] = (-3e38, 3e38),
) -> Plane:
    """Samples of ``blocks``, plus ``shift`` (128 undoes JPEG's level shift), clamped to bounds."""
    rows, columns = blocks.shape[:2]
    plane = np.empty((8 * rows, 8 * columns), np.float32)

    def run(begin: int, end: int) -> None:
        _kernels.inverse_dct(blocks[begin:end], shift, *bounds, plane[8 * begin : 8 * end])

    workers.stripes(rows, run)
    return plane


def dequantise(
    levels: NDArray[np.int16], steps: NDArray[np.float32], workers: Workers = SERIAL
) -> Blocks:
    """Coefficients ``level × step``."""
    blocks = np.empty(levels.shape, np.float32)
    workers.stripes(len(levels), lambda b, e: _kernels.dequantise(levels[b:e], steps, blocks[b:e]))
    return blocks


def upsample(
    plane: Plane,
    size: tuple[int, int],
    out_size: tuple[int, int],
    v: int,
    workers: Workers = SERIAL,
) -> Plane:
    """A subsampled plane at full size, as libjpeg-turbo's "fancy" upsampling does it.

    ``size`` is the height and width of the plane's samples inside the picture, ``out_size`` the
    picture's: twice as wide and ``v`` (1: 4:2:2, 2: 4:2:0) times as high, odd sizes rounded up.
    """
    out = np.empty(out_size, np.float32)

    def run(begin: int, end: int) -> None:
        _kernels.upsample(plane, *size, v, 8 * begin, min(8 * end, out_size[0]), out)

    workers.stripes(-(-out_size[0] // 8), run)
    return out


def upsample_adjoint(
    gradient: Plane,
    size: tuple[int, int],
    padded_size: tuple[int, int],
    v: int,
    workers: Workers = SERIAL,
) -> Plane:
    """Adjoint of :func:`upsample`; samples outside ``size`` have no influence and get zeros."""
    out = np.zeros(padded_size, np.float32)

    def run(begin: int, end: int) -> None:
        _kernels.upsample_adjoint(gradient, *size, v, 8 * begin, min(8 * end, size[0]), out)

    workers.stripes(-(-size[0] // 8), run)
    return out


def box_downsample(plane: Plane, horizontal: int, vertical: int) -> Plane:
    """Means of ``vertical × horizontal`` samples, the border repeated where the size is odd."""
    height, width = plane.shape
    padding = ((0, -height % vertical), (0, -width % horizontal))
    padded = np.pad(plane, padding, mode="edge") if padding != ((0, 0), (0, 0)) else plane
    out = padded[::vertical, ::horizontal].copy()
    for row in range(vertical):
        for column in range(horizontal):
            if row or column:
                out += padded[row::vertical, column::horizontal]
    out *= np.float32(1 / (horizontal * vertical))
    return out


def pad_to_blocks(plane: Plane, blocks: tuple[int, int]) -> Plane:
    """The plane extended to ``blocks`` whole blocks by repeating its border."""
    (height, width), (rows, columns) = plane.shape, blocks
    padding = ((0, 8 * rows - height), (0, 8 * columns - width))
    return np.pad(plane, padding, mode="edge") if any(map(any, padding)) else plane
