"""The command line that makes a file again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gradpress.options import DEFAULTS
from gradpress.wording import printable

NOT_ASKED = ("name", "threads")
"""Options that leave the file as it is."""
_SAFE = re.compile(r"[\w@%+=:,./~^#-]+", re.ASCII)
_NO_TILDE = re.compile(r"[^~#]")


def asked(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are not what they are by default."""
    return {
        name: value
        for name, value in options.items()
        if name not in NOT_ASKED and value not in (None, DEFAULTS.get(name), ())
    }


def command(source: str, output: str, options: Mapping[str, Any]) -> str:
    """Write the command for a POSIX shell: options named as in Python, with hyphens."""
    words = ["gradpress"]
    for name, value in asked(options).items():
        words += _option(f"--{name.replace('_', '-')}", value)
    guard = ["--"] if source.startswith("-") and source != "-" else []
    redirected = [f"< {quoted('picture')}"] if source == "-" else []
    return " ".join([*words, "-o", quoted(output), *guard, quoted(source), *redirected])


def _option(flag: str, value: Any) -> Iterator[str]:  # noqa: ANN401
    """Flags stand alone, many values each after the option's name."""
    if value is True:
        yield flag
    elif value is not False:
        for one in value if isinstance(value, tuple | list) else (value,):
            yield from (flag, quoted(f"{one:.17g}" if isinstance(one, float) else str(one)))


def quoted(word: str) -> str:
    """A word as a POSIX shell reads it; control characters as bash's ``$'…'`` has them."""
    if _SAFE.fullmatch(word) and _NO_TILDE.match(word):
        return word
    if word.isprintable():
        return "'" + word.replace("'", "'\\''") + "'"
    return "$'" + printable(word.replace("\\", "\\\\").replace("'", "\\'")) + "'"
