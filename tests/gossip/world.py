"""What the tests of sync share: cheap events, and nodes that exchange frames without a network.

Signatures are hashes here: sync and its index never check them.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from core.ids import CellId, Epoch, EventId, MemberIndex, NetworkId, Signature
from core.ids import Sequence as SequenceNumber
from gossip.index import EventIndex
from gossip.sync import Effect, Send, SendEvents, Sync
from gossip.wire import Have, Want
from hashgraph.event import Event, UnresolvedEvent, decode_event, encode_event, make_event
from hashgraph.header import Parent

NETWORK = NetworkId(bytes(32))
EPOCH = Epoch(3)


def event(
    creator: int,
    self_parent: Event | None = None,
    others: Sequence[Parent] = (),
    *,
    salt: bytes = b"",
    time_ns: int | None = None,
) -> Event:
    """Return an event; another `salt` makes another event of the same place."""
    sequence = 0 if self_parent is None else self_parent.sequence + 1
    return make_event(
        network_id=NETWORK,
        epoch=EPOCH,
        creator=MemberIndex(creator),
        sequence=SequenceNumber(sequence),
        self_parent=None if self_parent is None else self_parent.id,
        other_parents=others,
        time_ns=sequence + 1 if time_ns is None else time_ns,
        payload=[salt] if salt else [],
        sign=lambda body: Signature(hashlib.sha512(body).digest()),
    )


def unresolved(item: Event, *, hints: bool = False) -> UnresolvedEvent:
    """Return an event as a peer sends it."""
    data = encode_event(item, hints=hints)
    return decoded(data)


@lru_cache(maxsize=4096)
def decoded(data: bytes) -> UnresolvedEvent:
    """Return the event in some bytes: nodes of one process need not read each anew."""
    return decode_event(data, network_id=NETWORK, epoch=EPOCH)


def chain(creator: int, length: int, *, salt: bytes = b"") -> list[Event]:
    """Return the first events of a creator."""
    events: list[Event] = []
    for _ in range(length):
        events.append(event(creator, events[-1] if events else None, salt=salt))
    return events


@dataclass
class Node:
    """A cell's sync with its index, and frames on their way to it."""

    name: CellId
    members: int = 4
    events: list[Event] = field(default_factory=list)
    blocks: list[bytes] = field(default_factory=list)
    """Their bytes, as a journal keeps them."""
    asked: int = 0
    """Wants that this node sent."""
    pushes: bool = True
    """Whether its own events reach its peers by themselves."""

    def __post_init__(self) -> None:
        self.index = EventIndex(self.members)
        self.sync = Sync(EPOCH, self.index)
        self.nodes: dict[CellId, Node] = {}
        self.inbox: deque[tuple[CellId, Have | Want | tuple[list[bytes], bool]]] = deque()

    def add(self, item: Event, *, own: bool = False) -> None:
        """Add an event whose parents are here."""
        self._take(unresolved(item), item, own=own)

    def _take(self, signed: UnresolvedEvent, item: Event, *, own: bool) -> None:
        self.events.append(item)
        self.blocks.append(self.index.block(signed, item))
        arrival = self.index.add(item, len(self.blocks[-1]))
        effects = self.sync.added(item, arrival, own=own)
        if self.pushes:
            self.carry_out(effects, 0)

    def carry_out(self, effects: Iterable[Effect], now_ms: int) -> None:
        """Put frames into the inboxes of their receivers."""
        for effect in effects:
            receiver = self.nodes.get(effect.peer)
            if receiver is None:
                continue
            match effect:
                case Send(frame=Have() | Want() as frame):
                    self.asked += isinstance(frame, Want)
                    receiver.inbox.append((self.name, frame))
                case SendEvents():
                    encoded = [self._encoded(at, effect) for at in effect.arrivals]
                    receiver.inbox.append((self.name, (encoded, effect.last)))
                    self.carry_out(
                        self.sync.answers.drained(effect.peer) if effect.arrivals else (), now_ms
                    )
                case _:
                    raise AssertionError(effect)

    def work(self, now_ms: int) -> None:
        """Handle everything in the inbox, then let time pass."""
        self.read(now_ms)
        self.carry_out(self.sync.tick(now_ms), now_ms)
        self._adopt(now_ms)

    def read(self, now_ms: int) -> None:
        """Handle everything in the inbox."""
        while self.inbox:
            peer, frame = self.inbox.popleft()
            match frame:
                case Have():
                    self.carry_out(self.sync.told(peer, frame.vector, now_ms), now_ms)
                case Want():
                    self.carry_out(self.sync.wanted(peer, frame.vector, now_ms), now_ms)
                case (encoded, last):
                    fresh = self._receive(peer, encoded, now_ms)
                    self.carry_out(
                        self.sync.answered(peer, now_ms, last=last, fresh_bytes=fresh), now_ms
                    )

    def _encoded(self, arrival: int, effect: SendEvents) -> bytes:
        return self.index.with_hints(decoded(self.blocks[arrival]), effect.hinted)

    def _receive(self, peer: CellId, encoded: Iterable[bytes], now_ms: int) -> int:
        added_bytes = 0
        for data in encoded:
            signed = decoded(data)
            if self.sync.is_known(signed):
                continue
            item = self.index.resolve(signed)
            if item is None or not self.sync.admits(item):
                self.sync.orphan(peer, signed, now_ms)
            else:
                self._take(signed, item, own=False)
                added_bytes += len(data)
        self._adopt(now_ms)
        return added_bytes

    def _adopt(self, now_ms: int) -> None:
        while adoptable := self.sync.adoptable(now_ms):
            for _, signed, item in adoptable:
                self._take(signed, item, own=False)

    @property
    def known(self) -> set[EventId]:
        """The ids of the events here."""
        return {item.id for item in self.events}


def nodes(*names: str, members: int = 4) -> list[Node]:
    """Return nodes that are not connected yet."""
    return [Node(CellId(name), members) for name in names]


def connect(one: Node, other: Node, now_ms: int = 0) -> None:
    """Connect two nodes."""
    one.nodes[other.name], other.nodes[one.name] = other, one
    one.carry_out(one.sync.connected(other.name, now_ms), now_ms)
    other.carry_out(other.sync.connected(one.name, now_ms), now_ms)


def disconnect(one: Node, other: Node) -> None:
    """Cut the link of two nodes, and lose what is on it."""
    for at, peer in ((one, other), (other, one)):
        at.nodes.pop(peer.name, None)
        at.sync.disconnected(peer.name)
        at.inbox = deque(item for item in at.inbox if item[0] != peer.name)


def run(parts: Sequence[Node], *, until_ms: int = 6000, start_ms: int = 0) -> None:
    """Let all nodes work on virtual time."""
    for now_ms in range(start_ms, until_ms, 20):
        for node in parts:
            node.work(now_ms)
