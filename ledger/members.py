"""How a roster changes: by what the members decide, and by who leaves.

A change adds a member, removes one, or changes a weight. It is an action of a proposal
(`ledger.governance`); `member-propose` and `member-approve` are the short way to propose a single
one and to vote yes. A decided change goes into NEXT_MEMBERS_KEY, and the round seals its epoch: the
next one begins with it. Several changes of one round build on each other. A member may also leave
by itself, without a vote.

A change must be possible when it is proposed and again at each yes vote. A key that was given up
stands for the one that followed (`ledger.succession`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from core.codec import Value, as_array, as_bytes, as_int, as_text
from core.ids import PublicKey, TransactionId
from core.limits import HASH_SIZE_BYTES, INT_MAX, PUBLIC_KEY_SIZE_BYTES
from ledger.context import Context
from ledger.errors import (
    AlreadyAMember,
    BadProposal,
    LastMember,
    NoSuchMember,
    NotAMember,
    RosterFull,
)
from ledger.limits import MEMBERS_MAX, WEIGHT_MAX
from ledger.names import is_name
from ledger.roster import NEXT_MEMBERS_KEY, Member, decode_members, encode_members
from ledger.succession import current_key

Changes: TypeAlias = list[tuple[bytes, bytes]]
"""(state key, state value) pairs."""


class Action(StrEnum):
    """What a proposal does."""

    ADD = "add"
    REMOVE = "remove"
    WEIGHT = "weight"


@dataclass(frozen=True, slots=True)
class MemberPropose:
    """Change one member: by itself, propose that and vote yes.

    ADD takes a weight and a name, WEIGHT only a weight, REMOVE neither.
    """

    action: Action
    public_key: PublicKey
    weight: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class MemberApprove:
    """Vote yes on a proposal, by the id of the transaction that made it."""

    proposal: TransactionId


@dataclass(frozen=True, slots=True)
class MemberLeave:
    """Leave the roster. The sender is a member up to the end of the round's epoch."""


def parse_propose(items: list[Value]) -> MemberPropose:
    """Return the checked arguments of `member-propose`; raises BadProposal or WrongShape."""
    action, public_key, weight, name = as_array(items, length=4)
    text = as_text(action, length_max=INT_MAX)
    if text not in {one.value for one in Action}:
        raise BadProposal(f"{text[:32]!r} is not an action")
    propose = MemberPropose(
        Action(text),
        PublicKey(as_bytes(public_key)),
        as_int(weight, low=-INT_MAX - 1),
        as_text(name, length_max=INT_MAX),
    )
    if len(propose.public_key) != PUBLIC_KEY_SIZE_BYTES:
        raise BadProposal(f"a public key has {PUBLIC_KEY_SIZE_BYTES} bytes")
    named, weighed = is_name(propose.name), 1 <= propose.weight <= WEIGHT_MAX
    if not (named if propose.action is Action.ADD else propose.name == ""):
        raise BadProposal(f"the name does not fit the action {propose.action.value!r}")
    if not (propose.weight == 0 if propose.action is Action.REMOVE else weighed):
        raise BadProposal(f"weight {propose.weight} does not fit {propose.action.value!r}")
    return propose


def build_propose(propose: MemberPropose) -> Sequence[Value]:
    """Return the encodable arguments of `member-propose`."""
    return propose.action.value, propose.public_key, propose.weight, propose.name


def parse_approve(items: list[Value]) -> MemberApprove:
    """Return the checked arguments of `member-approve`; raises BadProposal or WrongShape."""
    (proposal,) = as_array(items, length=1)
    approve = MemberApprove(TransactionId(as_bytes(proposal)))
    if len(approve.proposal) != HASH_SIZE_BYTES:
        raise BadProposal(f"the id of a proposal has {HASH_SIZE_BYTES} bytes")
    return approve


def build_approve(approve: MemberApprove) -> Sequence[Value]:
    """Return the encodable arguments of `member-approve`."""
    return (approve.proposal,)


def change_changes(change: MemberPropose, context: Context) -> Changes:
    """Return what writes a change of one member into the next epoch.

    Raises AlreadyAMember, RosterFull, NoSuchMember or LastMember.
    """
    named = current_key(context.read, change.public_key)
    after = _changed(planned_members(context), dataclasses.replace(change, public_key=named))
    return [(NEXT_MEMBERS_KEY, encode_members(after))]


def parse_leave(items: list[Value]) -> MemberLeave:
    """Return the arguments of `member-leave`, which has none; raises WrongShape."""
    as_array(items, length=0)
    return MemberLeave()


def build_leave(leave: MemberLeave) -> Sequence[Value]:  # noqa: ARG001 - a row of the table
    """Return the encodable arguments of `member-leave`."""
    return ()


def leave_changes(leave: MemberLeave, context: Context) -> Changes:  # noqa: ARG001 - a row
    """Return what leaving writes; raises NotAMember, NoSuchMember or LastMember."""
    check_member(context)
    return removal_changes(context.sender, context)


def removal_changes(member: PublicKey, context: Context) -> Changes:
    """Return what takes a member out of the next epoch; raises NoSuchMember or LastMember."""
    left = _changed(planned_members(context), MemberPropose(Action.REMOVE, member))
    return [(NEXT_MEMBERS_KEY, encode_members(left))]


def planned_members(context: Context) -> tuple[Member, ...]:
    """Return the members of the next epoch, as decided so far.

    Outside a round that changed it, NEXT_MEMBERS_KEY holds the members of the roster in force.
    """
    value = context.read(NEXT_MEMBERS_KEY)
    return context.roster.members if value is None else decode_members(value)


def check_member(context: Context) -> None:
    """Raise NotAMember unless the sender is a member of the epoch."""
    if context.roster.index_of(context.sender) is None:
        raise NotAMember(f"the sender is not a member in epoch {context.roster.epoch}")


def _changed(members: tuple[Member, ...], change: MemberPropose) -> tuple[Member, ...]:
    """Return the members after a change: new ones at the end, the others in their order.

    Raises AlreadyAMember, RosterFull, NoSuchMember or LastMember.
    """
    key = change.public_key
    is_member = any(member.public_key == key for member in members)
    if change.action is Action.ADD:
        if is_member:
            raise AlreadyAMember("the key to add is that of a member")
        if len(members) >= MEMBERS_MAX:
            raise RosterFull(f"the roster has {MEMBERS_MAX} members already")
        return (*members, Member(key, change.weight, change.name))
    if not is_member:
        raise NoSuchMember(f"the key to {change.action.value} is not that of a member")
    if change.action is Action.WEIGHT:
        return tuple(
            dataclasses.replace(member, weight=change.weight)
            if member.public_key == key
            else member
            for member in members
        )
    if len(members) == 1:
        raise LastMember("nobody would be left")
    return tuple(member for member in members if member.public_key != key)
