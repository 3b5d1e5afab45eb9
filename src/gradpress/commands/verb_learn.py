"""The verb ``gradpress learn``: tables for a kind of picture, from a folder of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gradpress.commands.arguments import MAX_PIXELS
from gradpress.commands.console import (
    INTERRUPTED,
    MAX_THREADS,
    available_cores,
    display,
    installed_version,
    is_terminal,
    say,
    told,
)
from gradpress.errors import UsageError
from gradpress.files import write_atomically, write_stdout
from gradpress.wording import printable

if TYPE_CHECKING:
    from gradpress.learn import Lesson, State

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".avif", ".gif"}
)

HELP = """Learn quantisation tables from the pictures of a folder, for any JPEG encoder.

Minibatch gradient descent (Adam) on what people see and on bits, over all pictures several times.
Five pairs of tables come out, from coarse to fine. Run again after an interruption, it goes on
where it was.

\b
gradpress learn photos -o tables.json
cjpeg -qtables tables.txt -quality 50 ...   (from --cjpeg tables.txt; 50 takes them as they are)
gradpress photo.png --qtables tables.json
"""
STATUS = "Exit status: 0 done, 1 it failed, 2 wrong usage, 130 interrupted (run again to go on)."


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=HELP,
    epilog=STATUS,
)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The file of tables."
)
@click.option("--epochs", type=click.IntRange(1, 1000), default=3, show_default=True,
              help="Times that every picture is looked at.")  # fmt: skip
@click.option("--batch", type=click.IntRange(1, 10_000), default=8, show_default=True,
              help="Pictures that a step is made from.")  # fmt: skip
@click.option("--validation", type=click.FloatRange(0, 0.9), default=0.1, show_default=True,
              help="Share of the pictures held out, to choose the best epoch by.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order of pictures.")
@click.option("--cjpeg", type=click.Path(path_type=Path),
              help="Also write one pair as cjpeg -qtables reads it.")  # fmt: skip
@click.option("--quality", type=click.Choice(["40", "55", "70", "80", "88"]), default="70",
              show_default=True, help="Which pair is written and printed.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1, MAX_THREADS), default=available_cores,
              show_default="all cores", help="Any number gives the same tables.")  # fmt: skip
@click.option("--max-pixels", metavar="N", type=click.IntRange(min=1), default=MAX_PIXELS,
              show_default=True, help="Leave larger pictures out.")  # fmt: skip
@click.option("--overwrite", type=click.Choice(["never", "always"]), default="never",
              show_default=True, help="Whether existing files are replaced.")  # fmt: skip
@click.pass_context
def learn(
    context: click.Context,
    folder: Path,
    output: Path,
    epochs: int,
    batch: int,
    validation: float,
    seed: int,
    cjpeg: Path | None,
    quality: str,
    threads: int,
    max_pixels: int,
    overwrite: str,
) -> None:
    """Learn tables and write them."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from gradpress.jpeg import qtables  # noqa: PLC0415
    from gradpress.learn import Course, Lesson, tables_of  # noqa: PLC0415
    from gradpress.workers import Workers  # noqa: PLC0415

    replaces = overwrite == "always"
    try:
        _check_free([output, *([cjpeg] if cjpeg else [])], replaces)
        pictures = _pictures(folder)
        checkpoint = output.with_name(f"{output.name}.checkpoint")
        with Workers(threads) as workers:
            course = Course(epochs, batch, validation, seed=seed)
            lesson = Lesson(pictures, course, checkpoint, max_pixels, workers)
            tables = tables_of(_taught(lesson))
        about = {"version": installed_version(), "pictures": len(pictures), "epochs": epochs,
                 "batch": batch, "validation": validation, "seed": seed}  # fmt: skip
        write_atomically(output, qtables.to_json(tables, about).encode(), overwrite=replaces)
        chosen = next(each for each in tables if each.quality == int(quality))
        if cjpeg:
            write_atomically(cjpeg, qtables.cjpeg_text(chosen).encode(), overwrite=replaces)
        checkpoint.unlink(missing_ok=True)
        write_stdout(f"{qtables.pillow_line(chosen)}\n".encode())
    except UsageError as error:
        raise click.UsageError(printable(str(error))) from error
    except KeyboardInterrupt:
        say("gradpress: interrupted; the same command goes on from here")
        context.exit(INTERRUPTED)
    except Exception as error:
        say(f"gradpress: {printable(told(error))}")
        context.exit(1)


def _pictures(folder: Path) -> tuple[Path, ...]:
    """All pictures below a folder, in order; links are not followed."""
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.is_symlink()
    )
    if not found:
        raise UsageError(f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return tuple(found)


def _check_free(paths: list[Path], replaces: bool) -> None:
    for path in paths:
        if path.exists() and not replaces:
            raise UsageError(f"{path} exists already; give another name, or --overwrite always")
        if not path.parent.is_dir():
            raise UsageError(f"{path}: its folder does not exist; create it first")


def _taught(lesson: Lesson) -> State:
    """Take every step, telling the user."""
    state = lesson.resumed()
    if state.steps:
        say(f"going on after {state.steps} of {lesson.steps} steps")
    with display(live=is_terminal(sys.stderr)) as shown:
        for progress in lesson.learn():
            state = progress.state
            values = "  ".join(f"{value:.3f}" for value in progress.values)
            shown.show(f"step {progress.step} of {progress.steps}, J by pixel: {values}")
            for reason in progress.left_out:
                shown.say(f"left out: {printable(reason)}")
            if progress.step % lesson.steps_an_epoch == 0:
                best = "  ".join(f"{value:.3f}" for value in state.best_values)
                shown.say(f"epoch {progress.epoch + 1}: J by pixel, held out: {best}")
    return state
