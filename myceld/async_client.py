"""The asynchronous client of one cell: every call of `Client`, awaited, over httpx.

    async with AsyncClient.from_home(home) as cell:
        receipt = await cell.put("hello", b"world", wait="certified", timeout_s=60)
        async for frame in cell.subscribe("state:club/"):
            ...

For one event loop; any number of tasks may ask at a time. Every call has a deadline, waiting for a
connection included. Calls that only read are tried once more when the connection is lost; submits
never are.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Final, Self, TypeVar

import httpx

from myceld.access import Access, Who
from myceld.answers import answer_to
from myceld.basis import INFO_PATH, STREAM_PATH, CellClient, who_of
from myceld.errors import CellAnswerUnreadable, CellTooLate, CellUnreachable
from myceld.limits import (
    ANSWER_SIZE_BYTES_MAX,
    CONNECTIONS_MAX,
    IDLE_S_MAX,
    STREAM_PATIENCE_S_DEFAULT,
)
from myceld.question import AsksAsync, Question, given
from myceld.tails import ChangeTail, MessageTail, Patience, Tail

if TYPE_CHECKING:
    from myceld.streams import AsyncItemStream
    from myceld.verified_calls import Trusted
    from myceld.views import MessageView, StateEntryView

T = TypeVar("T")
Item = TypeVar("Item")

_CUT_OFF: Final = ("disconnected", "peer closed connection")
"""In what httpx says of a server that went away, as against one that does not speak HTTP."""


class AsyncClient(CellClient, AsksAsync):
    """Connections to the cell at `url`.

    Every method raises CellUnreachable, CellTooLate, CellAnswerUnreadable, CellNotTrusted and
    CellWithoutTls, and CellRefused with the cell's own code when the cell says no.
    """

    _http: httpx.AsyncClient | None
    _http_of: Access

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the next call opens a new one."""
        if self._http is not None:
            http, self._http = self._http, None
            await http.aclose()

    async def ask(self, question: Question[T]) -> T:
        """Return the answer to any question; the calls are made of this."""
        try:
            async with asyncio.timeout(question.deadline_s or self.timeout_s):
                try:
                    return await self._exchange(question)
                except CellUnreachable as error:
                    if question.method != "GET" or isinstance(error.__cause__, httpx.ConnectError):
                        raise
                return await self._exchange(question)
        except TimeoutError as error:
            raise CellTooLate(f"no answer from {self.url} in time") from error

    def subscribe(
        self,
        what: str,
        *,
        after: str | None = None,
        after_round: int | None = None,
        sender: str | None = None,
        kind: str | None = None,
        patience_s: float = STREAM_PATIENCE_S_DEFAULT,
    ) -> AsyncItemStream:
        """Return the items of `transactions`, `rounds`, `messages`, `peers` or `state:PREFIX`.

        From now on, or behind a cursor or a round. `sender` (public key in hex) and `kind` narrow
        transactions. See `myceld.streams.AsyncItemStream`.
        """
        from myceld.streams import AsyncItemStream  # noqa: PLC0415 - others need no WebSocket
        from myceld.subscription import Subscription  # noqa: PLC0415 - see above

        wish = given(subscribe=what, after=after, after_round=after_round, sender=sender, kind=kind)
        return AsyncItemStream(self._stream_access, Subscription(wish), patience_s=patience_s)

    def messages(
        self,
        *,
        after: int | None = None,
        way: str = "received",
        patience_s: float = STREAM_PATIENCE_S_DEFAULT,
        **query: object,
    ) -> AsyncGenerator[MessageView, None]:
        """Yield the messages that come from now on, or after an id (-1: all that there are).

        For ever, each once, across restarts of the cell. A service that notes the id of the last
        message it dealt with goes on there after a restart, and misses none.
        """
        return self._follow(MessageTail(after, {"way": way, **query}), patience_s)

    def watch(
        self,
        prefix: str = "",
        *,
        after_round: int | None = None,
        patience_s: float = STREAM_PATIENCE_S_DEFAULT,
    ) -> AsyncGenerator[StateEntryView, None]:
        """Yield each change of keys with a prefix, for ever, without a gap; see `Client.watch`."""
        return self._follow(ChangeTail(prefix, after_round), patience_s)

    def _begin(self, access: Access, genesis: Trusted | None, timeout_s: float) -> None:
        super()._begin(access, genesis, timeout_s)
        self._http = None
        self._http_of = access

    async def _exchange(self, question: Question[T]) -> T:
        who = await self._who_if_needed(question.target)
        method, target, body = question.method, question.target, question.body
        headers = self._access.headers(method, target, body, who)
        try:
            http = await self._opened()
            async with http.stream(
                method, self.url.rstrip("/") + target, content=body, headers=headers
            ) as response:
                data = await self._read(response)
        except httpx.RemoteProtocolError as error:
            if any(words in str(error) for words in _CUT_OFF):
                raise CellUnreachable(
                    f"no cell answers at {self.url} (the connection was closed)"
                ) from error
            raise CellAnswerUnreadable(f"{self.url} does not speak HTTP as a cell does") from error
        except httpx.TransportError as error:
            raise self._access.unreachable(_root_of(error)) from error
        return answer_to(question, response.status_code, data)

    async def _read(self, response: httpx.Response) -> bytes:
        parts: list[bytes] = []
        size_bytes = 0
        async for part in response.aiter_raw():
            parts.append(part)
            size_bytes += len(part)
            if size_bytes > ANSWER_SIZE_BYTES_MAX:
                raise CellAnswerUnreadable(f"an answer of more than {size_bytes} bytes")
        return b"".join(parts)

    async def _opened(self) -> httpx.AsyncClient:
        """Return connections to where the cell is now."""
        if self._http_of is not self._access:
            await self.close()
            self._http_of = self._access
        if self._http is None:
            self._http = httpx.AsyncClient(
                verify=self._tls or False,  # False: no https, so nothing to verify
                headers={"Accept-Encoding": "identity"},
                timeout=None,  # noqa: S113 - ask() has the deadline of all of it
                limits=httpx.Limits(max_connections=CONNECTIONS_MAX, keepalive_expiry=IDLE_S_MAX),
                trust_env=False,  # a proxy of the environment would see the token
            )
        return self._http

    async def _who_if_needed(self, target: str) -> Who | None:
        """Return which cell that is, if requests to it are signed."""
        if self._who is None and self._access.signs and target != INFO_PATH:
            self._who = who_of(await self.info())
        return self._who

    async def _stream_access(self) -> tuple[Access, dict[str, str]]:
        """Return where the cell is now, and the headers of a WebSocket."""
        access, who = self._access.renewed(), await self._who_if_needed(STREAM_PATH)
        return access, access.headers("GET", STREAM_PATH, None, who)

    async def _follow(self, tail: Tail[Item], patience_s: float) -> AsyncGenerator[Item, None]:
        patience = Patience(patience_s)
        self.renew()
        while True:
            try:
                page = await self.ask(tail.question())
            except (CellUnreachable, CellTooLate) as error:
                await asyncio.sleep(patience.pause_s(error))
                self.renew()
                continue
            patience.reset()
            for item in tail.take(page):
                yield item


def _root_of(error: BaseException) -> BaseException:
    """Return the operating system's error under one of httpx."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
