"""Effort 1…9: how much work the search may do."""

from __future__ import annotations

from dataclasses import dataclass

from gradpress.errors import UsageError


@dataclass(frozen=True)
class Effort:
    """What a level of effort buys."""

    sweeps: int
    """Proximal steps on the whole picture after the start."""
    sampled: float
    """Share of a small picture's rows that λ and the layout are forecast from."""
    evaluations: int
    """Gradients of a perceptual loss after the start."""
    openings: int = 0
    """Of them, those at whose points what is dear is looked at too."""
    passes: int = 1
    """Descents, each whole and at one λ, until one ends near a goal; λ follows in a single one."""
    proposals: int = 0
    """Proposals of the polish that follows a descent."""
    judged: bool = False
    """Whether the polish holds what is dear too."""
    ease: float = 1.0
    """How generous the margin beyond a quality is."""


SUBSAMPLINGS = ("420", "444", "422")
"""Layouts that ``auto`` tries, in this order."""

LADDER = (
    Effort(0, 1 / 16, 0, ease=2.5),
    Effort(0, 1 / 5, 1),
    Effort(1, 1 / 5, 3),
    Effort(2, 1 / 5, 5, openings=1),
    Effort(3, 1 / 5, 8, openings=1),
    Effort(5, 1 / 5, 12, openings=1, proposals=4),
    Effort(8, 1 / 5, 12, openings=1, passes=3, proposals=4, judged=True),
    Effort(13, 1 / 5, 16, openings=1, passes=4, proposals=8, judged=True),
    Effort(21, 1 / 5, 24, openings=1, passes=6, proposals=12, judged=True),
)


def effort_of(level: int) -> Effort:
    """The effort of a level in 1…9."""
    if not 1 <= level <= len(LADDER):
        raise UsageError(
            f"effort {level} is out of range; give 1 (fast) to {len(LADDER)} (thorough)"
        )
    return LADDER[level - 1]
