"""What the rules of a transaction kind may know beside its arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from core.ids import NetworkId, PublicKey, Round, TransactionId
from ledger.roster import Roster


class Checks(Protocol):
    """What of one kind of work a round may still be asked for."""

    def take(self, sender: PublicKey, roster: Roster) -> bool:
        """Return whether the sender may ask for it once more, and count it."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """The transaction's own id and sender, its place in the order, and the state before it."""

    id: TransactionId
    sender: PublicKey
    round: Round
    time_ns: int
    """Consensus time of the event that carries it."""
    network_id: NetworkId
    roster: Roster
    """Of the round's epoch."""
    first_roster: Roster
    """Of the genesis: the only one that is not in the state."""
    evidence_checks: Checks
    """Left of the round for fork evidence."""
    read: Callable[[bytes], bytes | None]
    """State key -> its value as earlier transactions left it, None for none."""
