"""The step of each event: a threshold logical clock (Ford, arXiv:1907.07010). Pure.

An event is one step above the highest step among its ancestors if members with a supermajority of
the weight have an event of that highest step as their newest there, and in that step otherwise. So
nobody can be more than a step ahead of what a supermajority did, and whoever was behind jumps to
where the others are.

A step follows from an event's ancestry alone while no member forks. With forks two cells may count
differently: steps only say when it is worth while to make an event, never what is right.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from core.ids import MemberIndex


class Steps:
    """The steps of all events of an epoch: four bytes an event."""

    def __init__(self, weights: Sequence[int]) -> None:
        self._weights = tuple(weights)
        self._total = sum(weights)
        self._steps = [array("L") for _ in weights]
        self._tips = [-1] * len(weights)
        self._excluded: set[MemberIndex] = set()
        self._top = -1
        self._top_weight = 0

    def note(self, creator: MemberIndex, sequence: int, seen: Sequence[int]) -> int:
        """Note an event after its ancestors; return its step.

        `seen` is the highest sequence per creator among the event and its ancestors, -1 for none.
        """
        known = self._steps[creator]
        if sequence < len(known):
            return known[sequence]  # a fork: the first event of a sequence counts
        step = self._step_above(creator, sequence, seen)
        known.append(step)
        before, self._tips[creator] = self._tips[creator], max(step, self._tips[creator])
        if creator in self._excluded or step <= before:
            return step
        if step > self._top:
            self._top, self._top_weight = step, 0
        if step == self._top:
            self._top_weight += self._weights[creator]
        return step

    def exclude(self, creator: MemberIndex) -> None:
        """Count a creator no longer."""
        if creator in self._excluded:
            return
        self._excluded.add(creator)
        counted = [member for member in range(len(self._tips)) if member not in self._excluded]
        self._top = max((self._tips[member] for member in counted), default=-1)
        self._top_weight = sum(
            self._weights[member] for member in counted if self._tips[member] == self._top
        )

    def of_tip(self, creator: MemberIndex) -> int:
        """Return the step of a creator's newest event, -1 for none."""
        return self._tips[creator]

    def advances(self, me: MemberIndex) -> bool:
        """Return whether an event of mine on top of all tips is in a higher step than my last."""
        return self._top > self._tips[me] or self._top < 0 or self._is_quorum(self._top_weight)

    def awaited(self, me: MemberIndex) -> list[MemberIndex]:
        """Return who made an event in the step before the one to build on, but none in that yet."""
        late = self._top - (1 if self._is_quorum(self._top_weight) else 2)
        if late < 0:
            return []
        return [
            MemberIndex(member)
            for member, step in enumerate(self._tips)
            if step == late and member != me and member not in self._excluded
        ]

    def _step_above(self, creator: MemberIndex, sequence: int, seen: Sequence[int]) -> int:
        top = weight = -1
        for member, highest in enumerate(seen):
            last = sequence - 1 if member == creator else highest
            steps = self._steps[member]
            if last < 0 or not steps:
                continue
            step = steps[min(last, len(steps) - 1)]
            if step > top:
                top, weight = step, 0
            if step == top:
                weight += self._weights[member]
        return top + 1 if top < 0 or self._is_quorum(weight) else top

    def _is_quorum(self, weight: int) -> bool:
        return 3 * weight > 2 * self._total
