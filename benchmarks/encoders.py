"""Who is compared: each encoder turns (picture file, setting) into a JPEG file's bytes.

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
    """A way to make JPEG files."""

    name: str
    encode: Encode
    settings: tuple[float, ...]
    """What is swept, low rate first: qualities, or targets in dB."""
    needs: tuple[str, ...] = ()
    """Modules, or environment variables with a program's path."""

    @property
    def missing(self) -> list[str]:
        """What it needs and is not here."""
        return [name for name in self.needs if name not in os.environ and find_spec(name) is None]


def encode_gradpress(picture: Path, decibels: float, *, effort: int, subsampling: str) -> bytes:
    """Reach a PSNR with gradpress."""
    import gradpress  # noqa: PLC0415

    return gradpress.compress(
        picture, target_psnr=decibels, effort=effort, chroma_subsampling=subsampling
    ).data


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


def encode_cjpeg(picture: Path, quality: float, *, sample: str) -> bytes:
    """Run mozjpeg's own program, tuned for PSNR, from the path in ``$MOZJPEG_CJPEG``."""
    program = os.environ["MOZJPEG_CJPEG"]
    options = ["-quality", f"{quality:g}", "-tune-psnr", "-sample", sample]
    return subprocess.run([program, *options, picture], capture_output=True, check=True).stdout


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


DECIBELS = (24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44)
TURBO_Q = (8, 14, 22, 34, 48, 62, 74, 84, 91, 95, 97)
MOZJPEG_Q = (10, 17, 26, 38, 52, 66, 78, 87, 93, 96, 98)
FLAT_Q = (10, 20, 34, 50, 66, 80, 90, 95)
JPEGLI_Q = (5, 12, 20, 32, 46, 60, 72, 82, 90, 94, 97)


def gradpress_at(effort: int, subsampling: str = "auto") -> Encoder:
    """Gradpress at an effort, by target PSNR."""
    suffix = "" if subsampling == "auto" else f"-{subsampling}"
    encode = partial(encode_gradpress, effort=effort, subsampling=subsampling)
    return Encoder(f"gradpress-e{effort}{suffix}", encode, DECIBELS, ("gradpress",))


def _mozjpeg(name: str, table: int, subsample: bool, settings: tuple[float, ...]) -> Encoder:
    encode = partial(encode_mozjpeg, table=table, subsample=subsample)
    return Encoder(name, encode, settings, ("pyvips",))


def _cjpeg(name: str, sample: str) -> Encoder:
    return Encoder(name, partial(encode_cjpeg, sample=sample), FLAT_Q, ("MOZJPEG_CJPEG",))


PEERS = (
    Encoder("turbo-420", partial(encode_turbo, subsampling="4:2:0"), TURBO_Q),
    Encoder("turbo-444", partial(encode_turbo, subsampling="4:4:4"), TURBO_Q),
    _mozjpeg("mozjpeg-420", 3, True, MOZJPEG_Q),
    _mozjpeg("mozjpeg-table2-420", 2, True, MOZJPEG_Q),
    _mozjpeg("mozjpeg-flat-420", 1, True, FLAT_Q),
    _mozjpeg("mozjpeg-flat-444", 1, False, FLAT_Q),
    _cjpeg("mozjpeg-psnr-420", "2x2"),
    _cjpeg("mozjpeg-psnr-444", "1x1"),
    Encoder("jpegli-sequential-420", encode_jpegli, JPEGLI_Q, ("pyjpegli",)),
    Encoder(
        "jpegli-420",
        encode_jpegli_progressive,
        JPEGLI_Q,
        ("pyjpegli", "mozjpeg_lossless_optimization"),
    ),
)

ENCODERS = {
    encoder.name: encoder for encoder in (*(gradpress_at(level) for level in range(1, 10)), *PEERS)
}
