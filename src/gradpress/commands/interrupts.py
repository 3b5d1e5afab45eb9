"""Ctrl-C: the first asks for an early end, the second ends at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupts:
    """While entered, counts Ctrl-C; the second raises KeyboardInterrupt, as usual."""

    def __init__(self) -> None:
        self.count = 0
        self.patient = False
        """Whether the first only counts: there is something to finish with."""
        self._before: Any = None

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def came(self) -> bool:
        """Whether there was one."""
        return self.count > 0

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1 or not self.patient:
            raise KeyboardInterrupt
