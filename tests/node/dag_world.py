"""A hashgraph for questions, without a cell: events, engine, index, places and a journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random

from core.ids import Epoch, EventId, MemberIndex, NetworkId, PublicKey, Round
from core.ids import Sequence as SequenceNumber
from gossip.index import EventIndex
from hashgraph import Engine, Event, make_event
from hashgraph.event import encode_event
from journal.errors import NoSuchBlock
from ledger.roster import Member, Roster
from node.dag import Dag
from node.stages.placed import Placed

NETWORK = NetworkId(b"\x07" * 32)
START_NS = 1_700_000_000_000_000_000
NAMES = ("ada", "grace", "alan", "edsger", "barbara", "donald", "leslie", "tony")


@dataclass
class DagWorld:
    """Members gossip at random; everybody's events come here."""

    members: int = 4
    seed: int = 1
    first_round: int = 1
    events: list[Event] = field(default_factory=list)
    blocks: list[bytes] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)
    is_current: bool = True

    def __post_init__(self) -> None:
        people = tuple(
            Member(PublicKey(sha256(b"%d" % at).digest()), 1, NAMES[at] if at < 8 else f"m{at}")
            for at in range(self.members)
        )
        self.roster = Roster(Epoch(0), Round(self.first_round), -1, people)
        self.engine = Engine(self.roster.weights, rule_set=2, first_round=self.first_round)
        self.index = EventIndex(self.members)
        self.placed = Placed(Round(self.first_round))
        self.tips: list[Event | None] = [None] * self.members
        self._rng = Random(self.seed)  # noqa: S311 - a test that repeats, no secret

    def add(
        self, creator: int, others: Sequence[Event], *, own: Event | None = None, payload: int = 0
    ) -> Event:
        """Make an event on a member's last one, or on `own`, and take it in."""
        own = own or self.tips[creator]
        at = len(self.events)
        event = make_event(
            network_id=NETWORK,
            epoch=Epoch(0),
            creator=MemberIndex(creator),
            sequence=SequenceNumber(0 if own is None else own.sequence + 1),
            self_parent=None if own is None else own.id,
            other_parents=list(others),
            time_ns=START_NS + at * 1_000_000 + self._rng.randrange(3_000_000),
            payload=[b"%d/%d" % (at, item) for item in range(payload)],
            sign=lambda body: sha256(body).digest() + sha256(body + b"2").digest(),
        )
        self.index.add(event, len(encode_event(event)))
        outcome = self.engine.add(event)
        for decided in outcome.decided:
            order = [(self.index.arrival(o.event.id), o.consensus_time_ns) for o in decided.ordered]
            self.placed.note(decided.round, order, len(self.index))
        self.events.append(event)
        self.blocks.append(
            encode_event(event, hints=True) if event.sequence else encode_event(event)
        )
        self.tips[creator] = event
        return event

    def gossip(self, events: int, *, without: Sequence[int] = ()) -> None:
        """Add events on random others' last ones."""
        there = [member for member in range(self.members) if member not in without]
        for _ in range(events):
            creator = self._rng.choice(there)
            known = [tip for m in there if m != creator and (tip := self.tips[m]) is not None]
            others = self._rng.sample(known, min(len(known), self._rng.randint(1, 3)))
            self.add(creator, others, payload=self._rng.choice((0, 0, 1, 3)))

    def dag(self, count: int | None = None) -> Dag:
        """Return the hashgraph as it is now; `count`: only so many events are in the journal."""
        stored = len(self.events) if count is None else count

        async def read(arrivals: Sequence[int]) -> Sequence[bytes]:
            self.reads += arrivals
            if max(arrivals) >= stored:
                raise NoSuchBlock("not stored yet")
            return [self.blocks[at] for at in arrivals]

        return Dag(
            roster=self.roster,
            network_id=NETWORK,
            engine=self.engine,
            index=self.index,
            placed=self.placed,
            count=stored,
            read=read,
            is_current=lambda: self.is_current,
        )

    def below(self, event_id: EventId) -> set[EventId]:
        """Return the ancestry of an event, itself included, by walking parents."""
        by_id = {event.id: event for event in self.events}
        found, rest = {event_id}, [event_id]
        while rest:
            event = by_id[rest.pop()]
            own = () if event.self_parent is None else (event.self_parent,)
            for parent in (*own, *event.other_parents):
                if parent not in found:
                    found.add(parent)
                    rest.append(parent)
        return found
