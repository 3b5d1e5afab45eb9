"""What is descended on, by its name."""

from __future__ import annotations

from collections.abc import Callable

from gradpress.distortion import AbsoluteError, Distortion, Picture, SquaredError
from gradpress.distortion.own import OwnLoss, Sum, imported, own_loss
from gradpress.distortion.recipes import RECIPES, Recipe, recipe_of_own, recipe_of_sum
from gradpress.options import one_of
from gradpress.workers import SERIAL, Workers

LOSSES: dict[str, Callable[[Picture, Workers], Distortion]] = {
    "mse": SquaredError,
    "mae": AbsoluteError,
}


def loss_of(given: str | OwnLoss, *, weighted: bool) -> str | Recipe:
    """A loss by its name or its object; where pixels are weighed, every one has a recipe."""
    if not isinstance(given, str) or ":" in given:
        return recipe_of_own(own_loss(imported(given) if isinstance(given, str) else given))
    losses: dict[str, str | Recipe] = {**RECIPES, **{name: name for name in LOSSES}}
    loss = one_of("loss", given, losses)
    if weighted and isinstance(loss, str):
        kind = LOSSES[loss]
        return recipe_of_sum(Sum(lambda reference: kind(reference, SERIAL)))
    return loss
