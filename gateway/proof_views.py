"""What the gateway shows of proofs, and what it asks of the cell for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


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
