"""The same coefficients in fewer bytes: a JPEG file is re-coded without any loss.

Huffman tables and scan script are searched as for a file of our own. What is written is read again
and compared, coefficient by coefficient; coefficients that would not take fewer bytes stay coded as
they are. What of the file's description is kept is the policy's affair.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import PIL.Image

from gradpress.errors import GradpressError, UnsupportedImage, UsageError
from gradpress.goal import Lossless
from gradpress.image import Source, read_bytes
from gradpress.jpeg.decoder import Coefficients, Limits, decode
from gradpress.jpeg.metadata import upright_size
from gradpress.jpeg.params import Layout, Levels
from gradpress.jpeg.writer import frame, smallest
from gradpress.metadata import mark
from gradpress.metadata.policy import DEFAULT, Policy, policy_of
from gradpress.metadata.restate import LEFT_OUT, framed, restated, surroundings
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
    notices: tuple[str, ...] = ()
    """What the user should know of its metadata."""


def recode(
    data: bytes,
    *,
    name: str = "the picture",
    salvage: bool = False,
    limits: Limits | None = None,
    policy: Policy = DEFAULT,
) -> Recoded:
    """Write a JPEG file's coefficients in as few bytes as possible; it never grows.

    Of the segments that describe the picture and the bytes behind its end those stay that the
    policy keeps. A damaged file is an error, or with ``salvage`` what is left of it is written.
    Raises UnsupportedImage.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        raise UnsupportedImage(f"{name}: is not a JPEG file; only JPEG is re-coded without loss")
    found = decode(data, name=name, salvage=salvage, limits=limits or Limits())
    obstacle = _obstacle(found)
    if obstacle:
        return _restated(found, policy, name, obstacle)
    picture = _Picture(
        found.layout,
        tuple(
            _cheaply_padded(levels, found.layout.own_blocks(i), found.layout.factors[i][0])
            for i, levels in enumerate(found.levels)
        ),
    )
    around, notices = surroundings(found.jpeg, policy)

    def header(progressive: bool) -> bytes:
        return frame(found.layout, found.steps, _process(found, progressive), found.identifiers)

    written = smallest(picture, header, found.identifiers)
    whole = framed(found.jpeg, around, written.data)
    if whole is None:
        reason = "it refers to other pictures in a way that cannot be kept"
        return _restated(found, policy, name, reason)
    marked = mark.found(data)
    whole = mark.renewed(marked, whole) if marked else whole
    unlike = _restated(found, policy, name, "its coefficients cannot be stored in fewer bytes")
    if len(whole) >= len(unlike.data) and not found.damage:
        return unlike
    _prove(found, whole, around.trailing, name)
    left = "what could be decoded of a damaged file"
    reason = left if found.damage else "the same coefficients in fewer bytes"
    return Recoded(whole, True, written.progressive, reason, found, notices)


def lossless(source: Source, options: Options) -> Result:
    """Re-code a picture's file, as the pipeline does with ``lossless``."""
    wall, cpu = time.perf_counter(), time.process_time()
    if not options["lossless"]:
        raise UsageError("salvage is for lossless only; give both")
    if any(options.get(goal) is not None for goal in GOALS):
        raise UsageError("lossless keeps the picture as it is; give no other goal beside it")
    if options["strip_icc"]:
        raise UsageError("strip_icc changes pixels, and lossless keeps them; leave out one of them")
    if isinstance(source, PIL.Image.Image | np.ndarray):
        raise UsageError("lossless re-codes JPEG files; pixels are none")
    name, pixels = options.get("name"), options["max_pixels"]
    data = read_bytes(source, max_pixels=pixels, name=name)
    recoded = recode(
        data,
        name=name or "the picture",
        salvage=options["salvage"],
        limits=Limits(pixels=pixels),
        policy=policy_of(options),
    )
    found = recoded.found
    width, height = upright_size(found.jpeg)
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
        notices=(*found.damage, *recoded.notices),
        solution=None,
        seconds=time.perf_counter() - wall,
        cpu_seconds=time.process_time() - cpu,
    )


@dataclass(frozen=True)
class _Picture:
    """What is written."""

    layout: Layout
    levels: tuple[Levels, ...]


def _restated(found: Coefficients, policy: Policy, name: str, reason: str) -> Recoded:
    """The coefficients coded as they were."""
    before = found.jpeg
    after = restated(before, policy, name)
    changed = after.data != before.data
    if changed:
        reason = f"{reason}; {LEFT_OUT}"
    return Recoded(after.data, changed, before.frame.progressive, reason, found, after.notices)


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


def _prove(found: Coefficients, data: bytes, trailing: bytes, name: str) -> None:
    """Read the written file and compare it with what it was made from."""
    again = decode(data, name=name)
    same = (
        again.complete
        and (again.layout, again.identifiers, again.colour, again.trailing)
        == (found.layout, found.identifiers, found.colour, trailing)
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
