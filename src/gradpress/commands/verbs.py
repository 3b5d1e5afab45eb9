"""The verbs of the command line: ``gradpress compare`` and ``gradpress inspect``.

The answer goes to standard output, notes and what went wrong to standard error.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradpress import metrics as known
from gradpress.commands.answers import AS_JSON, CONTEXT, answer, document, ended
from gradpress.commands.arguments import MAX_PIXELS
from gradpress.commands.console import (
    MAX_THREADS,
    available_cores,
    is_terminal,
    say,
    told,
)
from gradpress.commands.verb_completion import completion
from gradpress.commands.verb_doctor import doctor
from gradpress.commands.verb_learn import learn
from gradpress.errors import UsageError
from gradpress.files import STREAM
from gradpress.outcomes import FAILED
from gradpress.wording import printable

if TYPE_CHECKING:
    from gradpress.compare import Comparison
    from gradpress.image import Image

INSPECTED = "inspected"

COMPARE_HELP = """Say how much picture B differs from picture A, the original, by every metric.

Samples are compared as the files encode them, upright, transparency laid on the background; a grey
picture beside one in colour is taken as RGB. One of the two may be - for standard input.

\b
{metrics}
"""
INSPECT_HELP = """Say what JPEG files hold.

Size and kind, sampling, quality in libjpeg's terms, whose tables, scans, metadata, where the bytes
go and which frequencies take the bits, signs of an earlier compression, and what is wrong with the
file. - is standard input.
"""
STATUS = "Exit status: 0 done, 1 some file failed, 2 wrong usage, 130 interrupted."


def _metric_lines() -> str:
    width = max(map(len, known.NAMES))
    return "\n".join(f"{each.name:<{width}}  {_explained(each)}" for each in known.METRICS)


def _explained(metric: known.Metric) -> str:
    better = "higher is better" if metric.higher_is_better else "lower is better"
    return f"{metric.description} ({', '.join(filter(None, (metric.unit, better)))})"


def _pixel_limit(what: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        "--max-pixels",
        metavar="N",
        type=click.IntRange(min=1),
        default=MAX_PIXELS,
        show_default=True,
        help=what,
    )


@click.command(
    context_settings=CONTEXT, help=COMPARE_HELP.format(metrics=_metric_lines()), epilog=STATUS
)
@click.argument("a")
@click.argument("b")
@click.option("--metrics", metavar="NAMES", help="Some only: names with commas between them.")
@AS_JSON
@click.option(
    "--background",
    metavar="COLOUR",
    default="white",
    show_default=True,
    help="What transparency is laid on: a name or #rrggbb.",
)
@_pixel_limit("Refuse larger pictures before decoding them.")
@click.option(
    "--threads",
    type=click.IntRange(1, MAX_THREADS),
    default=available_cores,
    show_default="all cores",
    help="Any number gives the same values.",
)
@click.pass_context
def compare(
    context: click.Context,
    a: str,
    b: str,
    metrics: str | None,
    as_json: bool,
    background: str,
    max_pixels: int,
    threads: int,
) -> None:
    """Print how much picture B differs from picture A."""

    def work() -> int:
        chosen = known.METRICS if metrics is None else known.metrics(metrics)
        _check_streams((a, b))
        compared = _compared((a, b), chosen, background, max_pixels, threads)
        for notice in compared.notices:
            say(f"note: {printable(notice)}")
        if as_json:
            answer(document(original=a, picture=b, **_fields(compared)))
        else:
            answer("\n".join(map(_line, chosen, compared.scores.values())))
        return 0

    context.exit(ended(work))


@click.command(context_settings=CONTEXT, help=INSPECT_HELP, epilog=STATUS)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@AS_JSON
@_pixel_limit("Refuse files of more than 16 times so many bytes before reading them.")
@click.pass_context
def inspect(context: click.Context, files: tuple[str, ...], as_json: bool, max_pixels: int) -> None:
    """Print what JPEG files hold."""

    def work() -> int:
        _check_streams(files)
        entries = [_entry(name, max_pixels, as_json=as_json) for name in files]
        if as_json:
            answer(document(files=entries))
        return int(any(entry["status"] == FAILED for entry in entries))

    context.exit(ended(work))


COMMANDS: dict[str, click.Command] = {
    "compare": compare,
    "completion": completion,
    "doctor": doctor,
    "inspect": inspect,
    "learn": learn,
}


def _compared(
    names: tuple[str, str],
    chosen: Sequence[known.Metric],
    background: str,
    max_pixels: int,
    threads: int,
) -> Comparison:
    # NumPy's BLAS, which nothing here uses, would start a thread for every core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from gradpress import compare as comparing  # noqa: PLC0415
    from gradpress.image import read_image  # noqa: PLC0415
    from gradpress.workers import Workers  # noqa: PLC0415

    def picture(name: str) -> Image:
        return read_image(_source(name), background=background, max_pixels=max_pixels, name=name)

    with Workers(threads) as workers:
        original, other = map(picture, names)
        return comparing.compare(original, other, chosen, names=names, workers=workers)


def _line(metric: known.Metric, score: float) -> str:
    return f"{metric.name} {score:.{metric.digits}f}"


def _fields(compared: Comparison) -> dict[str, Any]:
    """What the JSON document says of a comparison; null where a score is no finite number."""
    scores = compared.scores.items()
    finite = {name: value if math.isfinite(value) else None for name, value in scores}
    return {
        "width": compared.width,
        "height": compared.height,
        "metrics": finite,
        "notices": compared.notices,
    }


def _entry(name: str, max_pixels: int, *, as_json: bool) -> dict[str, Any]:
    """Inspect a file and, unless that is for later, print what it holds."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from gradpress import inspect as inspecting  # noqa: PLC0415
    from gradpress.image import read_bytes  # noqa: PLC0415

    try:
        data = read_bytes(_source(name), max_pixels=max_pixels, name=name)
        found = inspecting.inspect(data, name)
    except Exception as error:
        reason = told(error).removeprefix(f"{name}: ")
        say(f"gradpress: {printable(name)}: {printable(reason)}")
        return {"input": name, "status": FAILED, "reason": reason}
    if not as_json:
        answer("\n".join([f"{printable(name)}: {found.bytes} bytes", *inspecting.text(found)]))
    return {"input": name, "status": INSPECTED} | asdict(found)


def _source(name: str) -> Any:  # noqa: ANN401
    return sys.stdin.buffer if name == STREAM else Path(name)


def _check_streams(names: Sequence[str]) -> None:
    if names.count(STREAM) > 1:
        raise UsageError("standard input (-) can be read once only")
    if STREAM in names and (sys.stdin is None or is_terminal(sys.stdin)):
        raise UsageError("no picture comes from standard input; redirect one into it")
