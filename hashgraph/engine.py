"""The engine: add events parents first, take out the one order, round by round.

    engine = Engine(weights=[1, 1, 1, 1])
    for event in events:                     # decoded, signature checked, in the journal
        for decided in engine.add(event).decided:
            apply(decided)

The order depends on the graph alone, not on the sequence in which its events were added. The
engine checks no signature, keeps no bytes and knows no clock. It holds an `Event` until it is
ordered, hands it back and then keeps light metadata only.

Invariants, checked at run time: a round never shrinks along ancestry, decided fame never flips, an
event is ordered once, times strictly increase, nothing is handed out after the seal. A broken one
means that a third or more of the weight forked (or a bug), and raises InvariantBroken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from core.ids import Epoch, EventId, MemberIndex, Round
from core.ids import Sequence as SequenceNumber
from hashgraph.errors import EpochSealed, UnfitRules
from hashgraph.event import Event, middle_bit
from hashgraph.fame import Coin, Fame
from hashgraph.graph import Graph, Node
from hashgraph.order import Order
from hashgraph.outcome import DecidedRound, Effects, Seal
from hashgraph.quorum import Quorum
from hashgraph.rounds import Rounds

RULE_SETS: Final = (1, 2)
"""1 is Baird 2016 as published. In 2 weak voters copy: it is safe with less than a third of the
weight forking, which 1 is not (docs/adr/0006)."""


class Engine:
    """One epoch's hashgraph (Baird 2016), incremental."""

    def __init__(
        self,
        weights: Sequence[int],
        *,
        coin_period: int = 10,
        first_round: int = 1,
        coin: Coin = middle_bit,
        last_time_ns: int = -1,
        epoch: int = 0,
        epoch_rounds: int | None = None,
        rule_set: int = 1,
    ) -> None:
        """Start an epoch whose member i has `weights[i]`, under one of `RULE_SETS`.

        `first_round` is the round of events without parents. Consensus times start after
        `last_time_ns`, the last one of the epoch before. The epoch seals itself once
        `epoch_rounds` rounds are handed out, never if that is None. Raises UnfitRules.
        """
        if epoch_rounds is not None and epoch_rounds < 1:
            raise UnfitRules(f"an epoch of {epoch_rounds} rounds")
        if rule_set not in RULE_SETS:
            raise UnfitRules(f"rule set {rule_set}")
        self._quorum = Quorum(weights)
        self._graph = Graph(self._quorum.members)
        self._rounds = Rounds(
            self._quorum, self._graph, Round(first_round), weak_copy=rule_set == 2
        )
        self._fame = Fame(self._quorum, self._rounds, coin_period=coin_period, coin=coin)
        self._order = Order(self._graph, last_time_ns=last_time_ns)
        self._next_round = Round(first_round)
        self._epoch = Epoch(epoch)
        self._rule_set = rule_set
        self._end = None if epoch_rounds is None else first_round + epoch_rounds
        self._seal: Seal | None = None

    @classmethod
    def start(
        cls,
        seal: Seal,
        weights: Sequence[int],
        *,
        coin_period: int = 10,
        coin: Coin = middle_bit,
        epoch_rounds: int | None = None,
    ) -> Engine:
        """Start the epoch after a sealed one, with its rule set and the weights of the new roster.

        Nothing else of the sealed epoch is needed: a cell that has only the checkpoint goes on as
        those do that were there. Raises UnfitRules.
        """
        return cls(
            weights,
            coin_period=coin_period,
            first_round=seal.last_round + 1,
            coin=coin,
            last_time_ns=seal.last_time_ns,
            epoch=seal.epoch + 1,
            epoch_rounds=epoch_rounds,
            rule_set=seal.rule_set,
        )

    def add(self, event: Event) -> Effects:
        """Add one event whose parents are known, and return what came of it.

        Raises UnknownParent or DuplicateEvent when fed out of order, UnknownMember or BrokenChain
        when the event contradicts its parents, EpochSealed after the seal; nothing has changed
        then.
        """
        effects = self.insert(event)
        if not effects.witness or self._next_round >= self._fame.first_open:
            return effects
        decided = []
        while (item := self.next_round()) is not None:
            decided.append(item)
        return replace(effects, decided=tuple(decided))

    def insert(self, event: Event) -> Effects:
        """Add one event and hand out nothing: `next_round` does, one round at a time.

        For callers to whom the contents of a round may be the end of the epoch. Raises what `add`
        raises.
        """
        if self._seal is not None:
            raise EpochSealed(f"epoch {self._epoch} is sealed at round {self._seal.last_round}")
        parents = self._graph.parents(event)
        node, fork = self._graph.insert(event, parents)
        entered = self._rounds.place(node, parents)
        if entered is None:
            quiet = self._rounds[node.round].quiet
            return quiet if fork is None else replace(quiet, fork=fork)
        self._fame.elect(entered, node)
        self._fame.close_rounds()
        return Effects(node.round, witness=True, decided=(), fork=fork)

    def next_round(self) -> DecidedRound | None:
        """Hand out the next decided round, or None if it is not decided or beyond the seal."""
        if self._seal is not None or self._next_round >= self._fame.first_open:
            return None
        state = self._rounds[self._next_round]
        judges = self._fame.judges(state)
        ordered = self._order.receive(state.number, judges)
        self._next_round = Round(self._next_round + 1)
        if self._next_round == self._end:
            self.seal()
        held = sum(self._quorum.units[judge.creator] for judge in judges)
        return DecidedRound(
            state.number,
            tuple(judge.id for judge in judges),
            ordered,
            has_supermajority=held >= self._quorum.needed,
        )

    def seal(self) -> Seal:
        """End the epoch with the last round handed out, and return what the next one starts from.

        Whatever is not received by then is dropped: no later round is handed out. Sealing again
        returns the same. Every cell that seals after the same round has the same seal.
        """
        if self._seal is None:
            last = Round(self._next_round - 1)
            self._seal = Seal(self._epoch, last, self._order.last_time_ns, self._rule_set)
        return self._seal

    @property
    def sealed(self) -> Seal | None:
        """The seal, None while the epoch lives."""
        return self._seal

    def close(self) -> None:
        """Let go of everything at once, when the next epoch has begun; seals, if that is to come.

        Events and branches refer to each other, so memory would wait for the garbage collector.
        """
        self.seal()
        self._graph.clear()
        self._rounds.clear()

    def unordered(self, creator: MemberIndex) -> tuple[Event, ...]:
        """Return a member's events that are not ordered, branch by branch, in their sequence.

        After the seal these are dropped; their creator puts their transactions again.
        """
        return tuple(
            node.held_event()
            for branch in self._graph.branches_of[creator]
            for node in branch.nodes[branch.ordered :]
        )

    def __contains__(self, event_id: EventId) -> bool:
        return event_id in self._graph.nodes

    def __len__(self) -> int:
        return len(self._graph.nodes)

    def event(self, event_id: EventId) -> Event | None:
        """Return an event that is not ordered yet, None for one that is; raises UnknownEvent."""
        return self._graph.node(event_id).event

    def round_of(self, event_id: EventId) -> Round:
        """Return the round created; raises UnknownEvent."""
        return self._graph.node(event_id).round

    def is_witness(self, event_id: EventId) -> bool:
        """Return whether the event is its creator's first in its round; raises UnknownEvent."""
        node = self._graph.node(event_id)
        return self._rounds[node.round].row_of(node) >= 0

    def famous(self, event_id: EventId) -> bool | None:
        """Return whether a witness is famous; None if not decided or no witness.

        Raises UnknownEvent.
        """
        node = self._graph.node(event_id)
        state = self._rounds[node.round]
        row = state.row_of(node)
        return self._fame.verdict(state, row) if row >= 0 else None

    def received_round(self, event_id: EventId) -> Round | None:
        """Return the round received, None if not ordered yet; raises UnknownEvent."""
        return self._graph.node(event_id).received

    def is_ancestor(self, event_id: EventId, ancestor: EventId) -> bool:
        """Return whether `ancestor` is the event itself or below it; raises UnknownEvent."""
        return self._graph.node(event_id).has(self._graph.node(ancestor))

    def sees(self, event_id: EventId, seen: EventId) -> bool:
        """Return whether an event sees another: has it, and knows of no fork by its creator.

        Raises UnknownEvent.
        """
        node, other = self._graph.node(event_id), self._graph.node(seen)
        return node.has(other) and not node.forked >> other.creator & 1

    def strongly_sees(self, event_id: EventId, seen: EventId) -> bool:
        """Return whether an event sees another through a supermajority; raises UnknownEvent."""
        node = self._graph.node(event_id)
        return self._strongly_sees(node, self._tips_below(node), self._graph.node(seen))

    def electors(self, event_id: EventId) -> tuple[EventId, ...]:
        """Return the witnesses of the round before that a witness strongly sees.

        Nothing for what is no witness. Raises UnknownEvent.
        """
        node = self._graph.node(event_id)
        if not self.is_witness(event_id) or node.round == self._rounds.first:
            return ()
        tips = self._tips_below(node)
        below = self._rounds[node.round - 1].witnesses
        return tuple(other.id for other in below if self._strongly_sees(node, tips, other))

    def first_with(self, event_id: EventId, ancestor: EventId) -> EventId | None:
        """Return the earliest self-ancestor of an event, or itself, that has `ancestor`.

        None if the event does not have it. Raises UnknownEvent.
        """
        node, other = self._graph.node(event_id), self._graph.node(ancestor)
        return self._graph.first_with(node, other).id if node.has(other) else None

    def judges(self, number: Round) -> tuple[EventId, ...]:
        """Return the judges of a decided round, by member; nothing for any other round."""
        if not self._rounds.first <= number <= self._rounds.last:
            return ()
        state = self._rounds[number]
        return tuple(judge.id for judge in self._fame.judges(state)) if state.decided else ()

    def ancestor_vector(self, event_id: EventId) -> tuple[int, ...]:
        """Return by member the highest sequence number in the event's ancestry, −1 for none.

        For a member of `forked_creators` that is over all its branches. Raises UnknownEvent.
        """
        lanes = self._graph.lanes(self._graph.node(event_id).vector)
        members = self._quorum.members
        heights = [reached - 1 for reached in lanes[:members]]
        for branch in self._graph.branches[members:]:
            heights[branch.creator] = max(heights[branch.creator], lanes[branch.number] - 1)
        return tuple(heights)

    def forkers_below(self, event: Event) -> tuple[MemberIndex, ...]:
        """Return the members whose fork the ancestry of an event that may be added shows.

        It is the same in every cell. Raises what `add` raises for an event that does not fit.
        """
        return self._graph.forkers_below(self._graph.parents(event))

    def branch_vector(self, event_id: EventId) -> tuple[int, ...]:
        """Return by branch number the highest sequence number in the event's ancestry, −1 for none.

        Branch i is member i's first; further ones are forks, numbered as this cell met them.
        Raises UnknownEvent.
        """
        lanes = self._graph.lanes(self._graph.node(event_id).vector)
        return tuple(reached - 1 for reached in lanes)

    def branches(self) -> tuple[MemberIndex, ...]:
        """Return the creator of every branch, by branch number."""
        return tuple(branch.creator for branch in self._graph.branches)

    def branch_of(self, event_id: EventId) -> int:
        """Return the number of the branch that owns the event; raises UnknownEvent."""
        return self._graph.node(event_id).branch.number

    def heights(self) -> tuple[int, ...]:
        """Return by member the highest sequence number known, −1 for none."""
        return tuple(
            max(b.first_sequence + len(b.nodes) - 1 for b in branches)
            for branches in self._graph.branches_of
        )

    def tips(self, creator: MemberIndex) -> tuple[EventId, ...]:
        """Return the last event of every branch of a member: one, several if it forked, or none."""
        branches = self._graph.branches_of[creator]
        return tuple(branch.nodes[-1].id for branch in branches if branch.nodes)

    def events_at(self, creator: MemberIndex, sequence: SequenceNumber) -> tuple[EventId, ...]:
        """Return the member's events with a sequence number: one, several if it forked, or none."""
        found = []
        for branch in self._graph.branches_of[creator]:
            place = sequence - branch.first_sequence
            if 0 <= place < len(branch.nodes):
                found.append(branch.nodes[place].id)
        return tuple(found)

    def witnesses(self, number: Round) -> tuple[EventId, ...]:
        """Return the witnesses known of a round: by member, then a forker's further ones."""
        if not self._rounds.first <= number <= self._rounds.last:
            return ()
        return tuple(witness.id for witness in self._rounds[number].witnesses)

    @property
    def forked_creators(self) -> tuple[MemberIndex, ...]:
        """Members known to have forked, in rising order."""
        return tuple(sorted(self._graph.forkers))

    @property
    def last_round(self) -> Round:
        """The highest round with an event; `first_round` − 1 if there is none."""
        return self._rounds.last

    @property
    def last_decided_round(self) -> Round:
        """The last round handed on; `first_round` − 1 if there is none."""
        return Round(self._next_round - 1)

    @property
    def decided_rounds(self) -> tuple[Round, ...]:
        """All decided rounds, also those above a round that is not decided yet."""
        return tuple(state.number for state in self._rounds if state.decided)

    @property
    def undecided_count(self) -> int:
        """How many rounds have events and are not handed on yet."""
        return self._rounds.last - self._next_round + 1

    @property
    def unordered_count(self) -> int:
        """How many events are known and not ordered yet."""
        return len(self._graph.nodes) - self._order.count

    def _tips_below(self, node: Node) -> list[tuple[int, Node]]:
        """Return members and their last events in a node's ancestry, without forkers it knows."""
        members = range(self._quorum.members)
        tips = ((m, self._graph.tip_below(node, m)) for m in members if not node.forked >> m & 1)
        return [(member, tip) for member, tip in tips if tip is not None]

    def _strongly_sees(self, node: Node, tips: list[tuple[int, Node]], other: Node) -> bool:
        if not node.has(other) or node.forked >> other.creator & 1:
            return False
        through = 0
        for member, tip in tips:
            if tip.has(other):
                through |= 1 << member
        return self._quorum.is_super_mask(through)
