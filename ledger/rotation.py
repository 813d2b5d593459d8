"""Rotation: whoever holds a key gives it up for another one, by a transaction of the old key.

From its place in the order on everything that the old key signs is refused, in the same round too.
The new key has a nonce window of its own, which starts empty: no transaction of one key can be
taken for one of the other. The old one's PRANA and allowances are the new one's. A member keeps its
place, weight and name, its open proposals and its approvals; as with every change of members the
round seals its epoch, and the next one begins with the new key. Until then the old key's events
count as before, and so does evidence against it: a forker is removed under whatever key it has by
then (`ledger.succession.current_key`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.codec import Value, as_array, as_bytes
from core.ids import AccountId, NetworkId, PublicKey, Signature
from core.limits import PUBLIC_KEY_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from ledger.accounts import Account
from ledger.allowance import ALLOWANCES_PREFIX
from ledger.context import Context
from ledger.errors import BadRotation, KeyNotFresh, RotatedTooSoon
from ledger.governance import PROPOSER_PREFIX
from ledger.limits import ROTATION_ROUNDS_MIN
from ledger.members import Changes, planned_members
from ledger.network_score import SCORE_PREFIX
from ledger.roster import NEXT_MEMBERS_KEY, encode_members
from ledger.succession import (
    Origin,
    SignatureCheck,
    Succession,
    origin_key,
    origin_of,
    present_key,
    rotated_key,
    succession_message,
)
from ledger.upgrades import SUPPORT_PREFIX

CARRIED_PREFIXES: Final = (
    PROPOSER_PREFIX,
    SCORE_PREFIX,
    ALLOWANCES_PREFIX,
    SUPPORT_PREFIX,
)
"""What the state has of a key that goes along to the next one: state keys of these, then the key.

A new key must be no way to get rid of a bound, or of a bad name.
"""


@dataclass(frozen=True, slots=True)
class KeyRotate:
    """Give up the sender's key for another one."""

    successor: PublicKey
    consent: Signature
    """The sender's, over `succession_message`: the state keeps it, and not the transaction."""
    possession: Signature
    """The successor's, over the same: nobody can take a key that is not his."""


def parse_rotate(items: list[Value]) -> KeyRotate:
    """Return the checked arguments of `key-rotate`; raises BadRotation or WrongShape."""
    successor, consent, possession = (as_bytes(item) for item in as_array(items, length=3))
    if len(successor) != PUBLIC_KEY_SIZE_BYTES:
        raise BadRotation(f"a public key has {PUBLIC_KEY_SIZE_BYTES} bytes")
    if len(consent) != SIGNATURE_SIZE_BYTES or len(possession) != SIGNATURE_SIZE_BYTES:
        raise BadRotation(f"a signature has {SIGNATURE_SIZE_BYTES} bytes")
    return KeyRotate(PublicKey(successor), Signature(consent), Signature(possession))


def build_rotate(rotate: KeyRotate) -> Sequence[Value]:
    """Return the encodable arguments of `key-rotate`."""
    return rotate.successor, rotate.consent, rotate.possession


def rotate_proofs(
    rotate: KeyRotate, network_id: NetworkId, sender: PublicKey
) -> tuple[SignatureCheck, ...]:
    """Return the signatures in the arguments, which are checked with the transaction's own."""
    message = succession_message(network_id, sender, rotate.successor)
    return (
        (sender, message, rotate.consent),
        (rotate.successor, message, rotate.possession),
    )


def rotate_changes(rotate: KeyRotate, context: Context) -> Changes:
    """Return what a rotation writes.

    Accepted is one (1) to a key that never signed anything: not the sender's, without a nonce, a
    seat or an origin (it may have been paid: nobody can keep others from that); (2) of a key that
    did not come by a rotation just before. (That the sender has not rotated already, the ledger
    checks for every kind.) Raises KeyNotFresh (1), RotatedTooSoon (2).
    """
    old, new = context.sender, rotate.successor
    _check_fresh(new, context)
    origin = origin_of(context.read, old)
    if origin is not None and context.round < origin.round + ROTATION_ROUNDS_MIN:
        raise RotatedTooSoon(
            f"the key came in round {origin.round}, it can go from "
            f"{origin.round + ROTATION_ROUNDS_MIN} on"
        )
    first = old if origin is None else origin.first
    succession = Succession(new, context.round, rotate.consent, rotate.possession)
    changes = [
        (rotated_key(old), succession.encode()),
        (origin_key(new), Origin(first, old, context.round).encode()),
        (present_key(first), bytes(new)),
    ]
    for prefix in CARRIED_PREFIXES:
        value = context.read(prefix + old)
        if value is not None:
            changes.append((prefix + new, value))
    _move_account(AccountId(old), AccountId(new), context)
    planned = planned_members(context)
    after = tuple(
        dataclasses.replace(member, public_key=new) if member.public_key == old else member
        for member in planned
    )
    if after != planned:
        changes.append((NEXT_MEMBERS_KEY, encode_members(after)))
    return changes


def _check_fresh(new: PublicKey, context: Context) -> None:
    members = (*context.roster.members, *planned_members(context))
    if new == context.sender or any(member.public_key == new for member in members):
        raise KeyNotFresh("the new key is a member's, or the old one")
    has_signed = context.accounts.account(AccountId(new)).highest >= 0
    if has_signed or context.read(origin_key(new)) is not None:
        raise KeyNotFresh("the new key was used in this network before")


def _move_account(old: AccountId, new: AccountId, context: Context) -> None:
    accounts = context.accounts
    before, after = accounts.account(old), accounts.account(new)
    accounts.set_account(new, after.with_balance(after.balance + before.balance))
    accounts.set_account(old, Account(before.highest, before.used, is_given_up=True))
