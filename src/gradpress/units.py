"""Times, sizes and shares as people write them: ``30s``, ``10m``, ``2GB``, ``2%``."""

from __future__ import annotations

import math
import re

from gradpress.errors import UsageError

_TIME = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})\s*(ms|s|m|min|h|)\s*", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1, "": 1, "m": 60, "min": 60, "h": 3600}
_MEMORY = re.compile(
    r"\s*(\d{1,15}(?:\.\d{1,9})?|\.\d{1,9})\s*([kmgt]i?b|b|)\s*", re.IGNORECASE | re.ASCII
)
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4}
_SHARE = re.compile(r"\s*(\d{1,3}(?:\.\d{1,9})?|\.\d{1,9})\s*%\s*", re.ASCII)


def seconds(value: str | float) -> float:
    """Read a time above 0: ``30``, ``30s``, ``500ms``, ``10m`` or ``1h``; a number is seconds."""
    match = _TIME.fullmatch(str(value))
    time = math.nan if isinstance(value, str) else float(value)
    if match:
        time = float(match[1]) * _SECONDS[match[2]]
    if not 0 < time < math.inf:
        raise UsageError(f"time {value!r} is not understood; give 30s, 500ms, 10m or 1h")
    return time


def memory(value: str | int) -> int:
    """Read whole bytes, 1 or more: ``2GB``, ``512MiB``, ``2000000000``; KB is 1000 bytes."""
    match = _MEMORY.fullmatch(str(value))
    size = int(float(match[1]) * _factor(match[2].lower())) if match else 0
    if size < 1:
        raise UsageError(f"memory {value!r} is not understood; give 2GB, 512MB or 512MiB")
    return size


def share(value: str | float) -> float:
    """Read a part of the whole, from 0 to below 1: ``2%`` or ``0.02``."""
    match = _SHARE.fullmatch(str(value))
    try:
        part = float(match[1]) / 100 if match else float(value)
    except ValueError:
        part = math.nan
    if not 0 <= part < 1:
        raise UsageError(f"share {value!r} is not understood; give 2% or 0.02, below 100%")
    return part


def _factor(unit: str) -> int:
    base = 1024 if "i" in unit else 1000
    return int(base ** _POWERS.get(unit[:1], 0))
