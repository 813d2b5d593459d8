"""A TLS socket that one thread reads while another writes, against servers of others."""

from __future__ import annotations

import fcntl
import hashlib
import resource
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest

from myceld.shared_tls import SharedTlsSocket
from myceld.tls import tls_of
from tests.gateway.certificates import Authority
from tests.waiting import PATIENCE_S

_MESSAGE_SIZE_BYTES = 100
_MESSAGES = 200
_CONNECTIONS = 10
_TICKETS = 50
"""As no server sends: each is another chance to be met."""
_LARGE_SIZE_BYTES = 4 << 20
"""More than the system keeps of what nobody reads, which it is told."""
_KEPT_SIZE_BYTES = 64 << 10


class Line:
    """Makes connections: the client's end of each, and that of a server of the test's own."""

    def __init__(self, folder: Path) -> None:
        ours = Authority.made(folder, "ours")
        files = ours.issue(folder, "127.0.0.1")
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(files.certificate, files.key)
        self.server.load_verify_locations(ours.path)
        self.client = tls_of(ca=ours.path)
        self.client.sslsocket_class = SharedTlsSocket

    @contextmanager
    def made(self) -> Iterator[tuple[SharedTlsSocket, ssl.SSLSocket, ThreadPoolExecutor]]:
        """Return both ends, and threads for them; what hangs is cut off."""
        with ExitStack() as stack:
            threads = stack.enter_context(ThreadPoolExecutor(8))
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KEPT_SIZE_BYTES)
            raw = stack.enter_context(socket.create_connection(listener.getsockname()))
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KEPT_SIZE_BYTES)
            accepted = stack.enter_context(listener.accept()[0])
            other = threads.submit(self.server.wrap_socket, accepted, server_side=True)
            ours = stack.enter_context(self.client.wrap_socket(raw, server_hostname="127.0.0.1"))
            theirs = stack.enter_context(other.result(PATIENCE_S))
            stack.callback(_cut, ours, theirs)
            yield cast("SharedTlsSocket", ours), theirs, threads


def _cut(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            socket.socket.shutdown(end, socket.SHUT_RDWR)


@pytest.fixture(name="line")
def _line(tmp_path: Path) -> Line:
    return Line(tmp_path)


class Watched:
    """OpenSSL as the socket calls it; knows how many threads were in it at most."""

    def __init__(self, wire: SharedTlsSocket) -> None:
        self.inner: Any = wire._sslobj  # type: ignore[attr-defined] # it is nowhere else
        self.threads = self.most = 0
        wire._sslobj = self  # type: ignore[attr-defined] # see above

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def called(*args: object) -> Any:  # noqa: ANN401 - any answer
            self.threads += 1
            self.most = max(self.most, self.threads)
            try:
                return getattr(self.inner, name)(*args)
            finally:
                self.threads -= 1

        return called


def _exactly(wire: socket.socket, size_bytes: int) -> bytes:
    found = bytearray()
    while len(found) < size_bytes:
        piece = wire.recv(1 << 16)
        assert piece, "the connection was lost"
        found += piece
    return bytes(found)


def _echo(wire: ssl.SSLSocket, each: Callable[[], object]) -> None:
    while data := wire.recv(1 << 16):
        each()
        wire.sendall(data)


def _nothing() -> None:
    return


def _talk(line: Line, each: Callable[[ssl.SSLSocket], Callable[[], object]]) -> None:
    """Write many messages while they come back, on connections that have just begun."""
    sent = [f"{at:0{_MESSAGE_SIZE_BYTES}d}".encode() for at in range(_MESSAGES)]
    for _ in range(_CONNECTIONS):
        with line.made() as (ours, theirs, threads):
            watched = Watched(ours)
            echoing = threads.submit(_echo, theirs, each(theirs))
            read = threads.submit(_exactly, ours, _MESSAGE_SIZE_BYTES * _MESSAGES)
            for message in sent:
                ours.sendall(message)
            assert read.result(PATIENCE_S) == b"".join(sent)
            assert watched.most == 1
            ours.shutdown(socket.SHUT_WR)
            with suppress(ssl.SSLEOFError):
                echoing.result(PATIENCE_S)


def test_session_tickets_may_come_while_another_thread_writes(line: Line) -> None:
    line.server.num_tickets = _TICKETS
    _talk(line, lambda _: _nothing)


def test_the_server_may_want_something_of_tls_at_any_moment(line: Line) -> None:
    """It asks for a certificate, again and again, and gets an answer and sends tickets."""
    asked = 0
    line.server.post_handshake_auth = line.client.post_handshake_auth = True
    line.server.verify_mode = ssl.CERT_OPTIONAL

    def asking(theirs: ssl.SSLSocket) -> Callable[[], object]:
        def ask() -> None:
            nonlocal asked
            with suppress(ssl.SSLError):  # the question before has not been answered
                theirs.verify_client_post_handshake()
                asked += 1

        return ask

    _talk(line, asking)
    assert asked >= _CONNECTIONS  # more, where what was sent came in several pieces


def _until_waiting(wire: SharedTlsSocket, count: int) -> None:
    """Wait until so many threads wait for the network."""
    until_s = time.monotonic() + PATIENCE_S
    while wire._waiting < count:
        assert time.monotonic() < until_s
        time.sleep(0.001)


def test_who_can_not_write_on_keeps_no_reader_out(line: Line) -> None:
    large = bytes(range(251)) * (_LARGE_SIZE_BYTES // 251)
    with line.made() as (ours, theirs, threads):
        writing = threads.submit(ours.sendall, large)
        _until_waiting(ours, 1)
        for at in range(_MESSAGES):
            theirs.sendall(b"%09d" % at)
            assert _exactly(ours, 9) == b"%09d" % at
        assert not writing.done()
        got = threads.submit(_exactly, theirs, len(large)).result(PATIENCE_S)
        writing.result(PATIENCE_S)
        assert hashlib.sha256(got).digest() == hashlib.sha256(large).digest()


def test_who_waits_for_something_to_read_keeps_no_writer_out(line: Line) -> None:
    with line.made() as (ours, theirs, threads):
        reading = threads.submit(ours.recv, 9)
        _until_waiting(ours, 1)
        ours.sendall(b"a question")
        assert _exactly(theirs, 10) == b"a question"
        theirs.sendall(b"an answer")
        assert reading.result(PATIENCE_S) == b"an answer"


def test_what_two_threads_write_is_not_mixed(line: Line) -> None:
    pieces = [bytes([letter]) * (_LARGE_SIZE_BYTES // 4) for letter in b"abcd"]
    with line.made() as (ours, theirs, threads):
        writing = [threads.submit(ours.sendall, piece) for piece in pieces]
        got = _exactly(theirs, sum(map(len, pieces)))
        for one in writing:
            one.result(PATIENCE_S)
        order = dict.fromkeys(got)
        assert got == b"".join(bytes([letter]) * len(pieces[0]) for letter in order)


def test_a_timeout_ends_a_read_and_the_connection_goes_on(line: Line) -> None:
    with line.made() as (ours, theirs, _):
        ours.settimeout(0.05)
        assert (ours.gettimeout(), ours.timeout, ours.getblocking()) == (0.05, 0.05, True)
        with pytest.raises(TimeoutError):
            ours.recv(9)
        ours.settimeout(0)
        assert not ours.getblocking()
        with pytest.raises(ssl.SSLWantReadError):
            ours.recv(9)
        ours.settimeout(None)
        theirs.sendall(b"an answer")
        buffer = bytearray(4)
        assert ours.recv_into(buffer) == 4
        assert (bytes(buffer), ours.pending()) == (b"an a", 5)
        assert ours.recv(9) == b"nswer"


def test_a_write_that_was_cut_off_is_the_last_one(line: Line) -> None:
    """OpenSSL would send the rest of that one, and say that it had sent the next one."""
    with line.made() as (ours, _, __):
        ours.settimeout(0.05)
        with pytest.raises(TimeoutError):
            ours.sendall(bytes(_LARGE_SIZE_BYTES))
        with pytest.raises(BrokenPipeError):
            ours.sendall(b"next")


def test_a_writer_waits_for_another_one_no_longer_than_its_timeout(line: Line) -> None:
    with line.made() as (ours, _, threads):
        threads.submit(ours.sendall, bytes(_LARGE_SIZE_BYTES))
        _until_waiting(ours, 1)
        ours.settimeout(0.05)
        with pytest.raises(TimeoutError):
            ours.sendall(b"next")


def test_closing_ends_who_waits_and_then_frees_the_descriptor(line: Line) -> None:
    with line.made() as (ours, theirs, threads):
        waiting: list[Future[Any]] = [
            threads.submit(ours.recv, 9),
            threads.submit(ours.sendall, bytes(_LARGE_SIZE_BYTES)),
        ]
        _until_waiting(ours, 2)
        waiting.append(threads.submit(ours.sendall, b"next"))
        ours.close()
        assert ours.fileno() == -1
        for one in waiting:
            assert isinstance(one.exception(PATIENCE_S), OSError)
        with pytest.raises(OSError, match="Bad file descriptor"):
            ours.recv(9)
        with pytest.raises(OSError, match="Bad file descriptor"):
            ours.shutdown(socket.SHUT_RDWR)
        ours.close()
        with suppress(OSError):
            while theirs.recv(1 << 16):
                pass


def test_shutting_down_ends_a_reader_and_half_of_it_does_not(line: Line) -> None:
    with line.made() as (ours, theirs, threads):
        reading = threads.submit(ours.recv, 9)
        _until_waiting(ours, 1)
        ours.shutdown(socket.SHUT_WR)
        theirs.sendall(b"an answer")
        assert reading.result(PATIENCE_S) == b"an answer"
        reading = threads.submit(ours.recv, 9)
        _until_waiting(ours, 1)
        ours.shutdown(socket.SHUT_RDWR)
        assert reading.result(PATIENCE_S) == b""


def test_a_file_made_of_it_outlives_closing(line: Line) -> None:
    with line.made() as (ours, theirs, _):
        with ours.makefile("rb") as file:
            ours.close()
            theirs.sendall(b"a line\n")
            assert file.readline() == b"a line\n"
        assert ours.fileno() == -1


def test_without_tls_it_goes_on_as_a_plain_socket(line: Line) -> None:
    with line.made() as (ours, theirs, threads):
        ours.settimeout(PATIENCE_S)
        taken_off = threads.submit(theirs.unwrap)
        ours.unwrap()
        plain = taken_off.result(PATIENCE_S)
        plain.sendall(b"in the clear")
        assert ours.recv(99) == b"in the clear"
        assert ours.gettimeout() == PATIENCE_S
        ours.sendall(b"so am I")
        assert plain.recv(99) == b"so am I"


def test_a_descriptor_may_be_of_any_number(line: Line) -> None:
    """`select` takes those below 1,024 only."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    number = 3000
    if hard != resource.RLIM_INFINITY and hard <= number:
        pytest.skip("the system gives away no such number")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number + 100), hard))
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
            raw = stack.enter_context(socket.create_connection(listener.getsockname()))
            accepted = stack.enter_context(listener.accept()[0])
            high = socket.socket(fileno=fcntl.fcntl(raw, fcntl.F_DUPFD, number))
            threads = stack.enter_context(ThreadPoolExecutor(2))
            other = threads.submit(line.server.wrap_socket, accepted, server_side=True)
            ours = stack.enter_context(line.client.wrap_socket(high, server_hostname="127.0.0.1"))
            theirs = stack.enter_context(other.result(PATIENCE_S))
            assert ours.fileno() >= number
            reading = threads.submit(ours.recv, 9)
            _until_waiting(cast("SharedTlsSocket", ours), 1)
            theirs.sendall(b"an answer")
            assert reading.result(PATIENCE_S) == b"an answer"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
