"""Multi-signature accounts: m of n keys pay together.

    multisig-create     [threshold, [key, …], name]         keys in ascending order
    multisig-propose    [account, to, amount, symbol, memo, expires round]
    multisig-approve    [account, spend]
    multisig-cancel     [account, spend]
    state               "multisig/" ‖ account ->
                        [threshold, [key, …], name, [[id, seat, to, amount, symbol, memo, expires
                        round, [seat, …]], …]]

A spend is of PRANA if its symbol is empty, else of that token. An account's id is the hash of its
threshold, keys and name, so it can be paid before anybody has created it. A spend is paid at the
approval that is the m-th, or stays as it was if there is too little to pay it; the proposal is the
first one. Paid and canceled spends are gone, expired ones go at the next change. A key that was
given up votes as the one that followed, from the same seat.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.codec import Value, WrongShape, as_array, as_bytes, as_int, as_text, decode, encode
from core.ids import AccountId, Amount, PublicKey, Round, TransactionId
from core.limits import HASH_SIZE_BYTES, PUBLIC_KEY_SIZE_BYTES
from ledger.context import Context
from ledger.cost import cost_of, text_size_bytes
from ledger.errors import (
    BadMultisig,
    MultisigExists,
    NoSuchMultisig,
    NoSuchSpend,
    NotASigner,
    NotTheProposer,
    SpendApproved,
    TooManySpends,
)
from ledger.limits import (
    MULTISIG_KEYS_MAX,
    MULTISIG_ROUNDS_MAX,
    MULTISIG_SPENDS_MAX,
    NAME_LENGTH_MAX,
)
from ledger.market_token import passed_on, symbol_or_prana
from ledger.names import is_name
from ledger.payment import account_id, memo_line, pay, positive_amount
from ledger.succession import current_key

MULTISIG_PREFIX: Final = b"multisig/"
"""State keys of multi-signature accounts: this prefix, then the account's id."""

_DOMAIN: Final = "myceld/multisig/1"

Changes = list[tuple[bytes, bytes | None]]
"""(state key, state value) pairs, None for a record that ends."""


@dataclass(frozen=True, slots=True)
class MultisigCreate:
    """Make an account from which `threshold` of `keys` pay together."""

    threshold: int
    keys: tuple[PublicKey, ...]
    name: str

    @property
    def account(self) -> AccountId:
        """The account's id: SHA-256 of ["myceld/multisig/1", threshold, keys, name]."""
        said = encode([_DOMAIN, self.threshold, self.keys, self.name])
        return AccountId(hashlib.sha256(said).digest())


@dataclass(frozen=True, slots=True)
class MultisigPropose:
    """Propose a payment from an account, and approve it."""

    account: AccountId
    to: AccountId
    amount: Amount
    symbol: str
    """Of the token, empty for PRANA."""
    memo: str
    expires_round: Round
    """The last round in which it can be approved."""


@dataclass(frozen=True, slots=True)
class MultisigApprove:
    """Approve a payment."""

    account: AccountId
    spend: TransactionId
    """Id of the transaction that proposed it, or of the item of a batch."""


@dataclass(frozen=True, slots=True)
class MultisigCancel:
    """Take back a payment that the sender proposed."""

    account: AccountId
    spend: TransactionId


@dataclass(frozen=True, slots=True)
class Spend:
    """A payment that waits for approvals."""

    id: TransactionId
    seat: int
    """Of who proposed it: the place of the key in the account's."""
    payment: MultisigPropose
    approvals: tuple[int, ...]
    """Seats, in ascending order."""


@dataclass(frozen=True, slots=True)
class Multisig:
    """A multi-signature account."""

    made: MultisigCreate
    spends: tuple[Spend, ...] = ()
    """Oldest first."""

    def open_spends(self, round_number: Round) -> tuple[Spend, ...]:
        """Return those that can be approved in a round."""
        return tuple(one for one in self.spends if round_number <= one.payment.expires_round)

    def encode(self) -> bytes:
        """Return the state value."""
        spends: list[Value] = [
            [one.id, one.seat, *build_propose(one.payment)[1:], one.approvals]
            for one in self.spends
        ]
        return encode([*build_create(self.made), spends])


def multisig_key(account: AccountId) -> bytes:
    """Return the state key of a multi-signature account."""
    return MULTISIG_PREFIX + account


def decode_multisig(value: bytes) -> Multisig:
    """Return the account in a state value; raises NotCanonical, WrongShape or BadMultisig."""
    *made, spends = as_array(decode(value), length=4)
    account = parse_create(made)
    found: list[Spend] = []
    for item in as_array(spends, length_max=MULTISIG_SPENDS_MAX):
        identity, seat, *payment, approvals = as_array(item, length=8)
        seats = [as_int(one, high=len(account.keys) - 1) for one in as_array(approvals)]
        if seats != sorted(set(seats)):
            raise WrongShape("expected each seat once, in ascending order")
        found.append(
            Spend(
                TransactionId(as_bytes(identity, size=HASH_SIZE_BYTES)),
                as_int(seat, high=len(account.keys) - 1),
                parse_propose([account.account, *payment]),
                tuple(seats),
            )
        )
    return Multisig(account, tuple(found))


def parse_create(items: list[Value]) -> MultisigCreate:
    """Return the checked arguments of `multisig-create`; raises BadMultisig or WrongShape."""
    threshold, keys, name = as_array(items, length=3)
    made = MultisigCreate(
        as_int(threshold),
        tuple(PublicKey(as_bytes(key)) for key in as_array(keys)),
        as_text(name, length_max=NAME_LENGTH_MAX),
    )
    if not 1 <= len(made.keys) <= MULTISIG_KEYS_MAX:
        raise BadMultisig(f"{len(made.keys)} keys, 1 to {MULTISIG_KEYS_MAX} are taken")
    if any(len(key) != PUBLIC_KEY_SIZE_BYTES for key in made.keys):
        raise BadMultisig(f"a public key has {PUBLIC_KEY_SIZE_BYTES} bytes")
    if list(made.keys) != sorted(set(made.keys)):
        raise BadMultisig("the keys are not different ones in ascending order")
    if not 1 <= made.threshold <= len(made.keys):
        raise BadMultisig(f"{made.threshold} of {len(made.keys)} keys can not approve")
    if not is_name(made.name):
        raise BadMultisig(f"a name has 1 to {NAME_LENGTH_MAX} characters and no controls")
    return made


def build_create(made: MultisigCreate) -> Sequence[Value]:
    """Return the encodable arguments of `multisig-create`."""
    return made.threshold, list(made.keys), made.name


def create_cost(made: MultisigCreate) -> int:
    """Return what `multisig-create` costs."""
    size = text_size_bytes(made.name) + PUBLIC_KEY_SIZE_BYTES * len(made.keys)
    return cost_of(writes=2, size_bytes=size)


def create_changes(made: MultisigCreate, context: Context) -> Changes:
    """Return what a new account writes; raises MultisigExists."""
    key = multisig_key(made.account)
    if context.read(key) is not None:
        raise MultisigExists(f"account {made.account.hex()[:16]}… is there already")
    return [(key, Multisig(made).encode())]


def parse_propose(items: list[Value]) -> MultisigPropose:
    """Return the checked arguments.

    Raises BadMultisig, BadTransfer, BadToken, ZeroAmount or WrongShape.
    """
    account, to, amount, symbol, memo, expires = as_array(items, length=6)
    return MultisigPropose(
        _account(account),
        account_id(to),
        positive_amount(amount),
        symbol_or_prana(symbol),
        memo_line(memo),
        Round(as_int(expires)),
    )


def build_propose(propose: MultisigPropose) -> Sequence[Value]:
    """Return the encodable arguments of `multisig-propose`."""
    return (
        propose.account,
        propose.to,
        propose.amount,
        propose.symbol,
        propose.memo,
        propose.expires_round,
    )


def propose_cost(propose: MultisigPropose) -> int:
    """Return what `multisig-propose` costs: its text stays in the state, and it may be paid."""
    return cost_of(writes=4, size_bytes=2 * text_size_bytes(propose.memo))


def propose_changes(propose: MultisigPropose, context: Context) -> Changes:
    """Return what a proposal writes; pays if one approval is enough.

    Raises NoSuchMultisig, NotASigner, BadMultisig for an end out of bounds, TooManySpends, or what
    a payment raises.
    """
    account, seats = _of_sender(propose.account, context)
    rounds = propose.expires_round - context.round
    if not 0 <= rounds <= MULTISIG_ROUNDS_MAX:
        last = context.round + MULTISIG_ROUNDS_MAX
        raise BadMultisig(
            f"a spend of round {context.round} ends with that or a later round up to {last}"
        )
    open_now = account.open_spends(context.round)
    if len(open_now) >= MULTISIG_SPENDS_MAX:
        raise TooManySpends(f"the account has {len(open_now)} open spends")
    spend = Spend(context.id, seats[0], propose, ())
    return _approved(account, (*open_now, spend), spend, seats, context)


def parse_approve(items: list[Value]) -> MultisigApprove:
    """Return the checked arguments of `multisig-approve`; raises BadMultisig or WrongShape."""
    return MultisigApprove(*_account_and_spend(items))


def build_approve(approve: MultisigApprove) -> Sequence[Value]:
    """Return the encodable arguments of `multisig-approve`."""
    return approve.account, approve.spend


def approve_cost(_: MultisigApprove) -> int:
    """Return what `multisig-approve` costs: it may pay."""
    return cost_of(writes=4)


def approve_changes(approve: MultisigApprove, context: Context) -> Changes:
    """Return what an approval writes; the m-th pays.

    Raises NoSuchMultisig, NotASigner, NoSuchSpend, SpendApproved, or what a payment raises: then
    the approval does not count either.
    """
    account, seats = _of_sender(approve.account, context)
    open_now = account.open_spends(context.round)
    spend = _open(approve.spend, open_now)
    if set(seats) <= set(spend.approvals):
        raise SpendApproved("the sender approved this spend before")
    return _approved(account, open_now, spend, seats, context)


def parse_cancel(items: list[Value]) -> MultisigCancel:
    """Return the checked arguments of `multisig-cancel`; raises BadMultisig or WrongShape."""
    return MultisigCancel(*_account_and_spend(items))


def build_cancel(cancel: MultisigCancel) -> Sequence[Value]:
    """Return the encodable arguments of `multisig-cancel`."""
    return cancel.account, cancel.spend


def cancel_cost(_: MultisigCancel) -> int:
    """Return what `multisig-cancel` costs."""
    return cost_of(writes=2)


def cancel_changes(cancel: MultisigCancel, context: Context) -> Changes:
    """Return what taking a spend back writes.

    Raises NoSuchMultisig, NotASigner, NoSuchSpend or NotTheProposer.
    """
    account, seats = _of_sender(cancel.account, context)
    open_now = account.open_spends(context.round)
    spend = _open(cancel.spend, open_now)
    if spend.seat not in seats:
        raise NotTheProposer("another key proposed this spend")
    return [_record(account, [one for one in open_now if one.id != spend.id])]


def _of_sender(account: AccountId, context: Context) -> tuple[Multisig, list[int]]:
    """Return an account and the sender's seats; raises NoSuchMultisig or NotASigner."""
    value = context.read(multisig_key(account))
    if value is None:
        raise NoSuchMultisig(f"there is no multi-signature account {account.hex()[:16]}…")
    found = decode_multisig(value)
    present = [current_key(context.read, key) for key in found.made.keys]
    seats = [seat for seat, key in enumerate(present) if key == context.sender]
    if not seats:
        raise NotASigner("the sender is none of the account's keys")
    return found, seats


def _open(spend: TransactionId, open_now: Sequence[Spend]) -> Spend:
    for one in open_now:
        if one.id == spend:
            return one
    raise NoSuchSpend(f"no open spend {spend.hex()[:16]}…")


def _approved(
    account: Multisig,
    open_now: Sequence[Spend],
    spend: Spend,
    seats: Sequence[int],
    context: Context,
) -> Changes:
    """Return the record with the sender's approval; pay, and drop the spend, if it is enough."""
    approvals = tuple(sorted({*spend.approvals, *seats}))
    if len(approvals) < account.made.threshold:
        after = dataclasses.replace(spend, approvals=approvals)
        return [_record(account, [after if one.id == spend.id else one for one in open_now])]
    record = _record(account, [one for one in open_now if one.id != spend.id])
    payment = spend.payment
    if payment.symbol:
        moved = passed_on(payment.symbol, payment.account, payment.to, payment.amount, context)
        return [*moved, record]
    pay(payment.account, payment.to, payment.amount, context)
    return [record]


def _record(account: Multisig, spends: Sequence[Spend]) -> tuple[bytes, bytes]:
    key = multisig_key(account.made.account)
    return key, dataclasses.replace(account, spends=tuple(spends)).encode()


def _account(value: Value) -> AccountId:
    raw = as_bytes(value)
    if len(raw) != HASH_SIZE_BYTES:
        raise BadMultisig(f"the id of an account has {HASH_SIZE_BYTES} bytes")
    return AccountId(raw)


def _account_and_spend(items: list[Value]) -> tuple[AccountId, TransactionId]:
    account, spend = as_array(items, length=2)
    raw = as_bytes(spend)
    if len(raw) != HASH_SIZE_BYTES:
        raise BadMultisig(f"the id of a spend has {HASH_SIZE_BYTES} bytes")
    return _account(account), TransactionId(raw)
