"""The worker processes of a batch, as seen by the batch."""

from __future__ import annotations

import enum
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gradpress.batches.outputs import Task
from gradpress.batches.worker import Finish, Go, Job, serve

PATIENCE, GRACE = 4.0, 60.0
"""A process is stuck after so many times its picture's time limit, and so many seconds more."""
FAREWELL = 5.0
"""Seconds that a process whose connection broke has to be gone."""


class State(enum.Enum):
    """How far a process is with its task."""

    IDLE = "it has none"
    READING = "it reads the header"
    WAITING = "it asks for room"
    STARTED = "it works, and there is no result yet"
    GOING = "it works, and could finish with what it has"
    FINISHING = "it finishes with what it has"


WORKING = (State.STARTED, State.GOING, State.FINISHING)
"""States in which its memory counts."""


class Hand:
    """A process, and the picture it is at."""

    def __init__(self, job: Job) -> None:
        import multiprocessing  # noqa: PLC0415

        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, job), daemon=True)
        with _deaf():
            self._process.start()
        theirs.close()
        self.state = State.IDLE
        self.index = 0
        """Of the task it is at."""
        self.need = 0
        """Bytes of memory that its picture takes, once it has asked."""
        self._stuck_at = math.inf

    def begin(self, index: int, task: Task) -> bool:
        """Hand over a task; False if the process is no more."""
        try:
            self.connection.send(task)
        except OSError:
            return False
        self.index, self.need, self.state = index, 0, State.READING
        return True

    def ask(self, need: int) -> None:
        """Note that it asks for room."""
        self.need, self.state = need, State.WAITING

    def go(self, seconds: float | None) -> None:
        """Let it start on its picture, and take so long."""
        self.state = State.STARTED
        if seconds is not None:
            self._stuck_at = time.monotonic() + PATIENCE * seconds + GRACE
        self._send(Go(seconds))

    def finish(self) -> None:
        """Have it write its best so far, or not start at all."""
        self.state = State.FINISHING
        self._send(Finish())

    def rest(self) -> None:
        """Note that it is done with its task."""
        self.state, self.need, self._stuck_at = State.IDLE, 0, math.inf

    def kill_if_stuck(self) -> None:
        """End it if it takes far longer than it may."""
        if time.monotonic() > self._stuck_at:
            self._process.kill()

    def end(self) -> None:
        """End it, at once if it works, and wait until it is gone."""
        if self.state is not State.IDLE:
            self._process.kill()
        self.connection.close()
        self._process.join()

    def why_lost(self) -> str:
        """Say how the process ended."""
        self._process.join(FAREWELL)
        code = self._process.exitcode or 0
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        return f"the process that worked on it {how}; if memory ran out, give fewer --jobs"

    def _send(self, message: Go | Finish) -> None:
        with suppress(OSError):  # that it is gone is noticed where its answer is awaited
            self.connection.send(message)


@contextmanager
def _deaf() -> Iterator[None]:
    """Have a new process ignore Ctrl-C from its first moment on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
