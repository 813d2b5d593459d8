"""The routes of subscriptions: a WebSocket, and server-sent events for those without WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from core.errors import MyceldError, check
from gateway import stream_asks
from gateway.answers import error_answer
from gateway.callers import Caller
from gateway.connections import CONNECTION
from gateway.errors import Forbidden, TokenEnded, TooManySubscribers, Unexpected
from gateway.json_bytes import json_bytes
from gateway.limits import (
    EVENT_HEARTBEAT_S,
    EVENT_SUBSCRIBERS_MAX,
    STREAM_BUFFER_SIZE_BYTES_MAX,
    STREAM_COMMAND_PAUSE_S,
)
from gateway.operations import Operation, get
from gateway.policy import Scope as Wanted
from gateway.stream_asks import EventsAsk, Unsubscribe
from gateway.stream_cell import StreamCell, StreamKind
from gateway.stream_hub import Hub, Subscriber, Wish, refusal_fields
from gateway.stream_socket import EXTENSION, Socket, bound_buffers
from gateway.subscriptions import Handout, Subscription

SUBPROTOCOL: Final = "myceld.1"
"""What a WebSocket speaks, for clients that want it said."""

_OPENS_MESSAGES: Final = frozenset({Wanted.MESSAGE, Wanted.ADMIN})
_LOG: structlog.stdlib.BoundLogger = structlog.get_logger("streams")
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class StreamRoutes:
    """The two ways to subscribe. Both share one hub."""

    tag = "subscriptions"

    def __init__(self, cell: StreamCell) -> None:
        self.hub = Hub(cell)
        self._events = 0

    def operations(self) -> Sequence[Operation]:
        """See Family. The WebSocket is none: no document of HTTP can tell of it."""
        return [
            get(
                "/api/v1/events",
                self.events,
                TooManySubscribers,
                Forbidden,
                media_type="text/event-stream",
                reads_itself=EventsAsk,
            )
        ]

    async def stream(self, websocket: WebSocket) -> None:
        """WS /api/v1/stream."""
        scope = websocket.scope
        connection: Socket = scope["extensions"][EXTENSION]["it"]
        caller = _caller_of(scope)
        try:
            subscriber = self.hub.attach(connection, caller.actor)
        except MyceldError as refusal:
            await websocket.send_denial_response(error_answer(refusal))
            return
        connection.on_room = lambda: self.hub.pump(subscriber)
        try:
            chosen = SUBPROTOCOL if SUBPROTOCOL in scope["subprotocols"] else None
            await websocket.accept(subprotocol=chosen)
            await _Talk(self.hub, subscriber, caller, websocket.receive).run()
        except asyncio.CancelledError:
            # The door does that when a token ends. Its goodbye would wait for who does not read.
            connection.end(TokenEnded("it was revoked, or its time is over"))
            raise
        except Exception:  # noqa: BLE001 - supervises a connection: no traceback may leave
            _LOG.exception("unexpected error")
            self.hub.end(subscriber, Unexpected("the gateway met an unexpected error"))
        finally:
            self.hub.detach(subscriber)

    async def events(self, request: Request) -> Response:
        """Subscribe by server-sent events.

        Each item is an event; `Last-Event-ID` resumes behind it. The same over a WebSocket, with
        more to choose, is at `/api/v1/stream`.
        """
        query = request.scope["query_string"].decode("latin-1")
        wishes = stream_asks.events(query, request.headers.get("last-event-id"))
        caller = _caller_of(request.scope)
        for wish in wishes:
            _check_may(caller, wish)
        if self._events >= EVENT_SUBSCRIBERS_MAX:
            raise TooManySubscribers(f"{EVENT_SUBSCRIBERS_MAX} by server-sent events")
        answer = _Events(self.hub)
        subscriber = self.hub.attach(answer, caller.actor)
        try:
            for wish in wishes:
                answer.begin(await self.hub.subscribe(subscriber, wish))
        except BaseException:
            self.hub.detach(subscriber)
            raise
        answer.subscriber = subscriber
        answer.on_end = self._event_ended
        self._events += 1
        return answer

    def _event_ended(self) -> None:
        self._events -= 1


class _Talk:
    """What is said on one WebSocket."""

    def __init__(self, hub: Hub, subscriber: Subscriber, caller: Caller, receive: Receive) -> None:
        self._hub = hub
        self._subscriber = subscriber
        self._caller = caller
        self._receive = receive

    async def run(self) -> None:
        """Do what is asked until the connection ends."""
        async with asyncio.TaskGroup() as group:
            tasks: set[asyncio.Task[None]] = set()
            while (message := await self._receive())["type"] != "websocket.disconnect":
                text = message.get("text") or ""
                try:
                    subscription = await self._do(text)
                except MyceldError as error:
                    name = stream_asks.name_in(text)
                    self._subscriber.sink.tell(refusal_fields(name, error))
                else:
                    if subscription is not None:
                        work = self._hub.catch_up(self._subscriber, subscription)
                        task = group.create_task(work, name="stream-history")
                        tasks.add(task)
                        task.add_done_callback(tasks.discard)
                await asyncio.sleep(STREAM_COMMAND_PAUSE_S)
            self._hub.detach(self._subscriber)
            for task in tasks:
                task.cancel()

    async def _do(self, text: str) -> Subscription | None:
        """Obey a command; return a subscription that it begins."""
        asked = stream_asks.command(text)
        if isinstance(asked, Unsubscribe):
            self._hub.unsubscribe(self._subscriber, asked.name)
            self._subscriber.sink.tell({"subscription": asked.name, "unsubscribed": True})
            return None
        _check_may(self._caller, asked)
        return await self._hub.subscribe(self._subscriber, asked)


class _Events(Response):
    """An answer that goes on; a `gateway.stream_hub.Sink`.

    The id of each event is the places of all its subscriptions, as far as they were sent.
    """

    media_type = "text/event-stream"

    def __init__(self, hub: Hub) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self.subscriber: Subscriber | None = None
        self.on_end: Callable[[], None] = lambda: None
        self._hub = hub
        self._sent: dict[str, str] = {}
        self._pending: list[bytes] = []
        self._size_bytes = 0
        self._has_news = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._is_over = False

    @property
    def is_blocked(self) -> bool:
        """Whether it holds as much as it may that was not sent."""
        return not self._has_room.is_set()

    async def room(self) -> None:
        """Wait until it is not blocked, or ended."""
        await self._has_room.wait()

    def begin(self, subscription: Subscription) -> None:
        """Note where a subscription begins."""
        self._sent[subscription.name] = stream_asks.event_place(subscription.place)

    def put(self, subscription: Subscription, handout: Handout) -> None:
        """Send items, each an event."""
        for one in handout.items:
            if subscription.wanted.kind is not StreamKind.PEERS:
                self._sent[subscription.name] = stream_asks.event_place(one.item.cursor)
            place = ",".join(self._sent.values()).encode()
            data = subscription.beginning + one.json_tail
            self._add(b"id: " + place + b"\ndata: " + data + b"\n\n")

    def tell(self, message: Mapping[str, object]) -> None:
        """Send something that is no item: an event of another name, so nobody takes it for one."""
        name = b"error" if "error" in message else b"subscription"
        self._add(b"event: " + name + b"\ndata: " + json_bytes(message) + b"\n\n")

    def end(self, error: MyceldError) -> None:
        """Say why, and end the answer; a connection that takes nothing is cut by the server."""
        self.tell(refusal_fields(None, error))
        self._finish()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until either end has enough."""
        connection = scope["state"].get(CONNECTION)
        if connection is not None:  # a real one
            bound_buffers(connection.transport)
        subscriber = self.subscriber
        check(subscriber is not None, "events have a subscriber before they are sent")
        assert subscriber is not None  # noqa: S101 - for the type checker
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._until_gone(receive), name="events-gone")]
                for one in list(subscriber.subscriptions.values()):
                    work = self._hub.catch_up(subscriber, one)
                    tasks.append(group.create_task(work, name="stream-history"))
                await self._write(subscriber, send)
                for task in tasks:
                    task.cancel()
        finally:
            self._hub.detach(subscriber)
            self.on_end()

    async def _write(self, subscriber: Subscriber, send: Send) -> None:
        headers = self.raw_headers
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while self._pending or not self._is_over:
            if not self._pending:
                await self._news()
                continue
            data, self._pending, self._size_bytes = b"".join(self._pending), [], 0
            await send({"type": "http.response.body", "body": data, "more_body": True})
            self._has_room.set()
            self._hub.pump(subscriber)
        await send({"type": "http.response.body", "body": b""})

    async def _news(self) -> None:
        """Wait for something to send; what is sent without news keeps the connection open."""
        self._has_news.clear()
        try:
            async with asyncio.timeout(EVENT_HEARTBEAT_S):
                await self._has_news.wait()
        except TimeoutError:
            self._add(b": still here\n\n")

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._pending = []
        self._finish()

    def _add(self, data: bytes) -> None:
        if self._is_over:
            return
        self._pending.append(data)
        self._size_bytes += len(data)
        if self._size_bytes >= STREAM_BUFFER_SIZE_BYTES_MAX:
            self._has_room.clear()
        self._has_news.set()

    def _finish(self) -> None:
        self._is_over = True
        self._has_room.set()
        self._has_news.set()


def _caller_of(scope: Scope) -> Caller:
    """Return who asks, as the door found out."""
    caller: Caller | None = scope["state"]["caller"]
    check(caller is not None, "subscriptions are never open to everybody")
    assert caller is not None  # noqa: S101 - for the type checker
    return caller


def _check_may(caller: Caller, wish: Wish) -> None:
    """Raise Forbidden unless what is wished is open to who asks."""
    if wish.wanted.kind is StreamKind.MESSAGES and not caller.scopes & _OPENS_MESSAGES:
        raise Forbidden(f"this needs the scope {Wanted.MESSAGE}")
