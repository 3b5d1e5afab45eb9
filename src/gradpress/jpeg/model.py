"""The JPEG decoder as a function of coefficients: exactly, smoothly, and its adjoint.

:func:`decode` computes the very bytes that libjpeg-turbo shows (integer inverse DCT, "fancy"
upsampling, fixed-point colour conversion). :func:`render` is the same map on real numbers,
without the roundings but with the clamps; it is linear where no clamp is active, and
:func:`pull_back` is its adjoint there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.color import RGB_FROM_YCC, component_from_rgb
from gradpress.jpeg.params import ZIGZAG, Layout, Symbols
from gradpress.transform import (
    Blocks,
    Plane,
    box_downsample,
    forward_dct,
    inverse_dct,
    pad_to_blocks,
    upsample,
    upsample_adjoint,
)
from gradpress.workers import SERIAL, Workers

Picture = NDArray[np.float32]
"""``(C, H, W)`` planes in [0, 255]."""

Coefficients = tuple[Blocks, ...]
"""One array of coefficients by component, in sample units."""


@dataclass(frozen=True)
class Samples:
    """What a decoder makes of coefficients before colour: the clamps' part in the adjoint."""

    planes: tuple[Plane, ...]
    """Components at their own size, clamped to [0, 255] as decoders do, padded to whole blocks."""
    full: tuple[Plane, ...]
    """Components at full size; one that is not subsampled is its plane."""


@dataclass(frozen=True)
class Rendering:
    """What a decoder shows, and the samples it came from."""

    samples: Samples
    decoded: NDArray[np.float32]
    """``(C, H, W)`` grey or RGB in [0, 255]."""


def render(coefficients: Coefficients, layout: Layout, workers: Workers = SERIAL) -> Rendering:
    """Decode without rounding."""
    samples = samples_of(coefficients, layout, workers)
    size = (layout.height, layout.width)
    if len(samples.planes) == 1:
        grey = samples.planes[0][np.newaxis, : size[0], : size[1]].copy()
        return Rendering(samples, grey)
    y, cb, cr = samples.full
    decoded = np.empty((3, *size), np.float32)
    workers.stripes(
        -(-size[0] // 8),
        lambda b, e: _kernels.ycc_to_rgb(y, cb, cr, 8 * b, min(8 * e, size[0]), decoded),
    )
    return Rendering(samples, decoded)


def samples_of(coefficients: Coefficients, layout: Layout, workers: Workers = SERIAL) -> Samples:
    """Decode without rounding, up to the colours."""
    planes = tuple(
        inverse_dct(blocks, 128.0, workers, bounds=(0.0, 255.0)) for blocks in coefficients
    )
    size = (layout.height, layout.width)
    if len(planes) == 1:
        return Samples(planes, planes)
    full = tuple(
        plane
        if is_full_size(layout, i)
        else upsample(plane, layout.size(i), size, layout.ratio(i)[1], workers)
        for i, plane in enumerate(planes)
    )
    return Samples(planes, full)


def pull_back(
    samples: Samples,
    gradient: NDArray[np.float32],
    layout: Layout,
    workers: Workers = SERIAL,
) -> Coefficients:
    """∂D/∂coefficients from ∂D/∂decoded (``(C, H, W)``) at a rendering's samples."""
    size = (layout.height, layout.width)
    planes = samples.planes
    if len(planes) == 1:
        padded = _unfilled(planes[0].shape, size)
        padded[: size[0], : size[1]] = gradient[0]
        return (forward_dct(padded, 0.0, workers, clamped=planes[0]),)
    y, cb, cr = samples.full
    dy, dcb, dcr = (_unfilled(plane.shape, size) for plane in samples.full)
    workers.stripes(
        -(-size[0] // 8),
        lambda b, e: _kernels.ycc_to_rgb_adjoint(
            y, cb, cr, gradient, 8 * b, min(8 * e, size[0]), dy, dcb, dcr
        ),
    )
    by_plane = (
        g
        if is_full_size(layout, i)
        else upsample_adjoint(g, layout.size(i), p.shape, layout.ratio(i)[1], workers)
        for i, (g, p) in enumerate(zip((dy, dcb, dcr), planes, strict=True))
    )
    return tuple(
        forward_dct(g, 0.0, workers, clamped=p) for g, p in zip(by_plane, planes, strict=True)
    )


def _unfilled(shape: tuple[int, ...], size: tuple[int, int]) -> Plane:
    """A plane with zeros outside ``size``; what lies inside is to be filled."""
    plane: Plane = np.empty(shape, np.float32)
    plane[size[0] :] = 0
    plane[:, size[1] :] = 0
    return plane


def chroma_in_luma(
    chroma: tuple[Blocks, Blocks], layout: Layout, workers: Workers = SERIAL
) -> Blocks:
    """Luma's rows of AᵀA times chroma coefficients: what Cb and Cr do along the direction of Y."""
    cross = (RGB_FROM_YCC.T @ RGB_FROM_YCC)[0].astype(np.float32)
    mixed: Blocks = chroma[0] * cross[1] + chroma[1] * cross[2]
    if is_full_size(layout, 1):
        return mixed
    size = (layout.height, layout.width)
    plane = upsample(
        inverse_dct(mixed, 0.0, workers), layout.size(1), size, layout.ratio(1)[1], workers
    )
    rows, columns = layout.blocks(0)
    padding = ((0, 8 * rows - size[0]), (0, 8 * columns - size[1]))
    return forward_dct(np.pad(plane, padding) if np.any(padding) else plane, 0.0, workers)


def decode(symbols: Symbols, workers: Workers = SERIAL) -> NDArray[np.uint8]:
    """``(H, W, 3)`` or ``(H, W)`` uint8, the same bytes as libjpeg-turbo's default decoder."""
    layout = symbols.layout
    size = (layout.height, layout.width)
    planes = [
        _decode_plane(levels, steps.astype(np.int16), workers)
        for levels, steps in zip(symbols.levels, symbols.steps, strict=True)
    ]
    if len(planes) == 1:
        return planes[0][: size[0], : size[1]].copy()
    samples = [
        plane if is_full_size(layout, i) else _upsample_exact(plane, layout, i, workers)
        for i, plane in enumerate(planes)
    ]
    y, cb, cr = samples
    rgb = np.empty((*size, 3), np.uint8)
    workers.stripes(
        -(-size[0] // 8),
        lambda b, e: _kernels.ycc_to_rgb_exact(y, cb, cr, 8 * b, min(8 * e, size[0]), rgb),
    )
    return rgb


def shown(symbols: Symbols, workers: Workers = SERIAL) -> Picture:
    """``(C, H, W)`` planes of whole numbers: what :func:`decode` shows."""
    return planes_of(decode(symbols, workers), workers)


def planes_of(shown: NDArray[np.uint8], workers: Workers = SERIAL) -> Picture:
    """``(C, H, W)`` float32 planes of ``(H, W[, C])`` pixels."""
    pixels = shown.reshape(*shown.shape[:2], -1).transpose(2, 0, 1)
    planes = np.empty(pixels.shape, np.float32)

    def run(begin: int, end: int) -> None:
        planes[:, begin:end] = pixels[:, begin:end]

    workers.rows(len(shown), run)
    return planes


def _decode_plane(
    levels: NDArray[np.int16], steps: NDArray[np.int16], workers: Workers
) -> NDArray[np.uint8]:
    plane = np.empty((8 * levels.shape[0], 8 * levels.shape[1]), np.uint8)
    workers.stripes(
        len(levels),
        lambda b, e: _kernels.inverse_dct_exact(levels[b:e], steps, plane[8 * b : 8 * e]),
    )
    return plane


def _upsample_exact(
    plane: NDArray[np.uint8], layout: Layout, component: int, workers: Workers
) -> NDArray[np.uint8]:
    out = np.empty((layout.height, layout.width), np.uint8)
    size, (_, v) = layout.size(component), layout.ratio(component)
    workers.stripes(
        -(-layout.height // 8),
        lambda b, e: _kernels.upsample_exact(
            plane, *size, v, 8 * b, min(8 * e, layout.height), out
        ),
    )
    return out


def is_full_size(layout: Layout, component: int) -> bool:
    """Whether the component is not subsampled."""
    return layout.factors[component] == layout.max_factors


def analyse(planes: NDArray[np.float32], layout: Layout, workers: Workers = SERIAL) -> Coefficients:
    """Coefficients of ``(C, H, W)`` planes in [0, 255], chroma averaged where it is subsampled."""
    return tuple(
        forward_dct(pad_to_blocks(_component(planes, layout, i), layout.blocks(i)), 128.0, workers)
        for i in range(len(layout.factors))
    )


def _component(planes: NDArray[np.float32], layout: Layout, component: int) -> Plane:
    if len(layout.factors) == 1:
        grey: Plane = planes[0]
        return grey
    plane = component_from_rgb(planes, component)
    return box_downsample(plane, *layout.ratio(component))


def gain(layout: Layout) -> tuple[NDArray[np.float32], ...]:
    """Squared norm of what a unit coefficient adds to the decoded picture: the diagonal of AᵀA.

    ``(64,)`` by component. Upsampling by the triangle filter has the power response
    (10 + 6 cos ω) / 8 per direction at sample frequency ω, which the DCT's frequency k/8 · π
    meets up to what crosses block borders.
    """
    if len(layout.factors) == 1:
        return (np.ones(64, np.float32),)
    colour = (RGB_FROM_YCC**2).sum(axis=0)
    repeated = layout.size(1)[1] <= 2  # too narrow for the triangle filter
    response = np.full(8, 2.0) if repeated else (10 + 6 * np.cos(np.pi * np.arange(8) / 8)) / 8
    flat = np.ones(8)
    gains = []
    for i, (h, v) in enumerate(layout.factors):
        h_max, v_max = layout.max_factors
        across, down = (response if h < h_max else flat), (response if v < v_max else flat)
        gains.append((colour[i] * np.outer(down, across).ravel()[ZIGZAG]).astype(np.float32))
    return tuple(gains)
