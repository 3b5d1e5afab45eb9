"""What a JPEG file's coefficients say: where the bits go, whose tables, what was before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gradpress.errors import GradpressError
from gradpress.jpeg.decoder import Coefficients, decode
from gradpress.jpeg.earlier import Earlier, earlier
from gradpress.jpeg.families import Family, family
from gradpress.jpeg.params import ZIGZAG
from gradpress.jpeg.reader import Jpeg
from gradpress.jpeg.standard_codes import STANDARD

STANDARD_COUNTS = frozenset(code.counts for code in STANDARD.values())
"""How many words have 1…16 bits in the standard's example tables."""


@dataclass(frozen=True)
class Spent:
    """The bits of a component's entropy-coded data."""

    component: str
    bits: int
    """All of them."""
    ends: int
    """Those that end blocks and bands."""
    by_frequency: tuple[tuple[int, ...], ...]
    """8 rows of 8, in natural order; the first is DC."""
    blocks: int
    """That hold samples."""


@dataclass(frozen=True)
class Findings:
    """What the coefficients say; None and empty where they cannot be decoded."""

    tables_by: Family | None
    """Whose quantisation tables they are, if that is known."""
    standard_huffman: bool
    """Whether all Huffman tables have the shape of the standard's examples."""
    spent: tuple[Spent, ...] = ()
    earlier: Earlier | None = None
    """An earlier compression."""
    damage: tuple[str, ...] = ()
    """What is wrong with the scans, or why they are not decoded."""


def find(jpeg: Jpeg, names: Sequence[str]) -> Findings:
    """Decode a file so far as that is possible, and judge it; ``names`` are its components'."""
    first = jpeg.steps[0]
    tables_by = family(first.steps) if first is not None else None
    counts = {code.counts for code in jpeg.huffman}
    standard = counts <= STANDARD_COUNTS
    try:
        found = decode(jpeg, salvage=True)
    except GradpressError as error:
        reason = str(error).removeprefix("the picture: ")
        return Findings(tables_by, standard, damage=(f"not decoded: {reason}",))
    return Findings(
        tables_by,
        standard,
        tuple(_spent(found, i, name) for i, name in enumerate(names)),
        earlier(found.own_levels(0), found.steps[0]),
        found.damage,
    )


def _spent(found: Coefficients, component: int, name: str) -> Spent:
    bits = found.spent[component]
    natural = np.zeros(64, np.int64)
    natural[ZIGZAG] = bits[:64]
    rows = tuple(tuple(row) for row in natural.reshape(8, 8).tolist())
    blocks = int(np.prod(found.layout.own_blocks(component)))
    return Spent(name, int(bits.sum()), int(bits[64]), rows, blocks)


def tables_text(found: Findings) -> str:
    """Whose tables the file has."""
    own = found.tables_by
    quantisation = f"{own.name}, {own.setting}" if own else "its own"
    return (
        f"{quantisation}; Huffman {'as in the standard' if found.standard_huffman else 'its own'}"
    )


def text(found: Findings) -> Iterator[str]:
    """Say what was found, line by line."""
    if found.earlier is not None:
        quality, evidence = found.earlier.quality, found.earlier.evidence
        yield (
            f"  history     signs of an earlier compression at about quality {quality} "
            f"(each level makes it {np.exp(evidence):.2f} times likelier)"
        )
    whole = sum(each.bits for each in found.spent)
    for each in found.spent:
        share = 100 * each.bits / whole if whole else 0
        ends = each.ends / each.blocks
        yield (
            f"  bits of {each.component}: {each.bits} ({share:.0f} %), "
            f"{each.bits / each.blocks:.2f} a block, {ends:.2f} of them for ends; by frequency"
        )
        for row in each.by_frequency:
            yield "   " + "".join(f"{bits / each.blocks:7.2f}" for bits in row)
