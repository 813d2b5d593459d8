"""A first look at the head of a new connection's request: is it to be turned away at once?

It is if who asks goes on asking far beyond a limit, or has so many requests at work that there is
no room for one more. The answer is the door's, made without a parser, a task or the application;
the door and this look share their counts. It only ever turns away: what it can not tell, and all
that the owner asks, it leaves to the door.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

from core.errors import MyceldError
from gateway.answers import error_answer
from gateway.callers import Caller, Callers
from gateway.errors import GatewayBusy, TooManyRequests
from gateway.limits import RATE_FILES, RATE_LIGHT, RATE_OVER_AT_ONCE
from gateway.places import Places
from gateway.policy import Scope
from gateway.rates import Allowance, Rates, block_of
from gateway.room import Room

_API: Final = b"/api/"
_STREAM: Final = b"/api/v1/stream"
_UNBOUNDED: Final = (b"/api/light/", b"/api/v1/events", _STREAM)
"""What has room of its own."""
_BEARER: Final = b"bearer "
_MADE_MAX: Final = 64
"""Answers that are kept, of 1 KiB: each is good for a second."""


@dataclass(frozen=True, slots=True)
class Meter:
    """What counts the requests of somebody, and how many it allows a minute; 0: any number."""

    whom: str
    limit: int


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer as it goes over the wire, and after how long."""

    answer: bytes
    pause_s: float


class Rules(Protocol):
    """What the owner can set, as far as it matters here; see `gateway.door.DoorRules`."""

    @property
    def places(self) -> Places:
        """From where requests may come."""
        ...

    @property
    def rate_open(self) -> int:
        """Requests a minute of an address."""
        ...

    @property
    def rate_token(self) -> int:
        """The same of a token that has no limit of its own."""
        ...


def meter_of(rules: Rules, caller: Caller | None, address: str, *, is_file: bool = False) -> Meter:
    """Return what counts a request of somebody; `is_file`: of one for everybody."""
    lane = lane_of(caller, address)
    if caller is None and is_file:
        return Meter(f"files:{lane}", RATE_FILES)
    if caller is None:
        return Meter(lane, rules.rate_open)
    if Scope.LIGHT in caller.scopes:
        return Meter(f"light:{block_of(address)}", RATE_LIGHT)
    if caller.rate_per_minute is not None:
        return Meter(lane, caller.rate_per_minute)
    return Meter(lane, rules.rate_token)


def lane_of(caller: Caller | None, address: str) -> str:
    """Return with whom a request takes turns: those of its token or key, or of its address."""
    if caller is None:
        return f"address:{block_of(address)}"
    return caller.grant_id or caller.actor


class _Unknown(Exception):
    """Who asks is not to be told from here."""


class Glance:
    """Looks at heads. Shares `callers`, `rates` and `room` with the door."""

    def __init__(
        self,
        callers: Callers,
        rates: Rates,
        room: Room,
        rules: Callable[[], Rules],
        *,
        headers: tuple[tuple[bytes, bytes], ...],
        now_ms: Callable[[], int],
    ) -> None:
        """`rules` tells those of now; `headers` are those that all answers have."""
        self._callers = callers
        self._rates = rates
        self._room = room
        self._rules = rules
        self._headers = headers
        self._now_ms = now_ms
        self._busy = self._answer(too_busy())
        self._made: dict[tuple[int, int], bytes] = {}

    def __call__(self, head: bytes, address: str) -> Refused | None:
        """Return the answer to a head from an address if it is to be turned away at once."""
        rules = self._rules()
        request, _, rest = head.partition(b"\n")
        target = request.partition(b" ")[2]
        if rules.places.is_proxy(address) or not target.startswith(_API):
            return None
        credentials = []
        for line in rest.split(b"\n"):
            name, _, value = line.partition(b":")
            name = name.lower()
            if name == b"authorization":
                credentials.append(value.strip())
            elif name == b"origin" and rules.places.lets_pages_in:
                return None  # its answer has headers that depend on it
            elif name == b"sec-websocket-protocol" and target.startswith(_STREAM):
                return None  # it may have a token
            elif not name.strip():
                break  # what follows is a body
        try:
            caller = self._caller(credentials)
        except _Unknown:
            return None
        if caller is not None and caller.is_owner:
            return None
        meter = meter_of(rules, caller, address)
        is_bounded = not target.startswith(_UNBOUNDED)
        return self._refusal(meter, lane_of(caller, address) if is_bounded else None)

    def _caller(self, credentials: Sequence[bytes]) -> Caller | None:
        if not credentials:
            return None
        scheme, token = credentials[0][: len(_BEARER)], credentials[0][len(_BEARER) :]
        if len(credentials) > 1 or scheme.lower() != _BEARER:
            raise _Unknown
        try:
            return self._callers.of_token(token.strip())
        except MyceldError:
            return None  # counted as who shows none

    def _refusal(self, meter: Meter, lane: str | None) -> Refused | None:
        now_s = self._now_ms() / 1000
        if meter.limit and self._rates.over(meter.whom, meter.limit, now_s) > RATE_OVER_AT_ONCE:
            allowance = self._rates.count(meter.whom, meter.limit, now_s)
            return Refused(self._too_many(allowance), self._rates.pause_s(meter.whom, now_s))
        if lane is not None and self._room.is_full(lane):
            if meter.limit:
                self._rates.count(meter.whom, meter.limit, now_s)
            return Refused(self._busy, 0.0)
        return None

    def _too_many(self, allowance: Allowance) -> bytes:
        key = allowance.limit, allowance.reset_s
        answer = self._made.get(key)
        if answer is None:
            if len(self._made) >= _MADE_MAX:
                self._made.clear()
            answer = self._made[key] = self._answer(too_many(allowance), allowance.headers())
        return answer

    def _answer(self, refusal: MyceldError, more: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
        answer = error_answer(refusal)
        status = HTTPStatus(answer.status_code)
        headers = [*answer.raw_headers, *self._headers, *more, (b"connection", b"close")]
        lines = [b"%s: %s\r\n" % pair for pair in headers]
        first = f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
        return b"".join([first, *lines, b"\r\n", bytes(answer.body)])


def too_busy() -> GatewayBusy:
    """Return why a request is refused for which there is no room."""
    return GatewayBusy("too many requests are at work")


def too_many(allowance: Allowance) -> TooManyRequests:
    """Return why a request beyond a limit is refused."""
    return TooManyRequests(f"more than {allowance.limit} requests in a minute")
