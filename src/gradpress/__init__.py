"""Make pictures small by gradient descent: standard JPEG files, fitted to each picture.

The pipeline, in order: ``image`` (a file to float planes), ``color`` and ``transform`` (pure
functions with adjoints), ``jpeg`` (the differentiable codec: ``params``, ``model``, ``rate``,
``trellis``, ``objective``, ``visibility``, ``perceptual``, ``start``, ``huffman``, ``scans``,
``writer``, ``reader``), ``distortion`` (losses), ``descent`` (methods and the loop), ``metrics``,
``goal``, ``search`` and ``perceive`` (from what is asked for to λ), ``pipeline`` (the story),
``result``, ``report`` and ``files``, ``cli``; ``compare`` and ``inspect`` beside them.

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradpress.errors import GradpressError, ImageTooLarge, UnsupportedImage, UsageError
    from gradpress.image import Image, read_image
    from gradpress.pipeline import Snapshot, compress, steps
    from gradpress.result import Result, Status

_HOMES = {
    "compress": "gradpress.pipeline",
    "steps": "gradpress.pipeline",
    "Snapshot": "gradpress.pipeline",
    "Result": "gradpress.result",
    "Status": "gradpress.result",
    "Image": "gradpress.image",
    "read_image": "gradpress.image",
    "GradpressError": "gradpress.errors",
    "UnsupportedImage": "gradpress.errors",
    "ImageTooLarge": "gradpress.errors",
    "UsageError": "gradpress.errors",
}

__all__ = [
    "GradpressError",
    "Image",
    "ImageTooLarge",
    "Result",
    "Snapshot",
    "Status",
    "UnsupportedImage",
    "UsageError",
    "compress",
    "read_image",
    "steps",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load a public name, or the version, at its first use."""
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    elif name == "__version__":
        value = import_module("importlib.metadata").version("gradpress")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
