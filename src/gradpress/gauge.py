"""About how far encodings are beyond a goal, without a decoder where their evaluation tells."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from gradpress.descent import Terms
from gradpress.distortion.blend import Blend
from gradpress.distortion.ssimulacra2 import Ssimulacra2Error
from gradpress.goal import Target
from gradpress.jpeg.objective import Encoding
from gradpress.search import Measured, Pursuit

RECENT = 4
"""Encodings whose excess is remembered."""

Read = Callable[[Terms], float]


class Gauge:
    """Estimates of the excess; of the latest encodings they are remembered."""

    def __init__(
        self, estimate: Callable[[Encoding], float], read: Read | None = None, error: float = 0.0
    ) -> None:
        """``read`` tells an encoding's estimate from its terms; ``error`` is taken from any."""
        self._estimate, self._read, self._error = estimate, read, error
        self._known: deque[tuple[Encoding, float]] = deque(maxlen=RECENT)

    def __call__(self, encoding: Encoding) -> float:
        """The estimate."""
        for known, excess in self._known:
            if known is encoding:
                return excess
        return self._remembered(encoding, self._estimate(encoding))

    def learn(self, encoding: Encoding, terms: Terms) -> None:
        """Take in an encoding that was evaluated."""
        if self._read is not None:
            self._remembered(encoding, self._read(terms))

    def _remembered(self, encoding: Encoding, estimate: float) -> float:
        self._known.append((encoding, estimate - self._error))
        return estimate - self._error


def gauge_of(pursuit: Pursuit, loss: Blend, encoding: Encoding, rough: Gauge) -> Gauge:
    """Estimates of the excess, less what a rough one of an encoding is off."""
    read = _reader(pursuit, loss)
    if not isinstance(pursuit.goal, Target):
        return Gauge(pursuit.estimated_excess, read)
    error = rough(encoding) - pursuit.excess(pursuit.measure(encoding))
    return Gauge(pursuit.estimated_excess, read, error)


def _reader(pursuit: Pursuit, loss: Blend) -> Read | None:
    """What tells the estimate from the terms of a loss that has the goal's metric for a part."""
    if not isinstance(pursuit.goal, Target) or pursuit.metric.name != "ssimulacra2":
        return None
    for index, (weight, part) in enumerate(loss.parts):
        if isinstance(part, Ssimulacra2Error):
            return partial(_read, pursuit, part, weight, index)
    return None


def _read(
    pursuit: Pursuit, part: Ssimulacra2Error, weight: float, index: int, terms: Terms
) -> float:
    score = part.score_at(terms.parts[index] / weight)
    return pursuit.excess(Measured(score, 0.0, 0.0))
