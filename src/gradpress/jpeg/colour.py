"""What a frame's components are."""

from __future__ import annotations

from gradpress.jpeg.metadata import Metadata
from gradpress.jpeg.reader import Frame

_NAMES = {
    "grey": ("Y",),
    "YCbCr": ("Y", "Cb", "Cr"),
    "RGB": ("R", "G", "B"),
    "CMYK": ("C", "M", "Y", "K"),
    "YCCK": ("Y", "Cb", "Cr", "K"),
}


def colour_model(frame: Frame, found: Metadata) -> str:
    """What the components are, guessed as libjpeg's jdapimin.c does."""
    identifiers = bytes(component.identifier for component in frame.components)
    match len(identifiers), found.adobe_transform:
        case 1, _:
            return "grey"
        case 3, transform if found.jfif is None and (
            transform == 0 or (transform is None and identifiers == b"RGB")
        ):
            return "RGB"
        case 3, _:
            return "YCbCr"
        case 4, 2:
            return "YCCK"
        case 4, _:
            return "CMYK"
    return "unknown"


def component_names(frame: Frame, colour: str) -> tuple[str, ...]:
    """Name the components by the colour model, or by their identifiers."""
    numbers = tuple(str(component.identifier) for component in frame.components)
    return _NAMES.get(colour, numbers)
