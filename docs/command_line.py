"""Write the tables of options into docs/command-line.md: ``python docs/command_line.py``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import click

from gradpress.commands.arguments import GROUPS
from gradpress.commands.cli import main
from gradpress.commands.verbs import COMMANDS

PAGE = Path(__file__).parent / "command-line.md"
BEGIN, END = "<!-- options -->", "<!-- end of options -->"


def declared(group: Iterable[object]) -> list[str]:
    """The spellings that a group of declarations declares, one for each option."""

    def bare() -> None:
        """Take declarations."""

    for declare in group:
        declare(bare)  # type: ignore[operator]
    return [each.opts[-1] for each in bare.__click_params__]  # type: ignore[attr-defined]


def groups() -> dict[str, list[click.Option]]:
    """All options that ``--help`` shows, by headings."""
    own = {name: declared(group) for name, group in GROUPS.items()}
    found = {
        f"`gradpress INPUT...`: {name.lower()}": [
            each for each in shown(main) if each.opts[-1] in names
        ]
        for name, names in own.items()
    }
    return found | {f"`gradpress {name}`": shown(verb) for name, verb in COMMANDS.items()}


def shown(command: click.Command) -> list[click.Option]:
    """The options that a command's ``--help`` shows, but for ``--help``."""
    return [each for each in command.params if isinstance(each, click.Option) and not each.hidden]


def value(option: click.Option) -> str:
    """What an option's value is called."""
    kind = option.type
    if option.is_flag:
        return ""
    if option.metavar:
        return option.metavar
    if isinstance(kind, click.Choice):
        return "|".join(kind.choices)
    if isinstance(kind, click.IntRange | click.FloatRange):
        return f"{kind.min}…{kind.max}"
    return "FILE" if isinstance(kind, click.Path) else "N"


def row(option: click.Option) -> tuple[str, str]:
    """Spellings with the value's name; what it does, and the default."""
    spelled = f"{', '.join(option.opts)} {value(option)}".strip()
    shown = option.show_default
    default = option.default if shown is True else shown
    told = option.help or ""
    if default not in (None, False, ""):
        told += f" [default: {default}]"
    return spelled, re.sub(r"\s+", " ", told)


def tables() -> str:
    """The tables as Markdown."""
    parts = []
    for heading, options in groups().items():
        if not options:
            continue
        parts += ["", f"### {heading}", "", "| option | |", "| --- | --- |"]
        for option in options:
            spelled, meaning = (each.replace("|", "\\|") for each in row(option))
            parts.append(f"| `{spelled}` | {meaning} |")
    return "\n".join([*parts, "", ""])


def updated(page: str) -> str:
    """The page with its tables as they should be."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{tables()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
