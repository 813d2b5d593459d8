"""Where connections come in: each is a bare socket until it has said what it wants.

Holds what has come of a request's head, and no more: no parser, no TLS, no timer and no task of
its own, so that those who never say it cost next to nothing. A whole head is looked at
(`gateway.glance`): who asks far too often is answered from here, later; everybody else becomes a
`gateway.connections.Connection` that is given the head. Nobody is here for longer than
HEAD_TIMEOUT_S. With TLS there is more to it: `gateway.tls_entrance`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import socket
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from gateway.comings import Comings
from gateway.connections import Connection, Crowd
from gateway.glance import Refused
from gateway.limits import (
    ACCEPT_PAUSE_S,
    ACCEPT_RETRY_S,
    ACCEPTS_PER_ROUND_MAX,
    CLOSED_PER_ROUND_MAX,
    HEAD_SIZE_BYTES_MAX,
    HEAD_TIMEOUT_S,
    REFUSED_WAITING_MAX,
)
from gateway.rates import block_of
from gateway.tls_session import Session

Look: TypeAlias = Callable[[bytes, str], Refused | None]
"""Told a head and the address behind it: the answer, if it is to be turned away at once."""

_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
_NO_HTTP_BELOW: Final = 0x21
"""First byte of anything that the parser of requests would at once say no to."""
_FULL: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Newcomer:
    """A connection that has not said what it wants; a `gateway.connections.Guest`."""

    __slots__ = (
        *("_entrance", "address", "came_size", "head", "is_watched", "raw", "session", "task"),
        *("timer", "until_s"),
    )

    def __init__(self, entrance: Entrance, raw: socket.socket, address: str) -> None:
        self._entrance = entrance
        self.raw = raw
        self.address = address
        self.head = b""
        """Of a request; with TLS of the connection, until its handshake begins."""
        self.session: Session | None = None
        """With TLS, from the beginning of its handshake on."""
        self.came_size = 0
        """Bytes, with TLS."""
        self.until_s = 0.0
        self.is_watched = False
        """Whether the event loop looks whether something comes."""
        self.timer: asyncio.TimerHandle | None = None
        """Of its refusal, once that is decided."""
        self.task: asyncio.Task[None] | None = None
        """That makes a connection of it."""

    def give_way(self) -> None:
        """Be closed for others."""
        self._entrance.drop(self)


class Entrance:
    """Accepts what comes to one socket. Owned by the event loop's thread."""

    def __init__(
        self,
        crowd: Crowd,
        *,
        look: Look,
        make: Callable[[], Connection],
        refused_max: int = REFUSED_WAITING_MAX,
        comings: Comings | None = None,
    ) -> None:
        """`look` is asked about each whole head, `make` makes a connection for who is let in."""
        self._crowd = crowd
        self._look = look
        self._make = make
        self._refused_max = refused_max
        self._comings = Comings() if comings is None else comings
        self._loop = asyncio.get_running_loop()
        self._listener: socket.socket | None = None
        self._newcomers: dict[Newcomer, None] = {}
        """By age."""
        self._refused: dict[Newcomer, None] = {}
        """Those that wait for a refusal, by age."""
        self._sweeping: asyncio.TimerHandle | None = None

    def open(self, listener: socket.socket) -> None:
        """Accept from now on."""
        listener.setblocking(False)  # noqa: FBT003 - the standard library's own
        self._listener = listener
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Accept no more, and close all who are here; the listening socket stays open."""
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener = None
        for newcomer in [*self._newcomers, *self._refused]:
            self.drop(newcomer)
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None

    def drop(self, newcomer: Newcomer) -> None:
        """Close somebody; safe to repeat."""
        if newcomer.task is not None:
            newcomer.task.cancel()  # which closes it
            return
        self._forget(newcomer)
        if newcomer.timer is not None:
            newcomer.timer.cancel()
            self._refused.pop(newcomer, None)
        newcomer.raw.close()

    def _accept(self) -> None:
        taken = closed = 0
        while taken < ACCEPTS_PER_ROUND_MAX and closed < CLOSED_PER_ROUND_MAX:
            if self._listener is None:
                return
            try:
                raw, peer = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                if error.errno in _FULL:
                    self._make_room(self._listener)
                    return
                taken += 1
                continue  # it was gone before we came to it
            address = str(peer[0])
            if self._is_one_too_many(address):
                raw.close()
                closed += 1
                self._comings.closed += 1
                continue
            taken += 1
            raw.setblocking(False)  # noqa: FBT003 - the standard library's own
            self._take_in(Newcomer(self, raw, address))
        if closed and self._listener is not None:
            self._pause(self._listener, ACCEPT_PAUSE_S)

    def _is_one_too_many(self, _address: str) -> bool:
        """Tell whether one more of an address is not even to be listened to."""
        return False

    def _make_room(self, listener: socket.socket) -> None:
        """Close some, and wait until there is room for more files."""
        for newcomer in [*self._refused, *self._newcomers][:ACCEPTS_PER_ROUND_MAX]:
            self.drop(newcomer)
        self._pause(listener, ACCEPT_RETRY_S)

    def _pause(self, listener: socket.socket, span_s: float) -> None:
        """Let the kernel hold those who come, for a while."""
        self._loop.remove_reader(listener)
        self._loop.call_later(span_s, self._go_on)

    def _go_on(self) -> None:
        if self._listener is not None:
            self._loop.add_reader(self._listener, self._accept)

    def _take_in(self, newcomer: Newcomer) -> None:
        self._comings.taken_in += 1
        newcomer.until_s = self._loop.time() + HEAD_TIMEOUT_S
        self._newcomers[newcomer] = None
        self._crowd.came(newcomer, block_of(newcomer.address))
        if self._sweeping is None:
            self._sweeping = self._loop.call_at(newcomer.until_s, self._sweep)
        self._read(newcomer)  # most have their head sent by now

    def _watch(self, newcomer: Newcomer) -> None:
        if not newcomer.is_watched:
            newcomer.is_watched = True
            self._loop.add_reader(newcomer.raw, self._read, newcomer)

    def _unwatch(self, newcomer: Newcomer) -> None:
        if newcomer.is_watched:
            newcomer.is_watched = False
            self._loop.remove_reader(newcomer.raw)

    def _sweep(self) -> None:
        """Close those whose time is over; one timer for all."""
        self._sweeping = None
        now_s = self._loop.time()
        while self._newcomers:
            oldest = next(iter(self._newcomers))
            if oldest.until_s > now_s:
                self._sweeping = self._loop.call_at(oldest.until_s, self._sweep)
                return
            self._forget(oldest)
            if oldest.task is not None:
                oldest.task.cancel()
            else:
                oldest.raw.close()

    def _read(self, newcomer: Newcomer) -> None:
        """Take what came."""
        try:
            data = newcomer.raw.recv(HEAD_SIZE_BYTES_MAX)
        except (BlockingIOError, InterruptedError):
            self._watch(newcomer)
            return
        except OSError:
            data = b""
        if not data:
            self.drop(newcomer)
            return
        self._take(newcomer, data)

    def _take(self, newcomer: Newcomer, data: bytes) -> None:
        """Go on with what came of a head."""
        newcomer.head += data
        if not _is_whole(newcomer.head):
            self._watch(newcomer)
            return
        refused = self._look(newcomer.head, newcomer.address)
        if refused is None:
            self._let_in(newcomer)
            return
        self._unwatch(newcomer)
        newcomer.head = b""
        if not refused.pause_s:
            self._refuse(newcomer, refused.answer)
            return
        self._forget(newcomer)
        due = self._loop.call_later(refused.pause_s, self._refuse, newcomer, refused.answer)
        newcomer.timer = due
        self._refused[newcomer] = None
        if len(self._refused) > self._refused_max:
            self.drop(next(iter(self._refused)))

    def _refuse(self, newcomer: Newcomer, answer: bytes) -> None:
        with contextlib.suppress(OSError):
            newcomer.raw.send(self._last_words(newcomer, answer))
            # With something unread a close would take the answer back.
            newcomer.raw.recv(HEAD_SIZE_BYTES_MAX)
        self.drop(newcomer)

    def _last_words(self, _newcomer: Newcomer, answer: bytes) -> bytes:
        """Return an answer as it goes over the wire."""
        return answer

    def _let_in(self, newcomer: Newcomer) -> None:
        self._unwatch(newcomer)
        newcomer.task = self._loop.create_task(self._connect(newcomer), name="gateway-connect")
        newcomer.task.add_done_callback(partial(self._connected, newcomer))

    async def _connect(self, newcomer: Newcomer) -> None:
        # What goes wrong is the other end's business, which sees it too.
        with contextlib.suppress(OSError):
            await self._loop.connect_accepted_socket(
                partial(self._protocol, newcomer), newcomer.raw
            )

    def _protocol(self, newcomer: Newcomer) -> asyncio.BaseProtocol:
        """Return what goes on with a connection."""
        return self._connection(newcomer)

    def _connection(self, newcomer: Newcomer) -> Connection:
        made = self._make()
        made.head = newcomer.head
        return made

    def _connected(self, newcomer: Newcomer, task: asyncio.Task[None]) -> None:
        self._forget(newcomer)
        if task.cancelled():
            newcomer.raw.close()  # it may not have had its first step, with which asyncio has it

    def _forget(self, newcomer: Newcomer) -> None:
        if self._newcomers.pop(newcomer, self) is self:
            return
        self._crowd.went(newcomer)
        self._unwatch(newcomer)


def _is_whole(head: bytes) -> bool:
    """Tell whether there is nothing to wait for: the parser takes it, or says no, as it is."""
    return (
        head[0] < _NO_HTTP_BELOW
        or len(head) > HEAD_SIZE_BYTES_MAX
        or _END_OF_HEAD.search(head) is not None
    )
