"""Descent on any function: methods, step rules, the loop, its outcome. Nothing knows of pictures.

In the order of use: ``contract`` (objectives and methods), ``tree`` (arithmetic on parameters),
``rules`` (how long a step is), the methods ``gradient``, ``barzilai_borwein``, ``momentum``,
``adam``, ``subgradient``, ``lbfgs``, ``proximal``, ``accelerated``, ``stochastic`` and ``barrier``,
``automatic`` and ``guarded`` (learning rates found, and cut where J runs away), ``in_turn``,
``solution`` (steps, history, why it stopped), ``stopping`` (when that is), ``once`` (no point is
evaluated twice), ``iterate`` (the one loop), ``minimise`` (run it and keep the best).
"""

from gradpress.descent.accelerated import Accelerated
from gradpress.descent.adam import Adam
from gradpress.descent.automatic import Automatic
from gradpress.descent.barrier import InteriorPoint
from gradpress.descent.barzilai_borwein import BarzilaiBorwein
from gradpress.descent.contract import Evaluation, Method, Objective, ProximalObjective, Terms
from gradpress.descent.gradient import Gradient
from gradpress.descent.guarded import Guarded
from gradpress.descent.in_turn import InTurn
from gradpress.descent.iterate import iterate
from gradpress.descent.lbfgs import LBFGS
from gradpress.descent.minimise import minimise
from gradpress.descent.momentum import Momentum
from gradpress.descent.once import Once
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
from gradpress.descent.stochastic import Drawn, GuardedRounds, Sampled, StochasticGradient
from gradpress.descent.subgradient import Subgradient

__all__ = [
    "LBFGS",
    "Accelerated",
    "Adam",
    "Automatic",
    "Backtracking",
    "BarzilaiBorwein",
    "Drawn",
    "Evaluation",
    "Gradient",
    "Guarded",
    "GuardedRounds",
    "History",
    "InTurn",
    "InteriorPoint",
    "Method",
    "Momentum",
    "Objective",
    "Once",
    "ProximalGradient",
    "ProximalObjective",
    "Recorder",
    "Sampled",
    "Schedule",
    "Solution",
    "Step",
    "StochasticGradient",
    "Stop",
    "Subgradient",
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
