"""The options of the command line that are about the descent."""

from __future__ import annotations

import click

DESCENT = (
    click.option(
        "--method",
        type=click.Choice(
            [
                "proximal", "gradient", "backtracking", "barzilai-borwein", "momentum", "nesterov",
                "adam", "subgradient", "accelerated", "lbfgs", "sgd", "interior-point",
            ]
        ),
        help="How the loss is descended on; sgd looks at a part of the picture in each step, "
        "interior-point meets a --target-size.  [default: proximal; for --loss mae gradient]",
    ),
    click.option(
        "--learning-rate",
        metavar="X|auto",
        help="Of a step, in parts of the way to the minimum of the loss's diagonal model.  "
        "[default: the method's own]",
    ),
    click.option(
        "--schedule",
        type=click.Choice(
            ["constant", "cosine", "linear", "exponential", "inverse", "inverse-root"]
        ),
        help="How the learning rate changes.  [default: what suits the method]",
    ),
    click.option(
        "--iterations",
        metavar="N",
        type=click.IntRange(min=0),
        help="Steps of the descent.  [default: as the effort allows]",
    ),
    click.option(
        "--tolerance",
        metavar="X",
        type=click.FloatRange(0, 1, max_open=True),
        help="Stop where a step lowers J by less than this part of it.",
    ),
    click.option(
        "--start",
        metavar="TABLES",
        default="curvature",
        show_default=True,
        help="Tables to start from: curvature (those that suit the loss), standard, flat, random, "
        "or those of a JPEG file.",
    ),
)  # fmt: skip
"""How J is descended on."""
