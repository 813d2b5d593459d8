"""Fame of witnesses by virtual voting with coin rounds (Baird 2016, section 5: decideFame).

A voter y of round r + d votes on a witness x of round r. d = 1: whether y sees x. d ≥ 2: the
majority by weight of the votes of the round r + d − 1 witnesses that y strongly sees, a tie is yes;
in a normal round a supermajority decides; in a coin round (d a multiple of the coin period) a
supermajority is kept as the vote, else the vote is y's coin, and nothing is decided.

A round is decided when all its known witnesses are and an event of round r + 2 exists. It is closed
then: a witness that turns up later is not famous.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from core.errors import check
from core.ids import Round
from hashgraph.errors import UnfitRules
from hashgraph.event import Event
from hashgraph.graph import Node
from hashgraph.quorum import Quorum, bits
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

    def elect(self, witness: Node) -> None:
        """Let a new witness vote, and let the witnesses above it vote on it."""
        state = self._rounds[witness.round]
        for number in range(self.first_open, witness.round):
            below = self._rounds[number]
            if not below.decided:
                self._vote(witness, below, range(len(below.witnesses)))
        if state.decided:
            state.famous[witness.row] = False
            return
        for number in range(witness.round + 1, self._rounds.last + 1):
            for voter in self._rounds[number].witnesses:
                self._vote(voter, state, (witness.row,))

    def close_rounds(self) -> None:
        """Close every round that is decided by now."""
        for number in range(self.first_open, self._rounds.last - 1):
            state = self._rounds[number]
            if not state.decided and None not in state.famous:
                state.decided = True
                state.votes.clear()
        while self.first_open <= self._rounds.last and self._rounds[self.first_open].decided:
            self.first_open = Round(self.first_open + 1)

    def _vote(self, voter: Node, state: RoundState, rows: Iterable[int]) -> None:
        """Record the voter's vote on these witnesses of `state`, and what it decides."""
        distance = voter.round - state.number
        if distance == 1:
            state.votes[voter] = self._rounds.seen_rows_below(voter)
            return
        ballots = [
            (self._quorum.weights[elector.creator], state.votes[elector])
            for elector in self._electors(voter)
        ]
        total = sum([weight for weight, _ in ballots])
        is_coin_round = distance % self._coin_period == 0
        vote = state.votes.get(voter, 0)
        for row in rows:
            yes = sum([weight for weight, ballot in ballots if ballot >> row & 1])
            no = total - yes
            answer = yes >= no
            if not self._quorum.is_supermajority(max(yes, no)):
                if is_coin_round:
                    answer = self._coin(voter.held_event())
            elif not is_coin_round:
                check(state.famous[row] in (None, answer), "a decided fame flips")
                state.famous[row] = answer
            vote |= answer << row
        state.votes[voter] = vote

    def _electors(self, voter: Node) -> list[Node]:
        witnesses = self._rounds[voter.round - 1].witnesses
        return [witnesses[row] for row in bits(voter.strong)]
