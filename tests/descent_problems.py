"""Functions to descend on, with known gradients and known answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradpress.descent import Evaluation, Terms


@dataclass
class Problem:
    """A smooth function with its gradient; it notes every point at which it is evaluated."""

    function: Callable[[Any], float]
    gradient: Callable[[Any], Any]
    start: Any
    answer: Any
    asked: list[Any] = field(default_factory=list)

    def evaluate(self, params):
        self.asked.append(params)
        value = float(self.function(params))
        return Evaluation(value, value, self.gradient(params), Terms(value))


@dataclass
class Lasso:
    """½|Ax - b|² + weight·|x|₁, with the soft threshold as its proximal operator."""

    matrix: np.ndarray
    wanted: np.ndarray
    weight: float
    start: np.ndarray
    answer: np.ndarray
    asked: list[Any] = field(default_factory=list)

    @property
    def curvature(self) -> float:
        return float(np.linalg.norm(self.matrix, 2) ** 2)

    def evaluate(self, x):
        self.asked.append(x)
        error = self.matrix @ x - self.wanted
        smooth, rest = 0.5 * float(error @ error), self.weight * float(np.abs(x).sum())
        return Evaluation(smooth + rest, smooth, self.matrix.T @ error, Terms(smooth, rest))

    def prox(self, x, gradient, rate):
        return soft_threshold(x - rate * gradient, rate * self.weight)


def soft_threshold(x, threshold):
    return np.sign(x) * np.maximum(np.abs(x) - threshold, 0)


def quadratic(condition, size=6, seed=0):
    """½ (x - a)ᵀ H (x - a), H turned at random, with curvatures from 1 to ``condition``."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(size, size)))[0]
    hessian = turn @ np.diag(np.geomspace(1, condition, size)) @ turn.T
    answer = rng.normal(size=size)
    return Problem(
        lambda x: 0.5 * (x - answer) @ hessian @ (x - answer),
        lambda x: hessian @ (x - answer),
        np.zeros(size),
        answer,
    )


def rosenbrock():
    """(1 - x)² + 100 (y - x²)², from the usual start (Rosenbrock, 1960)."""

    def gradient(p):
        x, y = p
        return np.array([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)])

    return Problem(
        lambda p: (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2,
        gradient,
        np.array([-1.2, 1.0]),
        np.ones(2),
    )


def nested():
    """A tree: log cosh on a matrix and a quadratic inside a tuple inside a tuple."""
    return Problem(
        lambda t: np.log(np.cosh(t[0] - 1)).sum() + 2 * ((t[1][0] + 3) ** 2).sum(),
        lambda t: (np.tanh(t[0] - 1), (4 * (t[1][0] + 3),)),
        (np.zeros((2, 3)), (np.zeros(4),)),
        (np.ones((2, 3)), (np.full(4, -3.0),)),
    )


def absolute_errors():
    """Mean |x - data| by column: not smooth; the medians are the answer."""
    data = np.random.default_rng(1).normal(size=(9, 4))
    return Problem(
        lambda x: np.abs(x - data).mean(0).sum(),
        lambda x: np.sign(x - data).mean(0),
        np.full(4, 2.0),
        np.median(data, axis=0),
    )


def lasso(seed=0, rows=9, columns=6, weight=0.7):
    """A lasso made backwards from its answer: Aᵀ(b - A x) = weight · sign(x), inside ±weight at 0.

    A has full column rank, so the answer is the only one.
    """
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, columns)) + np.eye(rows, columns)
    answer = rng.normal(0, 2, columns) * (rng.random(columns) < 0.6)
    pull = np.where(answer == 0, rng.uniform(-0.9, 0.9, columns), np.sign(answer))
    residual = np.linalg.lstsq(matrix.T, weight * pull, rcond=None)[0]
    return Lasso(matrix, matrix @ answer + residual, weight, np.zeros(columns), answer)


def finite_difference(function, params, direction, width=1e-5):
    """Slope of the function along a direction by central differences; params is one array."""
    ahead, behind = params + width * direction, params - width * direction
    return (function(ahead) - function(behind)) / (2 * width)


@dataclass
class Fenced(Problem):
    """A problem with one constraint."""

    fence: Callable[[Any], tuple[float, Any]] = lambda x: (1.0, np.zeros_like(x))

    def room(self, params):
        return self.fence(params)


def halved_plane():
    """|x - (2, 1)|² where x₁ + x₂ ≤ 1: the projection (1, 0), with multiplier 2."""
    wanted = np.array([2.0, 1.0])
    return Fenced(
        lambda x: float((x - wanted) @ (x - wanted)),
        lambda x: 2 * (x - wanted),
        np.array([-1.0, -1.0]),
        np.array([1.0, 0.0]),
        fence=lambda x: (1 - x.sum(), -np.ones(2)),
    )


def disc():
    """x₁ + x₂ inside the unit circle: (-1, -1) / √2."""
    return Fenced(
        lambda x: float(x.sum()),
        lambda x: np.ones(2),
        np.array([0.3, -0.2]),
        -np.ones(2) / np.sqrt(2),
        fence=lambda x: (1 - x @ x, -2 * x),
    )


def loose():
    """A quadratic whose constraint does not bind."""
    inner = quadratic(20, size=3)
    return Fenced(
        inner.function,
        inner.gradient,
        inner.start,
        inner.answer,
        fence=lambda x: (100 - x @ x, -2 * x),
    )


@dataclass
class LeastSquares:
    """Σ ½ (aᵢ · x - bᵢ)², one part for each equation; all hold at the answer."""

    rows: np.ndarray
    wanted: np.ndarray
    start: np.ndarray
    answer: np.ndarray

    @property
    def count(self):
        return len(self.rows)

    def part(self, x, which):
        error = float(self.rows[which] @ x - self.wanted[which])
        return Evaluation(error**2 / 2, error**2 / 2, error * self.rows[which], Terms(error**2 / 2))


def equations(seed=0, count=40, unknowns=5):
    rng = np.random.default_rng(seed)
    rows, answer = rng.normal(size=(count, unknowns)), rng.normal(size=unknowns)
    return LeastSquares(rows, rows @ answer, np.zeros(unknowns), answer)


@dataclass
class Apart:
    """Σ ½ |xᵢ - i|²: every part of the parameters is seen by one part of the sum."""

    count: int

    def part(self, x, which):
        error = x[which] - which
        gradient = tuple(error if i == which else None for i in range(self.count))
        value = 0.5 * float(error @ error)
        return Evaluation(value, value, gradient, Terms(value))
