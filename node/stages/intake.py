"""The intake stage: which transactions a cell takes from its clients.

Everything that can be known without the order is checked here, so that a client hears of a mistake
at once. A transaction that passes can still be refused by the ledger, when another cell's client
used the same nonce first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from core.ids import NetworkId, PublicKey, TransactionId
from ledger.accounts import Account
from ledger.errors import KeyRotated, NonceUsed, TransactionRefused
from ledger.kinds import NEWEST
from ledger.rotation import KeyRotate
from ledger.transaction import SignedTransaction, Transaction, parse
from node.errors import KeyBeingRotated


@dataclass(frozen=True, slots=True)
class _Taken:
    transaction: Transaction
    checked: bool
    """Whether this cell checked the signature."""


class Intake:
    """Checks transactions, and knows the nonces that are taken but not applied yet."""

    def __init__(
        self,
        network_id: NetworkId,
        applied: Callable[[PublicKey], Account],
        check_funds: Callable[[SignedTransaction, Account], None] = lambda _, __: None,
        version: Callable[[], int] = lambda: NEWEST,
    ) -> None:
        """`applied` returns a sender's account, by the order so far.

        `check_funds` raises what the ledger would refuse a transaction with now for want of PRANA,
        `version` by which transaction version they are parsed.
        """
        self._version = version
        self._check_funds = check_funds
        self._network_id = network_id
        self._applied = applied
        self._pending: dict[PublicKey, dict[int, TransactionId]] = {}
        self._taken: dict[TransactionId, _Taken] = {}
        self._rotations: dict[PublicKey, TransactionId] = {}
        """Keys that are about to be given up, by transactions that are not settled."""
        self._held: set[PublicKey] = set()

    def parse(self, raw: bytes) -> Transaction:
        """Return a transaction in `raw`; raises a TransactionRefused."""
        return parse(raw, self._network_id, self._version())

    def check_nonces(self, transactions: Iterable[Transaction]) -> None:
        """Raise NonceUsed when a nonce is used, pending, or twice among the transactions.

        Raises KeyRotated when a sender gave its key up, KeyBeingRotated while it does, and
        FeeTooLow, CannotPayFee or InsufficientFunds where it has too little.
        """
        seen: dict[tuple[PublicKey, int], TransactionId] = {}
        rotations = dict(self._rotations)
        for transaction in transactions:
            if not isinstance(transaction, SignedTransaction):
                continue
            sender, nonce = transaction.sender, transaction.nonce
            account = self._applied(sender)
            if account.is_given_up:
                raise KeyRotated("the sender gave this key up for another one")
            if sender in self._held or rotations.get(sender, transaction.id) != transaction.id:
                raise KeyBeingRotated("the sender is giving this key up for another one")
            if isinstance(transaction.arguments, KeyRotate):
                rotations[sender] = transaction.id
            if not account.is_free(nonce):
                raise NonceUsed(f"nonce {nonce} was used by an earlier transaction of this sender")
            pending = self._pending.get(sender, {}).get(nonce, transaction.id)
            if seen.setdefault((sender, nonce), pending) != transaction.id:
                raise NonceUsed(f"nonce {nonce} is taken by a transaction that is on its way")
            self._check_funds(transaction, account)

    def admit(self, transaction: Transaction) -> None:
        """Note an accepted transaction, signature checked: its nonce is taken."""
        self._taken[transaction.id] = _Taken(transaction, checked=True)
        self._take_nonce(transaction)

    def note_stored(self, transactions: Iterable[bytes]) -> None:
        """Note the nonces of transactions that are in events already, as after a restart."""
        for raw in transactions:
            with contextlib.suppress(TransactionRefused):
                transaction = self.parse(raw)
                self._taken.setdefault(transaction.id, _Taken(transaction, checked=False))
                self._take_nonce(transaction)

    def checked(self, transaction: TransactionId) -> Transaction | None:
        """Return a transaction that was admitted and is not settled, None for any other."""
        taken = self._taken.get(transaction)
        return taken.transaction if taken is not None and taken.checked else None

    def is_spent(self, transaction: TransactionId) -> bool:
        """Whether an admitted transaction can have no place any more.

        Another one that was applied used its nonce, or its sender gave the key up.
        """
        taken = self._taken.get(transaction)
        if taken is None or not isinstance(taken.transaction, SignedTransaction):
            return False
        account = self._applied(taken.transaction.sender)
        return account.is_given_up or not account.is_free(taken.transaction.nonce)

    def settle(self, transactions: Iterable[TransactionId]) -> None:
        """Forget transactions that were applied or refused: the ledger knows their nonces now."""
        for identity in transactions:
            taken = self._taken.pop(identity, None)
            if taken is None or not isinstance(taken.transaction, SignedTransaction):
                continue
            sender, nonce = taken.transaction.sender, taken.transaction.nonce
            if self._rotations.get(sender) == identity:
                del self._rotations[sender]
            pending = self._pending.get(sender, {})
            if pending.get(nonce) == identity:  # not another one with the same nonce
                del pending[nonce]
                if not pending:
                    del self._pending[sender]

    def pending(self, sender: PublicKey) -> list[TransactionId]:
        """Return the transactions of a sender that are on their way."""
        return list(self._pending.get(sender, {}).values())

    @contextlib.contextmanager
    def nothing_new_of(self, sender: PublicKey) -> Iterator[None]:
        """Refuse all that is new of a sender inside the block: it is about to rotate."""
        self._held.add(sender)
        try:
            yield
        finally:
            self._held.discard(sender)

    def next_nonce(self, sender: PublicKey) -> int:
        """Return the smallest nonce above all that are used or pending."""
        highest = max(self._pending.get(sender, {}), default=-1)
        return max(highest, self._applied(sender).highest) + 1

    def _take_nonce(self, transaction: Transaction) -> None:
        if isinstance(transaction, SignedTransaction):
            pending = self._pending.setdefault(transaction.sender, {})
            pending[transaction.nonce] = transaction.id
            if isinstance(transaction.arguments, KeyRotate):
                self._rotations[transaction.sender] = transaction.id
