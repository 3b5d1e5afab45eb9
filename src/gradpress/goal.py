"""What the user asks for: a quality, a size, or a price of bits; and how it is written down."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from gradpress.errors import UsageError
from gradpress.metrics import Metric, metric

_NUMBER = r"\d{1,15}(?:\.\d{0,15})?|\.\d{1,15}"
_TARGET = re.compile(rf"\s*([a-z0-9-]+)\s*=\s*(-?(?:{_NUMBER}))\s*", re.IGNORECASE | re.ASCII)
_SIZE = re.compile(rf"\s*({_NUMBER})\s*(bpp|%|[km]i?b|b|)\s*", re.IGNORECASE | re.ASCII)
_BYTES = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "kib": 1024, "mib": 1024**2}


@dataclass(frozen=True)
class Target:
    """At least so good by a metric, in as few bytes as possible."""

    metric: Metric
    value: float
    """Within the metric's ``goals``."""
    reason: str = ""
    """Where the value comes from, if not straight from the user."""

    def __post_init__(self) -> None:
        low, high = self.metric.goals
        if not low <= self.value <= high:
            raise UsageError(
                f"target {self.metric.name}={self.value:g} is out of range; "
                f"give {low:g} to {high:g}"
            )

    def __str__(self) -> str:
        bound = "at least" if self.metric.higher_is_better else "at most"
        unit = f" {self.metric.unit}" if self.metric.unit else ""
        text = f"{self.metric.name} {bound} {round(self.value, self.metric.digits):g}{unit}"
        return f"{text}, {self.reason}" if self.reason else text


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


@dataclass(frozen=True)
class Lossless:
    """The same coefficients in as few bytes as possible: asked for instead of a goal."""

    def __str__(self) -> str:
        return "the same coefficients"


@dataclass(frozen=True)
class Marked:
    """What a file's mark says it was made for; nothing was done for it this time."""

    text: str
    """Such as ``quality=75``."""

    def __str__(self) -> str:
        return self.text


Goal = Target | TargetSize | Lagrangian

DEFAULT_GOAL = Target(metric("ssimulacra2"), 80.0)
"""Hard to tell from the original side by side."""


@dataclass(frozen=True)
class QualityRequest:
    """As good as ordinary JPEG of this quality is on this very picture."""

    quality: int
    """1…100, as libjpeg counts."""

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise UsageError(f"quality {self.quality} is out of range; give 1 to 100")

    def resolve(self, score: float, file_bytes: int) -> Target:
        """The SSIMULACRA2 and the size of that ordinary file, once they are known."""
        said = f"as ordinary JPEG of quality {self.quality}, which takes {file_bytes} bytes"
        return Target(metric("ssimulacra2"), score, said)


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


def parse_target(text: str) -> Target:
    """Read ``ssimulacra2=80`` or ``psnr=38``."""
    match = _TARGET.fullmatch(text)
    if match is None:
        raise UsageError(
            f"target {text!r} is not understood; give METRIC=VALUE, such as ssimulacra2=80"
        )
    return Target(metric(match[1]), float(match[2]))


@dataclass(frozen=True)
class Request:
    """What was asked for, before the picture is known."""

    goal: Goal | SizeRequest | QualityRequest
    ceiling: SizeRequest | None = None
    """Bytes not to exceed, whatever the quality."""


def request_from_options(
    target: str | None,
    quality: int | None,
    distance: float | None,
    target_size: str | int | None,
    lagrangian: float | None,
) -> Request:
    """Take the one goal that was given, or the default; a size may go with a quality."""
    given = [option for option in (target, quality, distance, lagrangian) if option is not None]
    if len(given) > 1 or (lagrangian is not None and target_size is not None):
        raise UsageError(
            "give one goal only: a target, a quality, a distance, a size or a Lagrangian "
            "(a size may go with a target, a quality or a distance: it is then not exceeded)"
        )
    size = None if target_size is None else parse_size(target_size)
    if target is not None:
        return Request(parse_target(target), size)
    if quality is not None:
        return Request(QualityRequest(quality), size)
    if distance is not None:
        return Request(Target(metric("butteraugli"), distance), size)
    if lagrangian is not None:
        return Request(Lagrangian(lagrangian))
    return Request(DEFAULT_GOAL if size is None else size)
