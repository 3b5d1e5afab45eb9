"""Full disks, kills at random moments, two batches at once: nothing lost, nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.faults import Tally, begin, damaged, draw, files_of, ordeal, temporaries_in
from gradpress.files import sweep

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")
unprivileged = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere"
)
COUNT = 6


@pytest.mark.parametrize("in_place", [False, True])
def test_kills_cost_nothing_but_time(tmp_path, in_place):
    tally = ordeal(tmp_path, COUNT, kills=2, seed=int(in_place), in_place=in_place)
    assert tally.kills >= 2
    assert (tally.damaged, tally.unfinished, tally.stray) == (0, 0, 0)


def test_the_tally_sees_damage(tmp_path):
    originals = draw(tmp_path, 3)
    assert damaged(tmp_path, originals, list(originals)) == 0
    (tmp_path / "000.jpg").unlink()
    (tmp_path / "001.jpg").write_bytes(originals["001.jpg"][:-9])
    (tmp_path / "002.jpg").write_bytes(b"")
    assert damaged(tmp_path, originals, list(originals)) == 3
    assert Tally(1, 2) + Tally(3, 4, stray=1) == Tally(4, 6, stray=1)


def test_two_batches_on_one_folder_do_each_other_no_harm(tmp_path):
    originals = draw(tmp_path / "in", COUNT)
    arguments = [str(tmp_path / "in"), "-r", "-o", str(tmp_path / "out")]
    both = [begin(*arguments), begin(*arguments)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert begin(*arguments[:-1], str(tmp_path / "alone")).wait(60) == 0
    assert files_of(tmp_path / "out") == files_of(tmp_path / "alone")
    assert len(files_of(tmp_path / "out")) == COUNT
    assert files_of(tmp_path / "in") == originals
    assert temporaries_in(tmp_path / "out") == 0


def test_two_batches_in_place_do_each_other_no_harm(tmp_path):
    originals = draw(tmp_path, COUNT)
    both = [begin(str(tmp_path), "-r", "--in-place") for _ in range(2)]
    assert all(process.wait(60) in (0, 1) for process in both)
    assert damaged(tmp_path, originals, list(originals)) == 0
    assert temporaries_in(tmp_path) == 0


def test_a_disk_without_space_costs_nothing(tmp_path):
    """A limit on the size of files stands for the full disk: writes stop halfway."""
    originals = draw(tmp_path / "in", 3)
    command = f"ulimit -f 0; exec '{sys.executable}' -m gradpress -r in -o out -e 1 -j 2"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("cannot be written") == 3
    assert files_of(tmp_path / "in") == originals
    assert list((tmp_path / "out").iterdir()) == []
    assert begin(str(tmp_path / "in"), "-r", "-o", str(tmp_path / "out")).wait(60) == 0
    assert len(files_of(tmp_path / "out")) == 3


@unprivileged
def test_a_read_only_folder_costs_nothing(tmp_path):
    originals = draw(tmp_path / "in", 2)
    (tmp_path / "in").chmod(0o555)
    try:
        assert begin(str(tmp_path / "in"), "-r", "--in-place").wait(60) == 1
        assert files_of(tmp_path / "in") == originals
    finally:
        (tmp_path / "in").chmod(0o755)


WRITER = """
import os, sys, time
from pathlib import Path
from gradpress.files import write_atomically
def slow(_descriptor):
    print("writing", flush=True)
    time.sleep(60)
os.fsync = slow
write_atomically(Path("a.jpg"), b"new", overwrite=True)
"""


def test_the_temporary_file_of_a_living_writer_stays_and_of_a_killed_one_goes(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"old")
    with subprocess.Popen(
        [sys.executable, "-c", WRITER], stdout=subprocess.PIPE, cwd=tmp_path
    ) as writer:
        assert writer.stdout.readline() == b"writing\n"
        sweep(tmp_path)
        assert temporaries_in(tmp_path) == 1
        writer.send_signal(signal.SIGKILL)
    assert temporaries_in(tmp_path) == 1
    assert (tmp_path / "a.jpg").read_bytes() == b"old"
    sweep(tmp_path)
    assert temporaries_in(tmp_path) == 0
    assert (tmp_path / "a.jpg").read_bytes() == b"old"
