"""What the command line accepts: the options of ``gradpress INPUT...``, by what they are about."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from gradpress import units
from gradpress.commands.console import MAX_THREADS, available_cores, show_version
from gradpress.commands.descent_arguments import DESCENT
from gradpress.commands.metadata_arguments import METADATA
from gradpress.errors import UsageError

VERBS = ("compare", "completion", "doctor", "inspect", "learn")
"""First arguments that ask for something else than to compress."""
MAX_PIXELS = 100_000_000
MAX_JOBS = 256

Command = Callable[..., None]


def _read_by(parse: Callable[[str], Any]) -> Callable[..., Any]:
    """Read a value by ``parse``, whose UsageError says what is wrong with it."""

    def read(_: click.Context, parameter: click.Parameter, value: str | None) -> Any:  # noqa: ANN401
        try:
            return None if value is None else parse(value)
        except UsageError as error:
            raise click.BadParameter(str(error), param=parameter) from error

    return read


def _jobs(value: str) -> int:
    if value == "all":
        return available_cores()
    if re.fullmatch(r"\d{1,4}", value, re.ASCII) is None or not 1 <= int(value) <= MAX_JOBS:
        raise UsageError(f"{value!r} is not a number of jobs; give 1 to {MAX_JOBS}, or all")
    return int(value)


GOAL = (
    click.option(
        "--target",
        metavar="METRIC=VALUE",
        help="At least so good, in as few bytes as possible: ssimulacra2=80, butteraugli=1, "
        "ms-ssim=0.98, ssim=0.95 or psnr=40.  [default: ssimulacra2=80]",
    ),
    click.option(
        "-q",
        "--quality",
        type=int,
        metavar="1..100",
        help="As good, by SSIMULACRA2, as ordinary JPEG of this quality is on this very picture.",
    ),
    click.option(
        "-d",
        "--distance",
        type=float,
        metavar="D",
        help="Butteraugli distance (3-norm) at most: 1 is hard to see, 3 is plain.",
    ),
    click.option(
        "--target-size",
        "--max-size",
        "target_size",
        metavar="SIZE",
        help="At most so many bytes, as good as possible: 120000, 120KB, 64KiB, 0.5bpp (bits per "
        "pixel), 30% (of the input file). Beside a quality: never exceeded.",
    ),
    click.option(
        "--lagrangian", metavar="X", type=float, help="The price of a bit, in units of loss."
    ),
    click.option(
        "--lossless",
        is_flag=True,
        help="Keep a JPEG file's coefficients, and with them every pixel, in fewer bytes.",
    ),
    click.option(
        "--salvage",
        is_flag=True,
        help="With --lossless: write what can be decoded of a damaged file.",
    ),
)
"""What is asked for."""


LOSSES = ("perceptual", "ssimulacra2", "ms-ssim", "ssim", "butteraugli", "mse", "mae")


def _loss(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """A known name; module:function is looked up when the work starts."""
    return value if ":" in value else click.Choice(LOSSES).convert(value, parameter, context)


ENCODING = (
    click.option(
        "--loss",
        callback=_loss,
        metavar="[" + "|".join((*LOSSES, "MODULE:FUNCTION")) + "]",
        default="perceptual",
        show_default=True,
        help="What is descended on. A single metric gains by that metric and risks the others. "
        "MODULE:FUNCTION is your own, of torch tensors (decoded, reference); its module is "
        "imported from Python's path.",
    ),
    click.option(
        "--deblock",
        is_flag=True,
        help="Take a JPEG's blocking and ringing out first: the smoothest picture within its "
        "quantisation intervals becomes the original.",
    ),
    click.option(
        "--importance",
        metavar="MASK",
        type=click.Path(),
        help="A picture of the same size: errors count four times as much where it is white as "
        "where it is mid-grey, and a quarter where it is black.",
    ),
    click.option(
        "--qtables",
        metavar="FILE",
        type=click.Path(),
        help="Start from tables that gradpress learn wrote.",
    ),
    click.option("--freeze-tables", is_flag=True, help="Keep these very tables."),
    click.option(
        "--chroma-subsampling",
        type=click.Choice(["auto", "444", "422", "420", "keep"]),
        default="auto",
        show_default=True,
        help="How finely colour is kept; keep: as in the JPEG file that is compressed.",
    ),
    click.option(
        "--progressive",
        type=click.Choice(["auto", "on", "off"]),
        default="auto",
        show_default=True,
        help="Scans from coarse to fine; auto takes whichever file is smaller.",
    ),
    click.option("--baseline", is_flag=True, help="The same as --progressive off."),
    click.option(
        "--background",
        metavar="COLOUR",
        default="white",
        show_default=True,
        help="What transparency is laid on: a name or #rrggbb.",
    ),
)
"""How the picture is encoded."""

WORK = (
    click.option(
        "-e",
        "--effort",
        type=click.IntRange(1, 9),
        default=5,
        show_default=True,
        help="1 is fast, 9 is thorough.",
    ),
    click.option(
        "-j",
        "--jobs",
        callback=_read_by(_jobs),
        metavar="N|all",
        default="all",
        show_default=True,
        help="Pictures at a time, each in a process of its own; all: as many as there are cores. "
        "Fewer run where memory is short. 1 works in this process.",
    ),
    click.option(
        "--threads",
        type=click.IntRange(1, MAX_THREADS),
        show_default="cores / jobs",
        help="For each picture. Any number gives the same bytes.",
    ),
    click.option(
        "--time-limit",
        metavar="TIME",
        callback=_read_by(units.seconds),
        help="For each picture, such as 30s: when it is up, the best so far is written.",
    ),
    click.option(
        "--total-time",
        metavar="TIME",
        callback=_read_by(units.seconds),
        help="For all pictures, such as 10m: what has not been started by then is left.",
    ),
    click.option(
        "--memory-limit",
        metavar="SIZE",
        callback=_read_by(units.memory),
        help="For all pictures under way together, such as 2GB; one that takes more is refused.",
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Of whatever is random."),
    click.option(
        "--max-pixels",
        metavar="N",
        type=click.IntRange(min=1),
        default=MAX_PIXELS,
        show_default=True,
        help="Refuse larger pictures before decoding them.",
    ),
)
"""How much is done, and by what means."""

FILES = (
    click.option(
        "-r", "--recursive", is_flag=True, help="Search folders and those below for pictures."
    ),
    click.option(
        "--files-from",
        metavar="FILE",
        type=click.Path(),
        help="Read names of inputs from a file, one in a line; - is standard input.",
    ),
    click.option(
        "-0", "null", is_flag=True, help="In that file zero bytes stand between the names."
    ),
    click.option(
        "--exclude",
        metavar="GLOB",
        multiple=True,
        help="Leave out files and folders of such names, or paths below the folder searched.",
    ),
    click.option(
        "-o",
        "--output",
        metavar="OUT",
        type=click.Path(),
        help="A file for one input, else a folder, in which the tree of a searched folder is "
        "repeated; - is standard output.  [default: beside the input, with the suffix .jpg]",
    ),
    click.option(
        "--suffix", metavar="TEXT", default="", help="Goes before .jpg in the names of outputs."
    ),
    click.option(
        "--in-place",
        is_flag=True,
        help="Replace JPEG files by smaller ones that keep the goal; links are refused.",
    ),
    click.option(
        "--backup", is_flag=True, help="With --in-place: the file before stays as NAME.orig."
    ),
    click.option(
        "--overwrite",
        type=click.Choice(["never", "always", "smaller"]),
        default="never",
        show_default=True,
        help="Whether an existing file is replaced: smaller, by a smaller one only. Of several "
        "pictures, those whose output stands are skipped.",
    ),
    click.option(
        "--min-savings",
        metavar="SHARE",
        callback=_read_by(units.share),
        default="2%",
        show_default=True,
        help="A JPEG that would shrink by less stays as it is, unless it misses the goal.",
    ),
    click.option(
        "-p", "--preserve", is_flag=True, help="Give outputs the times and mode of their inputs."
    ),
    click.option(
        "-n",
        "--dry-run",
        is_flag=True,
        help="Write nothing, and say what would be saved; at effort 1 unless -e is given.",
    ),
    click.option(
        "--check",
        is_flag=True,
        help="Write nothing, and exit 4 if a picture could shrink by more than --min-savings; at "
        "effort 1 unless -e is given.",
    ),
)
"""Where files go."""

REPORTS = (
    click.option(
        "--report",
        "reports",
        metavar="FILE",
        type=click.Path(path_type=Path),
        multiple=True,
        help="Write a report: a page to look at (.html), or records (.json, .csv). More than one "
        "may be given.",
    ),
    click.option(
        "--history",
        metavar="FILE.csv",
        type=click.Path(path_type=Path),
        help="Write the descent's steps as a table.",
    ),
)
"""What is written down."""

SAID = (
    click.option(
        "--config",
        metavar="FILE",
        type=click.Path(),
        expose_value=False,
        help="Take options that are not given from this TOML file, not from the project's "
        "(gradpress.toml, pyproject.toml) and the user's own.",
    ),
    click.option(
        "--no-config", is_flag=True, expose_value=False, help="Read no configuration file."
    ),
    click.option(
        "--json",
        "as_json",
        flag_value="document",
        help="Print a report as JSON on standard output; --json=lines: an event in each line, as "
        "it happens.",
    ),
    click.option("--json-lines", "as_json", flag_value="lines", hidden=True),
    click.option("-v", "--verbose", is_flag=True, help="Say how each picture was compressed."),
    click.option("-Q", "--quiet", is_flag=True, help="Say only what went wrong."),
    click.option(
        "--version",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show_version,
        help="Print the version.",
    ),
)
"""What is told, and how."""


def _completed(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files; where none begins like this and nothing was named before, a verb."""
    first = not context.params.get("inputs")
    verbs = [verb for verb in VERBS if incomplete and verb.startswith(incomplete)]
    if first and verbs and not glob.glob(f"{glob.escape(incomplete)}*"):  # noqa: PTH207
        return [CompletionItem(verb) for verb in verbs]
    return [CompletionItem(incomplete, type="file")]


INPUTS = click.argument("inputs", metavar="INPUT...", nargs=-1, shell_complete=_completed)


GROUPS = {
    "Files": FILES,
    "Goal": GOAL,
    "Metadata": METADATA,
    "Encoding": ENCODING,
    "Descent": DESCENT,
    "Work": WORK,
    "Reports": REPORTS,
    "What is said": SAID,
}
"""All options by what they are about, in the order of ``--help``."""


def arguments(command: Command) -> Command:
    """Declare them all."""
    for declare in reversed((INPUTS, *(each for group in GROUPS.values() for each in group))):
        command = declare(command)
    return command
