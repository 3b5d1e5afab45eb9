"""What the pieces of a descent promise each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

P = TypeVar("P")
G = TypeVar("G")
S = TypeVar("S")
P_contra = TypeVar("P_contra", contravariant=True)


@dataclass(frozen=True)
class Terms:
    """The parts of J, for logs and plots."""

    distortion: float
    bits: float = 0.0
    parts: tuple[float, ...] = ()
    """What the distortion is the sum of, where that is told."""


@dataclass(frozen=True)
class Evaluation(Generic[G]):
    """An objective at one point."""

    value: float
    """J, everything included."""
    smooth: float
    """The part of J that the gradient belongs to."""
    gradient: G
    """A tree of the parameters' shape, or whatever the objective's ``prox`` understands."""
    terms: Terms


class Objective(Protocol[P_contra, G]):
    """Something to be made small."""

    def evaluate(self, params: P_contra, /) -> Evaluation[G]:
        """J, with the gradient of its smooth part."""


class ProximalObjective(Protocol[P, G]):
    """An objective whose other part is met by its proximal operator."""

    def evaluate(self, params: P, /) -> Evaluation[G]:
        """J, with the gradient of its smooth part."""

    def prox(self, params: P, gradient: G, rate: float, /) -> P:
        """argmin ⟨gradient, x⟩ + ‖x - params‖² / (2 rate) + R(x), in the objective's own metric."""


class Method(Protocol[P, G, S]):
    """A way to go down: two functions and a state that is a value.

    Parameters and states are never changed in place: a step makes new ones. The objective handed
    to ``step`` is the one being descended on, and asking it twice for one point costs nothing the
    second time in a row; methods that need more of it than :class:`Objective` promises say so in
    their own signature.
    """

    def init(self, params: P, /) -> S:
        """The state before the first step."""

    def step(
        self,
        objective: Any,  # noqa: ANN401
        params: P,
        evaluation: Evaluation[G],
        state: S,
        /,
    ) -> tuple[P, S]:
        """The next parameters and state, given the evaluation at the present ones.

        A method that found nothing better gives back the very ``params`` it was given.
        """
