"""Who is compared: each encoder turns (picture file, setting) into a file's bytes.

All are handed the same PNG file, read it themselves and use one thread.  Their libraries are
imported when they first encode, so that a process holds no more than the encoder it measures.
"""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import PIL.Image

Encode = Callable[[Path, float], bytes]


@dataclass(frozen=True)
class Encoder:
    """A way to make files: JPEG, unless it says otherwise."""

    name: str
    encode: Encode
    settings: tuple[float, ...]
    """What is swept, low rate first: qualities, or targets."""
    needs: tuple[str, ...] = ()
    """Modules, or environment variables with a program's path."""
    is_jpeg: bool = True
    pictures: int | None = None
    """How many pictures are worth its time; None for all."""

    @property
    def missing(self) -> list[str]:
        """What it needs and is not here."""
        return [name for name in self.needs if name not in os.environ and find_spec(name) is None]


def encode_gradpress(picture: Path, value: float, *, metric: str, loss: str, effort: int) -> bytes:
    """Reach a goal with gradpress."""
    import gradpress  # noqa: PLC0415

    return gradpress.compress(picture, target=f"{metric}={value:g}", loss=loss, effort=effort).data


def encode_turbo(picture: Path, quality: float, *, subsampling: str) -> bytes:
    """libjpeg-turbo through Pillow: optimal Huffman tables, libjpeg's progressive script."""
    sink = io.BytesIO()
    with PIL.Image.open(picture) as image:
        image.convert("RGB").save(
            sink,
            "JPEG",
            quality=int(quality),
            subsampling=subsampling,
            optimize=True,
            progressive=True,
        )
    return sink.getvalue()


def encode_mozjpeg(picture: Path, quality: float, *, table: int, subsample: bool) -> bytes:
    """Run mozjpeg through libvips: trellis quantisation and a search over scan scripts.

    Tables by number: 1 is flat, 2 tuned for MS-SSIM on Kodak, 3 mozjpeg's default.
    """
    os.environ["VIPS_CONCURRENCY"] = "1"
    import pyvips  # noqa: PLC0415

    pyvips.cache_set_max(0)  # libvips would else take a file of the same name from memory
    data: bytes = pyvips.Image.new_from_file(str(picture)).jpegsave_buffer(
        Q=int(quality),
        quant_table=table,
        subsample_mode="on" if subsample else "off",
        trellis_quant=True,
        overshoot_deringing=True,
        optimize_scans=True,
        optimize_coding=True,
        interlace=True,
        keep="none",
    )
    return data


def encode_cjpeg(picture: Path, quality: float, *, options: tuple[str, ...]) -> bytes:
    """Run mozjpeg's own program, from the path in ``$MOZJPEG_CJPEG``."""
    program = os.environ["MOZJPEG_CJPEG"]
    command = [program, "-quality", f"{quality:g}", *options, picture]
    return subprocess.run(command, capture_output=True, check=True).stdout


def encode_jpegli(picture: Path, quality: float) -> bytes:
    """Run jpegli through pyjpegli, which offers one way: 4:2:0, sequential."""
    import pyjpegli  # noqa: PLC0415

    with PIL.Image.open(picture) as image:
        rgb = image.convert("RGB")
    data: bytes = pyjpegli.encode(rgb.tobytes(), rgb.width, rgb.height, int(quality))
    return data


def encode_jpegli_progressive(picture: Path, quality: float) -> bytes:
    """Run jpegli, then mozjpeg's search over scan scripts, which leaves the picture as it is.

    So it comes as near as Python packages bring it to jpegli's own program, which is progressive.
    """
    from mozjpeg_lossless_optimization import optimize  # noqa: PLC0415

    data: bytes = optimize(encode_jpegli(picture, quality))
    return data


def encode_pillow(picture: Path, quality: float, *, kind: str, **options: object) -> bytes:
    """WebP or AVIF through Pillow."""
    sink = io.BytesIO()
    with PIL.Image.open(picture) as image:
        image.convert("RGB").save(sink, kind, quality=int(quality), **options)
    return sink.getvalue()


def encode_jpegxl(picture: Path, distance: float) -> bytes:
    """JPEG XL, effort 7, one thread, through imagecodecs."""
    import imagecodecs  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    with PIL.Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB"))
    data: bytes = imagecodecs.jpegxl_encode(
        pixels, lossless=False, distance=distance, effort=7, numthreads=1
    )
    return data


def encode_guetzli(picture: Path, quality: float) -> bytes:
    """Guetzli through pyguetzli: 84 or more."""
    import pyguetzli  # noqa: PLC0415

    with PIL.Image.open(picture) as image:
        data: bytes = pyguetzli.process_pil_image(image.convert("RGB"), int(quality))
    return data


DECIBELS = (24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44)
SCORES = (40, 50, 60, 70, 80, 85, 88)
SIMILARITIES = (0.93, 0.96, 0.975, 0.985, 0.991, 0.995, 0.9975)
GOALS = {"mse": ("psnr", DECIBELS), "ms-ssim": ("ms-ssim", SIMILARITIES)}
"""What losses are asked for that do not answer to SSIMULACRA2."""
TURBO_Q = (8, 14, 22, 34, 48, 62, 74, 84, 91, 95, 97)
MOZJPEG_Q = (10, 17, 26, 38, 52, 66, 78, 87, 93, 96, 98)
FLAT_Q = (10, 20, 34, 50, 66, 80, 90, 95)
TUNED_Q = (15, 25, 40, 55, 70, 82, 90, 95)
JPEGLI_Q = (5, 12, 20, 32, 46, 60, 72, 82, 90, 94, 97)
WEBP_Q = (5, 15, 30, 50, 70, 82, 90, 95)
JPEGXL_DISTANCES = (8.0, 6.0, 4.5, 3.2, 2.2, 1.5, 1.0, 0.6)
AVIF_Q = (20, 30, 40, 50, 60, 70, 80, 88)


def gradpress_at(effort: int, loss: str = "perceptual") -> Encoder:
    """Gradpress at an effort: by target SSIMULACRA2, or by a loss's own metric."""
    metric, values = GOALS.get(loss, ("ssimulacra2", SCORES))
    encode = partial(encode_gradpress, metric=metric, loss=loss, effort=effort)
    suffix = "" if loss == "perceptual" else f"-{loss}"
    return Encoder(f"gradpress-e{effort}{suffix}", encode, values, ("gradpress",))


def _mozjpeg(name: str, table: int, subsample: bool, settings: tuple[float, ...]) -> Encoder:
    encode = partial(encode_mozjpeg, table=table, subsample=subsample)
    return Encoder(name, encode, settings, ("pyvips",))


def _cjpeg(name: str, options: str, settings: tuple[float, ...] = TUNED_Q) -> Encoder:
    encode = partial(encode_cjpeg, options=tuple(options.split()))
    return Encoder(name, encode, settings, ("MOZJPEG_CJPEG",))


PEERS = (
    Encoder("turbo-420", partial(encode_turbo, subsampling="4:2:0"), TURBO_Q),
    Encoder("turbo-444", partial(encode_turbo, subsampling="4:4:4"), TURBO_Q),
    _mozjpeg("mozjpeg-420", 3, True, MOZJPEG_Q),
    _mozjpeg("mozjpeg-444", 3, False, MOZJPEG_Q),
    _mozjpeg("mozjpeg-vips-table2-420", 2, True, MOZJPEG_Q),
    _cjpeg("mozjpeg-table2-420", "-quant-table 2 -dc-scan-opt 2 -sample 2x2"),
    _cjpeg("mozjpeg-msssim-420", "-tune-ms-ssim -quant-table 2 -dc-scan-opt 2 -sample 2x2"),
    _cjpeg("mozjpeg-psnr-420", "-tune-psnr -sample 2x2", FLAT_Q),
    Encoder(
        "jpegli-420",
        encode_jpegli_progressive,
        JPEGLI_Q,
        ("pyjpegli", "mozjpeg_lossless_optimization"),
    ),
    Encoder("guetzli", encode_guetzli, (84, 90, 95), ("pyguetzli",), pictures=2),
    Encoder("webp", partial(encode_pillow, kind="WEBP", method=6), WEBP_Q, is_jpeg=False),
    Encoder("jpegxl", encode_jpegxl, JPEGXL_DISTANCES, ("imagecodecs",), is_jpeg=False),
    Encoder(
        "avif-420",
        partial(encode_pillow, kind="AVIF", speed=4, subsampling="4:2:0", max_threads=1),
        AVIF_Q,
        is_jpeg=False,
    ),
)

LOSSES = ("perceptual", "mse", "ssimulacra2", "ms-ssim", "ssim", "butteraugli")
GRADPRESS = tuple(gradpress_at(level, loss) for loss in LOSSES for level in range(1, 10))

ENCODERS = {encoder.name: encoder for encoder in (*GRADPRESS, *PEERS)}
