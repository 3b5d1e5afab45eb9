"""Times, sizes and shares with their units."""

from __future__ import annotations

import pytest

from gradpress import units
from gradpress.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30", 30),
        ("30s", 30),
        ("500ms", 0.5),
        ("10m", 600),
        ("1.5h", 5400),
        (" 2 min ", 120),
        (7, 7),
        (1e-6, 1e-6),
    ],
)
def test_times_are_seconds(text, value):
    assert units.seconds(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("2GB", 2e9), ("512MiB", 2**29), ("1.5kb", 1500), ("1TiB", 2**40), (1000, 1000)],
)
def test_sizes_are_bytes(text, value):
    assert units.memory(text) == value


@pytest.mark.parametrize(("text", "value"), [("2%", 0.02), ("0.02", 0.02), ("0", 0), (0.5, 0.5)])
def test_shares_are_parts_of_one(text, value):
    assert units.share(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (units.seconds, "0"), (units.seconds, "-1s"), (units.seconds, "soon"),
        (units.seconds, "1e3"), (units.seconds, "nan"), (units.seconds, 1e999),
        (units.seconds, -1), (units.memory, "0"), (units.memory, "0.4B"),
        (units.memory, "2%"), (units.memory, "GB"), (units.share, "100%"), (units.share, "-1"),
        (units.share, "nan"), (units.share, "much"),
    ],
)  # fmt: skip
def test_what_is_none_is_wrong_usage(read, text):
    with pytest.raises(UsageError, match="not understood"):
        read(text)
