"""Shared work: everything is done once, in order, whatever the number of threads."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradpress.workers import STRIPE_BLOCK_ROWS, Workers, striped


@given(count=st.integers(0, 40 * STRIPE_BLOCK_ROWS))
def test_stripes_cover_all_rows_once_and_two_threads_have_as_many(count):
    stripes = [stripe() for stripe in striped(count, lambda begin, end: (begin, end))]
    rows = [row for begin, end in stripes for row in range(begin, end)]
    assert rows == list(range(count))
    assert all(0 < end - begin <= STRIPE_BLOCK_ROWS for begin, end in stripes)
    assert len(stripes) <= 1 or len(stripes) % 2 == 0


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_results_come_in_the_order_of_the_tasks(threads, count):
    with Workers(threads) as workers:
        assert workers.together([lambda i=i: i for i in range(count)]) == list(range(count))


def test_tasks_run_side_by_side():
    meeting = threading.Barrier(3, timeout=60)
    with Workers(3) as workers:
        workers.together([meeting.wait] * 3)


def test_tasks_may_share_out_work_of_their_own():
    with Workers(2) as workers:
        tasks = [lambda: sum(workers.together([lambda: 1] * 5))] * 5
        assert workers.together(tasks) == [5] * 5


@pytest.mark.parametrize("place", [0, 1, 7])
def test_an_error_ends_the_work_and_comes_back(place):
    running = []

    def task(i):
        running.append(i)
        if i == place:
            raise ValueError(i)
        running.remove(i)

    with Workers(3) as workers:
        with pytest.raises(ValueError, match=str(place)):
            workers.together([lambda i=i: task(i) for i in range(8)])
        assert running == [place]  # nobody is at work any more
