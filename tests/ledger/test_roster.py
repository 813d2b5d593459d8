"""A roster reads back as it was hashed, and holds only members that can vote together."""

from __future__ import annotations

import dataclasses
import hashlib
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import NotCanonical, Value, WrongShape, decode, encode
from core.ids import Epoch, PublicKey, Round
from core.limits import INT_MAX
from ledger.epoch_rules import FIRST_RULES
from ledger.errors import BadRoster
from ledger.limits import MEMBERS_MAX, NAME_LENGTH_MAX, VERSION_MAX, WEIGHT_MAX
from ledger.roster import (
    Member,
    Roster,
    decode_members,
    decode_roster,
    encode_members,
    roster_key,
)
from tests.ledger.world import GENESIS, KEYS

_MEMBER = st.builds(
    Member,
    st.binary(min_size=32, max_size=32).map(PublicKey),
    st.integers(1, WEIGHT_MAX),
    st.text(
        st.characters(codec="utf-8", categories=("L", "N", "P", "S")),
        min_size=1,
        max_size=NAME_LENGTH_MAX,
    ),
)
_MEMBERS = st.lists(_MEMBER, min_size=1, max_size=6, unique_by=lambda m: m.public_key).map(tuple)
_NUMBERS = st.integers(0, INT_MAX)
ROSTERS = st.builds(
    Roster,
    epoch=_NUMBERS.map(Epoch),
    first_round=_NUMBERS.map(Round),
    last_time_ns=_NUMBERS,
    members=_MEMBERS,
)


def _roster(*members: Member) -> Roster:
    return Roster(Epoch(0), Round(1), 0, members)


def _numbered(count: int) -> list[Member]:
    return [Member(PublicKey(at.to_bytes(32, "big")), 1, f"m{at}") for at in range(count)]


@given(ROSTERS)
@settings(deadline=None)
def test_a_roster_reads_back_with_its_hash(roster: Roster) -> None:
    again = decode_roster(roster.encode())
    assert again == roster
    assert again.hash == roster.hash == hashlib.sha256(roster.encode()).digest()
    assert decode_members(encode_members(roster.members)) == roster.members


@given(ROSTERS, ROSTERS)
@settings(deadline=None)
def test_every_field_is_under_the_hash(one: Roster, other: Roster) -> None:
    for field in dataclasses.fields(Roster):
        changed = dataclasses.replace(one, **{field.name: getattr(other, field.name)})
        assert (changed.hash == one.hash) == (changed == one)


@given(ROSTERS, st.data())
@settings(deadline=None)
def test_mutated_bytes_are_refused_or_another_roster(roster: Roster, data: st.DataObject) -> None:
    raw = bytearray(roster.encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        other = decode_roster(bytes(raw))
    except (NotCanonical, WrongShape, BadRoster):
        return
    assert other.encode() == raw
    assert other.hash != roster.hash


@given(st.binary(max_size=80))
@settings(deadline=None)
def test_any_bytes_are_refused_with_a_declared_error(data: bytes) -> None:
    with pytest.raises((NotCanonical, WrongShape, BadRoster)):
        decode_roster(data)


@given(ROSTERS, _NUMBERS, _NUMBERS)
@settings(deadline=None)
def test_the_next_roster_is_one_epoch_on(roster: Roster, first_round: int, time_ns: int) -> None:
    same = roster.next(Round(first_round), time_ns)
    assert same == Roster(Epoch(roster.epoch + 1), Round(first_round), time_ns, roster.members)
    newcomer = Member(PublicKey(b"n" * 32), 1, "new")
    assert roster.next(Round(1), 0, (newcomer,)).members == (newcomer,)


@given(st.lists(st.integers(1, WEIGHT_MAX), min_size=1, max_size=9), st.data())
@settings(deadline=None)
def test_a_supermajority_is_strictly_more_than_two_thirds(
    weights: list[int], data: st.DataObject
) -> None:
    roster = _roster(
        *(dataclasses.replace(m, weight=w) for m, w in zip(_numbered(9), weights, strict=False))
    )
    assert roster.weights == tuple(weights)
    total = sum(weights)
    edges = st.sampled_from([2 * total // 3, 2 * total // 3 + 1])
    weight = data.draw(st.integers(0, total) | edges)
    assert roster.is_supermajority(weight) == (Fraction(weight, total) > Fraction(2, 3))


def test_members_are_found_by_key() -> None:
    roster = GENESIS.roster
    assert [roster.index_of(key.public_key) for key in KEYS] == [0, 1, 2, 3]
    assert roster.index_of(PublicKey(bytes(32))) is None
    assert roster.members[0].cell_id == KEYS[0].cell_id


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([], "0 members"),
        (_numbered(MEMBERS_MAX + 1), "129 members"),
        ([*_numbered(2), _numbered(1)[0]], "twice"),
        ([Member(PublicKey(bytes(32)), 0, "m")], "weight 0"),
        ([Member(PublicKey(bytes(32)), -1, "m")], "weight -1"),
        ([Member(PublicKey(bytes(32)), WEIGHT_MAX + 1, "m")], "huge"),
        ([Member(PublicKey(bytes(32)), 1, "")], "name"),
        ([Member(PublicKey(bytes(32)), 1, "x" * (NAME_LENGTH_MAX + 1))], "name"),
        ([Member(PublicKey(bytes(32)), 1, "a\u202eb")], "name"),
        ([Member(PublicKey(bytes(32)), 1, "\udfff")], "name"),
    ],
)
def test_members_that_can_not_vote_together_are_refused(members: list[Member], words: str) -> None:
    with pytest.raises(BadRoster, match=words):
        _roster(*members)
    assert BadRoster.code == "MYC-LEDGER-002"


def test_the_largest_roster_and_the_largest_member_are_taken() -> None:
    assert len(_roster(*_numbered(MEMBERS_MAX)).members) == MEMBERS_MAX
    largest = Member(PublicKey(bytes(32)), WEIGHT_MAX, "\U0001f344" * NAME_LENGTH_MAX)
    roster = _roster(largest)
    assert decode_roster(roster.encode()) == roster


_GOOD: list[Value] = [bytes(32), 1, "m"]


@pytest.mark.parametrize(
    ("at", "item"),
    [
        (0, "myceld/roster/1"),
        (0, b"myceld/roster/2"),
        (1, -1),
        (1, None),
        (2, -1),
        (3, "0"),
        (4, None),
        (4, [10, 2048, 2, 2]),
        (4, [10, 2048, 0, 2, 1]),
        (4, [10, 2048, 2, 2, VERSION_MAX + 1]),
        (4, [-1, 2048, 2, 2, 1]),
        (5, None),
        (5, [None]),
        (5, [_GOOD[:2]]),
        (5, [[*_GOOD, 0]]),
        (5, [[bytes(31), 1, "m"]]),
        (5, [[bytes(32), -1, "m"]]),
        (5, [[bytes(32), True, "m"]]),
        (5, [[bytes(32), 1, b"m"]]),
        (5, [[bytes(32), 1, "m" * (NAME_LENGTH_MAX + 1)]]),
        (5, [_GOOD] * (MEMBERS_MAX + 1)),
    ],
)
def test_other_shapes_are_refused(at: int, item: Value) -> None:
    items = decode(GENESIS.roster.encode())
    assert isinstance(items, list)
    items[at] = item
    for changed in (items, items[:-1]):
        with pytest.raises(WrongShape):
            decode_roster(encode(changed))


def test_members_are_checked_when_they_are_read() -> None:
    members: list[Value] = [_GOOD, _GOOD]
    with pytest.raises(BadRoster, match="twice"):
        decode_roster(encode(["myceld/roster/2", 0, 1, 0, FIRST_RULES.to_value(), members]))


def test_the_keys_of_rosters_sort_by_epoch() -> None:
    keys = [roster_key(Epoch(number)) for number in (0, 1, 255, 256, 2**32, INT_MAX)]
    assert keys == sorted(set(keys))
