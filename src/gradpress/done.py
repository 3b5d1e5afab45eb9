"""A file whose mark says that it is done: it is found out before anything is decoded."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import PIL.Image

from gradpress.goal import Marked, Request, Target, request_from_options
from gradpress.image import Source, name_of, read_bytes
from gradpress.jpeg import reader
from gradpress.jpeg.metadata import gather, upright_size
from gradpress.jpeg.reader import Jpeg
from gradpress.metadata import mark
from gradpress.metadata.policy import policy_of
from gradpress.metadata.restate import LEFT_OUT, restated
from gradpress.options import Options
from gradpress.remote import place
from gradpress.result import Result, Status

_JPEG = b"\xff\xd8\xff"


def settled(source: Source, options: Options) -> Source:
    """The source, of which a stream or URL is read, but once. Raises what reading does."""
    if isinstance(source, Path | bytes | PIL.Image.Image | np.ndarray):
        return source
    where = place(source) if isinstance(source, str) else None
    return (
        where
        if isinstance(where, Path)
        else read_bytes(source, max_pixels=options["max_pixels"], name=options["name"])
    )


def done_before(source: Source, options: Options) -> Result | None:
    """What becomes of a JPEG file that was made for this very goal; None for all others.

    Its coefficients stay; what of its metadata is not to be kept goes.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    data = b"" if options["force"] else _jpeg(source, options)
    marked = mark.found(data) if data else None
    request = _request(options)
    asked = mark.goal_text(request, deblock=options["deblock"])
    if marked is None or mark.goal_of(marked) != asked:
        return None
    name = options["name"] or name_of(source)
    jpeg = reader.read(data, name)
    if options["strip_icc"] and _has_profile(jpeg):
        return None
    after = restated(jpeg, policy_of(options), name)
    changed = after.data != data
    width, height = upright_size(jpeg)
    return Result(
        data=after.data,
        status=Status.COMPRESSED if changed else Status.PASSED_THROUGH,
        reason=f"it was already done; {LEFT_OUT}" if changed else "it was already done",
        goal=request.goal if isinstance(request.goal, Target) else Marked(asked),
        width=width,
        height=height,
        bytes_before=len(data),
        metrics={},
        subsampling="unchanged",
        progressive=jpeg.frame.progressive,
        notices=after.notices,
        solution=None,
        seconds=time.perf_counter() - wall,
        cpu_seconds=time.process_time() - cpu,
    )


def _jpeg(source: Source, options: Options) -> bytes:
    """The bytes of a JPEG file; empty for anything else."""
    if isinstance(source, str | Path):
        path = Path(source)
        try:
            with path.open("rb") as file:
                if not path.is_file() or file.read(len(_JPEG)) != _JPEG:
                    return b""
        except (OSError, ValueError):
            return b""
        return read_bytes(path, max_pixels=options["max_pixels"], name=options["name"])
    return source if isinstance(source, bytes) and source.startswith(_JPEG) else b""


def _request(options: Options) -> Request:
    return request_from_options(
        options["target"],
        options["quality"],
        options["distance"],
        options["target_size"],
        options["lagrangian"],
    )


def _has_profile(jpeg: Jpeg) -> bool:
    return gather([(part.marker, jpeg.payload(part)) for part in jpeg.parts]).icc is not None
