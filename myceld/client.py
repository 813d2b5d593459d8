"""A synchronous client of one cell over its HTTP API (docs/api.md), on the standard library.

    with Client.from_home(Path("~/.myceld").expanduser()) as cell:
        receipt = cell.put("hello", b"world", wait="certified", timeout_s=60)

Every call has a deadline. A client is for one thread; it keeps one connection open, and opens
another when the cell closed that one. Calls that only read are tried once more when it is closed
meanwhile; submits never are, so nothing is put twice. Answers are the JSON objects of the API, with
the types of `myceld.views`.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Self, TypeVar

from myceld.access import Access, Who
from myceld.answers import answer_to
from myceld.basis import INFO_PATH, STREAM_PATH, CellClient, who_of
from myceld.errors import CellAnswerUnreadable, CellTooLate, CellUnreachable
from myceld.limits import ANSWER_SIZE_BYTES_MAX, IDLE_S_MAX, STREAM_PATIENCE_S_DEFAULT
from myceld.question import Asks, Question, given
from myceld.tails import ChangeTail, MessageTail, Patience, Tail

if TYPE_CHECKING:
    from myceld.streams import ItemStream
    from myceld.verified_calls import Trusted
    from myceld.views import MessageView, StateEntryView

T = TypeVar("T")
Item = TypeVar("Item")

_READ_SIZE_BYTES: Final = 1 << 16


class Client(CellClient, Asks):
    """A connection to the cell at `url`.

    Every method raises CellUnreachable, CellTooLate, CellAnswerUnreadable, CellNotTrusted and
    CellWithoutTls, and CellRefused with the cell's own code when the cell says no.
    """

    _connection: http.client.HTTPConnection | None
    _used_at_s: float

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def subscribe(
        self,
        what: str,
        *,
        after: str | None = None,
        after_round: int | None = None,
        sender: str | None = None,
        kind: str | None = None,
        patience_s: float = STREAM_PATIENCE_S_DEFAULT,
    ) -> ItemStream:
        """Return the items of `transactions`, `rounds`, `messages`, `peers` or `state:PREFIX`.

        From now on, or behind a cursor or a round. `sender` (public key in hex) and `kind` narrow
        transactions. See `myceld.streams.ItemStream`.
        """
        from myceld.streams import ItemStream  # noqa: PLC0415 - other calls need no WebSocket
        from myceld.subscription import Subscription  # noqa: PLC0415 - see above

        wish = given(subscribe=what, after=after, after_round=after_round, sender=sender, kind=kind)
        return ItemStream(self._stream_access, Subscription(wish), patience_s=patience_s)

    def messages(
        self,
        *,
        after: int | None = None,
        way: str = "received",
        patience_s: float = STREAM_PATIENCE_S_DEFAULT,
        **query: object,
    ) -> Iterator[MessageView]:
        """Yield the messages that come from now on, or after an id (-1: all that there are).

        For ever, each once, across restarts of the cell.
        """
        return self._follow(MessageTail(after, {"way": way, **query}), patience_s)

    def watch(
        self,
        prefix: str = "",
        *,
        after_round: int | None = None,
        patience_s: float = STREAM_PATIENCE_S_DEFAULT,
    ) -> Iterator[StateEntryView]:
        """Yield each change of keys with a prefix, for ever, without a gap.

        From now on, or after a round: who was away goes on after the last one it saw. Raises
        CellRefused with MYC-LEDGER-503 when what follows is not kept any more: read anew.
        """
        return self._follow(ChangeTail(prefix, after_round), patience_s)

    def ask(self, question: Question[T]) -> T:
        """Return the answer to any question; the calls are made of this."""
        until_s = time.monotonic() + (question.deadline_s or self.timeout_s)
        kept = self._keeps_connection()
        if not kept:
            self.close()
        try:
            return self._exchange(question, until_s)
        except CellUnreachable:
            if not kept or question.method != "GET":
                raise
        return self._exchange(question, until_s)

    def _keeps_connection(self) -> bool:
        """Return whether a kept connection can take a request: the cell may have ended since."""
        sock = None if self._connection is None else self._connection.sock
        if sock is None or time.monotonic() - self._used_at_s > IDLE_S_MAX:
            return False
        if isinstance(sock, ssl.SSLSocket):
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            return not poll.poll(0)
        sock.settimeout(0)
        try:
            sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False  # its end, or words that nobody asked for

    def _exchange(self, question: Question[T], until_s: float) -> T:
        method, target, body = question.method, question.target, question.body
        headers = self._access.headers(method, target, body, self._who_if_needed(target))
        try:
            connection = self._connected(until_s)
            connection.request(method, target, body=body, headers=headers)
            response = self._timed(connection, until_s).getresponse()
            data = self._read(connection, response, until_s)
        except TimeoutError as error:
            self.close()
            raise CellTooLate(f"no answer from {self.url} in time") from error
        except (OSError, http.client.RemoteDisconnected, http.client.IncompleteRead) as error:
            self.close()
            raise self._access.unreachable(error) from error
        except http.client.HTTPException as error:
            self.close()
            raise CellAnswerUnreadable(f"{self.url} does not speak HTTP as a cell does") from error
        self._used_at_s = time.monotonic()
        if response.will_close:
            self.close()
        try:
            return answer_to(question, response.status, data)
        except CellAnswerUnreadable:
            self.close()
            raise

    def _connected(self, until_s: float) -> http.client.HTTPConnection:
        if self._connection is None:
            host, port = self._access.address()
            self._connection = (
                http.client.HTTPConnection(host, port, timeout=_left(until_s))
                if self._tls is None
                else http.client.HTTPSConnection(
                    host, port, timeout=_left(until_s), context=self._tls
                )
            )
            self._connection.connect()
        return self._timed(self._connection, until_s)

    def _timed(
        self, connection: http.client.HTTPConnection, until_s: float
    ) -> http.client.HTTPConnection:
        if connection.sock is not None:
            connection.sock.settimeout(_left(until_s))
        return connection

    def _read(
        self,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
        until_s: float,
    ) -> bytes:
        parts: list[bytes] = []
        size_bytes = 0
        while part := response.read1(_READ_SIZE_BYTES):
            parts.append(part)
            size_bytes += len(part)
            if size_bytes > ANSWER_SIZE_BYTES_MAX:
                self.close()
                raise CellAnswerUnreadable(f"an answer of more than {size_bytes} bytes")
            self._timed(connection, until_s)
        # read1 leaves a finished answer open, and then the connection takes no further request.
        response.close()
        # A head that was cut off has no length; the gateway always gives one.
        if response.length or (not parts and response.getheader("content-length") is None):
            raise http.client.IncompleteRead(b"", response.length)
        return b"".join(parts)

    def _begin(self, access: Access, genesis: Trusted | None, timeout_s: float) -> None:
        super()._begin(access, genesis, timeout_s)
        self._connection = None
        self._used_at_s = 0.0

    def _who_if_needed(self, target: str) -> Who | None:
        """Return which cell that is, if requests to it are signed."""
        if self._who is None and self._access.signs and target != INFO_PATH:
            self._who = who_of(self.info())
        return self._who

    def _stream_access(self) -> tuple[Access, dict[str, str]]:
        """Return where the cell is now, and the headers of a WebSocket."""
        access = self._access.renewed()
        return access, access.headers("GET", STREAM_PATH, None, self._who_if_needed(STREAM_PATH))

    def _follow(self, tail: Tail[Item], patience_s: float) -> Iterator[Item]:
        patience = Patience(patience_s)
        with self.twin() as cell:
            while True:
                try:
                    page = cell.ask(tail.question())
                except (CellUnreachable, CellTooLate) as error:
                    time.sleep(patience.pause_s(error))
                    cell.renew()
                    continue
                patience.reset()
                yield from tail.take(page)


def _left(until_s: float) -> float:
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s
