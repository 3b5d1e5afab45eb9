"""How things are said: text that is safe to print, savings, sampling, times."""

from __future__ import annotations


def printable(text: str) -> str:
    """Escape what would break a line or steer a terminal."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def saving(before: int, after: int) -> str:
    """Say by how many per cent the file shrank (−) or grew (+)."""
    change = 100 * (after - before) / before
    return f"{change:+.1f} %".replace("-", "−")


def chroma(subsampling: str | None) -> str:
    """Write ``420`` as people do: 4:2:0."""
    name = subsampling or ""
    return ":".join(name) if name.isdigit() else name


def duration(seconds: float) -> str:
    """Say about how long: ``40 s``, ``12 min`` or ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
