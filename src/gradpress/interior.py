"""The interior point on a byte budget: λ is not searched, it is the price of the room left.

J = D - mu · log(budget - bits): a bit costs mu / (budget - bits), the more the less room is left,
and no step leaves the budget. As mu falls, the room closes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from gradpress.descent import Evaluation
from gradpress.descent.barrier import barrier
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import Encoding
from gradpress.jpeg.perceptual import Draft, PerceptualObjective
from gradpress.jpeg.start import find_lagrangian

WIDEST, NARROWEST = 0.08, 0.004
"""Room that is left at the first and the last mu, of the budget."""
SLOPE = -0.2
"""Of log bytes by log λ, while steps and targets stay."""
SOLVING = 8
"""Quantisations that the λ of a room is sought by."""
CLOSE = 0.0015
"""Of log bytes."""
FARTHEST = 10.0
"""Factor by which λ may change for that."""
ATTEMPTS = 2
"""Tries of a step, each half as long as the one before."""


@dataclass(frozen=True)
class Interior:
    """Proximal steps inside the budget.

    The state is the number of steps taken and the rate.
    """

    file_bytes: Callable[[Encoding], float]
    budget: int
    """Bytes of the whole file."""
    steps: int
    """On the way from the widest room to the narrowest."""
    rate: float

    def init(self, draft: Draft) -> tuple[int, float]:
        """Where to begin."""
        return 0, self.rate

    def step(
        self,
        objective: PerceptualObjective,
        draft: Draft,
        evaluation: Evaluation[Coefficients],
        state: tuple[int, float],
    ) -> tuple[Draft, tuple[int, float]]:
        """One step with a smaller mu; where D does not let it, only mu is smaller."""
        count, rate = state
        mu = self._mu(draft.encoding, count + 1)
        before = evaluation.smooth + barrier(mu, self.room(draft.encoding))
        for _ in range(ATTEMPTS):
            moved = objective.prox(draft, evaluation.gradient, rate)
            moved = self._priced(objective, moved, mu)
            wall = barrier(mu, self.room(moved.encoding))
            if objective.evaluate(moved).smooth + wall <= before:
                return moved, (count + 1, rate)
            rate /= 2
        return self._priced(objective, draft, mu), (count + 1, rate)

    def first(self, objective: PerceptualObjective, draft: Draft) -> Draft:
        """The draft at the λ of the widest room."""
        return self._priced(objective, draft, self._mu(draft.encoding, 0))

    def last(self, objective: PerceptualObjective, draft: Draft) -> Draft:
        """The draft at the λ of the narrowest room, if it can be had."""
        moved = self._priced(objective, draft, self._mu(draft.encoding, self.steps))
        return moved if self.room(moved.encoding) > 0 else draft

    def room(self, encoding: Encoding) -> float:
        """Bits that the file leaves of the budget."""
        return 8 * (self.budget - self.file_bytes(encoding))

    def _mu(self, encoding: Encoding, count: int) -> float:
        """At the λ of now, what leaves the room that is meant to be left after so many steps."""
        share: float = WIDEST * (NARROWEST / WIDEST) ** min(count / max(self.steps, 1), 1)
        return encoding.lagrangian * share * 8 * self.budget

    def _priced(self, objective: PerceptualObjective, draft: Draft, mu: float) -> Draft:
        """The draft requantised at the λ that is the price of the room it then has."""
        budget, now = 8 * self.budget, draft.encoding

        def at(lagrangian: float) -> Draft:
            return objective.requantised(draft, lagrangian)

        def excess(priced: Draft) -> float:
            encoding = priced.encoding
            meant = max(budget - mu / encoding.lagrangian, 1.0)
            return math.log((budget - self.room(encoding)) / meant)

        bounds = (now.lagrangian / FARTHEST, now.lagrangian * FARTHEST)
        return find_lagrangian(
            at, excess, now.lagrangian, bounds, tolerance=CLOSE, slope=SLOPE, evaluations=SOLVING
        )
