"""Talking to the user: lines on standard error, a line that moves, and what is said of errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import click

from gradpress.errors import GradpressError

MAX_THREADS = 256
INTERRUPTED = 130
DEBUG = "GRADPRESS_DEBUG"
"""The environment variable that asks for the traceback of an unexpected error."""
NO_MEMORY = "there is not enough memory for it; free some, or make the picture smaller first"


@dataclass(frozen=True)
class Display:
    """Where text for the user goes."""

    say: Callable[[str], None]
    """A line that stays."""
    show: Callable[[str], None]
    """What is under way: a line that the next one replaces, or that is not shown at all."""


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


def show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Answer ``--version``."""
    if wanted and not context.resilient_parsing:
        click.echo(f"gradpress {installed_version()}")
        context.exit()


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


def say(text: str) -> None:
    """Tell the user; if nobody can be told any more, the work goes on."""
    with suppress(OSError):
        click.echo(text, err=True)


def is_terminal(stream: Any) -> bool:  # noqa: ANN401
    """Whether a person sits at the other end; no stream is none."""
    return stream is not None and stream.isatty()


@contextmanager
def display(*, live: bool) -> Iterator[Display]:
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
