"""What the command line accepts about metadata, and about the mark of a file that is done."""

from __future__ import annotations

import click

METADATA = (
    click.option(
        "--strip",
        metavar="KIND[,KIND...]",
        multiple=True,
        help="Leave out all, exif, gps, xmp, iptc, thumbnail (always left out by default) or "
        "comments.",
    ),
    click.option(
        "--keep",
        metavar="KIND[,KIND...]",
        multiple=True,
        help="Keep these kinds alone; all keeps thumbnails, too.",
    ),
    click.option(
        "--preset",
        type=click.Choice(["web"]),
        help="web: keep author and copyright alone.",
    ),
    click.option(
        "--strip-icc",
        is_flag=True,
        help="Convert the colours to sRGB and leave the profile out; else it is always kept.",
    ),
    click.option(
        "--drop-gain-map",
        is_flag=True,
        help="Leave out an HDR gain map and other further pictures; without it such files are "
        "refused, but for --lossless.",
    ),
    click.option(
        "--no-mark",
        is_flag=True,
        help="Leave out the comment by which a later run for the same goal knows that a file is "
        "done.",
    ),
    click.option("--force", is_flag=True, help="Work on files that are marked as done, too."),
)
"""What is kept beside the pixels."""
