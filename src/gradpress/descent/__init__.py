"""Descent on any function: methods, step rules, the loop, its outcome. Nothing knows of pictures.

In the order of use: ``contract`` (objectives and methods), ``tree`` (arithmetic on parameters),
``rules`` (how long a step is), ``methods``, ``iterate`` (the one loop), ``solution`` (steps,
history, why it stopped), ``minimise`` (run until a rule says stop).
"""

from gradpress.descent.contract import Evaluation, Method, Objective, ProximalObjective, Terms
from gradpress.descent.iterate import iterate
from gradpress.descent.methods import Adam, Gradient, Momentum, ProximalGradient
from gradpress.descent.minimise import minimise
from gradpress.descent.rules import (
    Backtracking,
    Schedule,
    constant,
    cosine,
    exponential,
    inverse_root,
    inverse_time,
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
    "minimise",
]
