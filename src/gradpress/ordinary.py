"""Ordinary JPEG, which a quality is measured by."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import PIL.Image
from PIL.JpegImagePlugin import JpegImageFile

from gradpress.distortion import Picture
from gradpress.goal import Goal, QualityRequest, SizeRequest
from gradpress.metrics import metric
from gradpress.search import planes_of
from gradpress.workers import SERIAL


def resolved(
    goal: Goal | SizeRequest | QualityRequest, planes: Picture, pixels: int, file_bytes: int | None
) -> Goal:
    """The goal for this very picture."""
    match goal:
        case SizeRequest():
            return goal.resolve(pixels=pixels, file_bytes=file_bytes)
        case QualityRequest(quality):
            data = ordinary_jpeg(planes, quality)
            with JpegImageFile(BytesIO(data)) as picture:
                shown = planes_of(np.asarray(picture))
            scorer = metric("ssimulacra2").prepare(planes, SERIAL)
            return goal.resolve(scorer(shown), len(data))
        case _:
            return goal


def ordinary_jpeg(planes: Picture, quality: int) -> bytes:
    """What libjpeg-turbo makes of ``(C, H, W)`` planes: 4:2:0, baseline, optimised Huffman."""
    pixels = np.rint(planes).astype(np.uint8).transpose(1, 2, 0)
    picture = PIL.Image.fromarray(pixels if len(planes) > 1 else pixels[..., 0])
    buffer = BytesIO()
    picture.save(buffer, format="JPEG", quality=quality, subsampling="4:2:0", optimize=True)
    return buffer.getvalue()
