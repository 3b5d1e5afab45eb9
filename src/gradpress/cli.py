"""The command line: options in, files and reports out. All work is done elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from gradpress.errors import GradpressError, UsageError
from gradpress.files import output_paths, refuse_existing, write_atomically
from gradpress.goal import goal_from_options, parse_target

if TYPE_CHECKING:
    from gradpress.report import Record
    from gradpress.result import Result

DONE, FAILED, USAGE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes."""

Progress = Callable[[str, int], None]
"""Called with the input's name and the number of the step it is at."""


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(f"gradpress {version()}")
        context.exit()


def version() -> str:
    """The installed version."""
    from importlib.metadata import version as installed  # noqa: PLC0415  (slow, seldom wanted)

    return installed("gradpress")


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96})
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--output", metavar="OUT", help="File for one input, folder for more; - is stdout. Default: beside the input, .jpg.")
@click.option("--target", metavar="psnr=DB", help="At least this quality on the written file, in as few bytes as possible. Default: psnr=38.")
@click.option("--target-size", metavar="SIZE", help="At most this size, as good as possible: 120000, 120KB, 0.5bpp, or 30% of the input.")
@click.option("--lagrangian", type=float, metavar="X", help="Least distortion + X · bits.")
@click.option("--loss", type=click.Choice(["mse", "mae"]), default="mse", show_default=True, help="What is made small: squared or absolute error.")
@click.option("--chroma-subsampling", type=click.Choice(["auto", "444", "422", "420"]), default="auto", show_default=True, help="Resolution of colour; auto measures.")
@click.option("--progressive", type=click.Choice(["auto", "on", "off"]), default="auto", show_default=True, help="Kind of JPEG; auto takes the smaller.")
@click.option("-e", "--effort", type=click.IntRange(1, 9), default=5, show_default=True, help="How much work to do.")
@click.option("--threads", type=click.IntRange(1, 256), default=os.cpu_count() or 1, metavar="N", help="Threads for one picture; any number gives the same file. Default: all cores.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of whatever is random; at present nothing is.")
@click.option("--background", default="white", show_default=True, metavar="COLOUR", help="What transparency is laid on.")
@click.option("--max-pixels", type=click.IntRange(1), default=100_000_000, show_default=True, metavar="N", help="Refuse larger pictures before decoding them.")
@click.option("--overwrite", type=click.Choice(["never", "always"]), default="never", show_default=True, help="What to do where the output exists.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@click.option("-v", "--verbose", is_flag=True, help="Say more about each file.")
@click.option("-Q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def command(inputs: tuple[str, ...], **options: Any) -> int:
    """Make pictures small by gradient descent: each INPUT becomes a standard JPEG file.

    INPUT may be PNG, JPEG, TIFF, WebP, BMP, GIF, AVIF, PPM and more; - is stdin.

    Exit codes: 0 done, 1 some file failed, 2 usage, 3 goal unreachable (the closest file is
    written), 130 interrupted.
    """
    return run(inputs, options)
