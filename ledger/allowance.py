"""Allowances: an owner lets somebody else pay from the owner's account, up to an amount.

    allow           [spender, amount, expires round]    0 takes it back
    transfer-from   [owner, to, amount, memo]
    state           "allowances/" ‖ owner -> [[spender, amount left, expires round], …]

All allowances of an owner lie in one record, in the order of their spenders, and go along when the
owner's key is rotated. A spender's key that was given up stands for the one that followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.codec import Value, WrongShape, as_array, as_bytes, as_int, decode, encode
from core.ids import AccountId, Amount, PublicKey, Round
from core.limits import INT_MAX, PUBLIC_KEY_SIZE_BYTES
from ledger.context import Context
from ledger.cost import cost_of, text_size_bytes
from ledger.errors import BadAllowance, NotAllowed, TooManyAllowances
from ledger.limits import ALLOWANCES_OF_OWNER_MAX, SUPPLY_MAX
from ledger.payment import account_id, memo_line, pay, positive_amount
from ledger.succession import current_key

ALLOWANCES_PREFIX: Final = b"allowances/"
"""State keys of the allowances that somebody gave: this prefix, then the owner's key."""

Changes = list[tuple[bytes, bytes | None]]
"""(state key, state value) pairs, None for a record that ends."""


@dataclass(frozen=True, slots=True)
class Allow:
    """Let `spender` pay up to `amount` from the sender's account, in place of what it may now."""

    spender: PublicKey
    amount: Amount
    expires_round: Round = Round(0)
    """The last round in which it holds, 0 for no end."""


@dataclass(frozen=True, slots=True)
class TransferFrom:
    """Pay from the account of somebody who allowed the sender to."""

    owner: PublicKey
    to: AccountId
    amount: Amount
    memo: str = ""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of an allowance."""

    spender: PublicKey
    amount: Amount
    expires_round: Round

    def holds(self, round_number: Round) -> bool:
        """Return whether it can be used in a round."""
        return self.expires_round == 0 or round_number <= self.expires_round


def allowances_key(owner: PublicKey) -> bytes:
    """Return the state key of the allowances that an owner gave."""
    return ALLOWANCES_PREFIX + owner


def encode_allowances(allowances: Sequence[Allowance]) -> bytes:
    """Return the state value of allowances, which are in the order of their spenders."""
    return encode([[one.spender, one.amount, one.expires_round] for one in allowances])


def decode_allowances(value: bytes | None) -> list[Allowance]:
    """Return the allowances in a state value; raises NotCanonical or WrongShape."""
    if value is None:
        return []
    found: list[Allowance] = []
    for item in as_array(decode(value), length_max=ALLOWANCES_OF_OWNER_MAX):
        spender, amount, expires = as_array(item, length=3)
        found.append(
            Allowance(
                PublicKey(as_bytes(spender, size=PUBLIC_KEY_SIZE_BYTES)),
                Amount(as_int(amount, low=1, high=SUPPLY_MAX)),
                Round(as_int(expires)),
            )
        )
    spenders = [one.spender for one in found]
    if spenders != sorted(set(spenders)):
        raise WrongShape("expected each spender once, in ascending order")
    return found


def parse_allow(items: list[Value]) -> Allow:
    """Return the checked arguments of `allow`; raises BadAllowance or WrongShape."""
    spender, amount, expires = as_array(items, length=3)
    units = as_int(amount, low=-INT_MAX - 1)
    if units < 0:
        raise BadAllowance("an allowance is of an amount, or of 0 to take it back")
    return Allow(_public_key(spender), Amount(units), Round(as_int(expires)))


def build_allow(allow: Allow) -> Sequence[Value]:
    """Return the encodable arguments of `allow`."""
    return allow.spender, allow.amount, allow.expires_round


def allow_cost(_: Allow) -> int:
    """Return what `allow` costs."""
    return cost_of(writes=2)


def allow_changes(allow: Allow, context: Context) -> Changes:
    """Return what an allowance writes; those that ended are dropped.

    Raises BadAllowance for one to oneself or that has ended, NotAllowed when there is none to take
    back, TooManyAllowances.
    """
    spender = current_key(context.read, allow.spender)
    if spender == context.sender:
        raise BadAllowance("the sender needs no allowance from itself")
    if allow.amount and 0 < allow.expires_round < context.round:
        raise BadAllowance(f"it ended with round {allow.expires_round}, this is {context.round}")
    held = decode_allowances(context.read(allowances_key(context.sender)))
    others = [one for one in held if current_key(context.read, one.spender) != spender]
    if allow.amount == 0 and len(others) == len(held):
        raise NotAllowed("there is no such allowance to take back")
    others = [one for one in others if one.holds(context.round)]
    if allow.amount:
        if len(others) >= ALLOWANCES_OF_OWNER_MAX:
            raise TooManyAllowances(f"the sender gave {len(others)} allowances")
        others.append(Allowance(spender, allow.amount, allow.expires_round))
    return [_record(context.sender, others)]


def parse_transfer_from(items: list[Value]) -> TransferFrom:
    """Return the checked arguments; raises BadTransfer, BadAllowance, ZeroAmount or WrongShape."""
    owner, to, amount, memo = as_array(items, length=4)
    return TransferFrom(
        _public_key(owner), account_id(to), positive_amount(amount), memo_line(memo)
    )


def build_transfer_from(transfer: TransferFrom) -> Sequence[Value]:
    """Return the encodable arguments of `transfer-from`."""
    return transfer.owner, transfer.to, transfer.amount, transfer.memo


def transfer_from_cost(transfer: TransferFrom) -> int:
    """Return what `transfer-from` costs."""
    return cost_of(writes=4, size_bytes=text_size_bytes(transfer.memo))


def transfer_from_changes(transfer: TransferFrom, context: Context) -> Changes:
    """Pay from an owner's account; return what is left of the allowance.

    Raises NotAllowed, or what a payment raises.
    """
    owner = current_key(context.read, transfer.owner)
    held = decode_allowances(context.read(allowances_key(owner)))
    used = _of_sender(held, context)
    if used is None or not used.holds(context.round):
        raise NotAllowed("the owner allowed the sender nothing, or it has ended")
    if used.amount < transfer.amount:
        raise NotAllowed(f"the owner allows {used.amount} base units more, not {transfer.amount}")
    pay(AccountId(owner), transfer.to, transfer.amount, context)
    left = [one for one in held if one is not used]
    if used.amount > transfer.amount:
        rest = Amount(used.amount - transfer.amount)
        left.append(Allowance(used.spender, rest, used.expires_round))
    return [_record(owner, left)]


def _of_sender(held: Sequence[Allowance], context: Context) -> Allowance | None:
    exact = (one for one in held if one.spender == context.sender)
    former = (one for one in held if current_key(context.read, one.spender) == context.sender)
    return next(exact, None) or next(former, None)


def _record(owner: PublicKey, allowances: Sequence[Allowance]) -> tuple[bytes, bytes | None]:
    in_order = sorted(allowances, key=lambda one: one.spender)
    return allowances_key(owner), encode_allowances(in_order) if in_order else None


def _public_key(value: Value) -> PublicKey:
    raw = as_bytes(value)
    if len(raw) != PUBLIC_KEY_SIZE_BYTES:
        raise BadAllowance(f"a public key has {PUBLIC_KEY_SIZE_BYTES} bytes")
    return PublicKey(raw)
