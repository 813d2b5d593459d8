"""The routes of messages and rooms, each a few lines from request to cell to answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from core.errors import MyceldError
from gateway import asks, message_asks
from gateway.answers import JsonAnswer, listing
from gateway.errors import NotReachedInTime
from gateway.limits import WAIT_GRACE_S
from gateway.message_cell import MessageCell
from gateway.message_views import KeepContent
from gateway.views import Stage

_T = TypeVar("_T")

_NOTHING: Final[frozenset[str]] = frozenset()
_SEND: Final = frozenset(
    {"to", "room", "type", "text", "body_hex", "expires_s", "wait", "timeout_s"}
)
_QUERY: Final = frozenset({"way", "cell", "room", "status"})
_LIST: Final = _QUERY | {"limit", "offset"}
_NEXT: Final = _QUERY | {"limit", "after", "timeout_s"}
_POST: Final = frozenset({"title", "body_hex", "expires_round", "wait", "timeout_s"})
_PAGE: Final = frozenset({"limit", "offset"})
_WAIT: Final = frozenset({"wait", "timeout_s"})
_ROOM: Final = frozenset({"name", "members"})
_ADD: Final = frozenset({"members"})


class Within(Protocol):
    """Waits for the cell's answer, for so many seconds."""

    async def __call__(self, work: Awaitable[_T], limit_s: float, late: MyceldError) -> _T:
        """Return what the cell answers; raises `late` when it takes too long."""
        ...


class MessageRoutes:
    """What a client can ask about messages; `table` is merged into that of all routes."""

    def __init__(
        self,
        cell: MessageCell,
        budget: asks.BodyBudget,
        within: Within,
        read: Callable[[Awaitable[Any]], Awaitable[Any]],
    ) -> None:
        self._cell = cell
        self._budget = budget
        self._within = within
        self._read = read
        self.table: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
            ("POST", "/api/v1/messages", self.send),
            ("GET", "/api/v1/messages", self.messages),
            ("GET", "/api/v1/messages/next", self.next_messages),
            ("GET", "/api/v1/messages/{id}", self.message),
            ("POST", "/api/v1/messages/{id}/read", self.mark_read),
            ("POST", "/api/v1/content", self.post_content),
            ("GET", "/api/v1/content", self.contents),
            ("GET", "/api/v1/content/{hash}", self.content),
            ("POST", "/api/v1/content/{hash}/withdraw", self.withdraw_content),
            *(
                ("POST", f"/api/v1/content/{{hash}}/{how.value}", partial(self.keep_content, how))
                for how in KeepContent
            ),
            ("GET", "/api/v1/rooms", self.rooms),
            ("POST", "/api/v1/rooms", self.create_room),
            ("POST", "/api/v1/rooms/{id}/add", self.add_to_room),
            ("POST", "/api/v1/rooms/{id}/leave", self.leave_room),
        ]

    async def send(self, request: Request) -> Response:
        """POST /api/v1/messages."""
        fields = await asks.read_fields(request, _SEND, self._budget)
        wish = message_asks.wish(fields)
        wait, timeout_s = message_asks.wait(fields), asks.timeout_s(fields)
        work = self._cell.send_message(wish, wait=wait, timeout_s=timeout_s)
        return JsonAnswer({"messages": await self._reached(work, wait, timeout_s)})

    async def messages(self, request: Request) -> Response:
        """GET /api/v1/messages."""
        fields = asks.query_fields(request, _LIST)
        offset, limit = message_asks.page(fields)
        work = self._cell.messages(message_asks.query(fields), offset=offset, limit=limit)
        return JsonAnswer(await self._read(work))

    async def next_messages(self, request: Request) -> Response:
        """GET /api/v1/messages/next."""
        fields = asks.query_fields(request, _NEXT)
        _, limit = message_asks.page(fields)
        timeout_s = asks.timeout_s(fields)
        work = self._cell.next_messages(
            message_asks.query(fields),
            after=message_asks.after(fields),
            limit=limit,
            timeout_s=timeout_s,
        )
        return JsonAnswer(await self._reached(work, "next", timeout_s))

    async def message(self, request: Request) -> Response:
        """GET /api/v1/messages/{id}."""
        message_id = message_asks.message_id(request)
        fields = asks.query_fields(request, _WAIT)
        wait, timeout_s = message_asks.wait(fields), asks.timeout_s(fields)
        work = self._cell.message(message_id, wait=wait, timeout_s=timeout_s)
        return JsonAnswer(await self._reached(work, wait, timeout_s))

    async def mark_read(self, request: Request) -> Response:
        """POST /api/v1/messages/{id}/read."""
        message_id = message_asks.message_id(request)
        await asks.read_fields(request, _NOTHING, self._budget)
        return JsonAnswer(await self._read(self._cell.mark_message_read(message_id)))

    async def post_content(self, request: Request) -> Response:
        """POST /api/v1/content."""
        fields = await asks.read_fields(request, _POST, self._budget)
        title, body = message_asks.title(fields), asks.from_hex(fields.get("body_hex"), "body_hex")
        stage, timeout_s = asks.stage(fields, Stage.STORED) or Stage.STORED, asks.timeout_s(fields)
        work = self._cell.post_content(
            title,
            body,
            wait=stage,
            timeout_s=timeout_s,
            expires_round=asks.expires_round(fields),
        )
        return JsonAnswer(await self._reached(work, stage.word, timeout_s))

    async def withdraw_content(self, request: Request) -> Response:
        """POST /api/v1/content/{hash}/withdraw."""
        identity = message_asks.content_hash(request)
        fields = await asks.read_fields(request, _WAIT, self._budget)
        stage, timeout_s = asks.stage(fields, Stage.STORED) or Stage.STORED, asks.timeout_s(fields)
        work = self._cell.withdraw_content(identity, wait=stage, timeout_s=timeout_s)
        return JsonAnswer(await self._reached(work, stage.word, timeout_s))

    async def keep_content(self, how: KeepContent, request: Request) -> Response:
        """POST /api/v1/content/{hash}/pin, unpin and remove."""
        identity = message_asks.content_hash(request)
        await asks.read_fields(request, _NOTHING, self._budget)
        return JsonAnswer(await self._read(self._cell.keep_content(identity, how)))

    async def contents(self, request: Request) -> Response:
        """GET /api/v1/content."""
        offset, limit = message_asks.page(asks.query_fields(request, _PAGE))
        items = await self._read(self._cell.contents(offset=offset, limit=limit))
        return listing(items, offset + limit if len(items) == limit else None)

    async def content(self, request: Request) -> Response:
        """GET /api/v1/content/{hash}."""
        asks.query_fields(request, _NOTHING)
        return JsonAnswer(await self._read(self._cell.content(message_asks.content_hash(request))))

    async def rooms(self, request: Request) -> Response:
        """GET /api/v1/rooms."""
        asks.query_fields(request, _NOTHING)
        return listing(await self._read(self._cell.rooms()))

    async def create_room(self, request: Request) -> Response:
        """POST /api/v1/rooms."""
        fields = await asks.read_fields(request, _ROOM, self._budget)
        name, members = message_asks.name(fields), message_asks.members(fields)
        return JsonAnswer(await self._read(self._cell.create_room(name, members)))

    async def add_to_room(self, request: Request) -> Response:
        """POST /api/v1/rooms/{id}/add."""
        room = message_asks.room_id(request)
        members = message_asks.members(await asks.read_fields(request, _ADD, self._budget))
        return JsonAnswer(await self._read(self._cell.change_room(room, add=members, leave=False)))

    async def leave_room(self, request: Request) -> Response:
        """POST /api/v1/rooms/{id}/leave."""
        room = message_asks.room_id(request)
        await asks.read_fields(request, _NOTHING, self._budget)
        return JsonAnswer(await self._read(self._cell.change_room(room, add=(), leave=True)))

    async def _reached(self, work: Awaitable[_T], wait: str | None, timeout_s: float) -> _T:
        late = NotReachedInTime(f"`{wait or 'queued'}` was not reached in {timeout_s:g} s")
        return await self._within(work, timeout_s + WAIT_GRACE_S, late)
