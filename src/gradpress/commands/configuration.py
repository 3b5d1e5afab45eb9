"""Configuration: options from files and environment variables, where the command line says nothing.

From the strongest: ``GRADPRESS_*`` variables; the project's file, ``gradpress.toml`` or the table
``[tool.gradpress]`` of ``pyproject.toml``, in the working folder or, inside a repository, the
nearest folder above it; the user's own ``config.toml``. The folders of pictures are never looked
at. What a call is about, its inputs and outputs, is not configured.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from gradpress.errors import UsageError
from gradpress.goal import request_from_options

PREFIX = "GRADPRESS_"
FILE, SHARED_FILE, USER_FILE = "gradpress.toml", "pyproject.toml", "config.toml"
OF_A_CALL = frozenset(
    (
        *("output", "files_from", "null", "in_place", "backup", "dry_run", "check", "as_json"),
        *("reports", "history", "config", "no_config", "version", "help"),
    )
)
"""Options, by the names of their parameters, that are given in the call or not at all."""
GOALS = ("target", "quality", "distance", "target_size", "lagrangian")
DISPLACED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*GOALS, "lossless"), (*GOALS, "lossless", "salvage")),
    **dict.fromkeys(("strip", "keep", "preset"), ("strip", "keep", "preset")),
    **dict.fromkeys(("progressive", "baseline"), ("progressive", "baseline")),
    "in_place": ("suffix",),
}
"""What an option does away with where it was configured further down: goals stay together."""

Given = Mapping[str, Any]


@dataclass(frozen=True)
class Layer:
    """What one place says."""

    origin: str
    """The file, or ``the environment``."""
    values: Mapping[str, Any]
    """By the options' long names without dashes; of variables, strings."""
    folder: Path | None = None
    """What paths are relative to; None for the environment: the working folder."""

    def told(self, key: str) -> str:
        """Name the place of a value."""
        if self.folder is None:
            return variable(key)
        return f"{self.origin}: {key}"


@dataclass(frozen=True)
class Setting:
    """A value that is understood."""

    value: Any
    origin: str


def configure(context: click.Context, given: Given) -> None:
    """Make what is configured the defaults of the command, but for the options ``given``.

    Raises UsageError, which names the place and the key.
    """
    layers = layers_in_force(context.command.params, given.get("config"), given.get("no_config"))
    settings: dict[str, Setting] = {}
    for layer in layers:
        above = _understood(context, layer)
        settings = _without(settings, above) | above
    settings = _without(settings, given)
    context.default_map = {name: each.value for name, each in settings.items()}
    context.meta[__name__] = [each.origin for name, each in settings.items() if name not in given]


def hint(context: click.Context) -> str:
    """What to add to a message about options that do not go together."""
    origins = context.meta.get(__name__)
    return f" (configured: {', '.join(origins)})" if origins else ""


def layers_in_force(
    parameters: Iterable[click.Parameter], config: str | None = None, no_config: bool | None = False
) -> list[Layer]:
    """Read what is configured, the weakest first: files, and variables of the environment.

    ``config`` names the one file that is read instead of those that would be found.
    """
    config = config or os.environ.get(f"{PREFIX}CONFIG")
    unwanted = no_config or os.environ.get(f"{PREFIX}NO_CONFIG", "") not in ("", "0")
    if config is not None and not no_config:
        files = [Path(config)]
    else:
        files = [] if unwanted else [*_existing(user_file()), *_existing(project_file(Path.cwd()))]
    variables = {
        key: value
        for key in _options(parameters)
        if (value := os.environ.get(variable(key))) is not None and value
    }
    environment = [Layer("the environment", variables)] if variables else []
    return [*map(_read, files), *environment]


def variable(key: str) -> str:
    """Name the environment variable of an option."""
    return PREFIX + key.upper().replace("-", "_")


def user_file() -> Path:
    """Where the user's file would be: ``~/.config/gradpress`` or the platform's counterpart."""
    return Path(click.get_app_dir("gradpress")) / USER_FILE


def project_file(folder: Path) -> Path | None:
    """Find the file of the project that a folder belongs to."""
    above = (folder, *folder.parents)
    root = next((each for each in above if (each / ".git").exists()), folder)
    for each in above[: above.index(root) + 1]:
        if (each / FILE).is_file():
            return each / FILE
        if (each / SHARED_FILE).is_file() and "gradpress" in _table(each / SHARED_FILE, "tool"):
            return each / SHARED_FILE
    return None


def _existing(path: Path | None) -> Iterator[Path]:
    if path is not None and path.is_file():
        yield path


def _read(path: Path) -> Layer:
    keys = ("tool", "gradpress") if path.name == SHARED_FILE else ()
    return Layer(str(path), _table(path, *keys), path.absolute().parent)


def _table(path: Path, *keys: str) -> dict[str, Any]:
    """Read a table of a TOML file; an empty one where there is none."""
    import tomllib  # noqa: PLC0415

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not TOML ({error}); mend it, or give --no-config") from error
    for count, key in enumerate(keys, 1):
        table = table.get(key, {})
        if not isinstance(table, dict):
            raise UsageError(f"{path}: {'.'.join(keys[:count])} is not a table")
    return table


def _options(parameters: Iterable[click.Parameter]) -> dict[str, click.Option]:
    """The options that may be configured, by their long names without dashes."""
    return {
        name.removeprefix("--"): each
        for each in parameters
        if isinstance(each, click.Option) and each.name not in OF_A_CALL
        for name in each.opts
        if name.startswith("--") and not (each.is_flag and isinstance(each.flag_value, str))
    }


def _understood(context: click.Context, layer: Layer) -> dict[str, Setting]:
    """Read every value as the command line would; by the names of parameters."""
    known = _options(context.command.params)
    settings, read = {}, {}
    for key, raw in layer.values.items():
        option = known.get(key)
        if option is None or option.name is None:
            raise UsageError(
                f"{layer.told(key)} is not an option that can be configured{_like(key, known)}"
            )
        try:
            value = _spelled(raw, option, layer.folder)
            read[option.name] = option.process_value(context, value)
        except click.UsageError as error:
            raise UsageError(f"{layer.told(key)}: {error.message}") from error
        settings[option.name] = Setting(value, layer.told(key))
    try:
        request_from_options(*(read.get(goal) for goal in GOALS))
    except UsageError as error:
        places = ", ".join(settings[goal].origin for goal in GOALS if goal in settings)
        raise UsageError(f"{places}: {error}") from error
    return settings


def _like(key: str, known: Collection[str]) -> str:
    near = get_close_matches(key.replace("_", "-"), known, 1)
    return f"; is {near[0]} meant?" if near else ""


def _spelled(raw: Any, option: click.Option, folder: Path | None) -> Any:  # noqa: ANN401
    """Spell a value as on the command line, so that nothing is read more loosely than there."""
    if option.is_flag:
        if not isinstance(raw, bool) and folder is not None:
            raise click.BadParameter(f"{raw!r} is not true or false")
        return raw
    if option.multiple:
        words = raw.split() if folder is None else raw
        several: Sequence[Any] = words if isinstance(words, list) else [words]
        return [_scalar(each) for each in several]
    text = _scalar(raw)
    return str(folder / text) if folder and isinstance(option.type, click.Path) else text


def _scalar(raw: Any) -> str:  # noqa: ANN401
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise click.BadParameter(f"{raw!r} is not a text or number")
    return str(raw)


def _without(settings: dict[str, Setting], names: Iterable[str]) -> dict[str, Setting]:
    """Leave out what the options of these names do away with."""
    gone = {each for name in names for each in DISPLACED.get(name, ())}
    return {name: each for name, each in settings.items() if name not in gone}
