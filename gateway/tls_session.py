"""TLS of one connection over bytes, and how asyncio goes on with it.

A handshake is done here, over a bare socket's bytes, by who knows when it is due
(`gateway.tls_entrance`); asyncio's own begins as soon as it has a socket, and takes 256 KiB for it.
What is shaken is then served by asyncio (`TlsProtocol`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from asyncio.sslproto import SSLProtocol
from typing import Any, cast

from gateway.limits import (
    HEAD_SIZE_BYTES_MAX,
    TLS_BARREN_SIZE_BYTES_MAX,
    TLS_BUFFER_SIZE_BYTES,
)


class Barren(ssl.SSLError):
    """The other end sends TLS's own messages only, each of which is work."""


class Session:
    """The server's end of a TLS connection. What it has to send is taken by `to_send`."""

    __slots__ = ("_barren_size", "_came", "_goes", "_tls", "is_over", "is_shaken")

    def __init__(self, context: ssl.SSLContext) -> None:
        self._came, self._goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._came, self._goes, server_side=True)
        self._barren_size = 0
        self.is_shaken = False
        """Whether the handshake is done."""
        self.is_over = False
        """Whether the other end said that it says no more."""

    def take(self, data: bytes) -> bytes:
        """Take what came, and return what it says: nothing in a handshake; raises ssl.SSLError."""
        self.feed(data)
        if not self.is_shaken:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                return b""
            self.is_shaken = True
        said = b""
        try:
            while not self.is_over:
                part = self.read(HEAD_SIZE_BYTES_MAX)
                said += part
                self.is_over = not part
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.is_over = True
        return said

    def to_send(self) -> bytes:
        """Return what the other end is to be sent."""
        return self._goes.read()

    def goodbye(self, last: bytes) -> bytes:
        """Return last words as they are sent, and that they are the last."""
        self._tls.write(last)
        with contextlib.suppress(ssl.SSLError):  # it waits for the other end's, we do not
            self._tls.unwrap()
        return self.to_send()

    def feed(self, data: bytes) -> None:
        """Take what came, to be read."""
        self._barren_size += len(data)
        self._came.write(data)

    def read(self, size: int) -> bytes:
        """Return some of what the other end said, nothing when it is over; raises ssl.SSLError."""
        try:
            said = self._tls.read(size)
        except ssl.SSLWantReadError:
            if self._barren_size > TLS_BARREN_SIZE_BYTES_MAX:
                raise Barren from None
            raise
        self._barren_size = 0
        return said

    def write(self, data: bytes) -> int:
        """Say something; return how many bytes of it; raises ssl.SSLError."""
        return self._tls.write(data)

    def unwrap(self) -> None:
        """Say that there is no more; raises ssl.SSLError while the other end has not."""
        self._tls.unwrap()


class TlsProtocol(SSLProtocol):
    """Carries the connection of a session that is shaken."""

    max_size = TLS_BUFFER_SIZE_BYTES

    def __init__(
        self, loop: asyncio.AbstractEventLoop, inner: asyncio.Protocol, session: Session
    ) -> None:
        context, waiter = (
            cast("ssl.SSLContext", _Shaken(session)),
            cast("asyncio.Future[Any]", None),
        )
        super().__init__(loop, inner, context, waiter, server_side=True)


class _Shaken:
    """In the place of a context: what it makes is a session that there is already."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, **_: object) -> _Object:
        return _Object(self._session, incoming, outgoing)


class _Object:
    """In the place of an `ssl.SSLObject`: a session, by way of the buffers that asyncio has."""

    def __init__(self, session: Session, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
        self._session, self._incoming, self._outgoing = session, incoming, outgoing

    def do_handshake(self) -> None:
        """It is done."""

    def read(self, size: int) -> bytes:
        if self._incoming.pending:
            self._session.feed(self._incoming.read())
        try:
            return self._session.read(size)
        finally:
            self._outgoing.write(self._session.to_send())

    def write(self, data: bytes) -> int:
        try:
            return self._session.write(data)
        finally:
            self._outgoing.write(self._session.to_send())

    def unwrap(self) -> None:
        if self._incoming.pending:
            self._session.feed(self._incoming.read())
        try:
            self._session.unwrap()
        finally:
            self._outgoing.write(self._session.to_send())

    def getpeercert(self) -> None:
        """No client is asked for one."""

    def cipher(self) -> None:
        """Of no use to anybody here."""

    def compression(self) -> None:
        """There is none."""
