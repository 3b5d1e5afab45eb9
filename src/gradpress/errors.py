"""What can go wrong: one root exception, and the kinds a caller may want to tell apart."""

from __future__ import annotations


class GradpressError(Exception):
    """Anything that is refused or cannot be done; the message names it and a way out."""


class UnsupportedImage(GradpressError):
    """The input is not a picture that can be read: unknown format, damaged or truncated data."""


class ImageTooLarge(GradpressError):
    """The header announces more pixels than the limit allows; nothing was decoded."""


class UsageError(GradpressError):
    """The options contradict each other or a value is out of range."""


class OutputExists(GradpressError):
    """A file of the output's name is there, and was to stay."""
