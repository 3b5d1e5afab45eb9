"""SSIMULACRA2, version 2.1 (Jon Sneyers, Cloudinary), with its gradient.

Errors of structure, edges added and edges lost are measured on X, Y and B at six scales, each by
its mean and its 4-norm, and added with published weights. A polynomial then turns the sum into a
score: 100 for the same picture, 90 for one that cannot be told from it, 70 for high quality, 50 for
medium quality; far less for bad ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels
from gradpress.distortion.mse import Picture
from gradpress.workers import SERIAL, Workers

Planes = NDArray[np.float32]

SMALLEST = 8
"""A scale with a shorter side, in samples, is the last; a picture that small scores 100."""

KEPT_PIXELS = 1 << 21
"""Of larger pictures the published tool's blurs are made anew for every score, to save memory."""

NORMS = ("structure", "edges added", "edges lost")

# fmt: off
WEIGHTS = np.array([  # X, Y, B; scale 1:1 … 1:32; 1-norms of NORMS, then their 4-norms
    [[0, 0, 0, 0, 0, 0],
     [0, 0, 0, 1.1041726426657346, 0, 0],
     [0, 0, 0, 1.8422455520539298, 11.441172603757666, 0],
     [0, 0, 0, 1.8787594979546387, 10.94906990605142, 0],
     [0, 0.9677937080626833, 0, 0, 0.9981766977854967, 0],
     [0, 0, 0, 0, 0, 0]],
    [[0, 0, 0, 7.466890328078848, 0, 17.445833984131262],
     [0, 0, 0, 6.683678146179332, 0, 1.027889937768264],
     [225.20515300849274, 0, 0, 19.213238186143016, 0, 0],
     [176.39317598450694, 0, 0, 24.43300999870476, 0.28520802612117757, 0],
     [0, 0, 0, 34.77906344483772, 44.835625328877896, 0],
     [0, 0, 0, 0, 0, 0]],
    [[0, 0, 0, 0, 0, 0],
     [0, 0, 0, 0, 0, 0],
     [0, 0, 0, 0, 0, 0],
     [0, 0, 0, 8.826982764996862, 23.19243343998926, 0],
     [95.1080498811086, 0.9863978034400682, 0.9834382792465353, 0, 171.2667255897307,
      0.9807858872435379],
     [0, 0, 0, 0, 0, 0]],
])
# fmt: on
"""The published weights, without those under 0.003: they move no score by 0.01."""


def weights_for(scales: int) -> NDArray[np.float64]:
    """``(3, scales, 2, 3)``: component, scale, norm, what of NORMS.

    The reference runs through its list without a gap, so that a picture too small for six scales
    meets other weights than those meant for it; the same is done here, for the same scores.
    """
    return WEIGHTS.ravel()[: 3 * scales * 6].reshape(3, scales, 2, 3)


def scale_count(height: int, width: int) -> int:
    """How many of six scales count, each half the one before.

    The published tool stops where the scale before was already too small, not where one would be.
    """
    before = [-(-min(height, width) // 2 ** max(scale - 1, 0)) for scale in range(6)]
    return sum(side >= SMALLEST for side in before)


def score_of(total: float) -> float:
    """The published polynomial: from the weighted sum of errors to the score, 100 at most."""
    t = 0.9562382616834844 * total
    bent = 2.326765642916932 * t - 0.020884521182843837 * t**2 + 6.248496625763138e-05 * t**3
    return 100.0 - 10.0 * float(bent) ** 0.6276336467831387 if bent > 0 else 100.0


Norms = list[tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Of each component: weights, and 1-norms and 4-norms in the mean of pixels; ``(2, 3)`` each."""


def pooled_score(parts: Sequence[Norms], shares: NDArray[np.float64]) -> float:
    """The score of a picture from its parts' norms and their shares of its pixels."""
    total = 0.0
    for component in zip(*parts, strict=True):
        norms = np.array([norm for _, norm in component])
        first = np.tensordot(shares, norms[:, 0], 1)
        fourth = np.tensordot(shares, norms[:, 1] ** 4, 1) ** 0.25
        total += float((component[0][0] * np.stack([first, fourth])).sum())
    return score_of(total)


@dataclass(frozen=True)
class _Component:
    """What of one component at one scale is known beforehand."""

    scale: int
    index: int
    weights: NDArray[np.float64]
    """``(2, 3)``."""
    reference: Planes
    """``(3, h, w)``: the plane, its blur, and the blur of its square."""


@dataclass(frozen=True)
class Ssimulacra2Error:
    """D = pixels × the weighted sum that the score is made of; prepare it with ``of``."""

    shape: tuple[int, ...]
    components: tuple[_Component, ...]
    workers: Workers

    @classmethod
    def of(cls, reference: Picture, workers: Workers = SERIAL) -> Ssimulacra2Error:
        """Prepare for ``(C, H, W)`` float32 sRGB planes in [0, 255], grey or RGB."""
        count = scale_count(*reference.shape[1:])
        weights = weights_for(count)
        used = [scale for scale in range(count) if weights[:, scale].any()]
        pyramid = _pyramid(reference, max(used, default=-1) + 1, workers)
        components = (
            _Component(scale, index, weights[index, scale], _prepared(planes[index], workers))
            for scale, (_, planes) in enumerate(pyramid)
            for index in range(3)
            if weights[index, scale].any()
        )
        return cls(reference.shape, tuple(components), workers)

    def value(self, decoded: Picture) -> float:
        """D of ``(C, H, W)`` planes in [0, 255]."""
        pyramid = _pyramid(decoded, self._scales, self.workers)
        total = 0.0
        for component in self.components:
            plane = pyramid[component.scale][1][component.index]
            norms, _ = self._norms(component, plane)
            total += float((component.weights * norms).sum())
        return self._pixels * total

    def value_and_gradient(self, decoded: Picture) -> tuple[float, Picture]:
        """D and ∂D/∂decoded, ``(C, H, W)``."""
        pyramid = _pyramid(decoded, self._scales, self.workers)
        by_xyb = [np.empty_like(planes) for _, planes in pyramid]
        for by, weighs in zip(by_xyb, self._weighs, strict=True):
            self._cleared(by, ~weighs)
        total = 0.0
        for component in self.components:
            plane = pyramid[component.scale][1][component.index]
            norms, moments = self._norms(component, plane)
            total += float((component.weights * norms).sum())
            slopes = _slopes(component.weights, norms) * (self._pixels / plane.size)
            _pull_back(
                component, plane, slopes, moments, by_xyb[component.scale][component.index],
                self.workers,
            )  # fmt: skip
        if by_xyb:
            del plane, moments, pyramid[0]  # a picture's memory, not needed any more
        return self._pixels * total, _pyramid_adjoint(decoded, pyramid, by_xyb, self.workers)

    def _cleared(self, planes: Planes, chosen: NDArray[np.bool_]) -> None:
        """Set some of ``(3, h, w)`` planes to 0."""

        def clear(begin: int, end: int) -> None:
            planes[chosen, begin:end] = 0

        self.workers.rows(planes.shape[1], clear)

    def score(self, decoded: Picture) -> float:
        """SSIMULACRA2 of ``(C, H, W)`` planes in [0, 255], as the published tool computes it.

        Its recursive blur adds rounding errors that ``value`` is free of; they count at high
        scores.
        """
        return pooled_score([self.norms(decoded)], np.ones(1))

    def norms(self, decoded: Picture, begin: int = 0, end: int | None = None) -> Norms:
        """The errors that the score is made of, as the published tool computes them.

        Of all rows or of some, multiples of 32; what lies around them is looked at all the same.
        """
        pyramid = _pyramid(decoded, self._scales, self.workers)
        norms = []
        kept = self._pixels <= KEPT_PIXELS
        references = self._as_published if kept else map(self._published, self.components)
        for component, reference in zip(self.components, references, strict=True):
            plane = pyramid[component.scale][1][component.index]
            original, moments = reference[0], np.empty_like(reference)
            _recursive_blur(plane, None, moments[0], self.workers)
            _recursive_blur(plane, plane, moments[1], self.workers)
            _recursive_blur(original, plane, moments[2], self.workers)
            rows = begin >> component.scale, len(plane) if end is None else end >> component.scale
            found = _norms(reference, plane, moments, self.workers, *rows)
            norms.append((component.weights, found))
        return norms

    def quick_score(self, decoded: Picture) -> float:
        """The score without those rounding errors: nearly the same, in a third of the time."""
        return self.score_at(self.value(decoded))

    def score_at(self, value: float) -> float:
        """The same from D."""
        return score_of(value / self._pixels)

    @cached_property
    def _as_published(self) -> tuple[Planes, ...]:
        """The components' references, blurred as the published tool does it."""
        return tuple(map(self._published, self.components))

    def _published(self, component: _Component) -> Planes:
        blurred = np.empty_like(component.reference)
        original = blurred[0] = component.reference[0]
        _recursive_blur(original, None, blurred[1], self.workers)
        _recursive_blur(original, original, blurred[2], self.workers)
        return blurred

    @property
    def _pixels(self) -> int:
        return self.shape[1] * self.shape[2]

    @property
    def _weighs(self) -> NDArray[np.bool_]:
        """``(scales, 3)``: which planes have a component."""
        weighs = np.zeros((self._scales, 3), bool)
        for component in self.components:
            weighs[component.scale, component.index] = True
        return weighs

    @property
    def _scales(self) -> int:
        return max((component.scale + 1 for component in self.components), default=0)

    def _norms(self, component: _Component, plane: Planes) -> tuple[NDArray[np.float64], Planes]:
        """``(2, 3)``: 1-norms and 4-norms; and the blurs they were made from."""
        moments = np.empty_like(component.reference)

        def run(begin: int, end: int) -> None:
            _kernels.ssimulacra2_moments(component.reference, plane, begin, end, moments)

        self.workers.rows(len(plane), run)
        return _norms(component.reference, plane, moments, self.workers), moments


def ssimulacra2_scorer(reference: Picture, workers: Workers = SERIAL) -> Callable[[Picture], float]:
    """What scores decoded pictures against this one; both ``(C, H, W)`` in [0, 255]."""
    return Ssimulacra2Error.of(reference, workers).score


def _pyramid(picture: Picture, scales: int, workers: Workers) -> list[tuple[Planes, Planes]]:
    """Linear light and positive XYB, ``(3, h, w)`` each, from full size down.

    Linear light of the first scale is left out: it takes the place of the second's.
    """
    if scales == 0:
        return []
    xyb = np.empty((3, *picture.shape[1:]), np.float32)
    half = _halved(xyb.shape)

    def first(begin: int, end: int) -> None:
        _kernels.ssimulacra2_first_scale(picture, begin, end, xyb, half)

    workers.rows(half.shape[1], first)
    levels = [(half, xyb)]
    linear = half
    for scale in range(1, scales):
        planes = np.empty_like(linear)
        coarser = _halved(linear.shape)

        def convert(begin: int, end: int, linear: Planes = linear, planes: Planes = planes) -> None:
            _kernels.ssimulacra2_xyb(linear, begin, end, planes)

        def halve(begin: int, end: int, linear: Planes = linear, out: Planes = coarser) -> None:
            _kernels.ssimulacra2_halve(linear, begin, end, out)

        workers.rows(linear.shape[1], convert)
        levels.append((linear, planes))
        if scale + 1 < scales:
            workers.rows(coarser.shape[1], halve)
            linear = coarser
    return levels


def _halved(shape: tuple[int, ...]) -> Planes:
    return np.empty((3, (shape[1] + 1) // 2, (shape[2] + 1) // 2), np.float32)


def _pyramid_adjoint(
    picture: Picture,
    pyramid: list[tuple[Planes, Planes]],
    by_xyb: list[Planes],
    workers: Workers,
) -> Picture:
    """∂D/∂picture from ∂D by every scale's XYB; the pyramid is that without the first one."""
    out = np.zeros(picture.shape, np.float32)
    if not by_xyb:
        return out
    by_linear: Planes | None = None
    for (linear, _), by in zip(pyramid[::-1], by_xyb[:0:-1], strict=True):
        gradient = np.zeros(linear.shape, np.float32)

        def pull(
            begin: int,
            end: int,
            linear: Planes = linear,
            by: Planes = by,
            coarser: Planes | None = by_linear,
            gradient: Planes = gradient,
        ) -> None:
            _kernels.ssimulacra2_xyb_adjoint(linear, by, coarser, begin, end, gradient)

        workers.rows(linear.shape[1], pull)
        by_linear = gradient

    def first(begin: int, end: int) -> None:
        _kernels.ssimulacra2_first_scale_adjoint(picture, by_xyb[0], by_linear, begin, end, out)

    workers.rows(picture.shape[1], first)
    return out


def _prepared(plane: Planes, workers: Workers) -> Planes:
    planes = np.empty((3, *plane.shape), np.float32)

    def run(begin: int, end: int) -> None:
        planes[0, begin:end] = plane[begin:end]
        _kernels.ssimulacra2_reference(plane, begin, end, planes[1], planes[2])

    workers.rows(len(plane), run)
    return planes


def _norms(
    reference: Planes,
    plane: Planes,
    moments: Planes,
    workers: Workers,
    begin: int = 0,
    end: int | None = None,
) -> NDArray[np.float64]:
    """``(2, 3)``: 1-norms and 4-norms of the three errors, of all rows or of some."""
    count = (len(plane) if end is None else end) - begin

    def run(first: int, last: int) -> tuple[float, ...]:
        return _kernels.ssimulacra2_sums(reference, plane, begin + first, begin + last, moments)

    sums = np.sum(workers.rows(count, run), axis=0).reshape(3, 2).T / (count * plane.shape[1])
    return np.stack([sums[0], sums[1] ** 0.25])


def _recursive_blur(
    first: Planes, second: Planes | None, out: NDArray[np.float32], workers: Workers
) -> None:
    """The published tool's blur of first × second, or of first alone."""
    along = np.empty_like(first)

    def rows(begin: int, end: int) -> None:
        _kernels.ssimulacra2_recursive_along(first, second, begin, end, along)

    def columns(begin: int, end: int) -> None:
        _kernels.ssimulacra2_recursive_across(along, begin, end, out)

    workers.rows(len(first), rows)
    workers.rows(first.shape[1], columns)


def _slopes(weights: NDArray[np.float64], norms: NDArray[np.float64]) -> NDArray[np.float32]:
    """``(2, 3)``: what multiplies ∂Σ d and ∂Σ ¼ d⁴; a 4-norm of zero has no slope."""
    fourth = np.divide(weights[1], norms[1] ** 3, out=np.zeros(3), where=norms[1] > 0)
    return np.stack([weights[0], fourth]).astype(np.float32)


def _pull_back(
    component: _Component,
    plane: Planes,
    slopes: NDArray[np.float32],
    moments: Planes,
    gradient: Planes,
    workers: Workers,
) -> None:
    """Fill ∂D/∂plane; the moments are used up."""

    def pointwise(begin: int, end: int) -> None:
        _kernels.ssimulacra2_slopes(
            component.reference, plane, slopes, begin, end, moments, gradient
        )

    def through_blurs(begin: int, end: int) -> None:
        _kernels.ssimulacra2_moments_adjoint(
            component.reference, plane, moments, begin, end, gradient
        )

    workers.rows(len(plane), pointwise)
    workers.rows(len(plane), through_blurs)
