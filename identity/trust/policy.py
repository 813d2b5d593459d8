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
from identity.trust.evidence import GENERAL_SCOPE
from identity.trust.limits import POLICY_SCOPES_MAX, SCOPE_LENGTH_MAX


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
        "genesis-read": Level.NONE,  # what a newcomer needs before anybody can know it
        "gossip": Level.NONE,  # of cells that are no members: they follow the order
        "checkpoint-read": Level.NONE,  # the same
        "identity-challenge": Level.NONE,
        "interaction": Level.NONE,  # signs only what took place
        "journal-read": Level.NONE,  # of `consensus` and `state`, which each cell has anyway
        "tx-forward": Level.NONE,  # each is signed by its sender, and budgets bound their number
        "query": Level.READ_ONLY,
        "blob-fetch": Level.READ_ONLY,
        "cell-info": Level.READ_ONLY,
        "chat": Level.LIMITED,
        "auth": Level.LIMITED,
        "interaction-read": Level.LIMITED,  # says with whom this cell deals
        "room-join": Level.LIMITED,
        "message-relay": Level.LIMITED,  # members of a new network relay for each other
        "post": Level.STANDARD,
        "exec": Level.FULL,
        "journal-read-private": Level.FULL,  # those that say what the cell itself did
    }
)
"""What each kind of request of another cell needs, unless the configuration says otherwise."""

PROVABLE: Final = frozenset(
    {"auth", "chat", "exec", "journal-read", "journal-read-private", "post", "query", "room-join"}
)
"""Kinds of requests for which a proof can be demanded: who asks is told, and asks again."""

FRESH: Final = frozenset({"exec", "journal-read-private"})
"""Those that need one of the last hour, unless the configuration says otherwise."""


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
    needs_proof: bool = False
    """Whether it would be let through if the cell proved its key first."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Levels and needs. `scores` rise with the levels, and each kind of request is in `needs`."""

    scores: Mapping[Level, float] = field(default_factory=lambda: SCORES)
    needs: Mapping[str, Level] = field(default_factory=lambda: NEEDS)
    fresh: frozenset[str] = FRESH
    """Which kinds of requests need a fresh proof besides."""
    scopes: Mapping[str, str] = field(default_factory=dict)
    """In which scope the score counts for a kind of request; `general` for those not named."""

    def __post_init__(self) -> None:
        levels = [level for level in Level if level is not Level.NONE]
        if sorted(self.scores) != levels:
            raise BadPolicy("a policy has a score for each level but none")
        scores = [self.scores[level] for level in levels]
        if sorted(set(scores)) != scores or not 0.0 < scores[0] <= scores[-1] <= 1.0:
            raise BadPolicy("the scores of the levels rise, and are above 0 and at most 1")
        scopes = set(self.scopes.values())
        if len(scopes) > POLICY_SCOPES_MAX or not all(map(_is_scope, scopes)):
            raise BadPolicy(
                f"at most {POLICY_SCOPES_MAX} scopes of 1 to {SCOPE_LENGTH_MAX} letters are named"
            )
        if not self.fresh <= PROVABLE:
            unprovable = min(self.fresh - PROVABLE)
            raise BadPolicy(
                f"no proof can be demanded for {unprovable!r}; it can for "
                f"{', '.join(sorted(PROVABLE))}"
            )

    @property
    def guest_score(self) -> float:
        """Return the score that a cell has at least which was let in by a ticket of ours."""
        return self.scores[Level.LIMITED]

    def level(self, score: float) -> Level:
        """Return the highest level that a score reaches."""
        reached = [level for level, least in self.scores.items() if score >= least]
        return max(reached, default=Level.NONE)

    def scope(self, request: str) -> str:
        """Return the scope in which a score counts for a kind of request."""
        return self.scopes.get(request, GENERAL_SCOPE)

    def is_open(self, request: str) -> bool:
        """Return whether anybody may, whatever its score."""
        return self.needs.get(request) is Level.NONE and request not in self.fresh

    def decide(self, request: str, score: float, *, is_proven: bool = False) -> Decision:
        """Decide on a request of a cell with a score, and a fresh proof of its key or none.

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
        if level >= needed and request in self.fresh and not is_proven:
            reason = f"{request} needs a proof of its key within the hour, over a direct connection"
            return Decision(False, request, level, needed, score, reason, needs_proof=True)  # noqa: FBT003 - not allowed
        if self.scope(request) != GENERAL_SCOPE:
            reason += f" in {self.scope(request)}"
        return Decision(level >= needed, request, level, needed, score, reason)


def better_score(own: float, agreed: float) -> float:
    """Return the score that counts for a cell of which there are two: the better one.

    What the network agreed on is there without anybody's word; a cell's own word can only add to
    it. Whoever is not to be let in although it behaves is denied by what requests need.
    """
    return max(own, agreed)


def policy_of(
    scores: Mapping[str, float] | None = None,
    needs: Mapping[str, str] | None = None,
    proofs: Mapping[str, str] | None = None,
    scopes: Mapping[str, str] | None = None,
) -> Policy:
    """Return the default policy with some rows changed: by level and by kind of request, in words.

    `proofs` says `fresh` or `none`, `scopes` in which scope the score counts. Raises BadPolicy for
    a word, a kind of request or a scope that there is none of.
    """
    changed = {_level(word): score for word, score in (scores or {}).items()}
    wanted = {request: _level(word) for request, word in (needs or {}).items()}
    proofs, scopes = proofs or {}, scopes or {}
    unknown = sorted((wanted.keys() | proofs.keys() | scopes.keys()) - NEEDS.keys())
    if unknown:
        raise BadPolicy(f"{unknown[0]!r} is no kind of request; there are {', '.join(NEEDS)}")
    if strange := sorted(frozenset(proofs.values()) - {"fresh", "none"}):
        raise BadPolicy(f"a proof is `fresh` or `none`, not {strange[0]!r}")
    fresh = (FRESH - proofs.keys()) | {name for name, word in proofs.items() if word == "fresh"}
    return Policy({**SCORES, **changed}, {**NEEDS, **wanted}, fresh, scopes)


def _is_scope(scope: str) -> bool:
    return 0 < len(scope) <= SCOPE_LENGTH_MAX and scope.isprintable()


def _level(word: str) -> Level:
    for level in Level:
        if level.word == word:
            return level
    raise BadPolicy(f"{word!r} is no level; there are {', '.join(one.word for one in Level)}")


def _shown(score: float) -> str:
    """Return a score in four decimals, rounded down: one that falls short must not look enough."""
    return f"{int(score * 10_000) / 10_000:g}"
