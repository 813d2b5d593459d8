"""What one cell is known to say of another, and what that weighs at a time.

Evidence is what an issuer attested, in general and in the scope of the graph, and the interactions
that both signed. It loses weight with age: by half in HALF_LIFE_PERIODS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from identity.trust.limits import (
    HALF_LIFE_PERIODS,
    INTERACTION_WEIGHT_MAX,
    INTERACTIONS_KEPT_MAX,
    LIFE_PERIODS_MAX,
    PERIOD_S,
)

GENERAL_SCOPE: Final = "general"
"""What is attested in this scope counts in every other one, where nothing is said in that."""

_DECAY: Final = tuple(0.5 ** (age / HALF_LIFE_PERIODS) for age in range(LIFE_PERIODS_MAX))


def period_of(time_s: int) -> int:
    """Return the period in which a time lies."""
    return time_s // PERIOD_S


def decay(made: int, now: int) -> float:
    """Return what is left at period `now` of a word of period `made`: 1 for none of it lost.

    A word from the future (clocks differ) is new.
    """
    age = max(now - made, 0)
    return _DECAY[age] if age < LIFE_PERIODS_MAX else 0.0


class Statement(NamedTuple):
    """An attestation, as far as its weight goes. A tuple, for there may be very many."""

    score: float
    """0 to 1."""
    made: int
    """Period."""
    expires_round: int
    """The last round in which it counts, 0 for no end."""

    def counts(self, round_number: int) -> bool:
        """Return whether it says something in a round."""
        return self.expires_round == 0 or round_number <= self.expires_round


class Met(NamedTuple):
    """One interaction: its period and its id."""

    made: int
    identity: bytes


@dataclass(slots=True)
class Evidence:
    """All that counts of what one cell says of another."""

    general: Statement | None = None
    scoped: Statement | None = None
    met: tuple[Met, ...] = ()
    """The newest interactions, in ascending order."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left."""
        return self.general is None and self.scoped is None and not self.met

    def statement(self, round_number: int) -> Statement | None:
        """Return the attestation that counts in a round: the scope's own, else the general one."""
        for found in (self.scoped, self.general):
            if found is not None and found.counts(round_number):
                return found
        return None

    def attested(self, now: int, round_number: int) -> float:
        """Return what the attestation weighs: 0 to 1."""
        found = self.statement(round_number)
        return 0.0 if found is None else found.score * decay(found.made, now)

    def interacted(self, now: int) -> float:
        """Return what the interactions weigh: 0 to INTERACTION_WEIGHT_MAX."""
        left = 1.0
        for one in self.met:
            left *= 1.0 - decay(one.made, now) / 2
        return INTERACTION_WEIGHT_MAX * (1.0 - left)

    def note(self, met: Met) -> bool:
        """Take an interaction; return whether that changes anything."""
        kept = tuple(sorted({*self.met, met})[-INTERACTIONS_KEPT_MAX:])
        changed = kept != self.met
        self.met = kept
        return changed
