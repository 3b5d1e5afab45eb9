"""The verb ``gradpress doctor``: what is installed, and whether it works."""

from __future__ import annotations

import os
from dataclasses import asdict

import click

from gradpress.commands.answers import AS_JSON, CONTEXT, answer, document, ended
from gradpress.commands.console import say
from gradpress.wording import printable

HELP = """Say what this installation is made of, and whether it works.

Versions, the instruction set that the kernels run with, threads, memory, optional packages, formats
that can be read, configuration in force; and a drawn picture is compressed.
"""
STATUS = "Exit status: 0 all is well, 1 something is broken, 2 wrong usage, 130 interrupted."


@click.command(context_settings=CONTEXT, help=HELP, epilog=STATUS)
@AS_JSON
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Print what was found."""

    def work() -> int:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        from gradpress.commands.doctor import examine, text  # noqa: PLC0415

        health = examine()
        if as_json:
            answer(document(**asdict(health)))
        else:
            answer("\n".join(text(health)))
        for problem in health.problems:
            say(f"gradpress: {printable(problem)}")
        return int(bool(health.problems))

    context.exit(ended(work))
