"""How many members may fail or lie, now and at all, in numbers and in words. Pure.

Consensus needs events of members with more than 2/3 of the weight. So less than a third of it may
be missing or lie; which members that are decides how many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_WORDS: Final = (
    "none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FaultBudget:
    """Numbers of members; whichever they are, unless it says otherwise."""

    members: int
    missing: int
    more: int
    """So many more may fail or lie, whichever; the network goes on."""
    needed: int
    """So many of those missing have to come back at least; 0 with a quorum."""

    @property
    def words(self) -> str:
        """Return one line for people."""
        if self.members == 0:
            return "there are no members"
        if self.needed:
            back = "has" if self.needed == 1 else "have"
            return (
                f"{_of(self.missing, self.members)} {_are(self.missing)} missing: nothing is "
                f"ordered until {_word(self.needed)} {back} come back"
            )
        if self.members == 1:
            return "the only member: if it fails, nothing goes on until it is back"
        if self.more == 0:
            gone = f"{_of(self.missing, self.members)} {_are(self.missing)} missing; "
            return f"{gone if self.missing else ''}{'no more' if self.missing else 'none'} may fail"
        may = f"{_word(self.more)}{' more' if self.missing else ''}"
        whole = "" if self.missing else f" of {_word(self.members)} members"
        gone = f"{_of(self.missing, self.members)} {_are(self.missing)} missing; "
        limit = f"; {_word(self.more + 1)} must not"
        return f"{gone if self.missing else ''}{may}{whole} may fail or lie{limit}"


def fault_budget(present: Sequence[int], missing: Sequence[int]) -> FaultBudget:
    """Return the budget for the weights of members that are here, and of those that are not."""
    total, here = sum(present) + sum(missing), sum(present)
    needed = 0
    for weight in sorted(missing, reverse=True):
        if 3 * here > 2 * total:
            break
        here += weight
        needed += 1
    more, left = 0, sum(present)
    for weight in sorted(present, reverse=True):
        left -= weight
        if 3 * left <= 2 * total:
            break
        more += 1
    return FaultBudget(len(present) + len(missing), len(missing), more, needed)


def _word(number: int) -> str:
    return _WORDS[number] if number < len(_WORDS) else str(number)


def _of(some: int, of: int) -> str:
    return f"{_word(some)} of {_word(of)} members"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
