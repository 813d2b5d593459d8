"""A door in front of nothing: in process, on a clock that stands, with one grant of each kind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from core.errors import MyceldError
from gateway.callers import Callers, Trusts
from gateway.door import Door, DoorRules
from gateway.grants import Grants, Terms, token_text
from gateway.places import Places
from gateway.policy import Scope as Wanted
from identity.keys import KeyPair
from identity.request_signature import Asked, sign_request
from tests.waiting import PATIENCE_S

OWNER = "owner-token"
LIGHT = "light-token"
NETWORK_ID, CELL_ID = bytes(range(32)), KeyPair(b"\x07" * 32).cell_id
ALLOWED, STRANGER, TRUSTED = KeyPair(b"\x01" * 32), KeyPair(b"\x02" * 32), KeyPair(b"\x03" * 32)
START_MS = 1_800_000_000_000
NOW_MS = START_MS + 60_000


@dataclass
class Answered:
    """What the door answered."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def code(self) -> str:
        error = json.loads(self.body).get("error", {})
        return str(error.get("code", ""))


class World:
    """The door, what it let in, and what it turned away."""

    def __init__(
        self, path: Path, rules: DoorRules | None = None, trusts: Trusts | None = None
    ) -> None:
        self.now_ms = START_MS
        self.drawn = 0
        self.grants = Grants.open(
            path / "grants.json", now_ms=lambda: self.now_ms, random=self.draw
        )
        callers = Callers(
            OWNER,
            LIGHT,
            self.grants,
            who_we_are=lambda: (NETWORK_ID, CELL_ID),
            trusts=trusts,
            now_ms=lambda: self.now_ms,
        )
        self.turned_away: list[tuple[str, str, str]] = []
        self.inner: Callable[[Scope, Receive, Send], Awaitable[None]] = reached
        self.door = Door(
            self.call_inner,
            callers,
            turned_away=self.note,
            rules=rules or DoorRules(Places(), rate_open=0, rate_token=0),
            now_ms=lambda: self.now_ms,
        )
        self.grants.on_end = self.door.end_grant
        self.now_ms = NOW_MS

    def draw(self, size_bytes: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(2, "big") * (size_bytes // 2) + bytes(size_bytes % 2)

    def note(self, actor: str, action: str, error: MyceldError) -> None:
        self.turned_away.append((actor, action, error.code))

    async def call_inner(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.inner(scope, receive, send)

    async def token(self, *scopes: Wanted, expires_ms: int = 0, rate: int = 0) -> tuple[str, str]:
        """Return the id and the text of a new token."""
        terms = Terms("-".join(scopes), scopes, expires_ms, rate)
        grant, text = await self.grants.make_token(terms)
        return grant.id, text

    async def ask(
        self,
        method: str,
        target: str,
        *authorizations: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        client: str = "127.0.0.1",
    ) -> Answered:
        """Send a request through the door."""
        answered = Answered()
        scope = scope_of(method, target, authorizations, headers or {}, client)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's own
            if message["type"].endswith("response.start"):
                answered.status = message["status"]
                answered.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            else:
                answered.body += message.get("body", b"")

        await self.door(scope, receive, send)
        return answered

    def signed(
        self,
        key: KeyPair,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        time_ms: int | None = None,
        nonce: bytes | None = None,
        cell_id: str = CELL_ID,
    ) -> str:
        """Return the header of a signed request."""
        asked = Asked(NETWORK_ID, cell_id, method, target)
        at_ms = self.now_ms if time_ms is None else time_ms
        return sign_request(
            key, asked, body, time_ms=at_ms, nonce=self.draw(16) if nonce is None else nonce
        ).header()


def scope_of(
    method: str, target: str, authorizations: tuple[str, ...], headers: dict[str, str], client: str
) -> Scope:
    """Return the ASGI scope of a request."""
    path, _, query = target.partition("?")
    given = {"host": "127.0.0.1:80", **headers}
    named = [(name.encode(), value.encode()) for name, value in given.items() if value]
    named += [(b"authorization", text.encode()) for text in authorizations]
    is_socket = method == "WS"
    return {
        "type": "websocket" if is_socket else "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": named,
        "subprotocols": [],
        "scheme": "ws" if is_socket else "http",
        "client": (client, 1),
        "server": ("127.0.0.1", 80),
        "extensions": {"websocket.http.response": {}},
    }


async def reached(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand for every route: read the body and answer."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            break
    await JSONResponse({"path": scope["path"]})(scope, receive, send)


def other_cells_token() -> str:
    """Return a token with a checksum that is right, of a cell that is not this one."""
    return token_text("b" * 8, b"\x09" * 32)


def run(talk: Awaitable[None]) -> None:
    """Run a test's coroutine."""

    async def within() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await talk

    asyncio.run(within())
