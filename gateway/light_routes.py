"""The routes for hyphae: cells that keep only heads, and check what they are told.

A hypha says with `epoch` whose roster it knows; a proof may begin there instead of at the genesis.
All of this is what any copy of the network can show; nothing of it is this cell's own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from core.limits import HASH_SIZE_BYTES, INT_MAX
from gateway import asks
from gateway.answers import JsonAnswer, listing
from gateway.views import ReceiptView, Stage
from ledger.limits import STATE_KEY_SIZE_BYTES_MAX

T = TypeVar("T")
Row: TypeAlias = tuple[str, str, Callable[[Request], Awaitable[Response]]]

_HEAD: Final = frozenset({"epoch", "round", "hash"})
_STATE: Final = frozenset({"epoch", "key"})
_ROUND: Final = frozenset({"epoch", "round"})
_EPOCH: Final = frozenset({"epoch"})
_SUBMIT: Final = frozenset({"transactions", "wait", "timeout_s"})


@dataclass(frozen=True, slots=True)
class LightProofView:
    """What a hypha is told."""

    certified_round: int
    """The newest round that this cell can prove."""
    begins_at: int
    """The epoch whose roster the proof's steps begin with: the one that was told, or 0."""
    proof: str | None
    """The text of a proof, as `ledger.verify` checks it if it begins with the genesis; null if
    there is nothing that the hypha does not know."""


@dataclass(frozen=True, slots=True)
class KnownHead:
    """The newest certified header that a hypha has."""

    epoch: int
    round: int
    """0 for none."""
    hash: bytes


class LightCell(Protocol):
    """What the routes for hyphae need of a running cell. Proofs raise NoProof."""

    async def light_head(self, known: KnownHead) -> LightProofView:
        """Prove the newest certified header, if it is newer than the known one.

        If this cell has another header at the known round, prove that one instead.
        """
        ...

    async def light_state(self, key: bytes, epoch: int) -> LightProofView:
        """Prove the value of a state key, or that there is none."""
        ...

    async def light_receipt(self, transaction_id: bytes, epoch: int) -> LightProofView:
        """Prove a transaction's place and outcome; raises NoSuchReceipt."""
        ...

    async def light_round(self, round_number: int, epoch: int) -> LightProofView:
        """Prove the header of a round."""
        ...

    async def submit(
        self, transactions: Sequence[bytes], *, wait: Stage, timeout_s: float
    ) -> list[ReceiptView]:
        """See `gateway.cell.Cell.submit`."""
        ...


class Waits(Protocol):
    """How the gateway waits for the cell."""

    async def read(self, work: Awaitable[T]) -> T:
        """Return the answer; raises AnswerTooLate, GatewayStopping."""
        ...

    async def reached(self, work: Awaitable[T], wait: Stage, timeout_s: float) -> T:
        """Return the answer once a stage is reached; raises NotReachedInTime too."""
        ...


class LightRoutes:
    """Everything that a hypha asks."""

    def __init__(self, cell: LightCell, waits: Waits, budget: asks.BodyBudget) -> None:
        self._cell = cell
        self._waits = waits
        self._budget = budget

    def table(self) -> list[Row]:
        """Return (method, path, endpoint) of each."""
        return [
            ("GET", "/api/light/head", self.head),
            ("GET", "/api/light/state", self.state),
            ("GET", "/api/light/receipts/{id}", self.receipt),
            ("GET", "/api/light/round", self.round),
            ("POST", "/api/light/transactions", self.submit),
        ]

    async def head(self, request: Request) -> Response:
        """GET /api/light/head."""
        fields = asks.query_fields(request, _HEAD)
        number = asks.query_int(fields, "round", default=0, low=0, high=INT_MAX)
        digest = asks.from_hex(fields.get("hash", ""), "hash")
        if len(digest) != (HASH_SIZE_BYTES if number else 0):
            asks.refuse("hash", f"expected {2 * HASH_SIZE_BYTES} hex digits, if there is a round")
        known = KnownHead(_epoch(fields), number, digest)
        return JsonAnswer(await self._waits.read(self._cell.light_head(known)))

    async def state(self, request: Request) -> Response:
        """GET /api/light/state."""
        fields = asks.query_fields(request, _STATE)
        key = asks.from_hex(fields.get("key"), "key")
        if not 0 < len(key) <= STATE_KEY_SIZE_BYTES_MAX:
            asks.refuse("key", f"expected 1 to {STATE_KEY_SIZE_BYTES_MAX} bytes")
        return JsonAnswer(await self._waits.read(self._cell.light_state(key, _epoch(fields))))

    async def receipt(self, request: Request) -> Response:
        """GET /api/light/receipts/{id}."""
        fields = asks.query_fields(request, _EPOCH)
        work = self._cell.light_receipt(asks.transaction_id(request), _epoch(fields))
        return JsonAnswer(await self._waits.read(work))

    async def round(self, request: Request) -> Response:
        """GET /api/light/round."""
        fields = asks.query_fields(request, _ROUND)
        number = asks.query_int(fields, "round", default=0, low=1, high=INT_MAX)
        if number == 0:
            asks.refuse("round", "missing")
        return JsonAnswer(await self._waits.read(self._cell.light_round(number, _epoch(fields))))

    async def submit(self, request: Request) -> Response:
        """POST /api/light/transactions: signed already, by whomever."""
        fields = await asks.read_fields(request, _SUBMIT, self._budget)
        transactions = asks.transactions(fields)
        wait, timeout_s = asks.stage(fields, Stage.STORED) or Stage.STORED, asks.timeout_s(fields)
        work = self._cell.submit(transactions, wait=wait, timeout_s=timeout_s)
        return listing(await self._waits.reached(work, wait, timeout_s))


def _epoch(fields: asks.Fields) -> int:
    return asks.query_int(fields, "epoch", default=0, low=0, high=INT_MAX)
