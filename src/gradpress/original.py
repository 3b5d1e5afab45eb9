"""The picture that was compressed, read again when somebody wants to see it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import PIL.Image

from gradpress.errors import GradpressError
from gradpress.image import Image, Source, name_of, read_bytes, read_image


@dataclass(frozen=True)
class Again:
    """Reads a source again, as it was read before; of a path only the path is kept."""

    source: Source
    """Anything but a stream, which can be read once only."""
    background: str
    max_pixels: int
    name: str | None
    srgb: bool = False
    """Whether other colours are converted."""
    file_bytes: int | None = None
    """Size of the file the first time; None before, and for pixels."""

    @classmethod
    def of(
        cls, source: Source, background: str, max_pixels: int, name: str | None, *, srgb: bool
    ) -> Again:
        """Prepare; a stream is read, and its bytes are kept."""
        if isinstance(source, str | Path | bytes | PIL.Image.Image | np.ndarray):
            return cls(source, background, max_pixels, name, srgb)
        data = read_bytes(source, max_pixels=max_pixels, name=name)
        return cls(data, background, max_pixels, name, srgb)

    @property
    def called(self) -> str:
        """What messages call the picture."""
        return self.name or name_of(self.source)

    def read(self) -> Image:
        """Read the picture; raises what :func:`gradpress.read_image` does."""
        return read_image(
            self.source,
            background=self.background,
            max_pixels=self.max_pixels,
            name=self.name,
            srgb=self.srgb,
        )

    def after(self, image: Image) -> Again:
        """Know what was read, so as to notice when the file is another one later."""
        return replace(self, file_bytes=image.file_bytes)

    def __call__(self) -> Image:
        """Read it again; raises GradpressError if the file is not what it was."""
        if isinstance(self.source, str | Path) and Path(self.source).exists():
            size = Path(self.source).stat().st_size
            if self.file_bytes not in (None, size):
                raise GradpressError(f"{self.called}: has changed since it was read")
        return self.read()
