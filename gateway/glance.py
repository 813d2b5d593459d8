"""A first look at the head of a new connection's request: has who asks asked far too often?

Who is a little over a limit is answered by the door like everybody else. Who goes on far beyond it
is counted here and gets the same answer, without a parser, a task or the application; the door and
this look share their counts. It only ever turns away: what it can not tell, it leaves to the door.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from core.errors import MyceldError
from gateway.answers import error_answer
from gateway.callers import Caller, Callers
from gateway.errors import TooManyRequests
from gateway.limits import RATE_FILES, RATE_LIGHT, RATE_OVER_AT_ONCE
from gateway.places import Places
from gateway.policy import Scope
from gateway.rates import Allowance, Rates, block_of

_API: Final = b"/api/"
_BEARER: Final = b"bearer "
_ELSEWHERE: Final = frozenset({b"sec-websocket-protocol", b"origin"})
"""Headers with which an answer, or who asks, is not to be told from here."""


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


class Glance:
    """Looks at heads. Shares `callers` and `rates` with the door."""

    def __init__(
        self,
        callers: Callers,
        rates: Rates,
        rules: Callable[[], Rules],
        *,
        headers: tuple[tuple[bytes, bytes], ...],
        now_ms: Callable[[], int],
    ) -> None:
        """`rules` tells those of now; `headers` are those that all answers have."""
        self._callers = callers
        self._rates = rates
        self._rules = rules
        self._headers = headers
        self._now_ms = now_ms
        self._last: tuple[tuple[int, int], bytes] = (0, 0), b""

    def __call__(self, head: bytes, address: str) -> Refused | None:
        """Return the answer to a head from an address if it is to be turned away at once."""
        rules = self._rules()
        if rules.places.is_proxy(address):
            return None
        request, _, rest = head.partition(b"\n")
        credentials = []
        for line in rest.split(b"\n"):
            name, _, value = line.partition(b":")
            name = name.lower()
            if name in _ELSEWHERE and (name != b"origin" or rules.places.lets_pages_in):
                return None
            if name == b"authorization":
                credentials.append(value.strip())
        if len(credentials) > 1 or not request.partition(b" ")[2].startswith(_API):
            return None
        caller = None
        if credentials:
            scheme, token = credentials[0][: len(_BEARER)], credentials[0][len(_BEARER) :]
            if scheme.lower() != _BEARER:
                return None
            try:
                caller = self._callers.of_token(token.strip())
            except MyceldError:
                caller = None  # counted as who shows none
        meter = meter_of(rules, caller, address)
        return self._refusal(meter) if meter.limit else None

    def _refusal(self, meter: Meter) -> Refused | None:
        now_s = self._now_ms() / 1000
        if self._rates.over(meter.whom, meter.limit, now_s) <= RATE_OVER_AT_ONCE:
            return None
        allowance = self._rates.count(meter.whom, meter.limit, now_s)
        key = allowance.limit, allowance.reset_s
        if self._last[0] != key:
            self._last = key, self._answer(allowance)
        return Refused(self._last[1], self._rates.pause_s(meter.whom, now_s))

    def _answer(self, allowance: Allowance) -> bytes:
        refusal = error_answer(too_many(allowance))
        headers = [*refusal.raw_headers, *self._headers, *allowance.headers()]
        lines = [b"%s: %s\r\n" % pair for pair in [*headers, (b"connection", b"close")]]
        first = b"HTTP/1.1 %d Too Many Requests\r\n" % refusal.status_code
        return b"".join([first, *lines, b"\r\n", bytes(refusal.body)])


def too_many(allowance: Allowance) -> TooManyRequests:
    """Return why a request beyond a limit is refused."""
    return TooManyRequests(f"more than {allowance.limit} requests in a minute")
