"""The command line: what is asked for, what is said, and how it ends.

Standard output carries the picture or the JSON document and nothing else; everything said to the
user goes to standard error. What takes long to import is imported when the work starts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import click

from gradpress import report
from gradpress.errors import GradpressError, UsageError
from gradpress.files import STREAM, Task, is_same_file, plan, write_atomically, write_stdout
from gradpress.goal import request_from_options
from gradpress.report import Record

if TYPE_CHECKING:
    from pathlib import Path

    from gradpress.pipeline import Options, Snapshot
    from gradpress.result import Result

MAX_PIXELS = 100_000_000
MAX_THREADS = 256
INTERRUPTED = 130
VERBS = ("compare", "inspect")
"""First arguments that ask for something else than to compress."""
DEBUG = "GRADPRESS_DEBUG"
"""The environment variable that asks for the traceback of an unexpected error."""

HELP = """Make pictures small: standard JPEG files, fitted to each picture by gradient descent.

INPUT is a PNG, JPEG, TIFF, WebP, AVIF, BMP, GIF or PPM file, or - for standard input.

\b
gradpress photo.png                         photo.jpg, hard to tell from photo.png
gradpress -q 75 *.png -o small              as good as ordinary JPEG at 75, and smaller
gradpress --target-size 120KB scan.tif      at most 120000 bytes
gradpress - < photo.png > photo.jpg         in a pipe

\b
gradpress compare A B                       how much two pictures differ, by every metric
gradpress inspect FILE...                   what JPEG files hold
(each has a --help of its own; a picture of such a name is ./compare)
"""
EXIT_STATUS = """Exit status: 0 done, 1 some file failed, 2 wrong usage, 3 a goal is out of reach
(the closest file was written), 130 interrupted."""

NO_MEMORY = "there is not enough memory for it; free some, or make the picture smaller first"


@dataclass(frozen=True)
class Display:
    """Where text for the user goes."""

    say: Callable[[str], None]
    """A line that stays."""
    show: Callable[[str], None]
    """What is under way: a line that the next one replaces, or that is not shown at all."""


@dataclass(frozen=True)
class Run:
    """What holds for all pictures of a call."""

    options: Options
    overwrite: bool
    verbose: bool
    quiet: bool


def available_cores() -> int:
    """Count the processor cores that this process may use."""
    if sys.version_info >= (3, 13):
        return min(os.process_cpu_count() or 1, MAX_THREADS)
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), MAX_THREADS)
    return min(os.cpu_count() or 1, MAX_THREADS)


def installed_version() -> str:
    """Read the version from the installed package's metadata."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("gradpress")
    except PackageNotFoundError:
        return "0+unknown"


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(f"gradpress {installed_version()}")
        context.exit()


class _Press(click.Command):
    """The command, whose first argument may be a verb."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401
    ) -> click.Context:
        """Read the arguments as those of the verb, if the first one is."""
        if not args or args[0] not in VERBS:
            return super().make_context(info_name, args, parent, **extra)
        from gradpress.verbs import COMMANDS  # noqa: PLC0415

        name = f"{info_name} {args[0]}"
        return COMMANDS[args[0]].make_context(name, args[1:], parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run what the arguments were read for."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)


@click.command(
    cls=_Press,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=HELP,
    epilog=EXIT_STATUS,
)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    help="A file for one input, else a folder; - is standard output.  [default: beside the input, "
    "with the suffix .jpg]",
)
@click.option(
    "--target",
    metavar="METRIC=VALUE",
    help="At least so good, in as few bytes as possible: ssimulacra2=80, butteraugli=1, "
    "ms-ssim=0.98, ssim=0.95 or psnr=40.  [default: ssimulacra2=80]",
)
@click.option(
    "-q",
    "--quality",
    type=int,
    metavar="1..100",
    help="As good, by SSIMULACRA2, as ordinary JPEG of this quality is on this very picture.",
)
@click.option(
    "-d",
    "--distance",
    type=float,
    metavar="D",
    help="Butteraugli distance (3-norm) at most: 1 is hard to see, 3 is plain.",
)
@click.option(
    "--target-size",
    metavar="SIZE",
    help="At most so many bytes, as good as possible: 120000, 120KB, 64KiB, 0.5bpp (bits per "
    "pixel), 30% (of the input file). Beside a quality: never exceeded.",
)
@click.option("--lagrangian", metavar="X", type=float, help="The price of a bit, in units of loss.")
@click.option(
    "--loss",
    type=click.Choice(
        ["perceptual", "ssimulacra2", "ms-ssim", "ssim", "butteraugli", "mse", "mae"]
    ),
    default="perceptual",
    show_default=True,
    help="What is descended on. A single metric gains by that metric and risks the others.",
)
@click.option(
    "--chroma-subsampling",
    type=click.Choice(["auto", "444", "422", "420"]),
    default="auto",
    show_default=True,
    help="How finely colour is kept.",
)
@click.option(
    "--progressive",
    type=click.Choice(["auto", "on", "off"]),
    default="auto",
    show_default=True,
    help="Scans from coarse to fine; auto takes whichever file is smaller.",
)
@click.option(
    "-e",
    "--effort",
    type=click.IntRange(1, 9),
    default=5,
    show_default=True,
    help="1 is fast, 9 is thorough.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, MAX_THREADS),
    default=available_cores,
    show_default="all cores",
    help="Any number gives the same bytes.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of whatever is random.")
@click.option(
    "--background",
    metavar="COLOUR",
    default="white",
    show_default=True,
    help="What transparency is laid on: a name or #rrggbb.",
)
@click.option(
    "--max-pixels",
    metavar="N",
    type=click.IntRange(min=1),
    default=MAX_PIXELS,
    show_default=True,
    help="Refuse larger pictures before decoding them.",
)
@click.option(
    "--overwrite",
    type=click.Choice(["never", "always"]),
    default="never",
    show_default=True,
    help="Whether an existing file is replaced.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a report as JSON on standard output.")
@click.option("-v", "--verbose", is_flag=True, help="Say how each picture was compressed.")
@click.option("-Q", "--quiet", is_flag=True, help="Say only what went wrong.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Print the version.",
)
@click.pass_context
def main(
    context: click.Context,
    /,
    *,
    inputs: tuple[str, ...],
    output: str | None,
    target: str | None,
    overwrite: str,
    as_json: bool,
    verbose: bool,
    quiet: bool,
    **options: Any,  # noqa: ANN401
) -> None:
    """Compress the pictures that the arguments name, and end with the exit status."""
    try:
        run = Run(_checked(target, options), overwrite == "always", verbose, quiet)
        tasks = plan(inputs, output, overwrite=run.overwrite)
        _check_streams(tasks, as_json)
        records = process(tasks, run)
        if as_json:
            write_stdout(report.document(records, installed_version()).encode("ascii") + b"\n")
        code = report.exit_code(records)
    except UsageError as error:
        raise click.UsageError(report.printable(str(error))) from error
    except GradpressError as error:
        say(f"gradpress: {error}")
        code = 1
    except KeyboardInterrupt:
        say("gradpress: interrupted; what was finished is kept, nothing is half-done")
        code = INTERRUPTED
    context.exit(code)


def _checked(target: str | None, options: dict[str, Any]) -> Options:
    """Turn the options into those of the library; the goal must be one and in range."""
    goals = ("quality", "distance", "target_size", "lagrangian")
    request_from_options(target, *(options[name] for name in goals))
    return cast("Options", {"target": target, **options})


def process(tasks: list[Task], run: Run) -> list[Record]:
    """Compress one picture after the other, telling the user of each."""
    records = []
    with _display(live=not run.quiet and is_terminal(sys.stderr)) as display:
        for number, task in enumerate(tasks, 1):
            position = f"{number}/{len(tasks)} " if len(tasks) > 1 else ""
            record = _attempt(task, run, position, display.show)
            for line in report.text(record, verbose=run.verbose, quiet=run.quiet):
                display.say(line)
            records.append(record)
    return records


def _attempt(task: Task, run: Run, position: str, show: Callable[[str], None]) -> Record:
    """Compress one picture; whatever goes wrong with it, of whatever kind, becomes its record."""
    name = _name(task.source)
    if task.refusal is not None:
        return report.failed(name, task.refusal)
    try:
        result = _compressed(task, run, position, show)
        _deliver(task, result, run.overwrite)
        return report.finished(name, _name(task.output), result, peak_rss_bytes())
    except UsageError:
        raise
    except Exception as error:
        return report.failed(name, told(error))


def _compressed(task: Task, run: Run, position: str, show: Callable[[str], None]) -> Result:
    name = _name(task.source)
    show(report.progress(position + name, []))
    # NumPy's BLAS, which nothing here uses, would start a thread for every core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from gradpress import _kernels  # noqa: PLC0415

    _kernels.keep_freed_memory()
    from gradpress.pipeline import steps  # noqa: PLC0415

    options: Options = {**run.options, "name": name}
    for snapshot in steps(task.source or sys.stdin.buffer, **options):
        show(report.progress(position + name, _under_way(snapshot)))
    return snapshot.best


def _under_way(snapshot: Snapshot) -> list[str]:
    step, measured, metric = snapshot.step, snapshot.measured, snapshot.metric
    parts = [] if step is None else [f"step {step.index}"]
    if measured is not None:
        parts += [
            f"{metric.name} {measured.quality:.{metric.digits}f}",
            f"{measured.bytes:.0f} bytes",
        ]
    return parts


def _deliver(task: Task, result: Result, overwrite: bool) -> None:
    unchanged = result.status.value == report.PASSED_THROUGH
    if task.output is None:
        write_stdout(result.data)
    elif not (unchanged and is_same_file(task.source, task.output)):
        write_atomically(task.output, result.data, overwrite=overwrite)


def told(error: Exception) -> str:
    """Give the reason for the user, and say the traceback too where that is asked for."""
    if os.environ.get(DEBUG):
        _print_traceback(error)
    if isinstance(error, GradpressError):
        return str(error)
    if isinstance(error, MemoryError):
        return NO_MEMORY
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return (
        f"unexpected {what}; this is a defect of gradpress, please report it with the picture "
        f"({DEBUG}=1 shows where it happened)"
    )


def _print_traceback(error: Exception) -> None:
    import traceback  # noqa: PLC0415

    say("".join(traceback.format_exception(error)))


def _check_streams(tasks: list[Task], as_json: bool) -> None:
    reads = any(task.source is None for task in tasks)
    writes = any(task.output is None for task in tasks)
    if writes and as_json:
        raise UsageError("standard output takes the picture or --json, not both; give -o FILE")
    if sys.stdout is None and (writes or as_json):
        raise UsageError("standard output is closed; redirect it to a file")
    if writes and is_terminal(sys.stdout):
        raise UsageError("a terminal does not take a picture; redirect it, or give -o FILE")
    if reads and (sys.stdin is None or is_terminal(sys.stdin)):
        raise UsageError("no picture comes from standard input; redirect one into it")


def say(text: str) -> None:
    """Tell the user; if nobody can be told any more, the work goes on."""
    with suppress(OSError):
        click.echo(text, err=True)


def is_terminal(stream: Any) -> bool:  # noqa: ANN401
    """Whether a person sits at the other end; no stream is none."""
    return stream is not None and stream.isatty()


def _name(path: Path | None) -> str:
    return STREAM if path is None else str(path)


@contextmanager
def _display(*, live: bool) -> Iterator[Display]:
    """Plain lines on standard error; in a terminal also a line that moves."""
    if not live:
        yield Display(say=say, show=lambda _: None)
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415
    from rich.spinner import Spinner  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    spinner = Spinner("dots")
    with Live(
        spinner, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ):
        yield Display(
            say=lambda text: console.print(text, soft_wrap=True),
            show=lambda text: spinner.update(text=Text(text, no_wrap=True, overflow="ellipsis")),
        )


def peak_rss_bytes() -> int | None:
    """Ask for the most memory this process ever held; None where there is no such account."""
    try:
        import resource  # noqa: PLC0415
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
