"""Huffman tables: the shortest there are under JPEG's rules."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradpress import _kernels
from gradpress.jpeg.huffman import HuffmanTable, header_bytes, optimal_table, share_tables

COUNTS = st.dictionaries(st.integers(0, 255), st.integers(1, 10**7), min_size=1, max_size=256)


def counts_of(dictionary):
    counts = np.zeros(256, np.int64)
    for symbol, count in dictionary.items():
        counts[symbol] = count
    return counts


@given(COUNTS)
def test_words_are_a_prefix_code_without_all_ones(dictionary):
    table = optimal_table(counts_of(dictionary))
    sizes, words = table.sizes, table.words()
    assert set(np.flatnonzero(sizes)) == set(dictionary)
    assert sizes.max() <= 16
    texts = sorted(f"{words[s]:0{sizes[s]}b}" for s in dictionary)
    assert not any(b.startswith(a) for a, b in itertools.pairwise(texts))
    assert all("0" in text for text in texts)


@given(COUNTS)
def test_length_lies_between_the_entropy_and_one_bit_more(dictionary):
    counts = counts_of(dictionary)
    frequencies = counts[counts > 0] / counts.sum()
    entropy = -(frequencies * np.log2(frequencies)).sum() * counts.sum()
    cost = optimal_table(counts).cost(counts)
    assert cost >= entropy - 1e-6 * entropy
    if frequencies.min() > 2**-14:
        assert cost <= entropy + counts.sum() + 1


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=6))
@settings(max_examples=50)
def test_no_other_lengths_are_shorter(weights):
    counts = counts_of(dict(enumerate(weights)))
    best = min(
        sum(w * s for w, s in zip(weights, sizes, strict=True))
        for sizes in itertools.product(range(1, 7), repeat=len(weights))
        # Kraft's sum, with room for the word of ones of the longest length.
        if sum(2.0**-s for s in sizes) <= 1 - 2.0 ** -max(sizes)
    )
    assert optimal_table(counts).cost(counts) == best


@given(COUNTS, st.integers(9, 16))
@settings(max_examples=50)
def test_the_limit_is_kept_and_costs_something_only_when_it_binds(dictionary, limit):
    counts = counts_of(dictionary)
    limited, free = np.zeros(256, np.uint8), np.zeros(256, np.uint8)
    _kernels.code_lengths(counts, limit, limited)
    _kernels.code_lengths(counts, 32, free)
    assert limited.max() <= limit
    shorter, longer = counts @ free.astype(int), counts @ limited.astype(int)
    assert shorter <= longer
    assert (shorter == longer) or free.max() > limit


def test_the_segment_lists_what_the_words_need():
    table = optimal_table(counts_of({0: 50, 1: 20, 0xF0: 3, 17: 9}))
    segment = table.segment()
    lengths, symbols = segment[:16], segment[16:]
    assert sum(lengths) == len(symbols) == 4
    assert len(segment) + 1 == header_bytes(counts_of({0: 50, 1: 20, 0xF0: 3, 17: 9}))
    word, words, place = 0, {}, 0
    for size, number in enumerate(lengths, 1):
        for symbol in symbols[place : place + number]:
            words[symbol] = (word, size)
            word += 1
        place += number
        word <<= 1
    assert words == {int(s): (int(table.words()[s]), int(table.sizes[s])) for s in symbols}


def total_bits(counts, groups):
    joint = [np.sum([counts[i] for i in group], axis=0) for group in groups]
    return sum(optimal_table(c).cost(c) + 8 * header_bytes(c) for c in joint)


@given(st.lists(COUNTS, min_size=1, max_size=5), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_shared_tables_cost_no_more_than_tables_apart(dictionaries, most):
    counts = [counts_of(dictionary) for dictionary in dictionaries]
    groups = share_tables(counts, most)
    assert len(groups) <= most
    assert sorted(i for group in groups for i in group) == list(range(len(counts)))
    if most >= len(counts):
        assert total_bits(counts, groups) <= total_bits(counts, [(i,) for i in range(len(counts))])


def test_like_counts_share_a_table_and_unlike_ones_do_not():
    few, many = counts_of({1: 900, 2: 500, 3: 10}), counts_of({1: 9, 2: 500, 3: 90000, 4: 70000})
    assert share_tables([few, many, few], 4) == [(0, 2), (1,)]
    assert share_tables([few, many, few], 1) == [(0, 1, 2)]


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="negative"):
        optimal_table(np.full(256, -1, np.int64))
    with pytest.raises(ValueError, match="256"):
        _kernels.code_lengths(np.zeros(8, np.int64), 16, np.zeros(256, np.uint8))
    assert not HuffmanTable(np.zeros(256, np.uint8)).words().any()
