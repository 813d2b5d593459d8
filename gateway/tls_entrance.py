"""Where connections with TLS come in: handshakes are work of a crowd, too.

1. A connection is a bare socket until its ClientHello is whole. What is none gets an answer in
   plain HTTP if it is a request, and is closed.
2. It then waits for its turn among addresses (`gateway.handshake_line`), those from where somebody
   came who may ask in a line of their own. Who has gone meanwhile costs no handshake, and of an
   address that has many waiting no more are listened to.
3. Handshakes are done here, over the bare socket, by the cheap groups only (`gateway.tls`). At most
   HANDSHAKES_MAX connections are in one or behind it without a request.
4. The request's head is read and looked at as without TLS (`gateway.entrance`); only who is let in
   is given to asyncio, with the session as it is.

The whole of it takes HEAD_TIMEOUT_S at most, or the connection is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from gateway.answers import error_answer
from gateway.comings import Comings
from gateway.connections import Connection, Crowd
from gateway.entrance import Entrance, Look, Newcomer
from gateway.errors import HandshakesWait, NoTls
from gateway.handshake_line import HandshakeLine
from gateway.hello import NotHello, groups_of
from gateway.known import Known
from gateway.limits import (
    CROWD_MIN,
    HANDSHAKE_SHARE,
    HANDSHAKE_SHARE_KNOWN,
    HANDSHAKES_MAX,
    REFUSED_WAITING_MAX,
    TLS_CROWD_TOLD_S,
    TLS_HEAD_SIZE_BYTES_MAX,
)
from gateway.rates import block_of
from gateway.tls_session import Session, TlsProtocol

if TYPE_CHECKING:
    from gateway.tls import Tls  # which loads what reads certificates

_LOG = structlog.get_logger("gateway")
_REQUEST: Final = re.compile(rb"[A-Z]{3,7} ")
_HANDSHAKE_FAILED: Final = bytes([21, 3, 3, 0, 2, 2, 40])
"""An alert of TLS, for what is none or too large."""


class TlsEntrance(Entrance):
    """An entrance that speaks TLS."""

    def __init__(
        self,
        crowd: Crowd,
        *,
        look: Look,
        make: Callable[[], Connection],
        tls: Tls,
        known: Known,
        refused_max: int = REFUSED_WAITING_MAX,
        comings: Comings | None = None,
    ) -> None:
        """`known` are the addresses from where somebody came who may ask."""
        super().__init__(crowd, look=look, make=make, refused_max=refused_max, comings=comings)
        self._tls = tls
        self._known = known
        self._shaking = Crowd(silent_max=HANDSHAKES_MAX)
        self._strangers = HandshakeLine(self._begin, HANDSHAKE_SHARE, is_late=self._tell)
        self._others = HandshakeLine(self._begin, HANDSHAKE_SHARE_KNOWN, is_late=self._tell)
        self._told_s = -TLS_CROWD_TOLD_S

    def close(self) -> None:
        """See `Entrance.close`."""
        super().close()
        self._strangers.close()
        self._others.close()

    def _is_one_too_many(self, address: str) -> bool:
        return self._line_of(address).is_full(block_of(address))

    def _take(self, newcomer: Newcomer, data: bytes) -> None:
        """Go on with what came: of a hello, of a handshake, or of a head within TLS."""
        newcomer.came_size += len(data)
        if newcomer.came_size > TLS_HEAD_SIZE_BYTES_MAX:
            self.drop(newcomer)
        elif newcomer.session is None:
            self._take_hello(newcomer, data)
        else:
            self._shake(newcomer, newcomer.session, data)

    def _take_hello(self, newcomer: Newcomer, data: bytes) -> None:
        newcomer.head += data
        try:
            if groups_of(newcomer.head) is None:
                self._watch(newcomer)
                return
        except NotHello:
            self._refuse(newcomer, _said_to(newcomer.head))
            return
        self._unwatch(newcomer)
        line, block = self._line_of(newcomer.address), block_of(newcomer.address)
        if line.is_full(block):
            self.drop(newcomer)
        else:
            line.join(newcomer, block)
            self._note_waiting()

    def _line_of(self, address: str) -> HandshakeLine[Newcomer]:
        is_known = block_of(address) in self._known
        return self._others if is_known else self._strangers

    def _begin(self, newcomer: Newcomer) -> bool:
        """Begin a handshake unless the other end has gone; return whether it was begun."""
        if _is_gone(newcomer.raw):
            self.drop(newcomer)
            return False
        self._comings.begun += 1
        hello, newcomer.head = newcomer.head, b""
        context = self._tls.context_for(groups_of(hello) or frozenset())
        newcomer.session = Session(context)
        self._shaking.came(newcomer, block_of(newcomer.address))
        self._note_waiting()
        self._shake(newcomer, newcomer.session, hello)
        return True

    def _shake(self, newcomer: Newcomer, session: Session, data: bytes) -> None:
        """Go on with a handshake, or with a head behind it."""
        began_s, was_shaken = self._loop.time(), session.is_shaken
        try:
            said = session.take(data)
            is_over = session.is_over
        except ssl.SSLError:
            said, is_over = b"", True
        self._comings.done += session.is_shaken and not was_shaken
        self._line_of(newcomer.address).charge(self._loop.time() - began_s)
        with contextlib.suppress(OSError):
            answer = session.to_send()
            if answer:
                # All that a handshake sends is less than an empty socket takes at once.
                is_over |= newcomer.raw.send(answer) < len(answer)
        if said and not is_over:
            super()._take(newcomer, said)
        elif is_over:
            self.drop(newcomer)
        else:
            self._watch(newcomer)

    def _last_words(self, newcomer: Newcomer, answer: bytes) -> bytes:
        session = newcomer.session
        return answer if session is None else session.goodbye(answer)

    def _protocol(self, newcomer: Newcomer) -> asyncio.BaseProtocol:
        inner = self._connection(newcomer)
        assert newcomer.session is not None  # noqa: S101 - for the type checker
        return TlsProtocol(self._loop, inner, newcomer.session)

    def _forget(self, newcomer: Newcomer) -> None:
        super()._forget(newcomer)
        self._shaking.went(newcomer)
        self._strangers.leave(newcomer)
        self._others.leave(newcomer)
        self._note_waiting()

    def _note_waiting(self) -> None:
        self._comings.waiting = len(self._strangers) + len(self._others)

    def _tell(self) -> None:
        """Have it logged that many wait, once in a while."""
        now_s, waiting = self._loop.time(), self._comings.waiting
        if waiting >= CROWD_MIN and now_s - self._told_s >= TLS_CROWD_TOLD_S:
            self._told_s = now_s
            error = HandshakesWait(f"{waiting} connections wait for their TLS handshake")
            _LOG.warning(str(error), begun=self._comings.begun)


def _is_gone(raw: socket.socket) -> bool:
    try:
        return not raw.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _said_to(data: bytes) -> bytes:
    """Return the answer to what is no TLS."""
    if not _REQUEST.match(data):
        return _HANDSHAKE_FAILED
    answer = error_answer(NoTls("this port speaks HTTPS"))
    lines = [b"%s: %s\r\n" % pair for pair in [*answer.raw_headers, (b"connection", b"close")]]
    return b"".join([b"HTTP/1.1 400 Bad Request\r\n", *lines, b"\r\n", bytes(answer.body)])
