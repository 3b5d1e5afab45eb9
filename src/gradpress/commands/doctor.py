"""What this installation is made of, and whether it works."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

import click

from gradpress.batches import memory
from gradpress.commands import configuration
from gradpress.commands.console import available_cores, installed_version

T = TypeVar("T")

NEEDED = {"numpy": "numpy", "pillow": "PIL", "click": "click", "rich": "rich"}
"""Distributions that gradpress cannot do without, and their packages."""
EXTRAS = {
    "torch": "own losses and gradpress.torch",
    "matplotlib": "plots in Python",
    "fsspec": "URLs as inputs and outputs",
}
"""Distributions that it can do without, and what they are for."""
LIBRARIES = {"PNG": "zlib", "JPEG": "jpg", "WEBP": "webp", "TIFF": "libtiff", "AVIF": "avif"}
"""Formats for which Pillow takes a library that may be missing, as Pillow calls it."""
GOAL = 80.0
"""SSIMULACRA2 that the self test asks for."""


@dataclass(frozen=True)
class Health:
    """What was found."""

    gradpress: str
    python: str
    platform: str
    packages: Mapping[str, str | None]
    """Versions of what is needed; None is missing."""
    extras: Mapping[str, str | None]
    instruction_set: str | None
    """Of the kernels; None where they cannot be loaded."""
    cpu_features: tuple[str, ...]
    """As NumPy finds and names them."""
    threads: int
    memory_available_bytes: int | None
    configuration: Mapping[str, tuple[str, ...]]
    """Files and the environment, the weakest first, each with the options that it sets."""
    formats: Mapping[str, bool]
    """Whether pictures of the format can be read."""
    self_test: str
    """What compressing a drawn picture gave."""
    problems: tuple[str, ...] = field(default=())
    """What is broken, and what to do; none if all is well."""


def examine() -> Health:
    """Look at everything; whatever is broken becomes a problem, not an exception."""
    problems: list[str] = []
    packages = {name: _version(name) for name in NEEDED}
    for name, package in NEEDED.items():
        _tried(problems, f"{name} cannot be used; install it again", import_module, package)
    formats = _tried(problems, "Pillow cannot be used; install it again", _formats) or {}
    problems += [
        f"Pillow reads no {name} files; install Pillow from its wheels"
        for name in ("PNG", "JPEG")
        if not formats.get(name, False)
    ]
    kernels = _tried(problems, "the kernels cannot be loaded; install gradpress again", _kernels)
    tested = _tried(problems, "the self test failed; install gradpress again", self_test)
    return Health(
        gradpress=installed_version(),
        python=platform.python_version(),
        platform=platform.platform(),
        packages=packages,
        extras={name: _version(name) for name in EXTRAS},
        instruction_set=kernels,
        cpu_features=_tried([], "", _cpu_features) or (),
        threads=available_cores(),
        memory_available_bytes=memory.available(),
        configuration=_tried(problems, "the configuration is wrong", _configuration) or {},
        formats=formats,
        self_test=tested or "failed",
        problems=tuple(problems),
    )


def self_test() -> str:
    """Draw a picture, compress it, decode the file and say what came out; raises if it is wrong."""
    import numpy as np  # noqa: PLC0415

    from gradpress.pipeline import compress  # noqa: PLC0415

    y, x = np.mgrid[:48, :64].astype(float)
    waves = 128 + 60 * np.sin(x / 5) + 60 * np.cos(y / 7)
    drawn = np.stack([waves, 255 - waves, 4 * x], axis=-1).round().astype(np.uint8)
    result = compress(drawn, target=f"ssimulacra2={GOAL}", effort=1)
    decoded = np.asarray(result.image.convert("RGB"), float)
    error = float(np.abs(decoded - drawn).mean()) if decoded.shape == drawn.shape else 255.0
    reached = result.metrics["ssimulacra2"]
    told = f"64 × 48 pixels in {len(result.data)} bytes, SSIMULACRA2 {reached:.1f}"
    if reached < GOAL or error > 16:
        raise ArithmeticError(f"{told}, mean error {error:.1f}")
    return told


def text(health: Health) -> list[str]:
    """Lines for a person."""
    room = health.memory_available_bytes
    extras = {
        name: found or f"not installed ({EXTRAS[name]})" for name, found in health.extras.items()
    }
    rows = {
        "gradpress": health.gradpress,
        "Python": f"{health.python} on {health.platform}",
        **{name: found or "missing" for name, found in health.packages.items()},
        "kernels": health.instruction_set or "cannot be loaded",
        "processor has": " ".join(health.cpu_features) or "not known",
        "threads": str(health.threads),
        "memory": "not known" if room is None else f"{room / 1e9:.1f} GB available",
        **extras,
        "configuration": ", ".join(_told(health.configuration)) or "none",
        "reads": " ".join(name for name, can in health.formats.items() if can),
        "cannot read": " ".join(name for name, can in health.formats.items() if not can) or "-",
        "self test": health.self_test,
    }
    return [f"{name:<15}{value}" for name, value in rows.items()]


def _tried(problems: list[str], advice: str, work: Callable[..., T], *given: str) -> T | None:
    """Do it; if that fails, the reason is a problem."""
    try:
        return work(*given)
    except Exception as error:
        problems.append(f"{advice} ({type(error).__name__}: {error})")
        return None


def _told(configuration: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [f"{origin} ({' '.join(keys)})" for origin, keys in configuration.items()]


def _configuration() -> dict[str, tuple[str, ...]]:
    """What is in force for a call from here; raises UsageError where that would fail."""
    from gradpress.commands.cli import main  # noqa: PLC0415

    configuration.configure(click.Context(main), {})
    return {
        layer.origin: tuple(layer.values) for layer in configuration.layers_in_force(main.params)
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _kernels() -> str:
    from gradpress import _kernels  # noqa: PLC0415

    return _kernels.instruction_set()


def _cpu_features() -> tuple[str, ...]:
    """NumPy's account of the processor, which knows every platform."""
    import numpy as np  # noqa: PLC0415

    core = "numpy._core" if hasattr(np, "_core") else "numpy.core"
    features = import_module(f"{core}._multiarray_umath").__cpu_features__
    return tuple(name for name, has in features.items() if has)


def _formats() -> dict[str, bool]:
    from PIL import features  # noqa: PLC0415

    from gradpress.image import FORMATS  # noqa: PLC0415

    for module in FORMATS.values():
        import_module(f"PIL.{module}")
    known = sys.modules["PIL.Image"].OPEN
    return {
        name: name in known and (name not in LIBRARIES or bool(features.check(LIBRARIES[name])))
        for name in FORMATS
    }
