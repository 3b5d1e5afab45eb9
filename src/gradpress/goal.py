"""What the user asks for: a quality, a size, or a price of bits; and how it is written down."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from gradpress.errors import UsageError

_NUMBER = r"\d{1,15}(?:\.\d{0,15})?|\.\d{1,15}"
_PSNR = re.compile(rf"\s*psnr\s*=\s*({_NUMBER})\s*", re.IGNORECASE | re.ASCII)
_SIZE = re.compile(rf"\s*({_NUMBER})\s*(bpp|%|[km]i?b|b|)\s*", re.IGNORECASE | re.ASCII)
_BYTES = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "kib": 1024, "mib": 1024**2}


@dataclass(frozen=True)
class TargetPsnr:
    """At least so many decibels over RGB, in as few bytes as possible."""

    decibels: float
    """Above 0, at most 100."""

    def __post_init__(self) -> None:
        if not 0 < self.decibels <= 100:
            raise UsageError(
                f"target PSNR {self.decibels:g} dB is out of range; give more than 0, at most 100"
            )

    def __str__(self) -> str:
        return f"at least {self.decibels:g} dB"


@dataclass(frozen=True)
class TargetSize:
    """At most so many bytes for the whole file, as good as possible."""

    bytes: int
    """1 or more."""

    def __post_init__(self) -> None:
        if self.bytes < 1:
            raise UsageError(f"target size {self.bytes} is out of range; give at least 1 byte")

    def __str__(self) -> str:
        return f"at most {self.bytes} bytes"


@dataclass(frozen=True)
class Lagrangian:
    """The least D + λ·R for this λ, in units of the loss per bit."""

    value: float
    """Above 0 and finite."""

    def __post_init__(self) -> None:
        if not 0 < self.value < math.inf:
            raise UsageError(f"lagrangian {self.value:g} is out of range; give a number above 0")

    def __str__(self) -> str:
        return f"λ = {self.value:g}"


Goal = TargetPsnr | TargetSize | Lagrangian

DEFAULT_GOAL = TargetPsnr(38.0)


@dataclass(frozen=True)
class SizeRequest:
    """A size that may depend on the picture: bytes, bits per pixel or a part of the input file."""

    amount: Fraction
    """Above 0; exact, for a limit that is rounded up would be broken."""
    unit: str
    """``bytes``, ``bpp`` or ``%``."""

    def resolve(self, *, pixels: int, file_bytes: int | None) -> TargetSize:
        """Count whole bytes for a picture of so many pixels from a file of so many bytes."""
        if self.unit == "bpp":
            limit = self.amount * pixels / 8
        elif self.unit == "bytes":
            limit = self.amount
        elif file_bytes is not None:
            limit = self.amount * file_bytes / 100
        else:
            raise UsageError(
                f"target size {float(self.amount):g}% needs an input file to be a part of; "
                "give bytes or bpp"
            )
        return TargetSize(max(1, math.floor(limit)))


def parse_size(text: str | int) -> SizeRequest:
    """Read ``120000``, ``120KB``, ``1.5MB``, ``64KiB``, ``0.5bpp`` or ``30%``; KB is 1000 bytes."""
    match = _SIZE.fullmatch(str(text))
    if match is None:
        raise UsageError(
            f"target size {str(text)!r} is not understood; give bytes (120000), 120KB, 64KiB, "
            "1.5MB, 0.5bpp or 30%"
        )
    amount, unit = Fraction(match[1]), match[2].lower()
    if unit in _BYTES:
        amount, unit = amount * _BYTES[unit], "bytes"
    if amount == 0 or (unit == "bytes" and amount < 1):
        raise UsageError(f"target size {str(text)!r} is out of range; give at least 1 byte")
    return SizeRequest(amount, unit)


def parse_target(text: str) -> TargetPsnr:
    """Read ``psnr=38``."""
    match = _PSNR.fullmatch(text)
    if match is None:
        raise UsageError(f"target {text!r} is not understood; give psnr=DECIBELS, such as psnr=38")
    return TargetPsnr(float(match[1]))


def goal_from_options(
    target_psnr: float | None, target_size: str | int | None, lagrangian: float | None
) -> Goal | SizeRequest:
    """Take the one goal that was given, or the default."""
    given = [option for option in (target_psnr, target_size, lagrangian) if option is not None]
    if len(given) > 1:
        raise UsageError("give one goal only: a target PSNR, a target size or a Lagrangian")
    if target_psnr is not None:
        return TargetPsnr(target_psnr)
    if target_size is not None:
        return parse_size(target_size)
    if lagrangian is not None:
        return Lagrangian(lagrangian)
    return DEFAULT_GOAL
