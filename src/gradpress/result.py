"""What compressing a picture gives back: the file, how good it is, and how it was reached."""

from __future__ import annotations

import enum
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import PIL.Image

from gradpress import remote
from gradpress.descent import History, Solution
from gradpress.files import write_atomically
from gradpress.goal import Goal, Lossless, Marked
from gradpress.jpeg.objective import Encoding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gradpress.image import Image


class Status(enum.Enum):
    """How a picture ended."""

    COMPRESSED = "compressed"
    PASSED_THROUGH = "passed-through"
    UNREACHABLE = "goal-unreachable"


@dataclass(frozen=True)
class Result:
    """A finished JPEG file and what was measured on it."""

    data: bytes = field(repr=False)
    """The whole file."""
    status: Status
    reason: str
    """One sentence: why the file is as it is."""
    goal: Goal | Lossless | Marked
    width: int
    """Pixels, after the EXIF orientation was applied."""
    height: int
    bytes_before: int | None
    """Size of the input file; None for a picture that came as pixels."""
    metrics: Mapping[str, float]
    """Measured on the written file as an independent decoder shows it; ``psnr`` in dB over RGB."""
    subsampling: str
    """``grey``, ``444``, ``422`` or ``420``."""
    progressive: bool
    notices: tuple[str, ...]
    """What the user should know: transparency flattened, first frame only, …"""
    solution: Solution[Encoding] | None = field(repr=False)
    """The descent's account; None for a file that was passed through."""
    seconds: float
    cpu_seconds: float
    qualities: tuple[float | None, ...] = field(default=(), repr=False)
    """By the first of the metrics, for each step of the history; None where it was not measured."""
    original: Callable[[], Image] | None = field(default=None, repr=False, compare=False)
    """Reads the picture again; its pixels are not kept."""

    @property
    def bytes_after(self) -> int:
        """Size of the whole file, in bytes."""
        return len(self.data)

    @property
    def image(self) -> PIL.Image.Image:
        """The picture as Pillow decodes the file."""
        return PIL.Image.open(io.BytesIO(self.data))

    @property
    def history(self) -> History | None:
        """The descent's columns by step; None for a file that was passed through."""
        return self.solution.history if self.solution else None

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the file, whole, to a path or URL; an existing one stands unless ``overwrite``."""
        where = remote.place(path) if isinstance(path, str) else path
        if isinstance(where, remote.Url):
            remote.write(where, self.data, overwrite=overwrite)
        else:
            write_atomically(where, self.data, overwrite=overwrite)

    def plot(self, original: Image | None = None) -> Figure:
        """Draw pictures, error, bits, descent and table in one figure; needs matplotlib.

        ``original`` saves reading it again.
        """
        from gradpress import plots  # noqa: PLC0415

        return plots.overview(self, original)

    def plot_convergence(self) -> Figure:
        """Draw distortion, bits, J and λ by step; needs matplotlib."""
        from gradpress import plots  # noqa: PLC0415

        return plots.convergence(self)

    def plot_error(self, original: Image | None = None) -> Figure:
        """Draw the signed error of luma with its colour bar; needs matplotlib."""
        from gradpress import plots  # noqa: PLC0415

        return plots.error(self, original)

    def _repr_jpeg_(self) -> bytes:
        """Show the very file in notebooks."""
        return self.data
