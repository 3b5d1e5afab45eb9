"""The same coefficients in fewer bytes: a JPEG file is re-coded without any loss.

Huffman tables and scan script are searched as for a file of our own. What is written is read again
and compared, coefficient by coefficient; a file that would not become smaller stays as it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import PIL.Image

from gradpress.errors import GradpressError, UnsupportedImage, UsageError
from gradpress.goal import Lossless
from gradpress.image import Source, read_bytes
from gradpress.jpeg import metadata, mpf, segments
from gradpress.jpeg.decoder import Coefficients, Limits, decode
from gradpress.jpeg.params import Layout, Levels
from gradpress.jpeg.reader import Jpeg
from gradpress.jpeg.segments import APP0, APP15, COM, Kind, Part
from gradpress.jpeg.writer import SOI, frame, smallest
from gradpress.options import Options
from gradpress.result import Result, Status

MAX_AC, MAX_DIFFERENCE = 1023, 2047
"""What 8-bit files can code (T.81, tables F.1 and F.2)."""

GOALS = ("target", "quality", "distance", "target_size", "lagrangian")


@dataclass(frozen=True)
class Recoded:
    """What became of a file."""

    data: bytes
    changed: bool
    """Whether it is another file than the one given."""
    progressive: bool
    reason: str
    """One sentence: why the file is as it is."""
    found: Coefficients
    """Those of the file given, and of this one."""


def recode(
    data: bytes, *, name: str = "the picture", salvage: bool = False, limits: Limits | None = None
) -> Recoded:
    """Write a JPEG file's coefficients in as few bytes as possible; it never grows.

    Markers that describe the picture and bytes behind its end are kept as they are. A damaged file
    is an error, or with ``salvage`` what is left of it is written. Raises UnsupportedImage.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        raise UnsupportedImage(f"{name}: is not a JPEG file; only JPEG is re-coded without loss")
    found = decode(data, name=name, salvage=salvage, limits=limits or Limits())
    obstacle = _obstacle(found)
    if obstacle:
        return _unchanged(found, obstacle)
    picture = _Picture(
        found.layout,
        tuple(
            _cheaply_padded(levels, found.layout.own_blocks(i), found.layout.factors[i][0])
            for i, levels in enumerate(found.levels)
        ),
    )
    head = SOI + b"".join(_kept(found.jpeg))

    def header(progressive: bool) -> bytes:
        return head + frame(
            found.layout, found.steps, _process(found, progressive), found.identifiers
        )

    written = smallest(picture, header, found.identifiers)
    whole = _with_trailing(found, written.data)
    if whole is None:
        return _unchanged(found, "it refers to other pictures in a way that cannot be kept")
    if len(whole) >= len(data) and not found.damage:
        return _unchanged(found, "its coefficients cannot be stored in fewer bytes")
    _prove(found, whole, name)
    left = "what could be decoded of a damaged file"
    reason = left if found.damage else "the same coefficients in fewer bytes"
    return Recoded(whole, True, written.progressive, reason, found)


def lossless(source: Source, options: Options) -> Result:
    """Re-code a picture's file, as the pipeline does with ``lossless``."""
    wall, cpu = time.perf_counter(), time.process_time()
    if not options["lossless"]:
        raise UsageError("salvage is for lossless only; give both")
    if any(options.get(goal) is not None for goal in GOALS):
        raise UsageError("lossless keeps the picture as it is; give no other goal beside it")
    if isinstance(source, PIL.Image.Image | np.ndarray):
        raise UsageError("lossless re-codes JPEG files; pixels are none")
    name, pixels = options.get("name"), options["max_pixels"]
    data = read_bytes(source, max_pixels=pixels, name=name)
    recoded = recode(
        data,
        name=name or "the picture",
        salvage=options["salvage"],
        limits=Limits(pixels=pixels),
    )
    found = recoded.found
    sides = (found.layout.width, found.layout.height)
    turned = (_metadata(found.jpeg).orientation or 1) >= 5
    width, height = reversed(sides) if turned else sides
    return Result(
        data=recoded.data,
        status=Status.COMPRESSED if recoded.changed else Status.PASSED_THROUGH,
        reason=recoded.reason,
        goal=Lossless(),
        width=width,
        height=height,
        bytes_before=len(data),
        metrics={},
        subsampling="unchanged",
        progressive=recoded.progressive,
        notices=found.damage,
        solution=None,
        seconds=time.perf_counter() - wall,
        cpu_seconds=time.process_time() - cpu,
    )


@dataclass(frozen=True)
class _Picture:
    """What is written."""

    layout: Layout
    levels: tuple[Levels, ...]


def _unchanged(found: Coefficients, reason: str) -> Recoded:
    jpeg = found.jpeg
    return Recoded(jpeg.data, False, jpeg.frame.progressive, reason, found)


def _obstacle(found: Coefficients) -> str:
    """Why the file had better stay as it is."""
    if not (found.complete or found.damage):
        return "its scans leave bits open, which decoders guess at"
    for levels in found.levels:
        dc = levels[..., 0].astype(np.int32)
        steepest = max(int(np.abs(dc).max()), int(np.ptp(dc)))
        if (
            steepest > MAX_DIFFERENCE
            or int(np.abs(levels[..., 1:].astype(np.int32)).max()) > MAX_AC
        ):
            return "some of its levels are out of range"
    return ""


def _process(found: Coefficients, progressive: bool) -> int:
    """The frame's marker: baseline has no steps of 16 bits (T.81, table B.1)."""
    if progressive:
        return 0xC2
    return 0xC1 if any(int(steps.max()) > 255 for steps in found.steps) else 0xC0


def _kept(jpeg: Jpeg) -> list[bytes]:
    """The segments that describe the picture, without fill bytes."""
    return [jpeg.data[part.body - 4 : part.end] for part in _describing(jpeg)]


def _describing(jpeg: Jpeg) -> list[Part]:
    return [
        part
        for part in jpeg.parts
        if part.kind is Kind.MARKER and (APP0 <= part.marker <= APP15 or part.marker == COM)
    ]


def _with_trailing(found: Coefficients, data: bytes) -> bytes | None:
    """The file with what follows the picture; None if an index of pictures cannot be changed."""
    jpeg, at, whole = found.jpeg, len(SOI), bytearray(data)
    end_before = len(jpeg.data) - len(found.trailing)
    for part in _describing(jpeg):
        payload, begin = jpeg.payload(part), at + 4
        at = begin + len(payload)
        if part.marker != segments.APP0 + 2 or not payload.startswith(mpf.HEADER):
            continue
        skipped = len(mpf.HEADER)
        move = mpf.Move(part.body + skipped, begin + skipped, end_before, len(data))
        changed = mpf.moved(payload, move)
        if changed is None:
            return None
        whole[begin:at] = changed
    return bytes(whole) + found.trailing


def _cheaply_padded(levels: Levels, own: tuple[int, int], h: int) -> Levels:
    """The levels with empty blocks outside the picture, which nobody sees.

    Their DC is that of the block before in its MCU, so that a scan spends least on it.
    """
    rows, columns = own
    if levels.shape[:2] == own:
        return levels
    padded = np.zeros_like(levels)
    padded[:rows, :columns] = levels[:rows, :columns]
    padded[:rows, columns:, 0] = padded[:rows, columns - 1 : columns, 0]
    for row in range(rows, len(padded)):
        padded[row, :, 0] = np.repeat(padded[row - 1, h - 1 :: h, 0], h)
    return padded


def _prove(found: Coefficients, data: bytes, name: str) -> None:
    """Read the written file and compare it with what it was made from."""
    again = decode(data, name=name)
    same = (
        again.complete
        and (again.layout, again.identifiers, again.colour, again.trailing)
        == (found.layout, found.identifiers, found.colour, found.trailing)
        and all(map(np.array_equal, again.steps, found.steps))
        and all(
            np.array_equal(again.own_levels(i), found.own_levels(i))
            for i in range(len(found.levels))
        )
    )
    if not same:
        raise GradpressError(
            f"{name}: the file just written does not hold the same coefficients; nothing was "
            "kept, please report this with the picture"
        )


def _metadata(jpeg: Jpeg) -> metadata.Metadata:
    return metadata.gather([(part.marker, jpeg.payload(part)) for part in jpeg.parts])
