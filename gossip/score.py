"""Scores: what a peer's misbehaviour costs it, and for how long it is left alone.

Each kind of misbehaviour adds points, which halve with time. From SCORE_THROTTLE on a peer is
served last; at SCORE_BAN it is disconnected and not talked to for a while, longer each time. A
member of the roster is never away for long, since consensus needs its weight; a stranger may be;
an IP address, behind which others may sit too, only shortly, and its score counts for strangers
alone. So nobody can get a member banned by anything but that member's own authenticated frames.

Pure and bounded: `SCORES_MAX` subjects, the ones without a ban and longest silent leave first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from gossip.limits import (
    BAN_FORGIVEN_MS,
    BAN_MS_MAX_ADDRESS,
    BAN_MS_MAX_MEMBER,
    BAN_MS_MAX_STRANGER,
    BAN_MS_MIN_ADDRESS,
    BAN_MS_MIN_MEMBER,
    BAN_MS_MIN_STRANGER,
    SCORE_AFTER_BAN,
    SCORE_BAN,
    SCORE_HALF_LIFE_MS,
    SCORE_MAX,
    SCORE_THROTTLE,
    SCORES_MAX,
)


class Misbehaviour(Enum):
    """What a peer can do wrong. The first ones never happen to an honest peer."""

    FORGED = "a signature that is not its signer's"
    BROKEN_FRAME = "bytes that are no frame, or too many"
    EQUIVOCATION = "two events with one sequence number"
    ABUSE = "more streams or bytes than the transport allows"
    BREACH = "a frame that the protocol does not allow"
    UNASKED = "events of others that nobody asked it for"
    UNRESOLVED = "events whose parents it does not have"
    BAD_SPORE = "a spore that was tampered with"
    BAD_TRANSACTION = "a forwarded transaction that is not valid"
    WANT_FLOOD = "asking for the same again and again"
    FRAME_FLOOD = "more frames than its share"
    REPEATED = "an event sent again, unasked"
    SLOW_READING = "not taking what is sent to it"
    UNANSWERED = "not answering what it has told of"
    CHURN = "connecting again and again"
    HANDSHAKE = "no valid HELLO in time"


class Subject(Enum):
    """Whose score it is: that decides how long a ban may be."""

    MEMBER = "member"
    STRANGER = "stranger"
    ADDRESS = "address"


class Standing(IntEnum):
    """What follows from a score."""

    GOOD = 0
    THROTTLED = 1
    BANNED = 2


COSTS: Final[Mapping[Misbehaviour, float]] = {
    Misbehaviour.FORGED: 100.0,
    Misbehaviour.BROKEN_FRAME: 100.0,
    Misbehaviour.EQUIVOCATION: 100.0,
    Misbehaviour.ABUSE: 100.0,
    Misbehaviour.BREACH: 60.0,
    Misbehaviour.UNASKED: 35.0,
    Misbehaviour.UNRESOLVED: 40.0,
    Misbehaviour.BAD_SPORE: 50.0,
    Misbehaviour.BAD_TRANSACTION: 50.0,
    Misbehaviour.WANT_FLOOD: 10.0,
    Misbehaviour.FRAME_FLOOD: 0.05,
    Misbehaviour.REPEATED: 0.2,
    # An overloaded or badly connected cell does these too: they ban it only when they persist.
    Misbehaviour.SLOW_READING: 35.0,
    Misbehaviour.UNANSWERED: 5.0,
    Misbehaviour.CHURN: 3.0,
    # A cell of another version dials every three seconds for ever: it stays below a ban.
    Misbehaviour.HANDSHAKE: 5.0,
}

_BANS_MS: Final[Mapping[Subject, tuple[int, int]]] = {
    Subject.MEMBER: (BAN_MS_MIN_MEMBER, BAN_MS_MAX_MEMBER),
    Subject.STRANGER: (BAN_MS_MIN_STRANGER, BAN_MS_MAX_STRANGER),
    Subject.ADDRESS: (BAN_MS_MIN_ADDRESS, BAN_MS_MAX_ADDRESS),
}


@dataclass(slots=True)
class _Score:
    subject: Subject
    points: float
    at_ms: int
    """When the points were what they are."""
    banned_until_ms: int
    bans: int = 0
    """Bans that are not forgiven yet: each doubles the next."""


class Scores:
    """The scores at one cell, by cell id or IP address. Times are of one monotonic clock."""

    def __init__(self) -> None:
        self._scores: OrderedDict[str, _Score] = OrderedDict()

    def __len__(self) -> int:
        return len(self._scores)

    def note(
        self, key: str, subject: Subject, what: Misbehaviour, now_ms: int, *, times: float = 1
    ) -> Standing:
        """Add `times` the cost of a misbehaviour; return the standing after it."""
        score = self._scores.get(key)
        if score is None:
            self._make_room(now_ms)
            score = self._scores[key] = _Score(subject, 0.0, now_ms, now_ms)
        self._scores.move_to_end(key)
        score.subject = subject
        score.points = min(SCORE_MAX, _points(score, now_ms) + times * COSTS[what])
        score.at_ms = now_ms
        if score.points >= SCORE_BAN and score.banned_until_ms <= now_ms:
            self._ban(score, now_ms)
        return self.standing(key, subject, now_ms)

    def standing(self, key: str, subject: Subject, now_ms: int) -> Standing:
        """Return how a peer is to be treated now."""
        if self.banned_ms(key, subject, now_ms) > 0:
            return Standing.BANNED
        return Standing.THROTTLED if self.points(key, now_ms) >= SCORE_THROTTLE else Standing.GOOD

    def points(self, key: str, now_ms: int) -> float:
        """Return the points now, from 0 to SCORE_MAX."""
        score = self._scores.get(key)
        return 0.0 if score is None else _points(score, now_ms)

    def banned_ms(self, key: str, subject: Subject, now_ms: int) -> int:
        """Return for how long it is banned yet, 0 when it is not.

        `subject` is what it is now: a stranger that became a member is not kept away for longer
        than a member may be.
        """
        score = self._scores.get(key)
        if score is None:
            return 0
        remaining_ms = score.banned_until_ms - now_ms
        if score.subject is not subject:
            remaining_ms = min(remaining_ms, _BANS_MS[subject][1])
        return max(0, remaining_ms)

    def banned(self, now_ms: int) -> list[tuple[str, Subject]]:
        """Return everyone with a ban, and as what they got it."""
        return [
            (key, score.subject)
            for key, score in self._scores.items()
            if score.banned_until_ms > now_ms
        ]

    def _ban(self, score: _Score, now_ms: int) -> None:
        forgiven = (now_ms - score.banned_until_ms) // BAN_FORGIVEN_MS
        score.bans = max(0, score.bans - forgiven)
        shortest_ms, longest_ms = _BANS_MS[score.subject]
        score.banned_until_ms = now_ms + min(longest_ms, shortest_ms << min(score.bans, 16))
        score.bans += 1
        score.points = SCORE_AFTER_BAN

    def _make_room(self, now_ms: int) -> None:
        """Forget one subject when there are too many: rather one that is not banned now."""
        if len(self._scores) < SCORES_MAX:
            return
        free = (key for key, score in self._scores.items() if score.banned_until_ms <= now_ms)
        del self._scores[next(free, next(iter(self._scores)))]


def _points(score: _Score, now_ms: int) -> float:
    passed_ms = max(0, now_ms - max(score.at_ms, min(score.banned_until_ms, now_ms)))
    return float(score.points * 0.5 ** (passed_ms / SCORE_HALF_LIFE_MS))
