"""Sharing a picture's rows between threads, so that any number of them gives the same bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

STRIPE_BLOCK_ROWS = 16
"""Block rows that one call of a kernel handles: 128 sample rows stay in a core's cache."""


class Workers:
    """A few threads that run kernels (which release the GIL) over stripes of block rows.

    The stripes depend on the picture alone, and results come back in their order: sums taken
    over them do not depend on the number of threads. Close it, or use it as a context manager.
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def stripes(self, count: int, run: Callable[[int, int], T]) -> list[T]:
        """``run(begin, end)`` for every stripe of ``count`` block rows, in order."""
        return self.together(striped(count, run))

    def together(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """What independent tasks return, in their order."""
        if self._pool is None:
            return [task() for task in tasks]
        return list(self._pool.map(lambda task: task(), tasks))

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
    """``run(begin, end)`` for every stripe of ``count`` block rows, as tasks."""
    begins = range(0, count, STRIPE_BLOCK_ROWS)
    return [partial(run, begin, min(begin + STRIPE_BLOCK_ROWS, count)) for begin in begins]


SERIAL = Workers(1)
"""No threads: everything runs in the caller's."""
