"""Memory: what a picture takes, what there is, and who may start."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradpress import bands
from gradpress.batches import memory
from gradpress.batches.worker import UNBANDED
from gradpress.losses import LOSSES
from tests.conftest import png, scene

NEEDS = st.lists(st.integers(0, 1000), max_size=8)


@given(NEEDS, NEEDS, st.none() | st.integers(0, 2000))
def test_nobody_starts_beyond_the_budget_unless_alone(waiting, running, budget):
    count = memory.admitted(waiting, running, budget)
    assert 0 <= count <= len(waiting)
    started = waiting[:count]
    if budget is not None and started and len(running) + count > 1:
        assert sum(running) + sum(started) <= budget
    if waiting and not running:
        assert count >= 1
    if budget is None:
        assert count == len(waiting)
    elif count < len(waiting) and (running or count):
        assert sum(running) + sum(waiting[: count + 1]) > budget


def test_only_the_header_tells_what_a_file_takes(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(scene(40, 50))[:200])
    assert memory.needed(path, 10_000) == memory.estimate(2000)
    assert memory.needed(path, 1999) == memory.estimate(0)


def test_large_pictures_are_accounted_as_they_are_taken():
    assert memory.BIG == bands.BIG
    assert set(UNBANDED) == set(LOSSES)
    assert memory.estimate(10**8) < 4 * 10**9 < memory.estimate(10**8, bands=False)
    assert memory.estimate(memory.BIG - 1) == memory.estimate(memory.BIG - 1, bands=False)


def test_what_is_too_large_for_pillow_takes_all_that_is_allowed(tmp_path):
    path = tmp_path / "a.png"
    header = b"IHDR" + struct.pack(">IIBBBBB", 20000, 20000, 1, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\x09IDAT")
    assert memory.needed(path, 10**8) == memory.estimate(0)
    assert memory.needed(path, 4 * 10**8) == memory.estimate(4 * 10**8)


@pytest.mark.parametrize("content", [b"", b"text", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"])
def test_what_cannot_be_opened_takes_the_least(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    for path in (tmp_path / "a.png", tmp_path / "missing", tmp_path, None):
        assert memory.needed(path, 10**8) == memory.estimate(0)


MEMINFO = "MemTotal:  16000 kB\nMemFree:  10 kB\nMemAvailable:   8000 kB\n"


def system(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return memory.available(root)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ({}, 8192000),
        ({"sys/fs/cgroup/memory.max": "max"}, 8192000),
        (
            {
                "sys/fs/cgroup/memory.max": "5000000",
                "sys/fs/cgroup/memory.current": "3000000",
                "sys/fs/cgroup/memory.stat": "anon 1\ninactive_file 400000\n",
            },
            2400000,
        ),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/memory.max": "700",
                "sys/fs/cgroup/a/memory.current": "100",
                "sys/fs/cgroup/a/b/memory.max": "5000",
                "sys/fs/cgroup/a/b/memory.current": "100",
            },
            600,
        ),
        (
            {
                "proc/self/cgroup": "7:cpu:/x\n4:memory:/c\n",
                "sys/fs/cgroup/memory/c/memory.limit_in_bytes": "900",
                "sys/fs/cgroup/memory/c/memory.usage_in_bytes": "1000",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**63 - 4096),
            },
            0,
        ),
    ],
)
def test_what_is_free_is_what_system_and_groups_leave(tmp_path, groups, expected):
    assert system(tmp_path, {"proc/meminfo": MEMINFO} | groups) == expected


def test_this_system_has_some_memory_or_does_not_say():
    free = memory.available()
    assert free is None or 10**6 < free < 10**15


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_freed_memory_goes_back():
    code = """
from pathlib import Path
import numpy
from gradpress import _kernels
from gradpress.batches import memory
_kernels.keep_freed_memory()
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
arrays = [numpy.ones(8_000_000, numpy.uint8) for _ in range(20)]
full = resident()
arrays.clear()
memory.trim()
assert full - resident() > 100_000_000, (full, resident())
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
