"""The images that a page holds of one picture: as faithful as its share of the page allows.

Where they fit, the file itself is shown (its picture data byte for byte, its metadata left out)
beside the original without loss, or else as JPEG of quality 95. Where not, both are shown whole but
reduced, and three details pixel for pixel.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from gradpress.distortion import Picture
from gradpress.jpeg.heat import BlockBits
from gradpress.jpeg.segments import APP0, APP15, COM, Kind, Part, walk
from gradpress.maps import Plane, pooled, shrunk
from gradpress.page.colours import Scale

ORIGINAL, COMPRESSED, ERROR, BITS = "original", "compressed", "error", "bits"

MAX_WEBP_SIDE = 16383
MAX_PROFILE = 65536
"""Bytes of a colour profile beyond which pictures are shown without it."""
SHADES = 64
"""Of the error map."""
DETAILS = ("Where it changed most", "Where most bits went", "In the middle")
MOST_MAP = 10_000_000
"""Bytes: more than the maps of a detail ever take, which are shown as they are."""
LARGEST_DETAIL, LEAST_DETAIL = 640, 32
"""Pixels on a side."""

Window = tuple[slice, slice]
"""Rows and columns in pixels; they begin at multiples of 8."""


@dataclass(frozen=True)
class Layer:
    """One image, to be laid over others of the same view."""

    name: str
    """``original``, ``compressed``, ``error`` or ``bits``."""
    said: str
    """How faithful it is."""
    mime: str
    data: bytes
    size: tuple[int, int]
    """Pixels of the picture that it covers, across and down: up to a cell beyond the view."""


@dataclass(frozen=True)
class View:
    """A part of the picture, or all of it, in layers that lie exactly over each other."""

    title: str
    width: int
    height: int
    """Pixels of the picture."""
    layers: tuple[Layer, ...]

    @property
    def bytes(self) -> int:
        """Of all layers."""
        return sum(len(layer.data) for layer in self.layers)


@dataclass(frozen=True)
class Sheets:
    """What there is to be shown of one picture."""

    original: Picture
    decoded: Picture
    error: Plane
    bits: BlockBits | None
    """None where the bits are not known."""
    error_scale: Scale
    bits_scale: Scale
    icc: bytes | None
    jpeg: bytes
    """The file."""

    def cut(self, window: Window) -> Sheets:
        """The same of a window."""
        bits = None if self.bits is None else self.bits[tuple(map(_blocks, window))]
        return replace(
            self,
            original=self.original[:, *window],
            decoded=self.decoded[:, *window],
            error=self.error[window],
            bits=bits,
        )


def views(sheets: Sheets, most: int) -> tuple[View, ...]:
    """The picture in at most about so many bytes of images."""
    if len(sheets.original) == 1 or len(sheets.icc or b"") > MAX_PROFILE:
        sheets = replace(sheets, icc=None)
    whole = _exact(sheets, most)
    if whole is not None:
        return (whole,)
    overview = _reduced(sheets, int(0.45 * most))
    return (overview, *_details(sheets, most - overview.bytes))


def bare(jpeg: bytes, *, profile: bool = True) -> bytes:
    """A JPEG file without metadata, thumbnails and comments; its picture data byte for byte."""
    return b"".join(
        jpeg[part.begin : part.end] for part in walk(jpeg) if _kept(part, jpeg, profile)
    )


def _kept(part: Part, jpeg: bytes, profile: bool) -> bool:
    if part.kind is Kind.TRAILING or part.marker == COM:
        return False
    if not APP0 <= part.marker <= APP15:
        return True
    is_profile = jpeg[part.body : part.body + 12] == b"ICC_PROFILE\0"
    return part.marker in (APP0, APP0 + 14) or (profile and is_profile)


def _exact(sheets: Sheets, most: int) -> View | None:
    """All pixels as they are, if that fits."""
    jpeg = bare(sheets.jpeg, profile=sheets.icc is not None)
    if len(jpeg) > most // 2:
        return None
    before = _faithful(sheets, most * 4 // 5 - len(jpeg))
    if before is None:
        return None
    size = _size(sheets.original)
    after = Layer(COMPRESSED, "the very JPEG", "image/jpeg", jpeg, size)
    left = most - len(jpeg) - len(before.data)
    return View("Whole picture", *size, (before, after, *_maps(sheets, left)))


def _faithful(sheets: Sheets, most: int) -> Layer | None:
    """The original without loss, or nearly so."""
    size = _size(sheets.original)
    if sheets.original.size <= 5 * most and max(size) <= MAX_WEBP_SIDE:
        layer = _lossless(ORIGINAL, sheets.original, sheets.icc)
        if len(layer.data) <= most:
            return layer
    data = _jpeg(sheets.original, sheets.icc, 95)
    said = "as JPEG of quality 95, colour in full"
    return Layer(ORIGINAL, said, "image/jpeg", data, size) if len(data) <= most else None


def _reduced(sheets: Sheets, most: int) -> View:
    """The whole picture made smaller."""
    width, height = _size(sheets.original)
    side = max(2, math.ceil(math.sqrt(width * height / most)))
    while True:
        view = _reduced_by(sheets, side, most)
        if view.bytes <= most or side >= max(width, height):
            return view
        side += max(1, side // 4)


def _reduced_by(sheets: Sheets, side: int, most: int) -> View:
    width, height = _size(sheets.original)
    size = -(-width // side) * side, -(-height // side) * side
    said = f"1 : {side}"
    layers = (
        Layer(name, said, "image/jpeg", _jpeg(shrunk(picture, side), sheets.icc, 92), size)
        for name, picture in ((ORIGINAL, sheets.original), (COMPRESSED, sheets.decoded))
    )
    return View(
        f"Whole picture, 1 : {side}", width, height, (*layers, *_maps(sheets, most // 3, side))
    )


def _details(sheets: Sheets, most: int) -> tuple[View, ...]:
    """Three parts of it, as large as fits."""
    side = min(LARGEST_DETAIL, int(math.sqrt(most / len(DETAILS) / 2)) // 8 * 8)
    while side >= LEAST_DETAIL:
        found = tuple(_detail(sheets, *place) for place in _windows(sheets, side))
        if sum(view.bytes for view in found) <= most:
            return found
        side = side * 7 // 8 // 8 * 8
    return ()


def _detail(sheets: Sheets, title: str, window: Window) -> View:
    part = sheets.cut(window)
    size = _size(part.original)
    pairs = ((ORIGINAL, part.original), (COMPRESSED, part.decoded))
    layers = (_lossless(name, picture, part.icc) for name, picture in pairs)
    return View(title, *size, (*layers, *_maps(part, MOST_MAP)))


def _windows(sheets: Sheets, side: int) -> Iterator[tuple[str, Window]]:
    """Parts of a grid that do not overlap."""
    width, height = _size(sheets.original)
    rows, columns = max(height // side, 1), max(width // side, 1)
    shape = rows * min(side, height), columns * min(side, width)
    squares = sheets.error[: shape[0], : shape[1]] ** 2
    changed = squares.reshape(rows, shape[0] // rows, columns, shape[1] // columns).mean((1, 3))
    middle = np.zeros((rows, columns))
    middle[rows // 2, columns // 2] = 1
    busy = changed if sheets.bits is None else _busy(sheets.bits, side // 8, (rows, columns))
    free = np.ones((rows, columns), bool)
    for title, scores in zip(DETAILS, (changed, busy, middle), strict=True):
        if free.any():
            row, column = np.unravel_index(np.where(free, scores, -1).argmax(), free.shape)
            free[row, column] = False
            yield title, (_span(int(row), side, height), _span(int(column), side, width))


def _busy(bits: BlockBits, side: int, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Bits of each window of ``side`` × ``side`` blocks."""
    rows, columns = (np.arange(count) * side for count in shape)
    whole = bits[: shape[0] * side, : shape[1] * side]
    busy: NDArray[np.float32] = np.add.reduceat(np.add.reduceat(whole, rows, 0), columns, 1)
    return busy


def _span(index: int, side: int, length: int) -> slice:
    return slice(index * side, min((index + 1) * side, length))


def _blocks(pixels: slice) -> slice:
    return slice(pixels.start // 8, -(-pixels.stop // 8))


def _maps(sheets: Sheets, most: int, side: int = 1) -> tuple[Layer, ...]:
    """Error and bits, cells of at least ``side`` pixels."""
    error = _map(ERROR, sheets.error, sheets.error_scale, 1, most * 4 // 5, side)
    if sheets.bits is None:
        return (error,)
    return error, _map(BITS, sheets.bits, sheets.bits_scale, 8, most // 5, 1)


def _map(name: str, values: Plane, scale: Scale, unit: int, most: int, side: int) -> Layer:
    """Values in as small cells as fit.

    ``unit`` is how many pixels of the picture a value stands for, across and down.
    """
    side = max(side, math.floor(math.sqrt(values.size / most / 4)))
    while True:
        cells = pooled(values, side)
        data = scale.png(cells, SHADES)
        if len(data) <= most or cells.size == 1:
            break
        side += max(1, side // 4)
    cell = side * unit
    size = cells.shape[1] * cell, cells.shape[0] * cell
    pixels = "pixel by pixel" if cell == 1 else f"{cell} × {cell} pixels a cell"
    mean = ", root mean square" if side > 1 else ""
    return Layer(name, pixels + mean, "image/png", data, size)


def _size(picture: Picture) -> tuple[int, int]:
    return picture.shape[2], picture.shape[1]


def _pillow(picture: Picture) -> PIL.Image.Image:
    pixels = np.clip(np.rint(picture), 0, 255).astype(np.uint8).transpose(1, 2, 0)
    return PIL.Image.fromarray(pixels if len(picture) > 1 else pixels[..., 0])


def _lossless(name: str, picture: Picture, icc: bytes | None) -> Layer:
    """WebP, which has no grey: that is PNG."""
    sink = io.BytesIO()
    if len(picture) == 1:
        form = "PNG"
        _pillow(picture).save(sink, form, optimize=True)
    else:
        form = "WEBP"
        _pillow(picture).save(
            sink, form, lossless=True, quality=40, method=2, icc_profile=icc or b""
        )
    mime = f"image/{form.lower()}"
    said = "without loss" if name == ORIGINAL else "as decoded"
    return Layer(name, said, mime, sink.getvalue(), _size(picture))


def _jpeg(picture: Picture, icc: bytes | None, quality: int) -> bytes:
    sink = io.BytesIO()
    _pillow(picture).save(sink, "JPEG", quality=quality, subsampling=0, icc_profile=icc)
    return sink.getvalue()
