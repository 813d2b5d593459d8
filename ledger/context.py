"""What the rules of a transaction kind may know beside its arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.ids import NetworkId, PublicKey, Round, TransactionId
from ledger.roster import Roster


@dataclass(frozen=True, slots=True)
class Context:
    """The transaction's own id and sender, its place in the order, and the state before it."""

    id: TransactionId
    sender: PublicKey
    round: Round
    network_id: NetworkId
    roster: Roster
    """Of the round's epoch."""
    read: Callable[[bytes], bytes | None]
    """State key -> its value as earlier transactions left it, None for none."""
