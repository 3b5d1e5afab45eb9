"""Many pictures: one after the other, or in processes that start pictures as memory allows.

A process reads a picture's header and asks whether there is room; questions are answered in their
order. A process that dies costs the one picture it was at: that becomes a record, and a new
process takes its place.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from gradpress import outcomes
from gradpress.batches.hands import WORKING, Hand, State
from gradpress.batches.memory import admitted
from gradpress.batches.outputs import Task
from gradpress.batches.worker import Job, Needs, Progress, attempt, name_of
from gradpress.errors import UsageError
from gradpress.outcomes import Record

TICK = 0.2
"""Seconds after which the batch looks up even if nothing happened."""
TIME_UP = "not started: the time was up"
INTERRUPTED = "not started: interrupted"
CUT_OFF = "interrupted before there was a result"

Stop = Callable[[], bool]


@dataclass(frozen=True)
class Means:
    """What a batch may use."""

    jobs: int = 1
    """Pictures at a time."""
    time_limit: float | None = None
    """Seconds for a picture."""
    deadline: float | None = None
    """On the monotonic clock: when the whole batch ends."""
    memory_limit: int | None = None
    """Bytes that the pictures under way may take together; one that takes more is refused."""
    available: int | None = None
    """Bytes that are there for them; one that takes more is tried alone. None: not known."""

    @property
    def budget(self) -> int | None:
        """Bytes that pictures are accounted against."""
        known = [each for each in (self.memory_limit, self.available) if each is not None]
        return min(known, default=None)

    def seconds(self) -> float | None:
        """What a picture that starts now may take; 0: it must not start, None: any time."""
        left = math.inf if self.deadline is None else max(0.0, self.deadline - time.monotonic())
        limit = min(left, math.inf if self.time_limit is None else self.time_limit)
        return None if math.isinf(limit) else limit

    def refusal(self, need: int) -> str | None:
        """Why a picture that takes so many bytes is not started at all."""
        if self.memory_limit is None or need <= self.memory_limit:
            return None
        return (
            f"takes about {need / 1e9:.2f} GB of memory, more than the limit of "
            f"{self.memory_limit / 1e9:.2f} GB; raise --memory-limit"
        )


@dataclass(frozen=True)
class Started:
    """A picture is begun."""

    index: int


@dataclass(frozen=True)
class Stepped:
    """A picture has come further."""

    index: int
    progress: Progress


@dataclass(frozen=True)
class Ended:
    """A picture is done, one way or the other."""

    index: int
    record: Record


Event = Started | Stepped | Ended | None
"""What happens in a batch; None: nothing for a while. Indices are of the tasks."""


def serial(
    tasks: Sequence[Task], job: Job, means: Means, stop: Stop
) -> Generator[Event, None, None]:
    """Work off the tasks in this process; once ``stop()`` says so, none is started any more.

    A picture under way is finished early then. Raises UsageError.
    """
    for index, task in enumerate(tasks):
        refused = None if _is_settled(task) else _refused(task, job, means, stop)
        if refused is not None:
            yield Ended(index, refused)
            continue
        if not _is_settled(task):
            yield Started(index)
        for each in attempt(task, job, means.seconds(), stop):
            yield _event(index, each)


def parallel(
    tasks: Sequence[Task], job: Job, means: Means, stop: Stop
) -> Generator[Event, None, None]:
    """Work off the tasks in processes; otherwise as :func:`serial`.

    Closing the iterator ends the processes at once.
    """
    batch = _Batch(tasks, job, means, stop)
    try:
        yield from batch.run()
    finally:
        for hand in batch.hands:
            hand.end()


def _event(index: int, each: Progress | Record) -> Event:
    return Stepped(index, each) if isinstance(each, Progress) else Ended(index, each)


def _is_settled(task: Task) -> bool:
    """Whether nothing can or need be done for it."""
    return task.refusal is not None or task.done is not None


def _refused(task: Task, job: Job, means: Means, stop: Stop) -> Record | None:
    """The record of a task that is not begun."""
    name = name_of(task.source)
    if stop() or means.seconds() == 0:
        return outcomes.not_started(name, INTERRUPTED if stop() else TIME_UP)
    if means.memory_limit is None:
        return None
    refusal = means.refusal(job.needed(task))
    return None if refusal is None else outcomes.failed(name, refusal)


class _Batch:
    """The state of a batch: what is to be done yet, and by whom."""

    def __init__(self, tasks: Sequence[Task], job: Job, means: Means, stop: Stop) -> None:
        self.tasks, self.job, self.means, self.stop = tasks, job, means, stop
        self.pending = deque(i for i, task in enumerate(tasks) if not _is_settled(task))
        self.hands: list[Hand] = []
        self.asking: deque[Hand] = deque()
        """In the order of their questions."""

    def run(self) -> Iterator[Event]:
        """Until all is done."""
        for index, task in enumerate(self.tasks):
            if _is_settled(task):
                yield from (
                    _event(index, each) for each in attempt(task, self.job, None, self.stop)
                )
        while self.pending or self._busy():
            if self.stop() or self.means.seconds() == 0:
                yield from self._call_off()
            self._assign()
            yield from self._admit()
            yield from self._hear()

    def _busy(self) -> list[Hand]:
        return [hand for hand in self.hands if hand.state is not State.IDLE]

    def _call_off(self) -> Iterator[Event]:
        """Start nothing any more; where the user wants to stop, finish what is under way."""
        reason = INTERRUPTED if self.stop() else TIME_UP
        while self.pending:
            yield self._not_started(self.pending.popleft(), reason)
        while self.asking:
            hand = self.asking.popleft()
            hand.finish()
            hand.rest()
            yield self._not_started(hand.index, reason)
        for hand in self._busy() if self.stop() else ():
            if hand.state is State.GOING:
                hand.finish()
            elif hand.state is State.STARTED:
                self._dismiss(hand)
                yield self._not_started(hand.index, CUT_OFF)

    def _assign(self) -> None:
        """Hand a task to each process that has none, and start processes that are missing."""
        while self.pending:
            hand = next((hand for hand in self.hands if hand.state is State.IDLE), None)
            if hand is None and len(self.hands) >= self.means.jobs:
                return
            if hand is None:
                hand = Hand(self.job)
                self.hands.append(hand)
            if hand.begin(self.pending[0], self.tasks[self.pending[0]]):
                self.pending.popleft()
            else:
                self._dismiss(hand)

    def _admit(self) -> Iterator[Event]:
        """Let those start for whose pictures there is room."""
        running = [hand.need for hand in self.hands if hand.state in WORKING]
        needs = [hand.need for hand in self.asking]
        for _ in range(admitted(needs, running, self.means.budget)):
            hand = self.asking.popleft()
            hand.go(self.means.seconds())
            yield Started(hand.index)

    def _hear(self) -> Iterator[Event]:
        """Wait until a process says something, but not for long."""
        from multiprocessing.connection import wait  # noqa: PLC0415

        speakers = {hand.connection: hand for hand in self._busy()}
        ready = wait(list(speakers), TICK)
        for connection in ready:
            hand = speakers[connection]  # type: ignore[index]
            try:
                said = hand.connection.recv()
            except Exception:  # cut short by its death, there may be nothing or half a message
                lost = self._failed(hand, hand.why_lost())
                self._dismiss(hand)
                yield lost
            else:
                yield from self._take(hand, said)
        for hand in speakers.values():
            hand.kill_if_stuck()
        if not ready:
            yield None

    def _take(self, hand: Hand, said: object) -> Iterator[Event]:
        match said:
            case Needs(need):
                refusal = self.means.refusal(need)
                if refusal is None:
                    hand.ask(need)
                    self.asking.append(hand)
                    return
                hand.finish()
                hand.rest()
                yield self._failed(hand, refusal)
            case Progress():
                if hand.state is State.STARTED:
                    hand.state = State.GOING
                yield Stepped(hand.index, said)
            case Record():
                hand.rest()
                yield Ended(hand.index, said)
            case UsageError():
                raise said

    def _dismiss(self, hand: Hand) -> None:
        """Do without a process from now on."""
        self.hands.remove(hand)
        hand.end()

    def _failed(self, hand: Hand, reason: str) -> Ended:
        return Ended(hand.index, outcomes.failed(name_of(self.tasks[hand.index].source), reason))

    def _not_started(self, index: int, reason: str) -> Ended:
        return Ended(index, outcomes.not_started(name_of(self.tasks[index].source), reason))
