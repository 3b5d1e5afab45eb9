"""The one command: sweep, save, report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.encoders import LOSSES, PEERS, Encoder, gradpress_at
from benchmarks.metrics import METRICS, WITNESSES
from benchmarks.report import ANCHORS, report
from benchmarks.rows import read_rows, write_rows
from benchmarks.sweep import pictures_in, spread, sweep


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Compare gradpress with other JPEG encoders on a folder of pictures.",
        epilog=f"Peers: {', '.join(peer.name for peer in PEERS)}. "
        "Some need mozjpeg's cjpeg: give its path in $MOZJPEG_CJPEG.",
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--efforts", type=int, nargs="*", default=[5], metavar="1..9")
    parser.add_argument("--peers", nargs="*", metavar="NAME", help="default: all that are here")
    parser.add_argument("--losses", nargs="*", default=["perceptual"], choices=LOSSES)
    parser.add_argument(
        "--witnesses", action="store_true", help="measure by piq too, which is slow"
    )
    parser.add_argument("--append", action="store_true", help="add to the rows of an earlier run")
    parser.add_argument("--anchors", nargs="+", default=list(ANCHORS), metavar="NAME")
    parser.add_argument("--pictures", type=int, metavar="N", help="so many, spread over the folder")
    parser.add_argument("--settings", type=int, metavar="N", help="so many of each encoder's")
    parser.add_argument("--out", type=Path, help="TSV; default: benchmarks/results/FOLDER.tsv")
    return parser.parse_args()


def chosen_peers(names: list[str] | None) -> list[Encoder]:
    """The peers of these names, or all; those that are not installed are named and left out."""
    known = {peer.name: peer for peer in PEERS}
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        sys.exit(f"unknown peer {unknown[0]}; known are {', '.join(known)}")
    wanted = list(PEERS) if names is None else [known[name] for name in names]
    for peer in wanted:
        if peer.missing:
            print(f"{peer.name} is left out: no {', '.join(peer.missing)}", file=sys.stderr)
    return [peer for peer in wanted if not peer.missing]


def main() -> None:
    """Measure, save and print."""
    given = parse()
    pictures = spread(pictures_in(given.folder), given.pictures)
    if not pictures:
        sys.exit(f"{given.folder} holds no pictures")
    own = [gradpress_at(level, loss) for loss in given.losses for level in given.efforts]
    encoders = [*own, *chosen_peers(given.peers)]
    out = given.out or Path("benchmarks/results", f"{given.folder.resolve().name}.tsv")
    rows = list(
        sweep(
            pictures,
            encoders,
            settings=given.settings,
            metrics=(*METRICS, *WITNESSES) if given.witnesses else METRICS,
            say=lambda text: print(text, file=sys.stderr),
        )
    )
    if given.append:
        again = {row.encoder for row in rows}
        rows = [*(row for row in read_rows(out) if row.encoder not in again), *rows]
    write_rows(out, rows)
    print(report(rows, given.anchors))
    print(f"\n{len(rows)} rows are in {out}")


main()
