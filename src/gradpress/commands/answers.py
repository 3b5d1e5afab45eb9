"""What the verbs share: answers on standard output, and how a verb ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import click

from gradpress.commands.console import INTERRUPTED, installed_version, say, told
from gradpress.errors import UsageError
from gradpress.files import write_stdout
from gradpress.wording import printable

SCHEMA = 1
"""Of each verb's JSON document; it changes when a key changes its meaning or goes."""
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
AS_JSON = click.option(
    "--json", "as_json", is_flag=True, help="Print the answer as a JSON document."
)


def document(**values: Any) -> str:  # noqa: ANN401
    """Write a JSON document: ASCII, without numbers that JSON lacks."""
    whole = {"schema": SCHEMA, "version": installed_version(), **values}
    return json.dumps(whole, indent=2, allow_nan=False)


def answer(text: str) -> None:
    """Write lines to standard output, signs that it lacks as escapes."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    write_stdout(f"{text}\n".encode(encoding, "backslashreplace"))


def ended(work: Callable[[], int]) -> int:
    """Do the work; whatever goes wrong is one line, and becomes the exit status."""
    if sys.stdout is None:
        raise click.UsageError("standard output is closed; redirect it to a file")
    try:
        return work()
    except UsageError as error:
        raise click.UsageError(printable(str(error))) from error
    except KeyboardInterrupt:
        say("gradpress: interrupted")
        return INTERRUPTED
    except Exception as error:
        say(f"gradpress: {printable(told(error))}")
        return 1
