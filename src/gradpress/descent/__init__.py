"""Descent on any function: methods, step rules, the loop, its outcome. Nothing knows of pictures.

In the order of use: ``contract`` (objectives and methods), ``tree`` (arithmetic on parameters),
``rules`` (how long a step is), the methods ``gradient``, ``momentum``, ``adam`` and ``proximal``,
``solution`` (steps, history, why it stopped), ``stopping`` (when that is), ``once`` (no point is
evaluated twice), ``iterate`` (the one loop), ``minimise`` (run it and keep the best).
"""

from gradpress.descent.adam import Adam
from gradpress.descent.contract import Evaluation, Method, Objective, ProximalObjective, Terms
from gradpress.descent.gradient import Gradient
from gradpress.descent.iterate import iterate
from gradpress.descent.minimise import minimise
from gradpress.descent.momentum import Momentum
from gradpress.descent.proximal import ProximalGradient
from gradpress.descent.rules import (
    Backtracking,
    Schedule,
    constant,
    cosine,
    exponential,
    inverse_root,
    inverse_time,
    linear,
)
from gradpress.descent.solution import History, Recorder, Solution, Step, Stop

__all__ = [
    "Adam",
    "Backtracking",
    "Evaluation",
    "Gradient",
    "History",
    "Method",
    "Momentum",
    "Objective",
    "ProximalGradient",
    "ProximalObjective",
    "Recorder",
    "Schedule",
    "Solution",
    "Step",
    "Stop",
    "Terms",
    "constant",
    "cosine",
    "exponential",
    "inverse_root",
    "inverse_time",
    "iterate",
    "linear",
    "minimise",
]
