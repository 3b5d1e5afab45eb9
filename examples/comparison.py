"""Draw docs/comparison.png: a detail of the original, of ordinary JPEG and of gradpress."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
from PIL import ImageDraw, ImageFont

import gradpress
from gradpress.jpeg.model import planes_of
from gradpress.metrics import metric
from gradpress.workers import SERIAL

ROOT = Path(__file__).parent.parent
SIZE = 15_000
"""Bytes that either JPEG may take."""
CROP = (215, 130, 365, 250)
"""Left, upper, right, lower edge of the detail, in pixels."""
ZOOM = 2


def ordinary_jpeg(picture: PIL.Image.Image, size: int) -> bytes:
    """The best optimised progressive JPEG that Pillow (libjpeg-turbo) makes in ``size`` bytes."""
    best = b""
    for quality in range(1, 96):
        sink = io.BytesIO()
        picture.save(sink, "JPEG", quality=quality, optimize=True, progressive=True)
        if sink.tell() > size:
            break
        best = sink.getvalue()
    return best


def score(data: bytes, original: PIL.Image.Image) -> float:
    """SSIMULACRA2 of a file."""
    scorer = metric("ssimulacra2").prepare(planes_of(np.asarray(original)), SERIAL)
    return scorer(planes_of(np.asarray(PIL.Image.open(io.BytesIO(data)))))


def detail(picture: PIL.Image.Image) -> PIL.Image.Image:
    """The crop, enlarged without smoothing."""
    crop = picture.convert("RGB").crop(CROP)
    return crop.resize((crop.width * ZOOM, crop.height * ZOOM), PIL.Image.Resampling.NEAREST)


def main() -> None:
    """Compress twice, crop three times, and write the drawing."""
    path = ROOT / "examples" / "coffee.png"
    original = PIL.Image.open(path).convert("RGB")
    ordinary = ordinary_jpeg(original, SIZE)
    ours = gradpress.compress(path, target_size=SIZE).data
    columns = [("original", original)]
    for name, data in (("libjpeg-turbo", ordinary), ("gradpress", ours)):
        label = f"{name}: {len(data):,} bytes, {score(data, original):.0f} points"
        columns.append((label, PIL.Image.open(io.BytesIO(data))))
    details = [detail(picture) for _, picture in columns]
    width, height = details[0].size
    drawing = PIL.Image.new("RGB", (3 * width + 16, height + 20), "white")
    pen = ImageDraw.Draw(drawing)
    for i, ((label, _), crop) in enumerate(zip(columns, details, strict=True)):
        drawing.paste(crop, (i * (width + 8), 20))
        pen.text((i * (width + 8) + 2, 3), label, fill="black", font=ImageFont.load_default(13))
    drawing.save(ROOT / "docs" / "comparison.png", optimize=True)


if __name__ == "__main__":
    main()
