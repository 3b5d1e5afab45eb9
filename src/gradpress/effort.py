"""Effort 1…9: how much work the search may do."""

from __future__ import annotations

from dataclasses import dataclass

from gradpress.errors import UsageError


@dataclass(frozen=True)
class Effort:
    """What a level of effort buys."""

    sweeps: int
    """Proximal steps on the whole picture after the start."""
    subsamplings: tuple[str, ...]
    """Layouts that ``auto`` tries."""


LADDER = (
    Effort(0, ("420", "444")),
    Effort(0, ("420", "444", "422")),
    Effort(1, ("420", "444", "422")),
    Effort(2, ("420", "444", "422")),
    Effort(3, ("420", "444", "422")),
    Effort(5, ("420", "444", "422")),
    Effort(8, ("420", "444", "422")),
    Effort(13, ("420", "444", "422")),
    Effort(21, ("420", "444", "422")),
)


def effort_of(level: int) -> Effort:
    """The effort of a level in 1…9."""
    if not 1 <= level <= len(LADDER):
        raise UsageError(
            f"effort {level} is out of range; give 1 (fast) to {len(LADDER)} (thorough)"
        )
    return LADDER[level - 1]
