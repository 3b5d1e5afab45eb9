"""Optimal Huffman tables: at most 16 bits, no word of ones only (ITU-T T.81, C and K.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gradpress import _kernels

Counts = NDArray[np.int64]
"""``(256,)`` how often each symbol occurs."""

Group = tuple[int, ...]
"""Indices of the counts that are coded with one table."""

MAX_BITS = 16


@dataclass(frozen=True)
class HuffmanTable:
    """A code for byte symbols; sizes are in bits."""

    sizes: NDArray[np.uint8]
    """``(256,)`` length of each symbol's word; 0 for a symbol that does not occur."""

    def words(self) -> NDArray[np.uint16]:
        """``(256,)`` code words, right-aligned, in canonical order (T.81, C.2)."""
        words = np.zeros(256, np.uint16)
        word, before = 0, 0
        for symbol in self._symbols():
            size = int(self.sizes[symbol])
            word <<= size - before
            words[symbol] = word
            word, before = word + 1, size
        return words

    def segment(self) -> bytes:
        """Lengths' counts and symbols as DHT lists them (T.81, B.2.4.2), without class and slot."""
        lengths = np.bincount(self.sizes, minlength=MAX_BITS + 1)[1:]
        return bytes(lengths.tolist()) + bytes(self._symbols())

    def cost(self, counts: Counts) -> int:
        """Bits of the words of so many symbols."""
        return int(counts @ self.sizes.astype(np.int64))

    def _symbols(self) -> list[int]:
        used = np.flatnonzero(self.sizes)
        return [int(s) for s in used[np.argsort(self.sizes[used], kind="stable")]]


def optimal_table(counts: Counts) -> HuffmanTable:
    """Build the table that codes symbols that occur so often in the fewest bits."""
    sizes = np.zeros(256, np.uint8)
    _kernels.code_lengths(counts, MAX_BITS, sizes)
    return HuffmanTable(sizes)


def header_bytes(counts: Counts) -> int:
    """Bytes that a table for these counts adds to a DHT segment: slot, lengths, symbols."""
    return 1 + MAX_BITS + int(np.count_nonzero(counts))


def share_tables(counts: Sequence[Counts], most: int) -> list[Group]:
    """Groups of counts, each to be coded with one table; at most ``most`` groups.

    A table is some 20 to 80 bytes, so similar counts had better share one: the two groups that
    gain most (or lose least) are joined as long as that saves bits or there are too many.
    """

    @cache
    def price(group: Group) -> int:
        joint = np.sum([counts[i] for i in group], axis=0)
        return optimal_table(joint).cost(joint) + 8 * header_bytes(joint)

    def change(pair: tuple[Group, Group]) -> int:
        return price(pair[0] + pair[1]) - price(pair[0]) - price(pair[1])

    groups: list[Group] = [(i,) for i in range(len(counts))]
    while len(groups) > 1:
        pair = min(combinations(groups, 2), key=change)
        if change(pair) >= 0 and len(groups) <= most:
            break
        groups = [group for group in groups if group not in pair] + [pair[0] + pair[1]]
    return sorted(tuple(sorted(group)) for group in groups)
