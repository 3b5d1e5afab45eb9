"""Sharing a picture's rows between threads, so that any number of them gives the same bits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from itertools import pairwise
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

STRIPE_BLOCK_ROWS = 16
"""Block rows that one call of a kernel handles, so that threads seldom meet."""


class Workers:
    """A few threads that run kernels (which release the GIL) over stripes of block rows.

    The stripes depend on the picture alone, and results come back in their order: sums taken
    over them do not depend on the number of threads. Close it, or use it as a context manager.
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def stripes(self, count: int, run: Callable[[int, int], T]) -> list[T]:
        """``run(begin, end)`` for every stripe of ``count`` block rows, in order."""
        return self.together(striped(count, run))

    def together(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """What independent tasks return, in their order. The caller's thread takes its share."""
        if self._pool is None or len(tasks) < 2:
            return [task() for task in tasks]
        results: dict[int, T] = {}
        turns = iter(range(len(tasks)))

        def take_turns() -> None:
            for turn in turns:
                results[turn] = tasks[turn]()

        count = min(self.threads, len(tasks)) - 1
        helpers = [self._pool.submit(take_turns) for _ in range(count)]
        try:
            take_turns()
        finally:
            deque(turns, maxlen=0)  # after an error, nothing more is begun
            begun = [helper for helper in helpers if not helper.cancel()]
            wait(begun)
        for helper in begun:
            helper.result()
        return [results[turn] for turn in range(len(tasks))]

    def rows(self, height: int, run: Callable[[int, int], T]) -> list[T]:
        """``run(begin, end)`` for stripes of ``height`` sample rows, in order."""
        return self.stripes(-(-height // 8), lambda b, e: run(8 * b, min(8 * e, height)))

    def close(self) -> None:
        """End the threads; work under way is finished first."""
        if self._pool is not None:
            self._pool.shutdown()

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def striped(count: int, run: Callable[[int, int], T]) -> list[Callable[[], T]]:
    """``run(begin, end)`` for every stripe of ``count`` block rows, as tasks.

    The stripes are about equally high, and two threads have as many to do.
    """
    number = -(-count // STRIPE_BLOCK_ROWS)
    number += number % 2 if number > 1 else 0
    edges = [i * count // max(number, 1) for i in range(number + 1)]
    return [partial(run, begin, end) for begin, end in pairwise(edges)]


SERIAL = Workers(1)
"""No threads: everything runs in the caller's."""
