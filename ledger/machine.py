"""The ledger's state machine: `apply` one decided round after the other.

Deterministic: no clock, no randomness, no floats, no I/O. The same rounds give the same headers at
every cell. The machine keeps the upper hashes of the state's map and what it was asked for last,
not the values: `Applied.changes` and `Applied.pages` are what its owner must make durable, in one
transaction with the receipts and the header, before it shows any of it to anybody or applies the
next round.

Within a round the transactions of one sender take effect in the order of their nonces: the voting
rules break ties of consensus time by a hash, which would otherwise let a client's second put
overtake its first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from core.errors import check
from core.ids import (
    Epoch,
    EventId,
    MemberIndex,
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
from ledger.context import Context
from ledger.errors import Expired, KeyRotated, NonceUsed, TransactionRefused
from ledger.forks import EvidenceChecks
from ledger.genesis import Genesis
from ledger.header import APPLIED, NO_HEADER, Receipt, RoundHeader, receipts_root
from ledger.kinds import changes_of
from ledger.limits import ACCOUNTS_CACHED_MAX
from ledger.network_score import EPOCH_RECORD_KEY, EpochRecord, decode_record, score_changes
from ledger.page import PageHead, PageWrites
from ledger.remembered import Remembered
from ledger.roster import (
    NEXT_MEMBERS_KEY,
    Roster,
    decode_members,
    roster_key,
)
from ledger.succession import ROTATED_PREFIX
from ledger.transaction import OpaqueTransaction, SignedTransaction, Transaction
from ledger.tree import ReadPages, Snapshot, StateTree

Read: TypeAlias = Callable[[bytes], bytes | None]
"""State key -> its value, None for none."""


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
    changes: tuple[tuple[bytes, bytes | None], ...]
    """(state key, state value), None for a key that is no more, each key once."""
    pages: PageWrites
    """Of the state's map."""
    sealed: Roster | None
    """The roster of the next epoch, if this round is the last of its own."""


class Ledger:
    """The replicated state between rounds."""

    def __init__(self, genesis: Genesis, read: Read, read_pages: ReadPages | None = None) -> None:
        """Start empty, before the first round.

        `read` returns the durable value of a state key, `read_pages` durable pages of the map;
        they are asked about the state after the round before the one that is applied. Without
        `read_pages` all pages stay in memory.
        """
        self._network_id = genesis.network_id
        self._epoch_rounds = genesis.epoch_rounds
        self._roster = self._first_roster = genesis.roster
        self._checks = EvidenceChecks()
        self._record = EpochRecord()
        self._read = read
        self._tree = StateTree(read_pages)
        self._accounts = Remembered(self._read_account, ACCOUNTS_CACHED_MAX)
        self._rotated = Remembered(self._read_rotated, ACCOUNTS_CACHED_MAX)
        self._header: RoundHeader | None = None
        self._window_first = genesis.roster.first_round
        self._snapshots: dict[Epoch, Snapshot] = {}

    @property
    def window_first_round(self) -> Round:
        """The first round of the epoch before this one: see `apply`."""
        return self._window_first

    def snapshot(self, epoch: Epoch) -> Snapshot | None:
        """Return the state's map at the end of an epoch: one of the newest two that ended."""
        return self._snapshots.get(epoch)

    @property
    def state(self) -> Snapshot:
        """The state's map after the last applied round; good until the next one."""
        return self._tree.present()

    @property
    def header(self) -> RoundHeader | None:
        """The header of the last applied round, None before the first."""
        return self._header

    @property
    def roster(self) -> Roster:
        """The roster that votes on the next round."""
        return self._roster

    @property
    def applied_round(self) -> Round:
        """The last applied round, 0 before the first."""
        return Round(0) if self._header is None else self._header.round

    def account(self, sender: PublicKey) -> NonceWindow:
        """Return the used nonces of a sender after the last applied round."""
        return self._accounts.get(sender)

    def is_rotated(self, key: PublicKey) -> bool:
        """Return whether a key was given up for another one."""
        return self._rotated.get(key)

    def check_sender(self, sender: PublicKey) -> None:
        """Raise KeyRotated if the key was given up for another one."""
        if self.is_rotated(sender):
            raise KeyRotated("the sender gave this key up for another one")

    def restore(
        self,
        header: RoundHeader,
        roster: Roster,
        pages: Sequence[PageHead],
        *,
        before: Roster | None = None,
        sealed: Sequence[RoundHeader] = (),
    ) -> None:
        """Start from what was made durable: the last header, its roster, that of the epoch before.

        `pages` are all of the state's map, `sealed` the headers of the ends of the newest epochs
        whose states are to be had. Of the values none is read before it is asked for.
        Raises InvariantBroken when the roster or the root of a state is not its header's.
        """
        check(roster.hash == header.roster, "the roster on disk is not the one of the last header")
        check(before is None or before.epoch == roster.epoch - 1, "epochs follow each other")
        ends = {one.epoch: one for one in sealed}
        self._snapshots = self._tree.restore(pages, roster.epoch, tuple(ends))
        roots = [(ends[epoch], one.root) for epoch, one in self._snapshots.items()]
        for one, root in [*roots, (header, self._tree.root())]:
            check(
                root == one.state_root,
                f"the state on disk is not the one of round {one.round}: its root differs",
            )
        record = self._read(EPOCH_RECORD_KEY)
        self._record = EpochRecord() if record is None else decode_record(record)
        self._header = header
        self._roster = roster
        self._window_first = (before or roster).first_round

    def _keep_snapshot(self, epoch: Epoch) -> None:
        self._snapshots[epoch] = self._tree.seal(epoch)
        self._snapshots.pop(Epoch(epoch - 2), None)

    def apply(
        self,
        round_number: Round,
        candidates: Sequence[Candidate],
        *,
        creators: Collection[MemberIndex],
        ordered_before: Collection[bytes],
        consensus_time_ns: int | None,
    ) -> Applied:
        """Apply a decided round and return its effects.

        `candidates` are the round's transactions in consensus order, `creators` those of all events
        that it received, with transactions or without. `ordered_before` holds exactly
        those of their ids that a round from `window_first_round` on listed: a second copy in this
        epoch or the next is skipped. (A later one is listed again. A signed one is refused then,
        for its nonce is used; and no cell needs to remember all ids for ever.)
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
        changes: dict[bytes, bytes | None] = {}
        self._accounts.settle()
        self._rotated.settle()
        listed: set[bytes] = set()
        self._checks = EvidenceChecks()
        for candidate in _in_nonce_order(candidates):
            if candidate.id in ordered_before or candidate.id in listed:
                continue
            listed.add(candidate.id)
            refusal = self._take(candidate, round_number, changes)
            outcome = APPLIED if refusal is None else refusal.code
            position = total + len(entries)
            receipt = Receipt(
                candidate.id, position, candidate.event, candidate.consensus_time_ns, outcome
            )
            entries.append(Entry(receipt, candidate, refusal))
        time_ns = last_time_ns if consensus_time_ns is None else consensus_time_ns
        epoch = self._roster.epoch
        sealed = self._sealed(round_number, time_ns, changes)
        self._note_conduct(round_number, creators, changes, seals=sealed is not None)
        if sealed is not None:
            changes[roster_key(sealed.epoch)] = sealed.encode()
            self._window_first = self._roster.first_round
            self._roster = sealed
        pages = self._tree.update(changes.items())
        self._header = RoundHeader(
            network_id=self._network_id,
            epoch=epoch,
            round=round_number,
            previous=NO_HEADER if before is None else before.hash,
            state_root=self._tree.root(),
            receipts_root=receipts_root([entry.receipt for entry in entries]),
            roster=self._roster.hash,
            transactions=len(entries),
            transactions_total=total + len(entries),
            consensus_time_ns=time_ns,
        )
        if sealed is not None:
            self._keep_snapshot(epoch)
        return Applied(self._header, tuple(entries), tuple(changes.items()), pages, sealed)

    def _sealed(
        self, round_number: Round, time_ns: int, changes: Mapping[bytes, bytes | None]
    ) -> Roster | None:
        """Return the next epoch's roster if the round is the last of this one.

        An epoch ends after its full number of rounds, and at once when its members change.
        """
        members = self._roster.members
        planned = changes.get(NEXT_MEMBERS_KEY)
        if planned is not None:
            members = decode_members(planned)
        rounds = round_number - self._roster.first_round + 1
        if members == self._roster.members and rounds < self._epoch_rounds:
            return None
        return self._roster.next(Round(round_number + 1), time_ns, members)

    def _note_conduct(
        self,
        round_number: Round,
        creators: Collection[MemberIndex],
        changes: dict[bytes, bytes | None],
        *,
        seals: bool,
    ) -> None:
        """Add to `changes` what the round says of the members."""
        record = self._record.after(creators, changes)
        if seals:
            rounds = round_number - self._roster.first_round + 1

            def read(key: bytes) -> bytes | None:
                return changes[key] if key in changes else self._read(key)

            changes.update(score_changes(record, self._roster, rounds, read))
            record = EpochRecord()
        if record != self._record:
            changes[EPOCH_RECORD_KEY] = record.encode()
            self._record = record

    def _take(
        self, candidate: Candidate, round_number: Round, changes: dict[bytes, bytes | None]
    ) -> TransactionRefused | None:
        """Add what the transaction changes to `changes`, or return why it has no effect."""
        parsed = candidate.parsed
        if isinstance(parsed, TransactionRefused):
            return parsed
        if isinstance(parsed, OpaqueTransaction):
            return None
        if self.is_rotated(parsed.sender):
            return KeyRotated("the sender gave this key up for another one")
        window = self.account(parsed.sender)
        if not window.is_free(parsed.nonce):
            return NonceUsed(f"nonce {parsed.nonce} was used; the highest is {window.highest}")
        used = window.with_used(parsed.nonce)
        self._accounts.put(parsed.sender, used)
        changes[account_key(parsed.sender)] = encode_account(used)
        if 0 < parsed.expires_round < round_number:
            return Expired(f"valid up to round {parsed.expires_round}, ordered in {round_number}")
        context = Context(
            id=candidate.id,
            sender=parsed.sender,
            round=round_number,
            time_ns=candidate.consensus_time_ns,
            network_id=self._network_id,
            roster=self._roster,
            first_roster=self._first_roster,
            evidence_checks=self._checks,
            read=lambda key: changes[key] if key in changes else self._read(key),
        )
        try:
            written = changes_of(parsed.arguments, context)
        except TransactionRefused as refusal:
            return refusal
        changes.update(written)
        for key, value in written:
            self._note(key, value)
        return None

    def _note(self, key: bytes, value: bytes | None) -> None:
        """Keep what the machine has of the state beside its hashes."""
        if key.startswith(ACCOUNT_PREFIX):
            account = NonceWindow() if value is None else decode_account(value)
            self._accounts.put(PublicKey(key[len(ACCOUNT_PREFIX) :]), account)
        elif key.startswith(ROTATED_PREFIX):
            self._rotated.put(PublicKey(key[len(ROTATED_PREFIX) :]), value is not None)

    def _read_account(self, sender: PublicKey) -> NonceWindow:
        value = self._read(account_key(sender))
        return NonceWindow() if value is None else decode_account(value)

    def _read_rotated(self, key: PublicKey) -> bool:
        return self._read(ROTATED_PREFIX + key) is not None


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
