"""The routes of proof files: of receipts, of values, of headers and rosters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from core.limits import INT_MAX
from gateway import asks
from gateway.answers import JsonAnswer

T = TypeVar("T")
Row: TypeAlias = tuple[str, str, Callable[[Request], Awaitable[Response]]]

_NOTHING: Final[frozenset[str]] = frozenset()
_VALUE: Final = frozenset({"key", "round", "prefix", "limit"})
_ROUND: Final = frozenset({"round", "roster"})


@dataclass(frozen=True, slots=True)
class ProofFileView:
    """A proof file."""

    about: str
    """`receipt`, `state`, `range`, `header` or `roster`."""
    round: int
    """The round at which it is true."""
    certified_round: int
    """The round that was signed."""
    steps: int
    """Changes of members that it leads through."""
    proof: str
    """The text of the file, for `ledger.verify` and `myceld verify`."""


class ProofCell(Protocol):
    """What the routes of proofs need of a running cell. Every method raises NoProof."""

    async def receipt_proof(self, transaction_id: bytes) -> ProofFileView:
        """Prove a transaction's place and outcome; raises NoSuchReceipt."""
        ...

    async def value_proof(self, key: str, round_number: int | None) -> ProofFileView:
        """Prove the value at a user's key, or that there is none, after a round, or the newest."""
        ...

    async def range_proof(self, prefix: str, limit: int) -> ProofFileView:
        """Prove which users' keys begin with a prefix, the first ones if they are many."""
        ...

    async def round_proof(self, round_number: int | None, *, roster: bool) -> ProofFileView:
        """Prove a round's header, the newest unless told, or the roster that votes after it."""
        ...


class Reads(Protocol):
    """How the gateway waits for what the cell answers at once."""

    async def read(self, work: Awaitable[T]) -> T:
        """Return the answer; raises AnswerTooLate, GatewayStopping."""
        ...


class ProofRoutes:
    """Everything that a client can have proven."""

    def __init__(self, cell: ProofCell, waits: Reads) -> None:
        self._cell = cell
        self._waits = waits

    def table(self) -> list[Row]:
        """Return (method, path, endpoint) of each."""
        return [
            ("GET", "/api/v1/receipts/{id}/proof", self.receipt),
            ("GET", "/api/v1/state/proof", self.value),
            ("GET", "/api/v1/rounds/proof", self.round),
        ]

    async def receipt(self, request: Request) -> Response:
        """GET /api/v1/receipts/{id}/proof."""
        asks.query_fields(request, _NOTHING)
        work = self._cell.receipt_proof(asks.transaction_id(request))
        return JsonAnswer(await self._waits.read(work))

    async def value(self, request: Request) -> Response:
        """GET /api/v1/state/proof."""
        fields = asks.query_fields(request, _VALUE)
        if "prefix" in fields:
            _, limit = asks.page(fields)
            prefix = fields["prefix"]
            if not isinstance(prefix, str) or {"key", "round"} & fields.keys():
                asks.refuse("prefix", "is asked for without a key or a round")
            asks.to_utf8(prefix, "prefix")
            return JsonAnswer(await self._waits.read(self._cell.range_proof(prefix, limit)))
        number = asks.query_int(fields, "round", default=1, low=1, high=INT_MAX)
        at = number if "round" in fields else None
        return JsonAnswer(await self._waits.read(self._cell.value_proof(asks.key(fields), at)))

    async def round(self, request: Request) -> Response:
        """GET /api/v1/rounds/proof."""
        fields = asks.query_fields(request, _ROUND)
        number = asks.query_int(fields, "round", default=0, low=1, high=INT_MAX)
        roster = asks.query_int(fields, "roster", default=0, low=0, high=1) == 1
        work = self._cell.round_proof(number if "round" in fields else None, roster=roster)
        return JsonAnswer(await self._waits.read(work))
