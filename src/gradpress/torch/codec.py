"""A JPEG encoder and decoder in PyTorch: libjpeg-turbo's arithmetic, with gradients.

Every stage of libjpeg-turbo's default path is a linear map with whole coefficients, followed by a
division that rounds down: fixed-point colour conversion (jccolor.c, jdcolor.c), the "islow" DCT of
Loeffler, Ligtenberg and Moschytz (jfdctint.c, jidctint.c), means of chroma with alternating bias
(jcsample.c), "fancy" upsampling (jdsample.c). Here the divisions' roundings, and they alone, are
passed straight through by the gradient, and so is or is not the quantiser's (``whole``): what
comes out are the very bytes of the library, and the gradient is that of the same maps on real
numbers, clamps included.

Planes are ``(N, H, W)`` float64 in [0, 255]; blocks ``(N, rows, columns, 8, 8)``, a frequency's
row and column last. Only blocks that hold samples are kept: whole MCUs show no more.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from gradpress.jpeg.params import Layout
from gradpress.torch.whole import floored, quantised

_YCC = ((19595, 38470, 7471), (-11059, -21709, 32768), (32768, -27439, -5329))
_YCC_OFFSETS = (1 << 15, (128 << 16) + (1 << 15) - 1, (128 << 16) + (1 << 15) - 1)
"""Rows Y, Cb, Cr of R, G, B in 1/65536 (JFIF 1.02; jccolor.c)."""
_RGB = ((65536, 0, 91881), (65536, -22554, -46802), (65536, 116130, 0))
"""Rows R, G, B of Y, Cb - 128, Cr - 128 (jdcolor.c)."""
_CENTRE = (0, 128, 128)


def ycc_from_rgb(pictures: Tensor) -> Tensor:
    """Y, Cb, Cr of ``(N, 3, H, W)`` R, G, B in 0…255."""
    offsets = pictures.new_tensor(_YCC_OFFSETS).reshape(3, 1, 1)
    mixed = torch.einsum("oc,nchw->nohw", pictures.new_tensor(_YCC), pictures)
    return floored((mixed + offsets) / 65536)


def rgb_from_ycc(pictures: Tensor) -> Tensor:
    """R, G, B of ``(N, 3, H, W)`` Y, Cb, Cr, clamped to 0…255."""
    centred = pictures - pictures.new_tensor(_CENTRE).reshape(3, 1, 1)
    mixed = torch.einsum("oc,nchw->nohw", pictures.new_tensor(_RGB), centred)
    return floored((mixed + 32768) / 65536).clamp(0, 255)


@cache
def _butterflies() -> tuple[tuple[int, ...], ...]:
    """The islow DCT of 8 samples as a matrix, times 2¹³ √8: its constants in their places."""
    rows: list[list[int]] = [[0] * 8 for _ in range(8)]
    for x in range(8):
        near = [int(x in (i, 7 - i)) for i in range(4)]
        far = [(x == i) - (x == 7 - i) for i in (3, 2, 1, 0)]
        sums, halves = (
            (near[0] + near[3], near[1] + near[2]),
            (near[0] - near[3], near[1] - near[2]),
        )
        rows[0][x], rows[4][x] = 8192 * (sums[0] + sums[1]), 8192 * (sums[0] - sums[1])
        turned = 4433 * (halves[0] + halves[1])
        rows[2][x], rows[6][x] = turned + 6270 * halves[0], turned - 15137 * halves[1]
        a, b, c, d = far
        z1, z2, z5 = -7373 * (a + d), -20995 * (b + c), 9633 * (a + b + c + d)
        z3, z4 = z5 - 16069 * (a + c), z5 - 3196 * (b + d)
        rows[7][x], rows[5][x] = 2446 * a + z1 + z3, 16819 * b + z2 + z4
        rows[3][x], rows[1][x] = 25172 * c + z2 + z3, 12299 * d + z1 + z4
    return tuple(map(tuple, rows))


def _descaled(x: Tensor, bits: int) -> Tensor:
    return floored(x / (1 << bits) + 0.5)


def forward_dct(plane: Tensor) -> Tensor:
    """8 times the orthonormal coefficients of ``plane - 128``, rows of blocks first."""
    count, height, width = plane.shape
    blocks = (plane - 128).reshape(count, height // 8, 8, width // 8, 8).transpose(2, 3)
    matrix = plane.new_tensor(_butterflies())
    return _descaled(matrix @ _descaled(blocks @ matrix.T, 11), 15)


def inverse_dct(blocks: Tensor) -> Tensor:
    """The plane of orthonormal coefficients plus 128, clamped to 0…255; columns first."""
    matrix = blocks.new_tensor(_butterflies())
    samples = _descaled(_descaled(matrix.T @ blocks, 11) @ matrix, 18) + 128
    count, rows, columns = samples.shape[:3]
    return samples.transpose(2, 3).reshape(count, 8 * rows, 8 * columns).clamp(0, 255)


def _extended(x: Tensor, dim: int, length: int) -> Tensor:
    """The last sample of a dimension repeated up to a length."""
    missing = length - x.shape[dim]
    if missing <= 0:
        return x
    last = x.narrow(dim, x.shape[dim] - 1, 1)
    return torch.cat([x, last.repeat_interleave(missing, dim)], dim)


def downsample(plane: Tensor, layout: Layout, component: int) -> Tensor:
    """A component of a picture's size at its own, extended to whole blocks.

    Rows are extended after the means are taken, columns before, as libjpeg does.
    """
    (across, down), (rows, columns) = layout.ratio(component), layout.own_blocks(component)
    plane = _extended(plane, 2, 8 * columns * across)
    plane = _extended(plane, 1, layout.size(component)[0] * down)
    if down == 2:
        plane = plane[:, ::2] + plane[:, 1::2]
    if across == 2:
        bias = (torch.arange(8 * columns, device=plane.device) % 2 + (down == 2)).to(plane.dtype)
        plane = floored((plane[..., ::2] + plane[..., 1::2] + bias) / (2 * down))
    return _extended(plane, 1, 8 * rows)


def upsample(plane: Tensor, layout: Layout, component: int) -> Tensor:
    """A component's plane at the picture's size, by a triangle filter of ¾ and ¼."""
    (across, down), (height, width) = layout.ratio(component), layout.size(component)
    plane = plane[:, :height, :width]
    if across == 2 and width <= 2:  # too narrow for the filter
        plane = plane.repeat_interleave(down, 1).repeat_interleave(2, 2)
    elif across == 2:
        odd = torch.arange(2 * width, device=plane.device) % 2
        bias = (8 - odd if down == 2 else 1 + odd).to(plane.dtype)
        plane = _tripled(_tripled(plane, 1) if down == 2 else plane, 2)
        plane = floored((plane + bias) / (16 if down == 2 else 4))
    return plane[:, : layout.height, : layout.width]


def _tripled(plane: Tensor, dim: int) -> Tensor:
    """Twice as many samples: thrice the nearest one plus the next nearest, if there is any."""
    length = plane.shape[dim]
    before = torch.cat([plane.narrow(dim, 0, 1), plane.narrow(dim, 0, length - 1)], dim)
    after = torch.cat([plane.narrow(dim, 1, length - 1), plane.narrow(dim, length - 1, 1)], dim)
    pairs = torch.stack([3 * plane + before, 3 * plane + after], dim + 1)
    return pairs.flatten(dim, dim + 1)


def encode(pictures: Tensor, steps: Tensor, layout: Layout, *, cubic: bool) -> list[Tensor]:
    """Levels by component of ``(N, C, H, W)`` whole samples; steps ``(N or 1, C, 8, 8)``."""
    planes = ycc_from_rgb(pictures) if pictures.shape[1] == 3 else pictures
    return [
        quantised(forward_dct(downsample(plane, layout, i)) / (8 * table), cubic=cubic)
        for i, (plane, table) in enumerate(zip(planes.unbind(1), _tables(steps), strict=True))
    ]


def decode(levels: list[Tensor], steps: Tensor, layout: Layout) -> Tensor:
    """The picture that a decoder shows, ``(N, C, H, W)`` in 0…255."""
    planes = [
        upsample(inverse_dct(level * table), layout, i)
        for i, (level, table) in enumerate(zip(levels, _tables(steps), strict=True))
    ]
    pictures = torch.stack(planes, 1)
    return rgb_from_ycc(pictures) if len(planes) == 3 else pictures


def _tables(steps: Tensor) -> tuple[Tensor, ...]:
    """By component, with places for a block's row and column."""
    return steps[:, :, None, None].unbind(1)
