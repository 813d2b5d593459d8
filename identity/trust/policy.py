"""Who may do what: a score gives a level, each kind of request needs one, and a decision says why.

Pure: whoever enforces it brings the score, and writes down what was refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from identity.errors import BadPolicy


class Level(IntEnum):
    """How far a cell is let in. Each level allows what those below it do."""

    NONE = 0
    READ_ONLY = 1
    LIMITED = 2
    STANDARD = 3
    FULL = 4

    @property
    def word(self) -> str:
        """The level's name, as in configuration and answers."""
        return self.name.lower().replace("_", "-")


SCORES: Final[Mapping[Level, float]] = MappingProxyType(
    {Level.READ_ONLY: 0.3, Level.LIMITED: 0.5, Level.STANDARD: 0.7, Level.FULL: 0.9}
)
"""The least score of each level; below the first there is none."""

NEEDS: Final[Mapping[str, Level]] = MappingProxyType(
    {
        "ping": Level.NONE,
        "identity-challenge": Level.NONE,
        "query": Level.READ_ONLY,
        "journal-read": Level.READ_ONLY,
        "blob-fetch": Level.READ_ONLY,
        "chat": Level.LIMITED,
        "auth": Level.LIMITED,
        "room-join": Level.LIMITED,
        "tx-forward": Level.STANDARD,
        "post": Level.STANDARD,
        "message-relay": Level.STANDARD,
        "exec": Level.FULL,
        "journal-write": Level.FULL,
    }
)
"""What each kind of request of another cell needs, unless the configuration says otherwise."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request is let through, and why."""

    allowed: bool
    request: str
    level: Level
    needed: Level
    score: float
    reason: str
    """One line, for the one who asks and for the audit journal."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Levels and needs. `scores` rise with the levels, and each kind of request is in `needs`."""

    scores: Mapping[Level, float] = field(default_factory=lambda: SCORES)
    needs: Mapping[str, Level] = field(default_factory=lambda: NEEDS)

    def __post_init__(self) -> None:
        levels = [level for level in Level if level is not Level.NONE]
        if sorted(self.scores) != levels:
            raise BadPolicy("a policy has a score for each level but none")
        scores = [self.scores[level] for level in levels]
        if sorted(set(scores)) != scores or not 0.0 < scores[0] <= scores[-1] <= 1.0:
            raise BadPolicy("the scores of the levels rise, and are above 0 and at most 1")

    def level(self, score: float) -> Level:
        """Return the highest level that a score reaches."""
        reached = [level for level, least in self.scores.items() if score >= least]
        return max(reached, default=Level.NONE)

    def decide(self, request: str, score: float) -> Decision:
        """Decide on a request of a cell with a score.

        A kind of request that the policy does not know needs full access.
        """
        level, needed = self.level(score), self.needs.get(request, Level.FULL)
        shown = _shown(score)
        if level >= needed:
            reason = f"{request} needs {needed.word} access; score {shown} gives {level.word}"
        else:
            least = self.scores[needed]
            reason = (
                f"{request} needs {needed.word} access (score {least:g}); "
                f"score {shown} gives {level.word}"
            )
        return Decision(level >= needed, request, level, needed, score, reason)


def policy_of(
    scores: Mapping[str, float] | None = None, needs: Mapping[str, str] | None = None
) -> Policy:
    """Return the default policy with some rows changed: by level and by kind of request, in words.

    Raises BadPolicy for a level or a kind of request that there is none of.
    """
    changed = {_level(word): score for word, score in (scores or {}).items()}
    wanted = {request: _level(word) for request, word in (needs or {}).items()}
    unknown = sorted(wanted.keys() - NEEDS.keys())
    if unknown:
        raise BadPolicy(f"{unknown[0]!r} is no kind of request; there are {', '.join(NEEDS)}")
    return Policy({**SCORES, **changed}, {**NEEDS, **wanted})


def _level(word: str) -> Level:
    for level in Level:
        if level.word == word:
            return level
    raise BadPolicy(f"{word!r} is no level; there are {', '.join(one.word for one in Level)}")


def _shown(score: float) -> str:
    """Return a score in four decimals, rounded down: one that falls short must not look enough."""
    return f"{int(score * 10_000) / 10_000:g}"
