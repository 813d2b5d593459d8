"""The ledger's state machine: `apply` one decided round after the other.

Deterministic: no clock, no randomness, no floats, no I/O. The same rounds give the same headers at
every cell. The machine keeps the hashes of the state and the nonces of the senders, not the
values: `Applied.changes` is what its owner must make durable, in one transaction with the receipts
and the header, before it shows any of it to anybody.

Within a round the transactions of one sender take effect in the order of their nonces: the voting
rules break ties of consensus time by a hash, which would otherwise let a client's second put
overtake its first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from core.errors import check
from core.ids import (
    Epoch,
    EventId,
    MemberIndex,
    NetworkId,
    PublicKey,
    Round,
    TransactionId,
)
from ledger.accounts import (
    ACCOUNT_PREFIX,
    NonceWindow,
    account_key,
    decode_account,
    encode_account,
)
from ledger.errors import Expired, NonceUsed, TransactionRefused
from ledger.header import APPLIED, NO_HEADER, Receipt, RoundHeader, receipts_root
from ledger.kinds import Context, changes_of
from ledger.transaction import OpaqueTransaction, SignedTransaction, Transaction
from ledger.tree import StateTree


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transaction as an ordered event carries it, with the verdict that needs no state."""

    id: TransactionId
    size_bytes: int
    event: EventId
    creator: MemberIndex
    consensus_time_ns: int
    parsed: Transaction | TransactionRefused
    """The parsed transaction with a valid signature, or why it is none."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the agreed order."""

    receipt: Receipt
    candidate: Candidate
    refusal: TransactionRefused | None


@dataclass(frozen=True, slots=True)
class Applied:
    """The effects of a round. All of them become durable together, before any is shown."""

    header: RoundHeader
    entries: tuple[Entry, ...]
    changes: tuple[tuple[bytes, bytes], ...]
    """(state key, state value), each key once."""


class Ledger:
    """The replicated state between rounds."""

    def __init__(self, network_id: NetworkId, epoch: Epoch = Epoch(0)) -> None:
        """Start empty, before the first round."""
        self._network_id = network_id
        self._epoch = epoch
        self._tree = StateTree()
        self._accounts: dict[PublicKey, NonceWindow] = {}
        self._header: RoundHeader | None = None

    @property
    def header(self) -> RoundHeader | None:
        """The header of the last applied round, None before the first."""
        return self._header

    @property
    def applied_round(self) -> Round:
        """The last applied round, 0 before the first."""
        return Round(0) if self._header is None else self._header.round

    def account(self, sender: PublicKey) -> NonceWindow:
        """Return the used nonces of a sender after the last applied round."""
        return self._accounts.get(sender, NonceWindow())

    def restore(self, header: RoundHeader, state: Iterable[tuple[bytes, bytes]]) -> None:
        """Load what was made durable: the last header and all state (key, value) pairs.

        Raises InvariantBroken when the pairs do not have the header's state root.
        """
        for key, value in state:
            self._tree.put(key, value)
            self._note_account(key, value)
        check(
            self._tree.root() == header.state_root,
            f"the state on disk is not the one of round {header.round}: its root differs",
        )
        self._header = header

    def apply(
        self,
        round_number: Round,
        candidates: Sequence[Candidate],
        *,
        ordered_before: Collection[bytes],
        consensus_time_ns: int | None,
    ) -> Applied:
        """Apply a decided round and return its effects.

        `candidates` are the round's transactions in consensus order. `ordered_before` holds at
        least those of their ids that an earlier round listed already: a second copy is skipped.
        `consensus_time_ns` is that of the round's last event, None when it received none.
        """
        before = self._header
        check(
            before is None or round_number == before.round + 1,
            f"round {round_number} does not follow round {self.applied_round}",
        )
        total = 0 if before is None else before.transactions_total
        last_time_ns = 0 if before is None else before.consensus_time_ns
        entries: list[Entry] = []
        changes: dict[bytes, bytes] = {}
        listed: set[bytes] = set()
        for candidate in _in_nonce_order(candidates):
            if candidate.id in ordered_before or candidate.id in listed:
                continue
            listed.add(candidate.id)
            refusal = self._take(candidate.parsed, round_number, changes)
            outcome = APPLIED if refusal is None else refusal.code
            position = total + len(entries)
            receipt = Receipt(
                candidate.id, position, candidate.event, candidate.consensus_time_ns, outcome
            )
            entries.append(Entry(receipt, candidate, refusal))
        for key, value in changes.items():
            self._tree.put(key, value)
        self._header = RoundHeader(
            network_id=self._network_id,
            epoch=self._epoch,
            round=round_number,
            previous=NO_HEADER if before is None else before.hash,
            state_root=self._tree.root(),
            receipts_root=receipts_root([entry.receipt for entry in entries]),
            transactions=len(entries),
            transactions_total=total + len(entries),
            consensus_time_ns=last_time_ns if consensus_time_ns is None else consensus_time_ns,
        )
        return Applied(self._header, tuple(entries), tuple(changes.items()))

    def _take(
        self,
        parsed: Transaction | TransactionRefused,
        round_number: Round,
        changes: dict[bytes, bytes],
    ) -> TransactionRefused | None:
        """Add what the transaction changes to `changes`, or return why it has no effect."""
        if isinstance(parsed, TransactionRefused):
            return parsed
        if isinstance(parsed, OpaqueTransaction):
            return None
        window = self.account(parsed.sender)
        if not window.is_free(parsed.nonce):
            return NonceUsed(f"nonce {parsed.nonce} was used; the highest is {window.highest}")
        used = window.with_used(parsed.nonce)
        self._accounts[parsed.sender] = used
        changes[account_key(parsed.sender)] = encode_account(used)
        if 0 < parsed.expires_round < round_number:
            return Expired(f"valid up to round {parsed.expires_round}, ordered in {round_number}")
        context = Context(parsed.sender, round_number)
        changes.update(changes_of(parsed.arguments, context))
        return None

    def _note_account(self, key: bytes, value: bytes) -> None:
        if key.startswith(ACCOUNT_PREFIX):
            self._accounts[PublicKey(key[len(ACCOUNT_PREFIX) :])] = decode_account(value)


def _in_nonce_order(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates with each sender's own ones permuted into nonce order.

    The places that a sender's transactions take among all others stay the same.
    """
    by_sender: dict[PublicKey, list[int]] = {}
    nonces: dict[int, int] = {}
    for place, candidate in enumerate(candidates):
        if isinstance(candidate.parsed, SignedTransaction):
            by_sender.setdefault(candidate.parsed.sender, []).append(place)
            nonces[place] = candidate.parsed.nonce
    result = list(candidates)
    for taken in by_sender.values():
        for place, source in zip(taken, sorted(taken, key=nonces.__getitem__), strict=True):
            result[place] = candidates[source]
    return result
