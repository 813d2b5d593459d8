"""What the rules of a transaction kind may know beside its arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.ids import AccountId, NetworkId, PublicKey, Round, TransactionId
from ledger.accounts import Account
from ledger.roster import Roster


class Checks(Protocol):
    """What of one kind of work a round may still be asked for."""

    def take(self, sender: PublicKey, roster: Roster) -> bool:
        """Return whether the sender may ask for it once more, and count it."""
        ...


class Accounts(Protocol):
    """The accounts as earlier transactions left them. What a refused one set is undone."""

    def account(self, owner: AccountId) -> Account:
        """Return an account."""
        ...

    def set_account(self, owner: AccountId, account: Account) -> None:
        """Set an account that was read before."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """The transaction's own id and sender, its place in the order, and the state before it."""

    id: TransactionId
    """Of an item of a batch: one made of the batch's and the item's number."""
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
    write: Callable[[Sequence[tuple[bytes, bytes | None]]], None]
    """Set values of state keys before the transaction is done: for one that is made of others."""
    accounts: Accounts
