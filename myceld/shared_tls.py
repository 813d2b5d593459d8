"""A TLS socket that one thread reads while another writes, as websockets does with its own.

OpenSSL wants one thread at a time in a connection, whatever that does there. Python 3.11 to 3.14 do
not see to it, and most of the time it goes well: what one reads is not what the other writes. A
record behind the handshake is the exception. A session ticket, or a change of keys, sends whoever
meets it through what both have: the connection is lost, or hangs. Most servers send tickets.

Here threads take turns, and none waits for the network in its turn, or a reader would keep every
writer out (as in Python 3.13.6). What is of use without threads is as in `ssl.SSLSocket`.
"""

from __future__ import annotations

import errno
import math
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Self, TypeAlias, TypeVar

from myceld.limits import LEAVING_S_MAX, TLS_TURN_SIZE_BYTES_MAX

T = TypeVar("T")
Octets: TypeAlias = Any
"""What has bytes. Python 3.11 has no type for it."""


class SharedTlsSocket(ssl.SSLSocket):
    """Made by a context that has it as `sslsocket_class`. Any thread may do anything.

    1. From the end of the handshake on, one thread at a time is in OpenSSL, in turns of one record.
    2. Between two turns it waits as long as its timeout says, then raises TimeoutError.
    3. One thread at a time writes, and has written all before the next one begins.
    4. A write that was cut off is the last one: what comes next would be taken for its rest.
    5. Closing it ends whoever waits, and nobody uses its descriptor behind that.
    """

    _takes_turns: bool
    """From the end of the handshake until TLS is taken off; below it never blocks meanwhile."""
    _timeout_s: float | None
    _turn: threading.Condition
    _writing: threading.Lock
    _waiting: int
    _is_cut_off: bool
    _is_over: bool

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:  # noqa: ANN401 - as the socket has them
        """There is no `__init__`: a context makes it in another way."""
        self = super().__new__(cls, *args, **kwargs)
        self._takes_turns = self._is_cut_off = self._is_over = False
        self._timeout_s = None
        self._turn = threading.Condition(threading.Lock())
        self._writing = threading.Lock()
        self._waiting = 0
        return self

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as in the base
        """Shake hands as a socket for one thread does; there are no others yet."""
        super().do_handshake(block)
        if not self._takes_turns:
            self._timeout_s = super().gettimeout()
            super().settimeout(0.0)
            self._takes_turns = True

    def read(self, len: int = 1024, buffer: Octets = None) -> Any:  # noqa: A002, ANN401 - see base
        """Return what a record brings, or how many bytes of it are in `buffer`; none at the end."""
        if not self._takes_turns:
            return super().read(len, buffer)
        return self._by_turns(partial(super().read, len, buffer), self._deadline_s())

    def write(self, data: Octets) -> int:
        """Write the first bytes of `data`, at most a record; return how many that were."""
        if not self._takes_turns:
            return super().write(data)
        deadline_s = self._deadline_s()
        with self._writer(deadline_s):
            return self._put(memoryview(data).cast("B"), deadline_s)

    def send(self, data: Octets, flags: int = 0) -> int:
        """Write the first bytes of `data`, at most a record; return how many that were."""
        if not self._takes_turns or flags:
            return super().send(data, flags)
        return self.write(data)

    def sendall(self, data: Octets, flags: int = 0) -> None:
        """Write all within the timeout, as a socket without TLS does."""
        if not self._takes_turns or flags:
            super().sendall(data, flags)
            return
        deadline_s = self._deadline_s()
        rest = memoryview(data).cast("B")
        with self._writer(deadline_s):
            while rest:
                rest = rest[self._put(rest, deadline_s) :]

    def pending(self) -> int:
        """Return how many bytes can be read without the network."""
        with self._turn:
            return super().pending()

    def shutdown(self, how: int) -> None:
        """End one direction, or both; who still reads is told the end when that has come."""
        if not self._takes_turns:
            super().shutdown(how)
            return
        with self._turn:
            # That of SSLSocket forgets the keys: a reader would be handed what is encrypted.
            super(ssl.SSLSocket, self).shutdown(how)

    def unwrap(self) -> socket.socket:
        """Take TLS off; what goes on then is for one thread."""
        if not self._takes_turns:
            return super().unwrap()
        deadline_s = self._deadline_s()
        with self._writer(deadline_s):
            plain = self._by_turns(super().unwrap, deadline_s)
            self._takes_turns = False
            super().settimeout(self._timeout_s)
        return plain

    def settimeout(self, value: float | None) -> None:
        """Wait so long from the next call on, for ever if it is None, not at all if it is 0."""
        if not self._takes_turns:
            super().settimeout(value)
        else:
            self._timeout_s = value

    def gettimeout(self) -> float | None:
        """Return how long a call waits."""
        return self._timeout_s if self._takes_turns else super().gettimeout()

    @property
    def timeout(self) -> float | None:
        """The same."""
        return self.gettimeout()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - as in the base
        """Wait for ever, or not at all."""
        self.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        """Return whether a call waits."""
        return self.gettimeout() != 0

    def _real_close(self) -> None:
        """Called by `close`, at once or when the last file that was made of it is closed."""
        with self._turn:
            self._is_over = True
            if self._waiting:
                with suppress(OSError):
                    super(ssl.SSLSocket, self).shutdown(socket.SHUT_RDWR)
                self._turn.wait_for(lambda: not self._waiting, LEAVING_S_MAX)
            super()._real_close()  # type: ignore[misc] # typeshed leaves it out

    def _deadline_s(self) -> float | None:
        return None if self._timeout_s is None else time.monotonic() + self._timeout_s

    def _by_turns(self, step: Callable[[], T], deadline_s: float | None) -> T:
        """Take turns until the step is done; raises TimeoutError, and what the step raises."""
        while True:
            waits = False
            try:
                with self._turn:
                    if self._is_over:
                        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
                    try:
                        return step()
                    except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
                        if not self.getblocking():
                            raise
                        is_read = isinstance(error, ssl.SSLWantReadError)
                    descriptor = self.fileno()
                    self._waiting += 1
                    waits = True
                _wait(descriptor, select.POLLIN if is_read else select.POLLOUT, deadline_s)
            finally:
                if waits:
                    with self._turn:
                        self._waiting -= 1
                        self._turn.notify_all()

    @contextmanager
    def _writer(self, deadline_s: float | None) -> Iterator[None]:
        left_s = -1.0 if deadline_s is None else max(0.0, deadline_s - time.monotonic())
        if not self._writing.acquire(timeout=left_s):
            raise TimeoutError("another thread still writes")
        try:
            if self._is_cut_off:
                raise BrokenPipeError(errno.EPIPE, "the write before was cut off")
            yield
        finally:
            self._writing.release()

    def _put(self, rest: memoryview, deadline_s: float | None) -> int:
        """Write a record at most. OpenSSL is asked with the same bytes until it has sent all."""
        piece = rest[:TLS_TURN_SIZE_BYTES_MAX]
        try:
            return self._by_turns(partial(super().write, piece), deadline_s)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise  # it is not to wait: the caller comes again with the same bytes
        except BaseException:
            self._is_cut_off = True
            raise


def _wait(descriptor: int, what: int, deadline_s: float | None) -> None:
    """Wait for the network; raises TimeoutError. Unlike `select`, `poll` takes any descriptor."""
    poll = select.poll()
    poll.register(descriptor, what)
    if deadline_s is None:
        poll.poll()
    elif not poll.poll(math.ceil(1000 * max(0.0, deadline_s - time.monotonic()))):
        raise TimeoutError("the TLS connection was not ready in time")
