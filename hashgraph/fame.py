"""Fame of witnesses by virtual voting with coin rounds (Baird 2016, section 5: decideFame).

A voter y of round r + d votes on a witness x of round r. d = 1: whether y sees x. d ≥ 2: the
majority by weight of the votes of the round r + d − 1 witnesses that y strongly sees, a tie is yes;
in a normal round a supermajority decides; in a coin round (d a multiple of the coin period) a
supermajority is kept as the vote, else the vote is y's coin, and nothing is decided.

Rule set 2: a voter is *weak* if those it strongly sees in the round before are no supermajority. It
copies all votes, also those of d = 1, of its *guide*, the strong witness of its own round in its
ancestry that has the smallest id; it decides nothing.

A round is decided when all its known witnesses are and an event of round r + 2 exists. It is closed
then: a witness that turns up later is not famous.

A voter votes on all witnesses of a round at once. A *ballot* is an integer with one lane per row of
the round, 1 for yes; lanes are wide enough for the total weight, so the weighted sum of ballots is
the tally of every row, and one addition compares all of them with a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import mul

from core.errors import check
from core.ids import Round
from hashgraph.errors import UnfitRules
from hashgraph.event import Event
from hashgraph.graph import Node
from hashgraph.quorum import Quorum
from hashgraph.rounds import Rounds, RoundState

Coin = Callable[[Event], bool]
"""The coin of an event; in a live network `event.middle_bit`."""


class Fame:
    """Holds the elections: every new witness votes on older ones and is voted on by newer ones."""

    def __init__(self, quorum: Quorum, rounds: Rounds, *, coin_period: int, coin: Coin) -> None:
        if coin_period < 2:
            raise UnfitRules(f"a coin period of {coin_period}")
        self.first_open = rounds.first
        """Every round below this is decided."""
        self._quorum = quorum
        self._rounds = rounds
        self._coin_period = coin_period
        self._coin = coin
        self._are_ones = set(quorum.units) == {1}
        self._lane_bytes = quorum.total.bit_length() // 8 + 1
        self._lane_bits = 8 * self._lane_bytes
        self._ones: list[int] = [0]

    def elect(self, state: RoundState, witness: Node) -> None:
        """Let a new witness of a round vote, and let the witnesses above it vote on it."""
        row = state.add(witness)
        lane = 1 << row * self._lane_bits
        state.present |= lane
        self._cast_votes(witness)
        if state.decided:
            state.is_not_famous |= lane
        elif self._rounds.last > state.number + 1:
            self._vote_on_late(state)

    def close_rounds(self) -> None:
        """Close every round that is decided by now."""
        for number in range(self.first_open, self._rounds.last - 1):
            state = self._rounds[number]
            if not state.decided and state.is_famous | state.is_not_famous == state.present:
                check(not state.is_famous & state.is_not_famous, "a decided fame flips")
                state.close()
        while self.first_open <= self._rounds.last and self._rounds[self.first_open].decided:
            self._rounds.forget_electors(self.first_open)
            self.first_open = Round(self.first_open + 1)

    def verdict(self, state: RoundState, row: int) -> bool | None:
        """Return whether the witness of a row is famous, None if that is not decided."""
        if state.is_famous >> row * self._lane_bits & 1:
            return True
        return False if state.is_not_famous >> row * self._lane_bits & 1 else None

    def judges(self, state: RoundState) -> list[Node]:
        """Return the famous witnesses of a decided round by creator, the smallest id of each."""
        judges: dict[int, Node] = {}
        for row, witness in enumerate(state.rows):
            if witness is not None and self.verdict(state, row):
                other = judges.get(witness.branch.creator)
                if other is None or witness.id < other.id:
                    judges[witness.branch.creator] = witness
        return [judges[creator] for creator in sorted(judges)]

    def _cast_votes(self, voter: Node) -> None:
        """Let a new witness vote on all witnesses of all rounds below that are not decided."""
        top = voter.round
        guide = self._rounds[top].guides.get(voter)
        electors: list[Node] = []
        units: Sequence[int] = ()
        for number in range(top - 1, self.first_open - 1, -1):
            state = self._rounds[number]
            if state.decided:
                continue
            if guide is not None:
                state.votes[voter] = state.votes[guide]
                continue
            if number == top - 1:
                state.votes[voter] = self._first_ballot(voter, state)
                continue
            if not electors:
                electors, units = self._electors(voter)
            self._count(voter, state, electors, units)

    def _vote_on_late(self, state: RoundState) -> None:
        """Let the voters there are count again: a witness came after them.

        None of them has it as ancestor, so the first votes on it are no, as the ballots say. What
        weak voters copied is right as well: with all first votes no, all later ones of strong
        voters are.
        """
        for number in range(state.number + 2, self._rounds.last + 1):
            above = self._rounds[number]
            for voter in above.witnesses:
                if voter not in above.guides:
                    self._count(voter, state, *self._electors(voter))

    def _first_ballot(self, voter: Node, state: RoundState) -> int:
        """Return yes for the witnesses of the round before that the voter sees."""
        flags = self._rounds.seen_below(voter)
        if self._lane_bytes > 1:
            lanes = bytearray(len(flags) * self._lane_bytes)
            lanes[:: self._lane_bytes] = flags
            flags = bytes(lanes)
        ballot = int.from_bytes(flags, "little")
        for creator in state.several:
            if ballot >> creator * self._lane_bits & 1:
                ballot ^= 1 << creator * self._lane_bits
                ballot |= 1 << state.row_seen_by(voter, creator) * self._lane_bits
        return ballot

    def _electors(self, voter: Node) -> tuple[list[Node], Sequence[int]]:
        """Return the witnesses of the round before that a voter strongly sees, and their units."""
        electors = self._rounds.strong_below(voter)
        return electors, [self._quorum.units[elector.branch.creator] for elector in electors]

    def _count(
        self, voter: Node, state: RoundState, electors: list[Node], units: Sequence[int]
    ) -> None:
        """Count the electors' ballots on a round: record the voter's own, and what it decides."""
        needed = self._quorum.needed
        ballots = map(state.votes.__getitem__, electors)
        tally = sum(ballots) if self._are_ones else sum(map(mul, units, ballots))
        total = sum(units)
        yes = self._at_least(tally, needed, state) if total >= needed else 0
        no = state.present & ~self._at_least(tally, total - needed + 1, state)
        if total < needed:
            no = 0
        if (voter.round - state.number) % self._coin_period:
            flips = yes & state.is_not_famous | no & state.is_famous
            check(not flips, "a decided fame flips")
            state.is_famous |= yes
            state.is_not_famous |= no
            state.votes[voter] = self._at_least(tally, (total + 1) // 2, state)
            return
        unsure = state.present & ~(yes | no)
        state.votes[voter] = yes | (unsure if unsure and self._coin(voter.held_event()) else 0)

    def _at_least(self, tally: int, bound: int, state: RoundState) -> int:
        """Return the present rows whose tally is at least `bound`, which is not negative."""
        rows = len(state.rows)
        while len(self._ones) <= rows:
            self._ones.append(self._ones[-1] << self._lane_bits | 1)
        top = self._lane_bits - 1
        return (tally + self._ones[rows] * ((1 << top) - bound)) >> top & state.present
