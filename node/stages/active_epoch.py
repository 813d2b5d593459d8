"""One epoch of consensus at one cell: sync, event creation and hashgraph, as a pure state machine.

A part of `node.stages.consensus`, which carries the effects out. Events are made only once the cell
has *observed*: members with more than 2/3 of the weight (itself included) told how many of its own
events of this epoch they have, and all of those are here. So a cell that comes back with an old
copy of its directory first gets its own lost events back, and never signs a second event with one
sequence. Every epoch begins so: nobody can know what a lost later state of this cell did in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.errors import MyceldError, RemoteViolation
from core.ids import (
    CellId,
    EventId,
    MemberIndex,
    PublicKey,
    Round,
    Signature,
    TransactionId,
    public_key_of,
)
from core.ids import Sequence as SequenceNumber
from gossip.creator import Creator, Plan, Refusal
from gossip.errors import BadEventSignature, BuildsOnForker, Equivocated
from gossip.index import EventIndex
from gossip.limits import PAYLOAD_COUNT_MAX, PAYLOAD_SIZE_BYTES_MAX
from gossip.score import Misbehaviour
from gossip.sync import Effect as SyncEffect
from gossip.sync import Send, Sync
from gossip.wire import Have, Vector
from hashgraph.engine import Engine
from hashgraph.errors import UnknownMember
from hashgraph.event import Event, UnresolvedEvent, decode_event, encode_event, make_event
from hashgraph.outcome import DecidedRound
from hashgraph.outcome import Effects as EngineEffects
from ledger.genesis import Genesis
from ledger.roster import Roster
from node.limits import OBSERVE_CHECK_MS, OBSERVE_PATIENCE_MS, OBSERVE_SETTLE_MS
from node.stages.mempool import Mempool
from node.stages.placed import Placed


@dataclass(slots=True)
class EpochEffects:
    """What came of what was fed in, since it was last taken."""

    blocks: list[bytes] = field(default_factory=list)
    """Encoded events to append to the consensus journal."""
    durable: bool = False
    """Whether one of them is our own."""
    recovered: list[bytes] = field(default_factory=list)
    """Transactions in own events that this cell had lost and got back from a peer."""
    stored: list[TransactionId] = field(default_factory=list)
    """Transactions that are in an own event among the blocks."""
    sends: list[SyncEffect] = field(default_factory=list)
    rounds: list[DecidedRound] = field(default_factory=list)
    forkers: list[MemberIndex] = field(default_factory=list)
    """Members of whom a fork came to light; `index.fork_of` has the events that prove it."""
    drops: list[tuple[CellId, MyceldError]] = field(default_factory=list)
    """Peers to disconnect, and why."""
    blames: list[tuple[CellId, Misbehaviour]] = field(default_factory=list)
    """What peers did wrong, for their scores."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose events we make, and in earlier epochs made."""

    public_key: PublicKey
    sign: Callable[[bytes], Signature]
    earlier: tuple[Identity, ...] = ()
    """Keys that this cell gave up: what an epoch with one of them needs is signed with that."""

    def in_roster(self, roster: Roster) -> tuple[MemberIndex, Callable[[bytes], Signature]] | None:
        """Return our place in a roster and what signs there, None without a vote."""
        for one in (self, *self.earlier):
            index = roster.index_of(one.public_key)
            if index is not None:
                return index, one.sign
        return None


class ActiveEpoch:
    """State of the stage. `now_ms` is monotonic; `time_ns` is the wall clock for event times."""

    def __init__(
        self,
        genesis: Genesis,
        roster: Roster,
        identity: Identity,
        mempool: Mempool,
        *,
        restarted: bool,
    ) -> None:
        """`restarted`: this process does not know what the cell did last."""
        self._mempool = mempool
        self._network_id = genesis.network_id
        self.roster = roster
        seat = identity.in_roster(roster)
        self.me = None if seat is None else seat[0]
        self._sign = identity.sign if seat is None else seat[1]
        self._engine = Engine(
            roster.weights,
            coin_period=roster.rules.coin_period,
            rule_set=roster.rules.rule_set,
            epoch=roster.epoch,
            first_round=roster.first_round,
            last_time_ns=roster.last_time_ns,
        )
        self.index = EventIndex(len(roster.members))
        self.placed = Placed(roster.first_round)
        self.sync = Sync(roster.epoch, self.index)
        self._creator = None if self.me is None else Creator(self.me, roster.weights)
        self._peers: dict[CellId, MemberIndex | None] = {}
        self._own_told: dict[MemberIndex, int] = {}
        self._observed = self.me is None
        self._restarted = restarted
        self._began_ms: int | None = None
        self._own_time_ns = 0
        self._open: set[EventId] = set()
        self._own_open: dict[EventId, Event] = {}
        self._own_recent: deque[tuple[Round, Event]] = deque()
        self._progress_ms = 0
        self.forkers: list[MemberIndex] = []
        """Members known to have forked, as it came to light; maybe this cell's own key."""
        self.effects = EpochEffects()

    # -- what is fed in ------------------------------------------------------------------------

    def replay(self, stored: UnresolvedEvent) -> list[DecidedRound]:
        """Take the next event of our own consensus journal, at start; return what it decides."""
        event = self.index.resolve_stored(stored)
        self._add(event, self._engine.add(event), len(stored.encoded))
        rounds, self.effects.rounds = self.effects.rounds, []
        return rounds

    def connected(self, peer: CellId, now_ms: int) -> None:
        """A peer finished its handshake."""
        self._peers[peer] = self.roster.index_of(public_key_of(peer))
        self.effects.sends += self.sync.connected(peer, now_ms)

    def disconnected(self, peer: CellId) -> None:
        """A peer is gone."""
        if self._peers.pop(peer, None) is not None and not self._observed:
            self._own_told = {m: n for m, n in self._own_told.items() if m in self._members_here()}
        self.sync.disconnected(peer)

    def told(self, peer: CellId, frame: Have, now_ms: int) -> None:
        """A peer told what it has."""
        if self._refuses(peer, lambda: self.sync.told(peer, frame.vector, now_ms)):
            return
        member, me = self._peers[peer], self.me
        if member is not None and me is not None and not (self._observed or frame.sealed):
            if member not in self._own_told:
                self._progress_ms = now_ms
            self._own_told[member] = frame.yours

    def wanted(self, peer: CellId, vector: Vector, now_ms: int) -> None:
        """A peer asks for what lies beyond its vector."""
        self._refuses(peer, lambda: self.sync.wanted(peer, vector, now_ms))

    def drained(self, peer: CellId) -> None:
        """The link to a peer has room again."""
        self.effects.sends += self.sync.answers.drained(peer)

    def unpack(self, peer: CellId, encoded: Iterable[bytes]) -> list[UnresolvedEvent]:
        """Return the new events among `encoded`, for their signatures to be checked.

        A peer that sends bytes which are no events of this network is dropped.
        """
        events: dict[EventId, UnresolvedEvent] = {}
        if peer not in self._peers:
            return []
        try:
            for data in encoded:
                event = decode_event(data, network_id=self._network_id, epoch=self.roster.epoch)
                if not self.sync.is_known(event):
                    self._check_members(event)
                    events[event.id] = event
        except MyceldError as error:
            self._drop(peer, error)
            return []
        return list(events.values())

    def signature_check(self, event: UnresolvedEvent) -> tuple[PublicKey, bytes, bytes]:
        """Return (public key, message, signature) of an unpacked event."""
        return self.roster.members[event.creator].public_key, event.body, event.signature

    def received(
        self,
        peer: CellId,
        events: Sequence[UnresolvedEvent],
        verdicts: Sequence[bool],
        now_ms: int,
    ) -> int:
        """Take unpacked events with the verdicts on their signatures, in the order sent.

        Returns the bytes of those that were added.
        """
        added_bytes = 0
        for event, valid in zip(events, verdicts, strict=True):
            if peer not in self._peers:
                return added_bytes
            if not valid:
                self._drop(peer, BadEventSignature(f"event {event.id.hex()[:16]}… is forged"))
                return added_bytes
            if self.sync.is_known(event):
                continue
            resolved = self.index.resolve(event)
            if resolved is None or not self.sync.admits(resolved):
                self.sync.orphan(peer, event, now_ms)
            elif self._take(peer, event, resolved, now_ms):
                added_bytes += len(event.encoded)
        self._adopt(now_ms)
        return added_bytes

    def answered(self, peer: CellId, now_ms: int, *, last: bool, fresh_bytes: int) -> None:
        """A frame of events from a peer was dealt with; so many bytes of it were added."""
        self.effects.sends += self.sync.answered(peer, now_ms, last=last, fresh_bytes=fresh_bytes)

    def pace(self, busy: float) -> None:
        """Tell how busy this cell's processor is, from 0 to 1: a busy one makes fewer events."""
        if self._creator is not None:
            self._creator.pace(busy)

    # -- what is taken out ---------------------------------------------------------------------

    def finish(self, now_ms: int, time_ns: int) -> None:
        """Let time pass, and make an own event if it is time to."""
        self.effects.sends += self.sync.tick(now_ms)
        self._adopt(now_ms)
        self._observe(now_ms)
        plan = self._plan(now_ms)
        if plan is not None:
            self._create(plan, now_ms, time_ns)

    def take_effects(self) -> EpochEffects:
        """Return all effects since the last call."""
        effects, self.effects = self.effects, EpochEffects()
        effects.sends = [self._with_theirs(effect) for effect in effects.sends]
        effects.blames = self.sync.take_blamed()
        return effects

    def close(self) -> None:
        """Let go of the hashgraph: the epoch is sealed."""
        self._engine.close()

    def applied(self, last_round: Round) -> None:
        """Rounds up to this one are durable: what they received is never put again."""
        while self._own_recent and self._own_recent[0][0] <= last_round:
            self._own_recent.popleft()

    def own_transactions_after(self, last_round: Round) -> list[bytes]:
        """Return the transactions of own events that no round up to `last_round` received."""
        late = [event for received, event in self._own_recent if received > last_round]
        return [raw for event in [*late, *self._own_open.values()] for raw in event.payload]

    def wait_ms(self, now_ms: int) -> int | None:
        """Return after how long `finish` has something to do by itself; None if never."""
        waits = [self.sync.wait_ms(now_ms)]
        if not self._observed:
            waits.append(OBSERVE_CHECK_MS)
        if self._creator is not None and self._observed and self.has_work:
            waits.append(self._creator.wait_ms(now_ms))
        return min((wait for wait in waits if wait is not None), default=None)

    @property
    def is_observing(self) -> bool:
        """Whether this member may not make events yet."""
        return not self._observed

    @property
    def why_silent(self) -> Refusal | None:
        """Why the last chance to make an event was not taken; None if it was, or without a vote."""
        if self._creator is None:
            return None
        return self._creator.last_refusal

    @property
    def refusals(self) -> Mapping[Refusal, int]:
        """How often no event was made in this epoch, by reason; empty without a vote."""
        return {} if self._creator is None else self._creator.refusals

    @property
    def has_work(self) -> bool:
        """Whether transactions are known that have no place in the order."""
        return bool(self._open) or len(self._mempool) > 0

    @property
    def engine(self) -> Engine:
        """The hashgraph, for questions only."""
        return self._engine

    def waiting_transactions(self) -> list[bytes]:
        """Return the transactions of all events that have no place in the order yet."""
        events = [self._engine.event(event_id) for event_id in sorted(self._open)]
        return [raw for event in events if event is not None for raw in event.payload]

    def own_count(self) -> int:
        """Return how many own events there are."""
        return 0 if self.me is None else self.index.count(self.me)

    def is_streaming(self, peer: CellId) -> bool:
        """Return whether a peer's Want is not answered whole yet."""
        return self.sync.answers.is_streaming(peer)

    # -- inside --------------------------------------------------------------------------------

    def _observe(self, now_ms: int) -> None:
        """End observing when enough members told our height and all they told of is here."""
        me = self.me
        if self._observed or me is None:
            return
        weights = self.roster.weights
        told = {me, *self._own_told}
        weight = sum(weights[member] for member in told)
        if self._restarted and len(told) < len(weights):
            # Somebody not connected yet may be the only one who got our last event.
            if self._began_ms is None:
                self._began_ms = now_ms
            if now_ms - self._began_ms < OBSERVE_SETTLE_MS:
                return
        # A claim that nobody backs with events must not keep this cell silent for ever.
        patient = now_ms - self._progress_ms < OBSERVE_PATIENCE_MS
        awaited = max(self._own_told.values(), default=0) if patient else 0
        if 3 * weight > 2 * sum(weights) and self.own_count() >= awaited:
            self._observed = True

    def _with_theirs(self, effect: SyncEffect) -> SyncEffect:
        """Tell a member with our HAVE what we have seen of its own events."""
        if not isinstance(effect, Send) or not isinstance(effect.frame, Have):
            return effect
        member = self._peers.get(effect.peer)
        if member is None:
            return effect
        return Send(effect.peer, replace(effect.frame, yours=self.sync.seen_of(member)))

    def _members_here(self) -> set[MemberIndex]:
        return {member for member in self._peers.values() if member is not None}

    def _plan(self, now_ms: int) -> Plan | None:
        if self._creator is None:
            return None
        if not self._observed:
            self._creator.refuse(Refusal.OBSERVING)
            return None
        return self._creator.plan(
            now_ms, has_payload=len(self._mempool) > 0, has_work=self.has_work
        )

    def _create(self, plan: Plan, now_ms: int, time_ns: int) -> None:
        me = self.me
        if me is None:
            return
        taken = self._mempool.take(
            count_max=PAYLOAD_COUNT_MAX, size_bytes_max=PAYLOAD_SIZE_BYTES_MAX
        )
        event = make_event(
            network_id=self._network_id,
            epoch=self.roster.epoch,
            creator=me,
            sequence=SequenceNumber(self.own_count()),
            self_parent=plan.self_parent,
            other_parents=[self.index.parent(parent) for parent in plan.other_parents],
            # Strictly later than our event before, whatever the wall clock does.
            time_ns=max(time_ns, self._own_time_ns + 1),
            payload=[raw for _, raw in taken],
            sign=self._sign,
        )
        self.effects.stored += [transaction for transaction, _ in taken]
        self.effects.durable = True
        outcome = self._engine.add(event)
        # Its parents can be told without hints: our creator never builds on one that forked.
        size_bytes = self._journal(encode_event(event))
        self.effects.sends += self._add(event, outcome, size_bytes, now_ms)

    def _adopt(self, now_ms: int) -> None:
        """Add the orphans whose parents came, until no more can be added."""
        while adoptable := self.sync.adoptable(now_ms):
            for peer, event, resolved in adoptable:
                self._take(peer, event, resolved, now_ms)

    def _take(self, peer: CellId, signed: UnresolvedEvent, event: Event, now_ms: int) -> bool:
        """Add a verified event whose parents are here; drop the peer if it contradicts them.

        Whatever is refused here is refused by every honest cell, whenever it looks: it depends
        on the event and its ancestry alone. So no honest event is ever on top of it.
        """
        try:
            if event.self_parent is not None:
                self.index.check_time(event.self_parent, event.time_ns)
            if self._engine.forked_creators:
                self._check_forkers(signed, event)
            outcome = self._engine.add(event)
        except RemoteViolation as error:
            self.sync.discard(event.id)
            self._drop(peer, error)
            return False
        self._progress_ms = now_ms
        if event.creator == self.me:
            self.effects.recovered += event.payload
        size_bytes = self._journal(self.index.block(signed, event))
        self.effects.sends += self._add(event, outcome, size_bytes, now_ms)
        return True

    def _check_forkers(self, signed: UnresolvedEvent, event: Event) -> None:
        """Raise BuildsOnForker for an event on one by a creator whose fork it could see.

        `Creator.exclude` keeps to that. It bounds how many branches of a forker others can need.
        """
        named = {creator for creator, _ in signed.other_places}
        forkers = named.intersection(self._engine.forkers_below(event))
        if forkers:
            raise BuildsOnForker(f"an event of member {event.creator} names {min(forkers)}'s")

    def _journal(self, block: bytes) -> int:
        self.effects.blocks.append(block)
        return len(block)

    def _add(
        self, event: Event, outcome: EngineEffects, size_bytes: int, now_ms: int | None = None
    ) -> list[SyncEffect]:
        """Note an event that the hashgraph took; return what sync sends of it."""
        own = event.creator == self.me
        arrival = self.index.add(event, size_bytes)
        if own:
            self._own_time_ns = max(self._own_time_ns, event.time_ns)
            if outcome.fork is not None:
                self._creator = None  # whatever it is that signs with our key, we add no more
        if event.payload:
            self._open.add(event.id)
            if own:
                self._own_open[event.id] = event
        if outcome.fork is not None:
            self._drop_forker(event)
        if outcome.fork is not None and event.creator not in self.forkers:
            self.forkers.append(event.creator)
            self.effects.forkers.append(event.creator)
        if self._creator is not None:
            if outcome.fork is not None:
                self._creator.exclude(event.creator)
            seen = self._engine.ancestor_vector(event.id)
            self._creator.observe(event.id, event.creator, event.sequence, seen, now_ms)
        for decided in outcome.decided:
            self._note_decided(decided)
        self.effects.rounds += outcome.decided
        return self.sync.added(event, arrival, own=own)

    def _drop_forker(self, event: Event) -> None:
        """Drop the creator of two events with one sequence number, whoever passed them on."""
        forker = self.roster.members[event.creator].cell_id
        if forker in self._peers:
            self._drop(forker, Equivocated(f"two events with sequence {event.sequence}"))

    def _note_decided(self, decided: DecidedRound) -> None:
        """Note what has its place; own events are kept until their round is applied."""
        arrival = self.index.arrival
        order = [
            (arrival(ordered.event.id), ordered.consensus_time_ns) for ordered in decided.ordered
        ]
        self.placed.note(decided.round, order, len(self.index))
        for ordered in decided.ordered:
            self._open.discard(ordered.event.id)
            event = self._own_open.pop(ordered.event.id, None)
            if event is not None:
                self._own_recent.append((decided.round, event))

    def _check_members(self, event: UnresolvedEvent) -> None:
        """Raise UnknownMember for an event by none of the epoch, or on one's event."""
        count = len(self.roster.members)
        if event.creator >= count:
            raise UnknownMember(f"creator {event.creator} of {count} members")
        if event.other_places and event.other_places[-1][0] >= count:  # they ascend
            raise UnknownMember(f"a parent by {event.other_places[-1][0]} of {count} members")

    def _refuses(self, peer: CellId, handle: Callable[[], list[SyncEffect]]) -> bool:
        """Run a handler of a peer's frame; drop the peer when the frame breaks the protocol."""
        if peer not in self._peers:
            return True
        try:
            self.effects.sends += handle()
        except MyceldError as error:
            self._drop(peer, error)
            return True
        return False

    def _drop(self, peer: CellId, error: MyceldError) -> None:
        self.effects.drops.append((peer, error))
        self.disconnected(peer)
