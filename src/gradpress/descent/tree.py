"""Arithmetic on trees: an array, or a (nested) tuple of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tree = Any
"""An ndarray or a tuple of trees. (Python's types cannot say "the same shape of tree".)"""


def tree_map(function: Callable[..., NDArray[Any]], tree: Tree, *rest: Tree) -> Tree:
    """The function applied to matching leaves."""
    if isinstance(tree, tuple):
        return tuple(tree_map(function, *leaves) for leaves in zip(tree, *rest, strict=True))
    return function(np.asarray(tree), *map(np.asarray, rest))


def tree_dot(left: Tree, right: Tree) -> float:
    """Sum of products of matching elements."""
    if isinstance(left, tuple):
        return sum((tree_dot(a, b) for a, b in zip(left, right, strict=True)), 0.0)
    return float(np.vdot(left, right))


def tree_norm(tree: Tree) -> float:
    """Euclidean norm over all leaves."""
    return float(np.sqrt(tree_dot(tree, tree)))


def tree_size(tree: Tree) -> int:
    """Number of elements."""
    return sum(map(tree_size, tree)) if isinstance(tree, tuple) else int(np.size(tree))


def add_scaled(tree: Tree, scale: float, direction: Tree) -> Tree:
    """``tree + scale · direction``."""
    return tree_map(lambda a, b: a + scale * b, tree, direction)


def zeros_like(tree: Tree) -> Tree:
    """A tree of zeros of the same shape."""
    return tree_map(np.zeros_like, tree)


def all_finite(tree: object) -> bool:
    """Whether all numbers are finite; whatever is neither number, array nor tuple is trusted."""
    if isinstance(tree, tuple):
        return all(map(all_finite, tree))
    if isinstance(tree, np.ndarray | np.number | float):
        return bool(np.isfinite(tree).all())
    return True
