"""The consensus stage: the epochs of a network at one cell, as one pure state machine.

Its owner feeds in what happened, then calls `finish`, makes `Effects.blocks` durable as they are
listed, and only then carries out the rest: the sends, in order, then the rounds. `durable` says
that an own event is among the blocks: it must be fsynced, because others will see it.

The cell takes part in one epoch (`ActiveEpoch`). When execution finds that a round sealed it, the
owner calls `seal`: the next epoch begins with the new roster, without events; what later rounds of
the old one decided is void, and the transactions in own events that were not received in time are
put again. They keep their ids, so the ledger takes each of them once. Peers need not be in the same
epoch: one behind is served from the epoch before, or from an older one that is read for it; one
ahead is remembered until we are there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core.errors import MyceldError, check
from core.ids import (
    CellId,
    Epoch,
    EventId,
    MemberIndex,
    NetworkId,
    PublicKey,
    Round,
    TransactionId,
)
from gossip.creator import Refusal
from gossip.index import EventIndex
from gossip.score import Misbehaviour
from gossip.sync import Effect as SyncEffect
from gossip.sync import Send, SendEvents
from gossip.wire import Events, Have, Want
from hashgraph.engine import Engine
from hashgraph.errors import WrongEpoch
from hashgraph.event import UnresolvedEvent, decode_any_event, decode_event
from hashgraph.outcome import DecidedRound
from ledger.genesis import Genesis
from ledger.roster import Roster
from ledger.transaction import transaction_id
from node.limits import ARCHIVES_MAX
from node.stages.accuser import ForkSeen
from node.stages.active_epoch import ActiveEpoch, Identity
from node.stages.homeless import Homeless
from node.stages.mempool import Mempool
from node.stages.placed import Placed
from node.stages.sealed_epoch import SealedEpoch

__all__ = ["Consensus", "Decided", "Effects", "Identity", "SendBlocks", "Unpacked"]


@dataclass(frozen=True, slots=True)
class SendBlocks:
    """Send events to a peer: the blocks of the consensus journal with these indexes."""

    peer: CellId
    epoch: Epoch
    blocks: tuple[int, ...]
    last: bool
    hinted: frozenset[MemberIndex] = frozenset()
    """If there are any, each block goes through `Consensus.with_hints` first."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A decided round, and the epoch that decided it."""

    epoch: Epoch
    round: DecidedRound


@dataclass(frozen=True, slots=True)
class Unpacked:
    """New events of a peer's frame, whose signatures are to be checked."""

    epoch: Epoch
    events: list[UnresolvedEvent]
    checks: list[tuple[PublicKey, bytes, bytes]]
    """(public key, message, signature) of each."""


@dataclass(slots=True)
class Effects:
    """What the owner has to do, in the order of the fields."""

    blocks: list[bytes] = field(default_factory=list)
    """Encoded events to append to the consensus journal."""
    durable: bool = False
    """Whether the blocks must be fsynced before anything below is done."""
    recovered: list[bytes] = field(default_factory=list)
    """Transactions in own events that this cell had lost and got back from a peer."""
    unplaced: list[bytes] = field(default_factory=list)
    """Transactions that lost their place to a seal: to be kept with the blocks until they are in
    the order, because the replay of two epochs may not find them again."""
    stored: list[TransactionId] = field(default_factory=list)
    """Transactions that are in an own event among the blocks."""
    homeless: list[bytes] = field(default_factory=list)
    """Transactions to be put by a member: this cell is none. Handed out again until they have
    their place in the order, for whoever gets them may crash."""
    given_up: list[TransactionId] = field(default_factory=list)
    """Transactions of clients that no member put, however often it was asked."""
    sends: list[Send | SendBlocks] = field(default_factory=list)
    rounds: list[Decided] = field(default_factory=list)
    """Decided rounds, to be applied in this order."""
    loads: list[Epoch] = field(default_factory=list)
    """Epochs long before ours that a peer is still in: to be read, for `archived`."""
    forks: list[ForkSeen] = field(default_factory=list)
    """Forks that came to light, each once; the replay's are among the first effects."""
    drops: list[tuple[CellId, MyceldError]] = field(default_factory=list)
    """Peers to disconnect, and why."""
    blames: list[tuple[CellId, Misbehaviour]] = field(default_factory=list)
    """What peers did wrong, for their scores."""


class Consensus:
    """State of the stage. `now_ms` is monotonic; `time_ns` is the wall clock for event times."""

    def __init__(
        self,
        genesis: Genesis,
        roster: Roster,
        identity: Identity,
        mempool: Mempool,
        *,
        first_block: int = 0,
        before: Roster | None = None,
    ) -> None:
        """Start in the epoch of `roster`; `before` is the roster of the one before, if any.

        `first_block` is the index of the first block that `replay` will be given.
        """
        self._genesis = genesis
        self._identity = identity
        self._mempool = mempool
        self._active = ActiveEpoch(genesis, roster, identity, mempool, restarted=True)
        self._first_block = first_block
        self._blocks = first_block
        self._before: _Replayed | None = None
        if before is not None:
            seat = identity.in_roster(before)
            self._before = _Replayed(before, None if seat is None else seat[0])
        self._sealed: SealedEpoch | None = None
        self._peers: dict[CellId, None] = {}
        self._early: dict[CellId, Have] = {}
        self._behind: dict[CellId, Have] = {}
        self._archives: OrderedDict[Epoch, SealedEpoch] = OrderedDict()
        self._loading: Epoch | None = None
        self.is_jumping = False
        """Set while a later checkpoint is fetched: events of this epoch are not asked for then."""
        self._homeless = Homeless()
        self._effects = Effects()

    # -- at start ------------------------------------------------------------------------------

    def replay(self, block: bytes) -> list[Decided]:
        """Take the next block of our own consensus journal; return what it decides."""
        at = self._blocks
        self._blocks += 1
        if self._before is not None and self._before.replay(self._genesis.network_id, block, at):
            return []
        roster = self._active.roster
        try:
            event = decode_event(block, network_id=self._genesis.network_id, epoch=roster.epoch)
        except WrongEpoch:
            return []  # it came late, when an epoch before those was sealed already
        if len(self.index) == 0:
            self._first_block = at
        rounds = self._active.replay(event)
        return [Decided(roster.epoch, decided) for decided in rounds]

    def take_own_before(self) -> list[bytes]:
        """Return transactions in own events of the epoch before, as they are replayed.

        Those that are not in the order are to be put again.
        """
        if self._before is None:
            return []
        own, self._before.own = self._before.own, []
        return own

    def replayed(self) -> None:
        """The journal ends here."""
        if len(self.index) == 0:
            self._first_block = self._blocks
        if self._before is not None:
            self._effects.forks += self._before.forks()
            self._sealed, self._before = self._before.sealed(), None

    def put_again(self, transactions: list[bytes]) -> None:
        """Queue transactions that lost their place, or hand them out if we have no vote."""
        items = [(transaction_id(raw), raw) for raw in transactions]
        if self.me is None:
            self._homeless.keep(items)
        else:
            self._mempool.put_back(items)

    @property
    def homeless(self) -> Homeless:
        """What waits for a member to put it: where clients' transactions go without a vote."""
        return self._homeless

    # -- what the owner feeds in ---------------------------------------------------------------

    def connected(self, peer: CellId, now_ms: int) -> None:
        """A peer finished its handshake."""
        self._peers[peer] = None
        self._active.connected(peer, now_ms)

    def disconnected(self, peer: CellId) -> None:
        """A peer is gone."""
        self._peers.pop(peer, None)
        self._early.pop(peer, None)
        self._behind.pop(peer, None)
        self._active.disconnected(peer)
        for sealed in self._all_sealed():
            sealed.answers.forget(peer)

    def told(self, peer: CellId, frame: Have, now_ms: int) -> None:
        """A peer told what it has of an epoch."""
        if peer not in self._peers:
            return
        if frame.epoch == self.epoch:
            self._active.told(peer, frame, now_ms)
        elif frame.epoch > self.epoch:
            self._early[peer] = frame
        elif not frame.sealed:
            sealed = self._sealed_of(frame.epoch)
            if sealed is not None:
                self._add_sends(sealed, sealed.told(peer, frame.vector))
            else:
                self._behind[peer] = frame
                self._load()

    def wanted(self, peer: CellId, frame: Want, now_ms: int) -> None:
        """A peer asks for what lies beyond its vector."""
        sealed = self._sealed_of(frame.epoch)
        if frame.epoch == self.epoch:
            self._active.wanted(peer, frame.vector, now_ms)
        elif sealed is not None and peer in self._peers:
            try:
                self._add_sends(sealed, sealed.wanted(peer, frame.vector, now_ms))
            except MyceldError as error:
                self._effects.drops.append((peer, error))
                self.disconnected(peer)

    def drained(self, peer: CellId) -> None:
        """The link to a peer has room again."""
        for sealed in self._all_sealed():
            self._add_sends(sealed, sealed.answers.drained(peer))
        self._active.drained(peer)

    def archived(self, epoch: Epoch, index: EventIndex, first_block: int) -> None:
        """An epoch that `Effects.loads` asked for was read from the consensus journal."""
        archive = SealedEpoch(epoch, index, first_block)
        self._archives[epoch] = archive
        if len(self._archives) > ARCHIVES_MAX:
            self._archives.popitem(last=False)
        self._loading = None
        for peer, frame in list(self._behind.items()):
            if frame.epoch == epoch:
                del self._behind[peer]
                self._add_sends(archive, archive.told(peer, frame.vector))
        self._load()

    def unpack(self, peer: CellId, frame: Events) -> Unpacked | None:
        """Return the new events of a frame; None for one that is not of our epoch.

        A peer that sends bytes which are no events of this network is dropped.
        """
        if frame.epoch != self.epoch:
            return None
        events = self._active.unpack(peer, frame.events)
        return Unpacked(
            frame.epoch, events, [self._active.signature_check(event) for event in events]
        )

    def received(
        self,
        peer: CellId,
        unpacked: Unpacked,
        verdicts: Sequence[bool],
        now_ms: int,
        *,
        last: bool,
    ) -> None:
        """Take unpacked events with the verdicts on their signatures; `last` is the frame's."""
        if unpacked.epoch == self.epoch:
            fresh_bytes = self._active.received(peer, unpacked.events, verdicts, now_ms)
            self._active.answered(peer, now_ms, last=last, fresh_bytes=fresh_bytes)

    def applied(self, last_round: Round) -> None:
        """Rounds up to this one are durable."""
        self._active.applied(last_round)

    def seal(self, roster: Roster, now_ms: int) -> None:
        """Begin the epoch of `roster`: the round before its first one sealed ours, durably."""
        old = self._active
        check(roster.epoch == old.roster.epoch + 1, "epochs follow each other")
        self._take_effects()
        again = old.own_transactions_after(Round(roster.first_round - 1))
        old.close()
        self._sealed = SealedEpoch(old.roster.epoch, old.index, self._first_block, old.sync.answers)
        self._add_sends(self._sealed, self._sealed.begin(self._peers))
        self._first_block = self._blocks
        self._active = ActiveEpoch(
            self._genesis,
            roster,
            self._identity,
            self._mempool,
            # Who could make events in the epoch before knows that it made none in this one.
            restarted=old.is_observing,
        )
        if self.me is None:
            again += [raw for _, raw in self._mempool.take_all()]
        else:
            again = [*self._homeless.take_all(), *again]
        self._effects.unplaced += again
        self.put_again(again)
        for peer in self._peers:
            self._active.connected(peer, now_ms)
        early, self._early = self._early, {}
        for peer, frame in early.items():
            self.told(peer, frame, now_ms)

    def with_hints(self, send: SendBlocks, block: bytes) -> bytes:
        """Return the bytes of an event as the peer is to get them, from its journal block."""
        sealed = self._sealed_of(send.epoch)
        if not send.hinted or (sealed is None and send.epoch != self.epoch):
            return block  # nobody forked, or the epoch is out of memory: the peer asks again
        event, _ = decode_any_event(block, self._genesis.network_id)
        index = self.index if sealed is None else sealed.index
        return index.with_hints(event, send.hinted)

    def owed(self) -> list[bytes]:
        """Return all that waits here for a place in the order, as far as this cell knows.

        For who leaves this stage behind with a jump to a later epoch: it is to be put again there.
        """
        own = self._active.own_transactions_after(Round(0))
        return [*self._homeless.all(), *own, *(raw for _, raw in self._mempool.take_all())]

    def pace(self, busy: float) -> None:
        """Tell how busy this cell's processor is, from 0 to 1: a busy one makes fewer events."""
        self._active.pace(busy)

    # -- what the owner takes out --------------------------------------------------------------

    def finish(self, now_ms: int, time_ns: int) -> Effects:
        """Let time pass, make an own event if it is time to, and return all effects so far."""
        self._active.finish(now_ms, time_ns)
        self._take_effects()
        for sealed in self._all_sealed():
            self._add_sends(sealed, sealed.answers.tick(now_ms))
            self._effects.blames += sealed.answers.take_blamed()
        handed, given_up = self._homeless.due(now_ms)
        self._effects.homeless += handed
        self._effects.given_up += given_up
        effects, self._effects = self._effects, Effects()
        return effects

    def wait_ms(self, now_ms: int) -> int | None:
        """Return after how long `finish` has something to do by itself; None if never."""
        waits = [self._active.wait_ms(now_ms)]
        waits += [sealed.answers.wait_ms(now_ms) for sealed in self._all_sealed()]
        waits.append(self._homeless.wait_ms(now_ms))
        return min((wait for wait in waits if wait is not None), default=None)

    @property
    def epoch(self) -> Epoch:
        """The epoch that the cell takes part in."""
        return self._active.roster.epoch

    @property
    def roster(self) -> Roster:
        """The members of that epoch."""
        return self._active.roster

    @property
    def me(self) -> MemberIndex | None:
        """The cell's place among them; None without a vote."""
        return self._active.me

    @property
    def epoch_ahead(self) -> Epoch | None:
        """The highest epoch that a connected peer is in, if that is beyond ours."""
        return max((frame.epoch for frame in self._early.values()), default=None)

    @property
    def is_observing(self) -> bool:
        """Whether this member may not make events yet."""
        return self._active.is_observing

    @property
    def has_forked(self) -> bool:
        """Whether somebody signs events with this cell's key elsewhere: it makes none itself."""
        return self.me is not None and self.me in self._active.forkers

    @property
    def why_silent(self) -> Refusal | None:
        """Why no event was made when it was last considered; None if one was."""
        return self._active.why_silent

    @property
    def refusals(self) -> Mapping[Refusal, int]:
        """How often no event was made in this epoch, by reason."""
        return self._active.refusals

    @property
    def has_work(self) -> bool:
        """Whether transactions are known that have no place in the order."""
        return self._active.has_work

    @property
    def engine(self) -> Engine:
        """The hashgraph of the epoch, for questions only."""
        return self._active.engine

    @property
    def index(self) -> EventIndex:
        """The events of the epoch, for questions only."""
        return self._active.index

    @property
    def network_id(self) -> NetworkId:
        """The network whose events these are."""
        return self._genesis.network_id

    @property
    def placed(self) -> Placed:
        """The places of the epoch's events in the order, for questions only."""
        return self._active.placed

    @property
    def first_block(self) -> int:
        """The block of the consensus journal that holds, or will hold, the epoch's first event."""
        return self._first_block

    @property
    def orphans(self) -> int:
        """How many events wait for their parents."""
        return self._active.sync.orphans

    @property
    def blocks(self) -> int:
        """The length of the consensus journal once the blocks handed out are in it."""
        return self._blocks

    def block_of(self, event_id: EventId) -> int | None:
        """Return the block of an event of this epoch or the one before, if it is known here."""
        if event_id in self.index:
            return self._first_block + self.index.arrival(event_id)
        for sealed in self._all_sealed():
            if event_id in sealed.index:
                return sealed.first_block + sealed.index.arrival(event_id)
        return None

    def waiting_transactions(self) -> list[bytes]:
        """Return the transactions of all events that have no place in the order yet."""
        return self._active.waiting_transactions()

    def queued_transactions(self) -> list[bytes]:
        """Return what is in no event of ours: after a replay, all that is to be put again."""
        return [*self._homeless.all(), *self._mempool.all()]

    def own_count(self) -> int:
        """Return how many events of the epoch are our own."""
        return self._active.own_count()

    def is_streaming(self, peer: CellId) -> bool:
        """Return whether a peer's Want is not answered whole yet."""
        sealed = any(sealed.answers.is_streaming(peer) for sealed in self._all_sealed())
        return sealed or self._active.is_streaming(peer)

    # -- inside --------------------------------------------------------------------------------

    def _all_sealed(self) -> list[SealedEpoch]:
        before = [] if self._sealed is None else [self._sealed]
        return [*before, *self._archives.values()]

    def _sealed_of(self, epoch: Epoch) -> SealedEpoch | None:
        """Return an epoch before ours, if it is in memory."""
        if self._sealed is not None and self._sealed.epoch == epoch:
            return self._sealed
        archive = self._archives.get(epoch)
        if archive is not None:
            self._archives.move_to_end(epoch)
        return archive

    def _load(self) -> None:
        """Ask for the earliest epoch that a peer is behind in, one at a time."""
        epochs = [frame.epoch for frame in self._behind.values()]
        if self._loading is None and epochs:
            self._loading = min(epochs)
            self._effects.loads.append(self._loading)

    def _take_effects(self) -> None:
        """Move the effects of the active epoch into ours."""
        taken, effects = self._active.take_effects(), self._effects
        effects.blocks += taken.blocks
        effects.durable = effects.durable or taken.durable
        effects.recovered += taken.recovered
        effects.stored += taken.stored
        self._add_sends(None, taken.sends)
        for decided in taken.rounds:
            effects.rounds.append(Decided(self.epoch, decided))
            self._note_ordered(decided)
        for creator in taken.forkers:
            effects.forks += _fork_seen(self.roster, self.index, creator, self._first_block)
        effects.drops += taken.drops
        effects.blames += taken.blames
        for peer, _ in taken.drops:
            self.disconnected(peer)
        self._blocks += len(taken.blocks)

    def _note_ordered(self, decided: DecidedRound) -> None:
        """Forget homeless transactions that have a place now."""
        if self._homeless:
            for ordered in decided.ordered:
                for raw in ordered.event.payload:
                    self._homeless.pop(transaction_id(raw))

    def _add_sends(self, sealed: SealedEpoch | None, sends: Iterable[SyncEffect]) -> None:
        """Name events by their blocks."""
        epoch = self.epoch if sealed is None else sealed.epoch
        first = self._first_block if sealed is None else sealed.first_block
        for effect in sends:
            if isinstance(effect, SendEvents):
                blocks = tuple(first + arrival for arrival in effect.arrivals)
                self._effects.sends.append(
                    SendBlocks(effect.peer, epoch, blocks, effect.last, effect.hinted)
                )
            elif sealed is not None or not self.is_jumping:
                self._effects.sends.append(effect)


class _Replayed:
    """The epoch before the active one, while the journal is replayed."""

    def __init__(self, roster: Roster, me: MemberIndex | None) -> None:
        self._roster = roster
        self._me = me
        self._first_block = 0
        self._index = EventIndex(len(roster.members))
        self.own: list[bytes] = []

    def replay(self, network_id: NetworkId, block: bytes, at: int) -> bool:
        """Take block `at` of the journal; return whether it is of this epoch."""
        try:
            event = decode_event(block, network_id=network_id, epoch=self._roster.epoch)
        except WrongEpoch:
            return False
        if len(self._index) == 0:
            self._first_block = at
        self._index.add_stored(event)
        if event.creator == self._me:
            self.own += event.payload
        return True

    def forks(self) -> list[ForkSeen]:
        """Return the forks of the epoch."""
        return [
            fork
            for creator in range(len(self._roster.members))
            for fork in _fork_seen(
                self._roster, self._index, MemberIndex(creator), self._first_block
            )
        ]

    def sealed(self) -> SealedEpoch:
        """Return the epoch as it is served."""
        return SealedEpoch(self._roster.epoch, self._index, self._first_block)


def _fork_seen(
    roster: Roster, index: EventIndex, creator: MemberIndex, first_block: int
) -> list[ForkSeen]:
    """Return the fork of a member, if it made one, by its blocks of the journal."""
    arrivals = index.fork_of(creator)
    if arrivals is None:
        return []
    return [ForkSeen(roster, creator, (first_block + arrivals[0], first_block + arrivals[1]))]
