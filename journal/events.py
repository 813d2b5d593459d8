"""What happens to the journals of a store, for those who subscribe.

A subscription holds a bounded number of events. Appends that follow each other become one event;
a subscriber that still falls behind is told so (SubscriptionLost) instead of slowing the store.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeAlias

from journal.errors import SubscriptionLost
from journal.limits import EVENTS_QUEUED_MAX
from journal.waiting import within


@dataclass(frozen=True, slots=True)
class Appended:
    """Blocks [start, length) of a journal were acknowledged."""

    journal: str
    fork: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Truncated:
    """A journal goes on as `fork`, with its first `length` blocks."""

    journal: str
    fork: int
    length: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two heads of one fork, both signed by the cell's key, that do not extend each other.

    Event `Truncated` follows: the journal goes on at the next fork.
    """

    journal: str
    ours: str
    theirs: str


Event: TypeAlias = Appended | Truncated | Conflict


class Subscription:
    """An asynchronous iterator over events; use it as a context manager, or close it."""

    def __init__(self, journal: str | None, leave: Callable[[Subscription], None]) -> None:
        self._journal = journal
        self._leave = leave
        self._events: deque[Event] = deque()
        self._lost = False
        self._closed = False
        self._wake = asyncio.Event()

    def close(self) -> None:
        """Take no more events; a waiting iteration ends."""
        if not self._closed:
            self._closed = True
            self._wake.set()
            self._leave(self)

    async def next(self, *, timeout_s: float | None = None) -> Event:
        """Return the next event; raises SubscriptionLost, TimedOut, or StopAsyncIteration."""
        while not self._events:
            if self._lost:
                self._lost = False
                raise SubscriptionLost(f"more than {EVENTS_QUEUED_MAX} events waited")
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await within(timeout_s, self._wake.wait())
        return self._events.popleft()

    def put(self, event: Event) -> None:
        """Queue one event; for the store."""
        if self._journal not in (None, event.journal) or self._lost:
            return
        last = self._events[-1] if self._events else None
        if (
            isinstance(event, Appended)
            and isinstance(last, Appended)
            and (last.journal, last.fork, last.length) == (event.journal, event.fork, event.start)
        ):
            self._events[-1] = Appended(event.journal, event.fork, last.start, event.length)
        elif len(self._events) < EVENTS_QUEUED_MAX:
            self._events.append(event)
        else:
            self._events.clear()
            self._lost = True
        self._wake.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        return await self.next()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
