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
from typing import Final, TypeAlias

from core.errors import check
from core.ids import (
    AccountId,
    Epoch,
    EventId,
    MemberIndex,
    PublicKey,
    Round,
    TransactionId,
)
from ledger.accounts import TREASURY, Account
from ledger.context import Context
from ledger.errors import (
    CannotPayFee,
    Expired,
    FeeTooLow,
    InsufficientFunds,
    KeyRotated,
    NonceUsed,
    StatePageLost,
    TransactionRefused,
)
from ledger.forks import EvidenceChecks
from ledger.genesis import Genesis
from ledger.header import APPLIED, NO_HEADER, Receipt, RoundHeader, receipts_root
from ledger.kinds import Arguments, changes_of, kind_of, kinds, since_of
from ledger.limits import ACCOUNTS_CACHED_MAX, COST_BASE
from ledger.network_score import EPOCH_RECORD_KEY, EpochRecord, decode_record, score_changes
from ledger.opening import open_state, opening_state
from ledger.overlay import Overlay, account_in
from ledger.page_rows import PageWrites
from ledger.parameters import FEE_PER_COST, parameter_key, read_parameter
from ledger.patches import StoredMap
from ledger.payment import Transfer
from ledger.roster import (
    NEXT_MEMBERS_KEY,
    Roster,
    decode_members,
    roster_key,
)
from ledger.transaction import OpaqueTransaction, SignedTransaction, Transaction
from ledger.tree import ReadPages, Snapshot, StateTree
from ledger.upgrades import EPOCH_PARAMETER_KEYS, set_rules, upgraded

_KEY_ROTATED: Final = "the sender gave this key up for another one"

FREE_FOR_MEMBERS: Final = frozenset(row.name for row in kinds() if row.free_for_members)
"""Kinds for which members pay no fee."""

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
        self._roster = self._first_roster = genesis.roster
        self._checks = EvidenceChecks()
        self._record = EpochRecord()
        self._read = read
        self._genesis = genesis
        self._opening = opening_state(genesis)
        self._fee_per_cost = read_parameter(self._opening.get, FEE_PER_COST)
        """Of the next round."""
        self._tree = StateTree(read_pages)
        self._accounts: dict[AccountId, Account] = {}
        self._header: RoundHeader | None = None
        self._window_first = genesis.roster.first_round
        self._snapshots: dict[Epoch, Snapshot] = {}

    @property
    def window_first_round(self) -> Round:
        """The first round of the epoch before this one: see `apply`."""
        return self._window_first

    def limit_patches(self, room_bytes: int) -> None:
        """Let changes of pages be logged up to so much: a cell's own business (`Patches`)."""
        self.state.pages.patches.room_bytes = room_bytes

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
    def transaction_version(self) -> int:
        """By which transactions of the next round are parsed."""
        return self._roster.rules.transaction_version

    @property
    def applied_round(self) -> Round:
        """The last applied round, 0 before the first."""
        return Round(0) if self._header is None else self._header.round

    def account(self, owner: PublicKey | AccountId) -> Account:
        """Return an account after the last applied round."""
        account = self._accounts.get(AccountId(owner))
        return account_in(self.read, AccountId(owner)) if account is None else account

    def read(self, key: bytes) -> bytes | None:
        """Return the durable value of a state key; before the first round, what there begins."""
        if self._header is None and key in self._opening:
            return self._opening[key]
        return self._read(key)

    def is_rotated(self, key: PublicKey) -> bool:
        """Return whether a key was given up for another one."""
        return self.account(key).is_given_up

    def check_sender(self, sender: PublicKey) -> None:
        """Raise KeyRotated if the key was given up for another one."""
        if self.is_rotated(sender):
            raise KeyRotated(_KEY_ROTATED)

    def fee_of(self, arguments: Arguments, sender: PublicKey) -> int:
        """Return what a transaction of a sender would have to pay now."""
        row = kind_of(arguments)
        return 0 if self._is_free(row.name, sender) else self._fee_per_cost * row.cost(arguments)

    def check_funds(self, transaction: SignedTransaction, account: Account) -> None:
        """Raise what a transaction would be refused with for want of PRANA, if it came now.

        `account` is its sender's. Raises FeeTooLow, CannotPayFee or InsufficientFunds.
        """
        fee = self.fee_of(transaction.arguments, transaction.sender)
        balance, arguments = account.balance, transaction.arguments
        _check_fee(transaction, fee, balance)
        if isinstance(arguments, Transfer) and balance - fee < arguments.amount:
            raise InsufficientFunds(
                f"the account has {balance} base units, not {arguments.amount} and a fee of {fee}"
            )

    def restore(
        self,
        header: RoundHeader,
        roster: Roster,
        pages: StoredMap,
        *,
        before: Roster | None = None,
        sealed: Sequence[RoundHeader] = (),
    ) -> None:
        """Start from what was made durable: the last header, its roster, that of the epoch before.

        `pages` is the whole map of the state, `sealed` the headers of the ends of the newest epochs
        whose states are to be had. Of the values none is read before it is asked for.
        Raises InvariantBroken when the roster is not that of its header, StatePageLost when the
        root of a state is not.
        """
        check(roster.hash == header.roster, "the roster on disk is not the one of the last header")
        check(before is None or before.epoch == roster.epoch - 1, "epochs follow each other")
        ends = {one.epoch: one for one in sealed}
        self._snapshots = self._tree.restore(pages, roster.epoch, tuple(ends))
        roots = [(ends[epoch], one.root) for epoch, one in self._snapshots.items()]
        for one, root in [*roots, (header, self._tree.root())]:
            if root != one.state_root:
                raise StatePageLost(f"the map on disk is not that of round {one.round}")
        record = self._read(EPOCH_RECORD_KEY)
        self._record = EpochRecord() if record is None else decode_record(record)
        self._header = header
        self._roster = roster
        self._accounts = {}
        self._fee_per_cost = read_parameter(self._read, FEE_PER_COST)
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

        `candidates` are the round's transactions in consensus order, parsed by the epoch's
        `transaction_version`; `creators` those of all events that it received, with transactions or
        without. `ordered_before` holds exactly those of their ids that a round from
        `window_first_round` on listed: a second copy in this epoch or the next is skipped. (A later
        one is listed again, and refused if it is signed: its nonce is used.)
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
        listed: set[bytes] = set()
        self._checks = EvidenceChecks()
        overlay = Overlay(self._read, self._load_account)
        if before is None:
            open_state(self._genesis, overlay)
        for candidate in _in_nonce_order(candidates):
            if candidate.id in ordered_before or candidate.id in listed:
                continue
            listed.add(candidate.id)
            refusal = self._take(candidate, round_number, overlay)
            outcome = APPLIED if refusal is None else refusal.outcome
            position = total + len(entries)
            receipt = Receipt(
                candidate.id, position, candidate.event, candidate.consensus_time_ns, outcome
            )
            entries.append(Entry(receipt, candidate, refusal))
        time_ns = last_time_ns if consensus_time_ns is None else consensus_time_ns
        epoch = self._roster.epoch
        changes = overlay.close()
        if parameter_key(FEE_PER_COST) in changes:
            self._fee_per_cost = read_parameter(changes.get, FEE_PER_COST)
        self._keep_accounts(overlay.accounts)
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
        self, round_number: Round, time_ns: int, changes: dict[bytes, bytes | None]
    ) -> Roster | None:
        """Return the next epoch's roster if the round is the last of this one.

        An epoch ends after its full number of rounds, and at once when its members or a parameter
        of its rules change. What begins with the next one goes into `changes`.
        """
        roster, members = self._roster, self._roster.members
        planned = changes.get(NEXT_MEMBERS_KEY)
        if planned is not None:
            members = decode_members(planned)

        def read(key: bytes) -> bytes | None:
            return changes[key] if key in changes else self._read(key)

        rules = roster.rules
        if any(key in changes for key in EPOCH_PARAMETER_KEYS):
            rules = set_rules(rules, read)
        rounds = round_number - roster.first_round + 1
        same = (members, rules) == (roster.members, roster.rules)
        if same and rounds < roster.rules.epoch_rounds:
            return None
        following = roster.next(Round(round_number + 1), time_ns, members, rules)
        following, begun = upgraded(following, read)
        changes.update(begun)
        return following

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
        self, candidate: Candidate, round_number: Round, overlay: Overlay
    ) -> TransactionRefused | None:
        """Write what the transaction does, or return why it has no effect.

        One that used its nonce pays the least fee even if it is refused: it took a place.
        """
        parsed = candidate.parsed
        if isinstance(parsed, TransactionRefused):
            return parsed
        if isinstance(parsed, OpaqueTransaction):
            return None
        is_known = since_of(parsed.arguments) <= self.transaction_version
        check(is_known, "a kind is applied in epochs of its transaction version only")
        sender = AccountId(parsed.sender)
        account = overlay.account(sender)
        if account.is_given_up:
            return KeyRotated(_KEY_ROTATED)
        if not account.is_free(parsed.nonce):
            return NonceUsed(f"nonce {parsed.nonce} was used; the highest is {account.highest}")
        account = account.with_used(parsed.nonce)
        overlay.set_account(sender, account)
        overlay.keep()
        is_free = self._is_free(parsed.kind, parsed.sender)
        price = 0 if is_free else self._fee_per_cost
        try:
            if 0 < parsed.expires_round < round_number:
                raise Expired(
                    f"valid up to round {parsed.expires_round}, ordered in {round_number}"
                )
            fee = price * parsed.cost
            _check_fee(parsed, fee, account.balance)
            _charge(sender, fee, overlay)
            self._carry_out(parsed, candidate, round_number, overlay)
        except TransactionRefused as refusal:
            overlay.undo()
            _charge(sender, min(price * COST_BASE, parsed.fee, account.balance), overlay)
            return refusal
        return None

    def _carry_out(
        self,
        parsed: SignedTransaction,
        candidate: Candidate,
        round_number: Round,
        overlay: Overlay,
    ) -> None:
        context = Context(
            id=candidate.id,
            sender=parsed.sender,
            round=round_number,
            time_ns=candidate.consensus_time_ns,
            network_id=self._network_id,
            roster=self._roster,
            first_roster=self._first_roster,
            evidence_checks=self._checks,
            read=overlay.read,
            write=overlay.write,
            accounts=overlay,
        )
        overlay.write(changes_of(parsed.arguments, context))

    def _is_free(self, kind: str, sender: PublicKey) -> bool:
        """Return whether a sender pays nothing: a member, for what the network needs of it."""
        return kind in FREE_FOR_MEMBERS and self._roster.index_of(sender) is not None

    def _load_account(self, owner: AccountId) -> Account:
        """Return an account as it was before the round that is applied."""
        account = self._accounts.get(owner)
        if account is None:
            account = self._accounts[owner] = account_in(self._read, owner)
        return account

    def _keep_accounts(self, changed: Mapping[AccountId, Account]) -> None:
        self._accounts.update(changed)
        for owner in list(self._accounts)[: max(len(self._accounts) - ACCOUNTS_CACHED_MAX, 0)]:
            del self._accounts[owner]


def _check_fee(transaction: SignedTransaction, fee: int, balance: int) -> None:
    """Raise FeeTooLow or CannotPayFee."""
    if transaction.fee < fee:
        raise FeeTooLow(f"a fee of {transaction.fee} base units is offered, it costs {fee}")
    if balance < fee:
        raise CannotPayFee(f"the sender has {balance} base units, it costs {fee}")


def _charge(sender: AccountId, fee: int, overlay: Overlay) -> None:
    """Move a fee that the sender has to the treasury."""
    if fee:
        account, treasury = overlay.account(sender), overlay.account(TREASURY)
        overlay.set_account(sender, account.with_balance(account.balance - fee))
        overlay.set_account(TREASURY, treasury.with_balance(treasury.balance + fee))


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
