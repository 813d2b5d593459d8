"""Subscriptions of both clients: iterators over what comes, across lost connections.

    for frame in cell.subscribe("state:club/", after_round=120):
        print(frame["round"], frame["item"]["key"], frame["cursor"])

    async for frame in cell.subscribe("transactions", after=kept_cursor): ...

A program that keeps the cursor of the last frame it dealt with goes on there after a restart. One
that is slow holds a few frames; then reading stops, and a cell that can not wait any longer closes
the connection, which is made again behind the cursor.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Self, TypeAlias

from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from core.errors import MyceldError
from myceld.access import Access
from myceld.errors import CellUnreachable
from myceld.limits import STREAM_PATIENCE_S_DEFAULT
from myceld.shared_tls import SharedTlsSocket
from myceld.subscription import Frame, Subscription, check_end, options_of, refusal_of
from myceld.tails import Patience

Where: TypeAlias = tuple[Access, dict[str, str]]
"""A cell as it is to be found now, and the headers for it."""


class ItemStream:
    """What a subscription brings. For one thread; `close` ends it, from another one too.

    Iterating raises CellRefused when the cell refuses the subscription or the token has ended,
    CellUnreachable when there was no connection for `patience_s` (at once, for the first one),
    CellNotTrusted, CellWithoutTls and CellAnswerUnreadable.
    """

    def __init__(
        self,
        where: Callable[[], Where],
        subscription: Subscription,
        *,
        patience_s: float = STREAM_PATIENCE_S_DEFAULT,
    ) -> None:
        """`where` is asked again for each connection."""
        self._where = where
        self._subscription = subscription
        self._patience = Patience(patience_s)
        self._wire: ClientConnection | None = None
        self._is_closed = False

    @property
    def cursor(self) -> str | None:
        """Behind the last item that was handed out, or where the subscription began."""
        return self._subscription.cursor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the subscription; safe to repeat."""
        self._is_closed = True
        if self._wire is not None:
            self._wire.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames: subscription, kind, round, cursor, item."""
        while not self._is_closed:
            try:
                wire = self._connect()
            except CellUnreachable as error:
                time.sleep(self._patience.pause_s(error))
                continue
            self._patience.reset()
            with wire:
                self._wire = wire
                try:
                    wire.send(self._subscription.asking())
                    for text in wire:
                        frame = self._subscription.take(text)
                        if frame is not None:
                            yield frame
                except ConnectionClosed:
                    pass  # its close code says why, as that of a clean end does
            if not self._is_closed:
                check_end(wire.close_code, wire.close_reason)

    def _connect(self) -> ClientConnection:
        access, headers = self._where()
        options = options_of(access, headers)
        if options["ssl"] is not None:
            options["ssl"].sslsocket_class = SharedTlsSocket  # it is read in a thread of its own
        try:
            return connect(**options)
        except (OSError, WebSocketException) as error:
            raise _no_connection(access, error) from error


class AsyncItemStream:
    """The same for `async for`. Ends when `close` is awaited, or the task is cancelled."""

    def __init__(
        self,
        where: Callable[[], Awaitable[Where]],
        subscription: Subscription,
        *,
        patience_s: float = STREAM_PATIENCE_S_DEFAULT,
    ) -> None:
        """`where` is asked again for each connection."""
        self._where = where
        self._subscription = subscription
        self._patience = Patience(patience_s)
        self._wire: AsyncConnection | None = None
        self._frames: AsyncIterator[Frame] | None = None
        self._is_closed = False

    @property
    def cursor(self) -> str | None:
        """Behind the last item that was handed out, or where the subscription began."""
        return self._subscription.cursor

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the subscription; safe to repeat."""
        self._is_closed = True
        if self._wire is not None:
            await self._wire.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        """Return the next frame. One that was left by a `break` goes on with the next call."""
        if self._frames is None:
            self._frames = self._all()
        return await anext(self._frames)

    async def _all(self) -> AsyncIterator[Frame]:
        while not self._is_closed:
            try:
                wire = await self._connect()
            except CellUnreachable as error:
                await asyncio.sleep(self._patience.pause_s(error))
                continue
            self._patience.reset()
            async with wire:
                self._wire = wire
                try:
                    await wire.send(self._subscription.asking())
                    async for text in wire:
                        frame = self._subscription.take(text)
                        if frame is not None:
                            yield frame
                except ConnectionClosed:
                    pass  # its close code says why, as that of a clean end does
            if not self._is_closed:
                check_end(wire.close_code, wire.close_reason)

    async def _connect(self) -> AsyncConnection:
        access, headers = await self._where()
        try:
            return await connect_async(**options_of(access, headers))
        except (OSError, WebSocketException) as error:
            raise _no_connection(access, error) from error


def _no_connection(access: Access, error: Exception) -> MyceldError:
    """Return why there is no connection; CellUnreachable if there may be later."""
    if isinstance(error, InvalidStatus):
        return refusal_of(error.response.status_code, error.response.body)
    if isinstance(error, ssl.SSLError):
        return access.unreachable(error)
    return CellUnreachable(f"no cell answers at {access.url} ({error})")
