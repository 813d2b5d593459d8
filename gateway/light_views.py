"""What the gateway shows to hyphae, and what it asks of the cell for that.

A hypha says with `epoch` whose roster it knows; a proof may begin there instead of at the genesis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.views import ReceiptView, Stage


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

    async def light_range(
        self, start: bytes, end: bytes | None, limit: int, epoch: int
    ) -> LightProofView:
        """Prove what the state has from a key on, the first entries if they are many."""
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
