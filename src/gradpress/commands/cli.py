"""The command line: what is asked for, what is said, and how it ends.

Standard output carries the picture or the JSON document and nothing else; everything said to the
user goes to standard error. What takes long to import is imported when the work starts.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource

from gradpress import outcomes, wording
from gradpress.batches import batch
from gradpress.batches.batch import Ended, Means, Stepped
from gradpress.batches.inputs import JPEG_SUFFIXES, SUFFIXES, Found, Gathering, Search, gather
from gradpress.batches.memory import available
from gradpress.batches.outputs import Placing, Task, look, plan
from gradpress.batches.worker import Job
from gradpress.commands.arguments import VERBS, arguments
from gradpress.commands.configuration import configure, hint
from gradpress.commands.console import (
    INTERRUPTED,
    available_cores,
    display,
    installed_version,
    is_terminal,
    say,
)
from gradpress.commands.interrupts import Interrupts
from gradpress.commands.teller import Teller, Telling
from gradpress.errors import GradpressError, UsageError
from gradpress.files import STREAM, sweep, write_stdout
from gradpress.goal import request_from_options
from gradpress.metadata.policy import policy_of
from gradpress.outcomes import Record
from gradpress.reports import Reports, Wanted

if TYPE_CHECKING:
    from gradpress.options import Options

T = TypeVar("T")

HELP = """Make pictures small: standard JPEG files, fitted to each picture by gradient descent.

INPUT is a PNG, JPEG, TIFF, WebP, AVIF, BMP, GIF or PPM file, or - for standard input.

\b
gradpress photo.png                         photo.jpg, hard to tell from photo.png
gradpress -q 75 *.png -o small              as good as ordinary JPEG at 75, and smaller
gradpress -r photos -o small                a folder and those below it
gradpress --target-size 120KB scan.tif      at most 120000 bytes
gradpress - < photo.png > photo.jpg         in a pipe

\b
gradpress compare A B                       how much two pictures differ, by every metric
gradpress inspect FILE...                   what JPEG files hold
gradpress learn FOLDER -o tables.json       tables for a kind of picture, for any encoder
gradpress doctor                            what is installed, and whether it works
gradpress completion bash|zsh|fish          the shell's part in completing names of options
(each has a --help of its own; a picture of such a name is ./compare)
"""
EXIT_STATUS = """Exit status: 0 done, 1 some file failed, 2 wrong usage, 3 a goal is out of reach
(the closest file was written), 4 --check found what could shrink, 130 interrupted."""


DRY_EFFORT = 1
"""Where nothing is written, unless the user says otherwise."""


@dataclass(frozen=True)
class Limits:
    """How much may be used: the options of the same names."""

    jobs: int
    threads: int | None
    time_limit: float | None
    total_time: float | None
    memory_limit: int | None


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
            return super().make_context(info_name, _spelled(args), parent, **extra)
        from gradpress.commands.verbs import COMMANDS  # noqa: PLC0415

        name = f"{info_name} {args[0]}"
        return COMMANDS[args[0]].make_context(name, args[1:], parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; what they leave open may be configured."""
        given, _, _ = self.make_parser(ctx).parse_args([*args])
        answers = any(each.is_eager and each.name in given for each in self.get_params(ctx))
        if not (answers or ctx.resilient_parsing):  # neither --help nor --version
            try:
                configure(ctx, given)
            except UsageError as error:
                raise click.UsageError(wording.printable(str(error)), ctx) from error
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run what the arguments were read for."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)


@click.command(
    cls=_Press,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=HELP,
    epilog=EXIT_STATUS,
)
@arguments
@click.pass_context
def main(
    context: click.Context,
    /,
    *,
    inputs: tuple[str, ...],
    target: str | None,
    dry_run: bool,
    check: bool,
    reports: tuple[Path, ...],
    history: Path | None,
    **given: Any,  # noqa: ANN401
) -> None:
    """Compress the pictures that the arguments name, and end with the exit status."""
    try:
        gathering, placing = _taken(Gathering, given), _taken(Placing, given)
        limits, telling = _taken(Limits, given), _taken(Telling, given)
        writes = not (dry_run or check)
        if not writes and context.get_parameter_source("effort") is not ParameterSource.COMMANDLINE:
            given["effort"] = DRY_EFFORT
        if given.pop("baseline"):
            given["progressive"] = _baseline(context, given["progressive"])
        options = _checked(target, given)
        found = _found(inputs, gathering, placing)
        tasks = look(found) if check else plan(found, placing, create=writes)
        wanted = Wanted(reports, history, len(tasks), placing.overwrite != "never")
        _check_streams(tasks, telling, writes=writes)
        means = _means(limits, tasks)
        options["threads"] = limits.threads or max(1, available_cores() // means.jobs)
        records, interrupted = process(tasks, Job(options, placing, wanted, writes), means, telling)
        if telling.as_json == "document":
            write_stdout(outcomes.document(records, installed_version()).encode("ascii") + b"\n")
        if interrupted:
            say("gradpress: interrupted; what was finished is kept, nothing is half-done")
        code = (
            outcomes.check_code(records, given["min_savings"])
            if check
            else outcomes.exit_code(records)
        )
        code = INTERRUPTED if interrupted else code
    except UsageError as error:
        raise click.UsageError(wording.printable(f"{error}{hint(context)}")) from error
    except GradpressError as error:
        say(f"gradpress: {error}")
        code = 1
    except KeyboardInterrupt:
        say("gradpress: interrupted")
        code = INTERRUPTED
    context.exit(code)


def process(
    tasks: list[Task], job: Job, means: Means, telling: Telling
) -> tuple[list[Record], bool]:
    """Work off the tasks, telling the user of each; and whether the user interrupted that."""
    folders = {task.output.parent for task in tasks if isinstance(task.output, Path) and job.writes}
    run = batch.serial if means.jobs == 1 else batch.parallel
    interrupted = False
    for folder in folders:
        sweep(folder)
    live = not telling.quiet and is_terminal(sys.stderr)
    with Reports(job.wanted) as reports, Interrupts() as interrupts, display(live=live) as shown:
        teller = Teller(tasks, shown, telling, _print_line)
        interrupts.patient = run is batch.parallel
        try:
            with closing(run(tasks, job, means, interrupts.came)) as events:
                for event in events:
                    interrupts.patient = run is batch.parallel or isinstance(event, Stepped)
                    if isinstance(event, Ended):
                        event = Ended(event.index, reports.take(event.record))  # noqa: PLW2901
                    teller.take(event)
        except KeyboardInterrupt:
            interrupted = True
        interrupted = interrupted or interrupts.came()
        for folder in folders:
            sweep(folder)
        records = teller.finish(batch.INTERRUPTED)
        reports.write(records)
    return records, interrupted


def _spelled(args: list[str]) -> list[str]:
    """Spell ``--json=lines`` as the flag that it is."""
    end = args.index("--") if "--" in args else len(args)
    spelling = {"--json=lines": "--json-lines", "--json=document": "--json"}
    return [*(spelling.get(each, each) for each in args[:end]), *args[end:]]


def _taken(kind: type[T], given: dict[str, Any]) -> T:
    """Take the fields of a dataclass out of the options."""
    return kind(**{field.name: given.pop(field.name) for field in fields(cast("Any", kind))})


def _baseline(context: click.Context, progressive: str) -> str:
    """The scans that ``--baseline`` asks for."""
    default = context.get_parameter_source("progressive") is ParameterSource.DEFAULT
    if not default and progressive != "off":
        raise UsageError(f"--baseline contradicts --progressive {progressive}; leave one out")
    return "off"


def _checked(target: str | None, options: dict[str, Any]) -> Options:
    """Turn the options into those of the library; they must not contradict each other."""
    goals = ("quality", "distance", "target_size", "lagrangian")
    request_from_options(target, *(options[name] for name in goals))
    policy_of(cast("Options", options))
    return cast("Options", {"target": target, **options})


def _found(inputs: tuple[str, ...], gathering: Gathering, placing: Placing) -> list[Found]:
    """Find the pictures."""
    if STREAM in inputs and gathering.files_from == STREAM:
        raise UsageError("standard input (-) holds either a picture or the list of files")
    output = None if placing.to_stdout or placing.output is None else Path(placing.output)
    search = Search(
        exclude=gathering.exclude,
        suffixes=JPEG_SUFFIXES if placing.in_place else SUFFIXES,
        without=output,
        made_suffix=placing.suffix if output is None else "",
    )
    found = gather(inputs, gathering, search)
    if not found:
        say("gradpress: there are no pictures to compress")
    return found


def _means(limits: Limits, tasks: list[Task]) -> Means:
    """What the batch may use of this machine."""
    work = sum(task.refusal is None and task.done is None for task in tasks)
    jobs = max(1, min(limits.jobs, work))
    total = limits.total_time
    return Means(
        jobs=jobs,
        time_limit=limits.time_limit,
        deadline=None if total is None else time.monotonic() + total,
        memory_limit=limits.memory_limit,
        available=available() if jobs > 1 else None,
    )


def _check_streams(tasks: list[Task], telling: Telling, *, writes: bool) -> None:
    reads = any(task.source is None for task in tasks)
    pictures = writes and any(task.output is None for task in tasks)
    if pictures and telling.as_json:
        raise UsageError("standard output takes the picture or --json, not both; give -o FILE")
    if sys.stdout is None and (pictures or telling.as_json):
        raise UsageError("standard output is closed; redirect it to a file")
    if pictures and is_terminal(sys.stdout):
        raise UsageError("a terminal does not take a picture; redirect it, or give -o FILE")
    if reads and (sys.stdin is None or is_terminal(sys.stdin)):
        raise UsageError("no picture comes from standard input; redirect one into it")


def _print_line(line: str) -> None:
    write_stdout(line.encode("ascii") + b"\n")
