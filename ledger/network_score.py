"""The network's score of each member: what the order itself says of how it behaved.

A score starts at 0.5 and moves once an epoch, at its seal: up for a member of which events were
received in the epoch's rounds, down for one of which none were, and further down for one of whom a
fork was proven. What is known of the epoch so far is part of the state, so a cell that restarts in
the middle of one, or jumps to the end of another, comes to the same scores. Millionths, no floats.

An epoch that ended after a few rounds, because its members changed, says nothing of who is absent:
the events of a slow member may still have been on their way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from core.codec import Value, WrongShape, as_array, as_bytes, as_int, decode, encode
from core.ids import MemberIndex, PublicKey
from core.limits import PUBLIC_KEY_SIZE_BYTES
from ledger.forks import FORK_PREFIX, fork_of_key
from ledger.limits import (
    ABSENCE_ROUNDS_MIN,
    MEMBERS_MAX,
    SCORE_ABSENT_MILLIONTHS,
    SCORE_MILLIONTHS_MAX,
    SCORE_RIGHT_MILLIONTHS,
    SCORE_START_MILLIONTHS,
    SCORE_WRONG_MILLIONTHS,
)
from ledger.roster import Roster
from ledger.succession import current_key

SCORE_PREFIX: Final = b"score/"
"""State keys of scores: this prefix, then the public key. Without one it is the start."""

EPOCH_RECORD_KEY: Final = b"epoch-record"
"""State key of what the epoch so far says of its members; absent before the first event."""

Read: TypeAlias = Callable[[bytes], bytes | None]
"""State key -> its value, None for none."""


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """What the rounds of an epoch say so far."""

    present: frozenset[MemberIndex] = frozenset()
    """Of whom an event was received."""
    wrong: frozenset[PublicKey] = frozenset()
    """Of whom a fork was proven, in this epoch or the one before."""

    def after(self, creators: Iterable[MemberIndex], written: Iterable[bytes]) -> EpochRecord:
        """Return the record after one more round.

        `creators` are those of the events that it received, `written` the state keys that its
        transactions wrote.
        """
        proven = [fork_of_key(key)[1] for key in written if key.startswith(FORK_PREFIX)]
        return EpochRecord(self.present.union(creators), self.wrong.union(proven))

    def encode(self) -> bytes:
        """Return the state value: [[index, …], [public key, …]], both in ascending order."""
        present: list[Value] = [*sorted(self.present)]
        wrong: list[Value] = [*sorted(self.wrong)]
        return encode([present, wrong])


def score_key(member: PublicKey) -> bytes:
    """Return the state key of a member's score."""
    return SCORE_PREFIX + member


def decode_score(value: bytes | None) -> int:
    """Return the score in a state value, in millionths; raises NotCanonical or WrongShape."""
    if value is None:
        return SCORE_START_MILLIONTHS
    (score,) = as_array(decode(value), length=1)
    return as_int(score, high=SCORE_MILLIONTHS_MAX)


def decode_record(value: bytes) -> EpochRecord:
    """Return the record in a state value; raises NotCanonical or WrongShape."""
    present, wrong = as_array(decode(value), length=2)
    indices = as_array(present, length_max=MEMBERS_MAX)
    keys = as_array(wrong, length_max=2 * MEMBERS_MAX)
    record = EpochRecord(
        frozenset(MemberIndex(as_int(item, high=MEMBERS_MAX - 1)) for item in indices),
        frozenset(PublicKey(as_bytes(item, size=PUBLIC_KEY_SIZE_BYTES)) for item in keys),
    )
    if sorted(record.present) != indices or sorted(record.wrong) != keys:
        raise WrongShape("expected each member once, in ascending order")
    return record


def score_changes(
    record: EpochRecord, roster: Roster, rounds: int, read: Read
) -> list[tuple[bytes, bytes]]:
    """Return the scores that move when the epoch of `roster` is sealed after so many rounds.

    A score belongs to whoever has a key, under the key that followed it. `read` sees what the
    sealing round writes.
    """
    changes: list[tuple[bytes, bytes]] = []
    keys = [current_key(read, member.public_key) for member in roster.members]
    present = {keys[index] for index in record.present}
    wrong = {current_key(read, key) for key in record.wrong}
    for key in [*keys, *sorted(wrong.difference(keys))]:
        before = decode_score(read(score_key(key)))
        score = before + _move(key, present, wrong, rounds)
        score = min(max(score, 0), SCORE_MILLIONTHS_MAX)
        changes.append((score_key(key), encode([score])))
    return changes


def _move(
    key: PublicKey, present: Collection[PublicKey], wrong: Collection[PublicKey], rounds: int
) -> int:
    if key in wrong:
        return -SCORE_WRONG_MILLIONTHS
    if key in present:
        return SCORE_RIGHT_MILLIONTHS
    return 0 if rounds < ABSENCE_ROUNDS_MIN else -SCORE_ABSENT_MILLIONTHS
