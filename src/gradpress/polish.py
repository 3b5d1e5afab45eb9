"""The last touch: proposals taken over block by block, wherever that lowers J.

Steps of a descent move all blocks at once, though not all of them gain. Here coarser, finer and
moved levels are proposed in turn, and each block takes what the mean of D's slopes at both ends
says is worth its bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from gradpress.descent import Evaluation
from gradpress.jpeg.exchange import exchange
from gradpress.jpeg.model import Coefficients
from gradpress.jpeg.objective import chosen, merged
from gradpress.jpeg.perceptual import Draft, PerceptualObjective

PROPOSALS = (None, 0.75, None, 1.3)
"""By what λ is multiplied for a proposal; None is a step down the gradient."""


@dataclass(frozen=True)
class Polish:
    """Proposals at one λ; the state counts them."""

    rate: float
    """Part of the way to the minimum of D's diagonal model that a step goes."""

    def init(self, draft: Draft) -> int:
        """Where to begin."""
        return 0

    def step(
        self,
        objective: PerceptualObjective,
        draft: Draft,
        evaluation: Evaluation[Coefficients],
        state: int,
    ) -> tuple[Draft, int]:
        """The draft with the blocks that gain by the next proposal; itself if J does not fall."""
        encoding, factor = draft.encoding, PROPOSALS[state % len(PROPOSALS)]
        if factor is None:
            proposal = objective.prox(draft, evaluation.gradient, self.rate, fits=False)
        else:
            proposal = objective.requantised(draft, factor * encoding.lagrangian)
        there = objective.evaluate(proposal).gradient
        slope = tuple(
            np.float32(0.5) * (a + b) for a, b in zip(evaluation.gradient, there, strict=True)
        )
        whole = exchange(objective, encoding, proposal.encoding, slope)
        where = whole.worthwhile(encoding.lagrangian)
        take = partial(chosen, workers=objective.workers)
        targets = tuple(map(take, where, proposal.targets, draft.targets))
        mixture = Draft(targets, merged(where, proposal.encoding, encoding, objective.workers))
        better = objective.evaluate(mixture).value < evaluation.value
        return mixture if better else draft, state + 1
