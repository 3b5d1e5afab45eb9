"""What :func:`gradpress.compress` and :func:`gradpress.steps` can be asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar

from gradpress.errors import UsageError
from gradpress.image import DEFAULT_MAX_PIXELS

if TYPE_CHECKING:
    from gradpress.distortion.importance import Mask
    from gradpress.distortion.own import OwnLoss
    from gradpress.jpeg.qtables import Tables


T = TypeVar("T")

Names = str | Sequence[str]
"""One name, some with commas between them, or a sequence of such."""


class Options(TypedDict, total=False):
    """The options, named as on the command line."""

    target: str | None
    """At least so good, measured on the file: ``"ssimulacra2=80"`` (the default goal),
    ``"butteraugli=1"``, ``"ms-ssim=0.98"``, ``"ssim=0.95"``, ``"psnr=38"``."""
    quality: int | None
    """1…100: as good, by SSIMULACRA2, as ordinary JPEG of this quality on this very picture."""
    distance: float | None
    """Butteraugli's 3-norm at most."""
    target_size: str | int | None
    """Bytes at most: ``120000``, ``"120KB"``, ``"0.5bpp"``, ``"30%"`` of the input file; beside a
    quality it is not exceeded, even if the quality is then missed."""
    lagrangian: float | None
    """λ, in units of the loss per bit."""
    lossless: bool
    """Keep a JPEG file's coefficients and store them in fewer bytes; no goal goes beside it."""
    salvage: bool
    """With ``lossless``: of a damaged file, write what can be decoded."""
    deblock: bool
    """Take a JPEG's blocking and ringing out before it is compressed."""
    loss: str | OwnLoss
    """``perceptual`` (default), ``ssimulacra2``, ``ms-ssim``, ``ssim``, ``butteraugli``, ``mse`` or
    ``mae``; or one of your own: an object with ``prepare(reference)``, what
    ``gradpress.torch.loss`` gives, or ``"module:name"`` of such an object or a torch function."""
    importance: Mask | None
    """How much pixels count for the loss: a mask as a picture of the same size (white four times as
    much as mid-grey, black a quarter), or an array ``(H, W)`` of floats, which count as they are.
    Goals are measured without it."""
    qtables: str | Path | Tables | None
    """A file of tables, as ``gradpress learn`` writes them, or one pair, to start from."""
    freeze_tables: bool
    """Whether these very tables are kept."""
    chroma_subsampling: str
    """``auto`` (default), ``444``, ``422``, ``420``, or ``keep``: a JPEG's own, if it is one of
    these."""
    progressive: str
    """``auto`` (default: whichever is smaller), ``on`` or ``off``."""
    effort: int
    """1 (fast) to 9 (thorough); 5 by default."""
    threads: int
    """Threads that share the work (default 1); the file is the same for any number."""
    method: str | None
    """How the loss is descended on: ``proximal`` (default), ``gradient`` (default for ``mae``),
    ``backtracking``, ``barzilai-borwein``, ``momentum``, ``nesterov``, ``adam``, ``subgradient``,
    ``accelerated``, ``lbfgs``, ``sgd`` or, for a target size, ``interior-point``."""
    learning_rate: float | str | None
    """Part of the way to the minimum of the loss's diagonal model; ``"auto"`` tries rates out; the
    method's own by default."""
    schedule: str | None
    """How the rate changes: ``constant``, ``cosine``, ``linear``, ``exponential``, ``inverse`` or
    ``inverse-root``."""
    iterations: int | None
    """Steps of the descent; by default as many as the effort allows."""
    tolerance: float | None
    """Relative fall of J over a step at which the descent ends."""
    start: str
    """Tables to start from: ``curvature`` (default: those that suit the loss), ``standard``,
    ``flat``, ``random``, or the path of a JPEG file."""
    seed: int
    """Of whatever is random: stochastic steps and random starts; equal options give equal bytes."""
    strip: Names
    """What of the metadata is not kept: ``all``, ``exif``, ``gps``, ``xmp``, ``iptc``,
    ``thumbnail`` (never kept by default), ``comments``; with commas, or as a sequence."""
    keep: Names
    """What of the metadata alone is kept: names as above."""
    preset: str | None
    """``web``: of the metadata keep the author and the copyright."""
    strip_icc: bool
    """Convert to sRGB and leave the colour profile out."""
    drop_gain_map: bool
    """Leave out an HDR gain map and other further pictures, which is else refused."""
    no_mark: bool
    """Leave out the comment that says for which goal the file is done."""
    force: bool
    """Work on a file even if its mark says that it is done."""
    background: str
    """What transparency is laid on: a colour as CSS names it, white by default."""
    max_pixels: int
    """Larger pictures are refused before they are decoded."""
    time_limit: float | str | None
    """Seconds, or ``"30s"``: the descent ends early, and then the best so far is taken."""
    min_savings: float | str
    """A JPEG that would shrink by less than this part of its size (``0.02`` or ``"2%"``, the
    default) is passed through, where it keeps the goal."""
    name: str | None
    """What messages call the picture."""


DEFAULTS: Options = {
    "target": None,
    "quality": None,
    "distance": None,
    "target_size": None,
    "lagrangian": None,
    "lossless": False,
    "salvage": False,
    "deblock": False,
    "loss": "perceptual",
    "qtables": None,
    "freeze_tables": False,
    "importance": None,
    "chroma_subsampling": "auto",
    "progressive": "auto",
    "effort": 5,
    "threads": 1,
    "method": None,
    "learning_rate": None,
    "schedule": None,
    "iterations": None,
    "tolerance": None,
    "start": "curvature",
    "seed": 0,
    "strip": (),
    "keep": (),
    "preset": None,
    "strip_icc": False,
    "drop_gain_map": False,
    "no_mark": False,
    "force": False,
    "background": "white",
    "max_pixels": DEFAULT_MAX_PIXELS,
    "time_limit": None,
    "min_savings": 0.02,
    "name": None,
}


def known(options: Options) -> Options:
    """The options and, for those not given, their defaults."""
    unknown = set(options) - set(DEFAULTS)
    if unknown:
        raise TypeError(f"unknown option {min(unknown)!r}; known are {', '.join(DEFAULTS)}")
    return {**DEFAULTS, **options}


def one_of(option: str, value: str, choices: Mapping[str, T]) -> T:
    """What an option's value stands for; raises UsageError for an unknown one."""
    if value not in choices:
        raise UsageError(f"{option} {value!r} is not known; choose from {', '.join(choices)}")
    return choices[value]
