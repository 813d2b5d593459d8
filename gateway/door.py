"""The door of the gateway: what every request must pass before any route.

1. It comes from a place that is let in: the Host and Origin headers (`gateway.places`).
2. It says who asks, or nobody in particular (`gateway.callers`).
3. Who asks has not asked too often (`gateway.rates`).
4. The table lets who asks use this route (`gateway.policy`).
5. There is room for one more request, and it is its turn (`gateway.turns`).

A refusal never reads a body. When a token ends, what was let in by it ends with it, open streams
and WebSockets too. Every answer, the door's and the routes', leaves with the headers for browsers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import MyceldError
from core.limits import RATE_OPEN, RATE_TOKEN
from gateway.answers import error_answer
from gateway.callers import Caller, Callers
from gateway.errors import (
    Forbidden,
    ForeignHost,
    ForeignOrigin,
    TokenEnded,
    TooManyRequests,
    Unauthorized,
)
from gateway.glance import Glance, Meter, lane_of, meter_of, too_busy, too_many
from gateway.known import Known
from gateway.limits import (
    RATE_OVER_AT_ONCE,
    REQUESTS_MAX,
)
from gateway.places import Places, cors_headers, preflight_headers
from gateway.policy import PolicyTable, Row
from gateway.policy import Scope as Wanted
from gateway.rates import Allowance, Rates
from gateway.room import LIGHT, Room
from gateway.signed_body import SignedBody
from gateway.turns import Turns

_API: Final = "/api/"
_CLOSED_BY_POLICY: Final = 1008
_FOR_BROWSERS: Final = (
    (
        b"content-security-policy",
        (
            b"default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
            b"img-src 'self' data:; object-src 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NOT_KEPT: Final = (b"cache-control", b"no-store")
_CLOSE: Final = (b"connection", b"close")

TurnedAway: TypeAlias = Callable[[str, str, MyceldError], None]
"""Told who asked, what, and why not."""


@dataclass(frozen=True, slots=True)
class DoorRules:
    """What the owner can set."""

    places: Places = field(default_factory=Places)
    rate_open: int = RATE_OPEN
    rate_token: int = RATE_TOKEN
    """Both a minute; 0: no limit."""
    requests_max: int = REQUESTS_MAX


@dataclass(slots=True)
class _Visit:
    """What the door knows of one request."""

    address: str
    row: Row | None
    origin: str | None = None
    caller: Caller | None = None
    meter: Meter | None = None
    finds_no_room: bool = False
    allowance: Allowance | None = None

    @property
    def lane(self) -> str:
        """With whom it takes turns."""
        return lane_of(self.caller, self.address)

    @property
    def is_owner(self) -> bool:
        """Whether the owner asks."""
        return self.caller is not None and self.caller.is_owner

    @property
    def is_far_over(self) -> bool:
        """Whether who asks goes on asking in spite of its limit."""
        return self.allowance is not None and self.allowance.over > RATE_OVER_AT_ONCE

    @property
    def is_turned_away(self) -> bool:
        """Whether it is refused for what it is too much of."""
        return self.finds_no_room or self.is_far_over


class Door:
    """ASGI application that lets a request through to `inner`, or answers why not."""

    def __init__(
        self,
        inner: ASGIApp,
        callers: Callers,
        *,
        turned_away: TurnedAway,
        rules: DoorRules | None = None,
        table: PolicyTable | None = None,
        now_ms: Callable[[], int],
    ) -> None:
        """`turned_away` is told of requests that show no good token, or come from elsewhere."""
        self._inner = inner
        self._callers = callers
        self._turned_away = turned_away
        self.rules = rules or DoorRules()
        """The owner may put others in their place; how many requests are at work at most stays."""
        self._table = table or PolicyTable()
        self._now_ms = now_ms
        self._rates = Rates()
        self._room = Room(self.rules.requests_max)
        self.glance = Glance(
            callers,
            self._rates,
            self._room,
            lambda: self.rules,
            headers=(*_FOR_BROWSERS, _NOT_KEPT),
            now_ms=now_ms,
        )
        """What looks at heads before a request comes here."""
        self.known = Known()
        """From where somebody came who may ask."""
        self._turns = Turns()
        self._open: dict[str, set[asyncio.Timeout]] = {}

    def end_grant(self, grant_id: str) -> None:
        """End everything that was let in by a grant."""
        now_s = asyncio.get_running_loop().time()
        for deadline in self._open.get(grant_id, ()):
            deadline.reschedule(now_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or one WebSocket."""
        address = self.rules.places.client_of(scope)
        method = "WS" if scope["type"] == "websocket" else scope["method"]
        visit = _Visit(address, self._table.find(method, scope["path"]))
        answer = _Answer(scope, receive, send, visit)
        try:
            self._let_in(scope, visit)
        except MyceldError as refusal:
            self._note(refusal, method, visit)
            if visit.is_far_over and visit.meter is not None:
                await asyncio.sleep(self._rates.pause_s(visit.meter.whom, self._now_ms() / 1000))
            await answer.refuse(refusal)
            return
        if visit.origin is not None and method == "OPTIONS":
            await answer.preflight(visit.origin, self._table.methods(scope["path"]))
            return
        await self._serve(scope, visit, answer)

    def _let_in(self, scope: Scope, visit: _Visit) -> None:
        """Find out who asks, count it, and raise why it is not let in."""
        refusal: MyceldError | None = None
        try:
            visit.origin = self.rules.places.check(scope)
            visit.caller = self._callers.of(scope)
            if visit.caller is not None:
                self.known.note(visit.address)
        except MyceldError as error:
            refusal = error
        visit.allowance = self._counted(visit, is_refused=refusal is not None)
        if visit.allowance is not None and visit.allowance.over:
            raise too_many(visit.allowance)
        if refusal is not None:
            raise refusal
        if not (visit.origin is not None and scope.get("method") == "OPTIONS"):
            self._check_scope(scope["path"], visit)
        self._check_room(visit)

    def _counted(self, visit: _Visit, *, is_refused: bool) -> Allowance | None:
        """Count a request against who asks, if there is a limit for it."""
        is_file = not is_refused and _is_file(visit)
        visit.meter = meter_of(self.rules, visit.caller, visit.address, is_file=is_file)
        whom, limit = visit.meter.whom, visit.meter.limit
        return self._rates.count(whom, limit, self._now_ms() / 1000) if limit else None

    def _check_scope(self, path: str, visit: _Visit) -> None:
        row, caller = visit.row, visit.caller
        if row is not None and row.scope is Wanted.PUBLIC:
            return
        if row is None and self._table.is_public(path):
            return  # with a wrong method, as the application says
        if caller is None:
            raise Unauthorized("the request has no token")
        if row is None:
            if caller.scopes <= {Wanted.LIGHT}:
                raise Forbidden("this token is only for what hyphae ask")
        elif not caller.may(row, self._callers.trusts):
            raise Forbidden(f"this needs the scope {row.scope}")

    def _check_room(self, visit: _Visit) -> None:
        if visit.row is not None and visit.row.is_stream:
            return  # its own family bounds them
        if self._room.is_full(_line(visit), is_owner=visit.is_owner):
            visit.finds_no_room = not visit.is_owner
            raise too_busy()

    async def _serve(self, scope: Scope, visit: _Visit, answer: _Answer) -> None:
        if visit.row is not None and visit.row.is_stream:
            await self._turns.wait(visit.lane, is_owner=visit.is_owner)
            await self._within_grant(scope, visit, answer)
            return
        line = _line(visit)
        is_alone = self._room.enter(line)
        try:
            await self._turns.wait(visit.lane, is_owner=visit.is_owner, is_alone=is_alone)
            await self._within_grant(scope, visit, answer)
        finally:
            self._room.leave(line)

    async def _within_grant(self, scope: Scope, visit: _Visit, answer: _Answer) -> None:
        """Have the request answered, for as long as what let it in is good."""
        caller = visit.caller
        scope.setdefault("state", {})["caller"] = caller
        if caller is None or not caller.grant_id:
            await answer.by(self._inner)
            return
        left_s = (caller.expires_ms - self._now_ms()) / 1000 if caller.expires_ms else None
        others = self._open.setdefault(caller.grant_id, set())
        try:
            async with asyncio.timeout(left_s) as deadline:
                others.add(deadline)
                try:
                    await answer.by(self._inner)
                finally:
                    others.discard(deadline)
                    if not others:
                        self._open.pop(caller.grant_id, None)
        except TimeoutError:
            if not deadline.expired():
                raise
            await answer.end(TokenEnded("it was revoked, or its time is over"))

    def _note(self, refusal: MyceldError, method: str, visit: _Visit) -> None:
        """Have a refusal written down; of too many requests only the first in each minute."""
        is_first = visit.allowance is not None and visit.allowance.over == 1
        wrong = isinstance(refusal, Unauthorized | ForeignHost | ForeignOrigin | Forbidden)
        if wrong or (is_first and isinstance(refusal, TooManyRequests)):
            actor = visit.caller.actor if visit.caller else f"address:{visit.address}"
            # The path of somebody unknown may be anything; that of a route says what was tried.
            path = f" {visit.row.path}" if visit.caller and visit.row else ""
            self._turned_away(actor, method + path, refusal)


class _Answer:
    """One answer on its way out, and what the door adds to it or puts in its place."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, visit: _Visit) -> None:
        self._scope = scope
        self._receive = receive
        self._send_on = send
        self._visit = visit
        self._body: SignedBody | None = None
        self._state = "new"
        """`new`, `begun` or `ended`."""

    async def by(self, inner: ASGIApp) -> None:
        """Have the application answer; a body that was not signed is answered here."""
        caller, receive = self._visit.caller, self._receive
        if caller is not None and caller.body_hash is not None and self._scope["type"] == "http":
            self._body = receive = SignedBody(receive, caller.body_hash)
        await inner(self._scope, receive, self._send)
        if self._body is not None and self._body.refusal is not None:
            await self.refuse(self._body.refusal)

    async def refuse(self, refusal: MyceldError) -> None:
        """Answer with an error instead."""
        self._body = None
        answer = error_answer(refusal)
        if self._scope["type"] == "http":
            await answer(self._scope, self._receive, self._send)
        elif "websocket.http.response" in self._scope.get("extensions", {}):
            await self._send(
                {
                    "type": "websocket.http.response.start",
                    "status": answer.status_code,
                    "headers": answer.raw_headers,
                }
            )
            await self._send({"type": "websocket.http.response.body", "body": bytes(answer.body)})
        else:
            await self._send({"type": "websocket.close", "code": _CLOSED_BY_POLICY})

    async def end(self, why: MyceldError) -> None:
        """End what is under way, as well as its protocol lets us."""
        if self._state == "ended":
            return
        if self._scope["type"] == "websocket" and self._state == "begun":
            reason = f"{why.code}: {why.detail}"
            await self._send(
                {"type": "websocket.close", "code": _CLOSED_BY_POLICY, "reason": reason}
            )
        elif self._state == "begun":
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await self.refuse(why)

    async def preflight(self, origin: str, methods: list[str]) -> None:
        """Tell a browser what a page of a foreign origin may send."""
        headers = preflight_headers(origin, methods)
        await self._send({"type": "http.response.start", "status": 204, "headers": headers})
        await self._send({"type": "http.response.body", "body": b""})

    async def _send(self, message: Message) -> None:
        if self._body is not None and self._body.refusal is not None:
            return  # the application did not see the body: what it says is of no interest
        kind = message["type"]
        if kind in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
            self._state = "begun"
            message = {**message, "headers": self._with_ours(list(message.get("headers", ())))}
        elif kind == "websocket.close" or not message.get("more_body", kind == "websocket.send"):
            self._state = "ended"
        await self._send_on(message)

    def _with_ours(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return headers with those that every answer has, and does not have already."""
        given = {name.lower() for name, _ in headers}
        ours = [*_FOR_BROWSERS]
        if self._scope["path"].startswith(_API):
            ours.append(_NOT_KEPT)
        if self._visit.allowance is not None:
            ours += self._visit.allowance.headers()
        if self._visit.is_turned_away and self._scope["type"] == "http":
            ours.append(_CLOSE)  # a next request is looked at before there is a parser for it
        if self._visit.origin is not None:
            ours = [pair for pair in ours if pair[0] != b"cross-origin-resource-policy"]
            ours += cors_headers(self._visit.origin)
        return headers + [pair for pair in ours if pair[0] not in given]


def _is_file(visit: _Visit) -> bool:
    """Tell whether a request is for a file that anybody may have, such as the explorer's."""
    return visit.row is not None and not visit.row.path.startswith(_API)


def _line(visit: _Visit) -> str:
    """Return with whom a request shares its room: all that hyphae ask is one crowd."""
    is_light = visit.row is not None and visit.row.scope is Wanted.LIGHT
    return LIGHT if is_light else visit.lane
