"""HTTP/1.1 connections: when one is closed, and which one gives way when there are too many."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol

from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.limits import (
    CONNECTIONS_MAX,
    HEAD_TIMEOUT_S,
    SEND_STALL_S_MAX,
    SILENT_CONNECTIONS_MAX,
)
from gateway.rates import block_of


class Guest(Protocol):
    """Somebody who is connected."""

    def give_way(self) -> None:
        """Be cut off for others."""
        ...


class Crowd:
    """All connections of a gateway, and which one gives way when there are too many.

    Of those that have not said yet what they want, the oldest of the address that has most of them:
    an honest head takes milliseconds, and nobody has many at a time. Of the others, the one that
    has been idle for longest: its client opens another one. Never one at work, unless there is no
    other: the door bounds those.
    """

    def __init__(
        self,
        connections_max: int = CONNECTIONS_MAX,
        silent_max: int = SILENT_CONNECTIONS_MAX,
    ) -> None:
        self._connections_max = connections_max
        self._silent_max = silent_max
        self._silent: dict[Guest, str] = {}
        """Each with its address."""
        self._silent_of: dict[str, dict[Guest, None]] = {}
        """The same by address, by age."""
        self._addresses_with: dict[int, dict[str, None]] = {}
        """Addresses by how many of these they have: finding the busiest takes no look at all."""
        self._most = 0
        self._idle: dict[Guest, None] = {}
        self._working: set[Guest] = set()

    def __len__(self) -> int:
        return len(self._silent) + len(self._idle) + len(self._working)

    def came(self, guest: Guest, address: str) -> None:
        """Take a new connection in, and have another one give way for it."""
        self._silent[guest] = address
        of_address = self._silent_of.setdefault(address, {})
        of_address[guest] = None
        self._has(address, len(of_address) - 1, len(of_address))
        if len(self._silent) > self._silent_max:
            busiest = next(iter(self._addresses_with[self._most]))
            self._cut(next(iter(self._silent_of[busiest])))

    def works(self, guest: Guest) -> None:
        """Note that a request is at work on a connection."""
        self.went(guest)
        self._working.add(guest)
        if len(self._working) + len(self._idle) > self._connections_max:
            self._cut(next(iter(self._idle), guest))

    def rests(self, guest: Guest) -> None:
        """Note that a connection was answered."""
        if guest in self._working:
            self._working.discard(guest)
            self._idle[guest] = None

    def went(self, guest: Guest) -> None:
        """Forget a connection."""
        address = self._silent.pop(guest, None)
        if address is not None:
            of_address = self._silent_of[address]
            del of_address[guest]
            self._has(address, len(of_address) + 1, len(of_address))
            if not of_address:
                del self._silent_of[address]
        self._idle.pop(guest, None)
        self._working.discard(guest)

    def _has(self, address: str, before: int, now: int) -> None:
        """Note how many silent ones an address has: one more or one fewer than before."""
        if before:
            same = self._addresses_with[before]
            del same[address]
            if not same:
                del self._addresses_with[before]
        if now:
            self._addresses_with.setdefault(now, {})[address] = None
        if now > self._most or self._most not in self._addresses_with:
            self._most = now

    def _cut(self, guest: Guest) -> None:
        self.went(guest)
        guest.give_way()


CONNECTION: Final = "connection"
"""Of the state of a request: its `Connection`."""


class Connection(H11Protocol):
    """An HTTP/1.1 connection, closed when a head takes too long, or an answer is not taken."""

    crowd: Crowd | None = None
    """Set by the gateway on the class that it serves with."""
    head: bytes = b""
    """What was read of it before there was a parser for it."""
    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401 - as the base class has it
        super().__init__(*arguments, **settings)
        self.app_state = {**self.app_state, CONNECTION: self}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base class has it
        """Start the clock: a connection that says nothing is closed too."""
        super().connection_made(transport)
        self._start_timer()
        if self.crowd is not None:
            self.crowd.came(self, block_of(self.client[0]) if self.client else "?")
        if self.head:
            head, self.head = self.head, b""
            self.data_received(head)

    def give_way(self) -> None:
        """Be cut off for others."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Stop the clock when a request begins its work, start it when a new head begins."""
        if self.crowd is not None and self.transport.is_closing():
            return  # it gave way
        super().data_received(data)
        self._note_work()
        if self.transport.get_protocol() is not self:
            self._stop_timer()  # it is a WebSocket from now on, with deadlines of its own
        elif self.cycle is not None and not self.cycle.response_complete:
            self._stop_timer()
        elif self._head_timer is None:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clocks."""
        self._stop_timer()
        self._stop_stall_timer()
        if self.crowd is not None:
            self.crowd.went(self)
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Note that there is nothing to do until the next request."""
        if self.crowd is not None:
            self.crowd.rests(self)
        super().on_response_complete()
        self._note_work()  # a request that came behind the last one

    def pause_writing(self) -> None:
        """Start another clock: what is sent has to be taken."""
        super().pause_writing()
        self._stop_stall_timer()
        self._stall_timer = self.loop.call_later(SEND_STALL_S_MAX, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop it: some was taken."""
        self._stop_stall_timer()
        super().resume_writing()

    def _note_work(self) -> None:
        if self.crowd is None or self.transport.is_closing():
            return
        if self.transport.get_protocol() is not self:
            self.crowd.went(self)
        elif self.cycle is not None and not self.cycle.response_complete:
            self.crowd.works(self)

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
