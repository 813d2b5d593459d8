"""Rosters: who votes in an epoch and by which rules, and where in the order the epoch begins.

The first roster is the genesis's. The round that seals an epoch names the next one by its hash in
its header, which the members of the sealed epoch certify: so whoever has the genesis can check
every later roster, one certificate an epoch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from core.codec import Value, WrongShape, as_array, as_bytes, as_int, as_text, decode, encode
from core.ids import CellId, Epoch, Hash, MemberIndex, PublicKey, Round, cell_id_of
from core.limits import INT_MAX, PUBLIC_KEY_SIZE_BYTES
from ledger.epoch_rules import FIRST_RULES, EpochRules, rules_from
from ledger.errors import BadRoster
from ledger.limits import MEMBERS_MAX, NAME_LENGTH_MAX, WEIGHT_MAX
from ledger.names import is_name

_DOMAIN: Final = "myceld/roster/2"


@dataclass(frozen=True, slots=True)
class Member:
    """One voting member of a roster."""

    public_key: PublicKey
    weight: int
    name: str

    @property
    def cell_id(self) -> CellId:
        """The member's cell id."""
        return cell_id_of(self.public_key)

    def to_value(self) -> Value:
        """Return the encodable array."""
        return [self.public_key, self.weight, self.name]


@dataclass(frozen=True)
class Roster:
    """The members of one epoch, in the order in which events number them.

    `first_round` is the round of the epoch's first events; the consensus times of the epoch come
    after `last_time_ns`. Construction checks the members and raises BadRoster.
    """

    epoch: Epoch
    first_round: Round
    last_time_ns: int
    members: tuple[Member, ...]
    rules: EpochRules = FIRST_RULES

    def __post_init__(self) -> None:
        check_members(self.members)

    @cached_property
    def weights(self) -> tuple[int, ...]:
        """Weights in roster order."""
        return tuple(member.weight for member in self.members)

    @cached_property
    def hash(self) -> Hash:
        """SHA-256 of the canonical bytes."""
        return Hash(hashlib.sha256(self.encode()).digest())

    def index_of(self, public_key: PublicKey) -> MemberIndex | None:
        """Return the position of a key, or None when it is not a member."""
        for index, member in enumerate(self.members):
            if member.public_key == public_key:
                return MemberIndex(index)
        return None

    def is_supermajority(self, weight: int) -> bool:
        """Return whether `weight` is more than 2/3 of the total."""
        return 3 * weight > 2 * sum(self.weights)

    def next(
        self,
        first_round: Round,
        last_time_ns: int,
        members: tuple[Member, ...] | None = None,
        rules: EpochRules | None = None,
    ) -> Roster:
        """Return the roster of the epoch after this one, of the same members unless given."""
        return Roster(
            Epoch(self.epoch + 1),
            first_round,
            last_time_ns,
            self.members if members is None else members,
            self.rules if rules is None else rules,
        )

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        members: list[Value] = [member.to_value() for member in self.members]
        place: list[Value] = [self.epoch, self.first_round, self.last_time_ns]
        return encode([_DOMAIN, *place, self.rules.to_value(), members])


def decode_roster(data: bytes) -> Roster:
    """Return the roster in `data`; raises NotCanonical, WrongShape or BadRoster."""
    domain, epoch, first_round, last_time_ns, rules, members = as_array(decode(data), length=6)
    if domain != _DOMAIN:
        raise WrongShape("not a roster of this version")
    return Roster(
        Epoch(as_int(epoch)),
        Round(as_int(first_round)),
        as_int(last_time_ns),
        tuple(member_of(item) for item in as_array(members, length_max=MEMBERS_MAX)),
        rules_from(rules),
    )


NEXT_MEMBERS_KEY: Final = b"members"
"""State key of the members that the next epoch will have; absent until they first changed."""


def roster_key(epoch: Epoch) -> bytes:
    """Return the state key of an epoch's roster; the first one is in the genesis only."""
    return b"roster/" + epoch.to_bytes(8, "big")


def encode_members(members: tuple[Member, ...]) -> bytes:
    """Return the state value of NEXT_MEMBERS_KEY."""
    return encode([member.to_value() for member in members])


def decode_members(data: bytes) -> tuple[Member, ...]:
    """Return the members in a state value; raises NotCanonical or WrongShape."""
    return tuple(member_of(item) for item in as_array(decode(data), length_max=MEMBERS_MAX))


def member_of(value: Value) -> Member:
    """Return the member in a decoded array; raises WrongShape."""
    public_key, weight, name = as_array(value, length=3)
    return Member(
        PublicKey(as_bytes(public_key, size=PUBLIC_KEY_SIZE_BYTES)),
        as_int(weight, high=INT_MAX),
        as_text(name, length_max=NAME_LENGTH_MAX),
    )


def check_members(members: tuple[Member, ...]) -> None:
    """Raise BadRoster unless these can vote together.

    1 to 128 members with distinct keys, weights of 1 to 2**32, names of 1 to 64
    characters that control nothing.
    """
    if not 1 <= len(members) <= MEMBERS_MAX:
        raise BadRoster(f"{len(members)} members; 1 to {MEMBERS_MAX} are possible")
    if len({member.public_key for member in members}) != len(members):
        raise BadRoster("the same key is listed twice")
    for member in members:
        if not is_name(member.name):
            raise BadRoster(f"a member's name must have 1 to {NAME_LENGTH_MAX} characters")
        if not 1 <= member.weight <= WEIGHT_MAX:
            raise BadRoster(f"weight {member.weight} of {member.name} is not positive or huge")
