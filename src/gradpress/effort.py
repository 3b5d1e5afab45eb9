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
    steps: int
    """Down the gradient of a perceptual loss, after the start."""
    proposals: int = 0
    """Taken over coefficient by coefficient."""
    openings: int = 0
    """Steps that go down on what is dear too."""
    judged: bool = False
    """Whether all of the descent does."""
    rehearsed: bool = False
    """Whether a short descent tells first what the long one will gain."""
    ease: float = 1.0
    """How generous the margin beyond a quality is."""

    @property
    def evaluations(self) -> int:
        """Gradients after the start, at about: two for a proposal."""
        return self.steps + 2 * self.proposals


SUBSAMPLINGS = ("420", "444", "422")
"""Layouts that ``auto`` tries, in this order."""

LADDER = (
    Effort(0, 1 / 16, 0, ease=2.5),
    Effort(0, 1 / 5, 1),
    Effort(1, 1 / 5, 1, 1),
    Effort(2, 1 / 5, 1, 2, openings=1),
    Effort(3, 1 / 5, 1, 3, openings=1),
    Effort(5, 1 / 5, 2, 8, openings=1, rehearsed=True),
    Effort(8, 1 / 5, 2, 5, judged=True, rehearsed=True),
    Effort(13, 1 / 5, 2, 10, judged=True, rehearsed=True),
    Effort(21, 1 / 5, 4, 20, judged=True, rehearsed=True),
)


def effort_of(level: int) -> Effort:
    """The effort of a level in 1…9."""
    if not 1 <= level <= len(LADDER):
        raise UsageError(
            f"effort {level} is out of range; give 1 (fast) to {len(LADDER)} (thorough)"
        )
    return LADDER[level - 1]
