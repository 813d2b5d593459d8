"""The following side of replication, as a pure state machine: no task, clock, socket or disk.

    follower = Follower(held)
    effects = follower.start(now_ms)
    loop: send effects.send; commit effects.store, in order; then
          effects = follower.receive(frame, now_ms)   or   follower.tick(now_ms) when it is due

What it accepts, and what it then says with `store`:

1. A head is of the cell, journal and fork that are followed, and signed by that cell.
2. It continues the newest head known: its prefix proof shows the root that is known. If the proof
   holds and shows another root, the cell contradicts itself: `conflict`, with the proof.
3. Blocks come in order, as asked for, and with what is held they lead to the root of the head
   they were asked under. So a wrong block is never accepted, whoever serves.
4. A live tail is taken only if all that its head covers is there and leads to its root.

Held beyond `store` are only a few requests. Whatever breaks a rule raises, and ends the session;
a new one resumes from what was stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from core.errors import check
from core.ids import CellId, Hash, PublicKey, public_key_of
from journal.checkpoint import Checkpoint, parse_checkpoint, verify_parsed
from journal.errors import HeadRefused, ProofRefused
from journal.merkle import leaf_hash
from journal.replication import wire
from journal.replication.errors import (
    ForkMoved,
    FrameRefused,
    HeadOutdated,
    NotAsked,
    PeerRefused,
    PeerSilent,
)
from journal.replication.limits import (
    PING_INTERVAL_MS,
    REQUEST_BLOCKS_MAX,
    REQUEST_TIMEOUT_MS,
    REQUESTS_MAX,
)
from journal.replication.ranges import Tail, prefix_root, verify_growth


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head that was checked, with its text."""

    text: str
    checkpoint: Checkpoint

    @property
    def size(self) -> int:
        """Number of blocks."""
        return self.checkpoint.size

    @property
    def root(self) -> Hash:
        """Root over them."""
        return self.checkpoint.root


@dataclass(frozen=True, slots=True)
class Held:
    """What a follower has on its disk: the newest head it checked, and blocks up to `tail.size`.

    `root_at` returns the root of a prefix of the blocks held. `fork` is None before the first head.
    """

    cell_id: CellId
    journal: str
    fork: int | None
    head: SignedHead | None
    tail: Tail
    root_at: Callable[[int], Hash]


@dataclass(frozen=True, slots=True)
class Stored:
    """What is to be committed: the blocks from `start` on, and the newest head.

    `whole`: with these blocks everything that `head` covers is held.
    """

    head: SignedHead
    start: int
    blocks: tuple[bytes, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two signed heads of which neither continues the other.

    `proof`: the hashes that show which root the smaller size has under the larger head
    (`ranges.prefix_root`); empty if the sizes are equal, or if the copy's own blocks show it.
    """

    known: SignedHead
    other: SignedHead
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Effects:
    """What the driver does next: commit `store` in order, send `send`; after `conflict`, end."""

    send: tuple[wire.Frame, ...] = ()
    store: Stored | None = None
    conflict: Conflict | None = None


@dataclass(slots=True)
class _Request:
    number: int
    head: SignedHead
    next: int
    end: int


@dataclass(slots=True)
class _Clock:
    """When the machine wants to be woken, and what for."""

    ping_due_ms: int = 0
    answer_due_ms: int | None = None
    pings: int = 0
    requests: int = 0
    waiting: deque[_Request] = field(default_factory=deque)


class Follower:
    """One session with one server, for one journal of one cell.

    `moved_to` is the checked head of a higher fork, once ForkMoved was raised for it; `disputed` is
    the head to show to the journal's own cell, once HeadOutdated was raised for it.
    """

    def __init__(self, held: Held) -> None:
        self._held = held
        self._public_key: PublicKey = public_key_of(held.cell_id)
        self._fork = held.fork
        self._head = held.head
        self._tail = held.tail
        self._asked = held.tail.size
        self._started = False
        self._greeted = False
        self.moved_to: SignedHead | None = None
        self.disputed: SignedHead | None = None
        self._clock = _Clock()

    @property
    def length(self) -> int:
        """Blocks that were checked, stored or on their way to it."""
        return self._tail.size

    @property
    def head(self) -> SignedHead | None:
        """The newest head that was checked."""
        return self._head

    @property
    def due_ms(self) -> int:
        """When `tick` is to be called at the latest, unless a frame comes before."""
        answer = self._clock.answer_due_ms
        return self._clock.ping_due_ms if answer is None else answer

    def start(self, now_ms: int) -> Effects:
        """Say what is wanted and what is held."""
        check(not self._started, "a session starts once")
        self._started = True
        self._wait_for_answer(now_ms)
        held = self._held
        size = 0 if self._head is None else self._head.size
        frame = wire.Follow(
            wire.VERSION, held.cell_id, held.journal, self._fork, size, self._tail.size
        )
        return Effects(send=(frame,))

    def receive(self, frame: wire.Frame, now_ms: int) -> Effects:
        """Take a frame of the server.

        Raises HeadRefused, ProofRefused, NotAHash, FrameRefused, NotAsked, HeadOutdated,
        PeerRefused or ForkMoved; the session is over then.
        """
        check(self._started, "a session starts before it receives")
        match frame:
            case wire.Head():
                return self._take_head(frame, now_ms)
            case wire.Blocks():
                return self._take_blocks(frame, now_ms)
            case wire.Tail():
                return self._take_tail(frame, now_ms)
            case wire.Pong():
                if frame.number != self._clock.pings:
                    raise NotAsked("a pong nobody asked for")
                self._note_answer(now_ms)
                return Effects()
            case wire.Refuse():
                raise PeerRefused(f"{frame.code}: {frame.reason}")
            case _:
                raise FrameRefused(f"a server does not send {type(frame).__name__}")

    def tick(self, now_ms: int) -> Effects:
        """Look at the deadlines; raises PeerSilent."""
        answer = self._clock.answer_due_ms
        if answer is not None:
            if now_ms >= answer:
                raise PeerSilent("no answer in time")
            return Effects()
        if now_ms < self._clock.ping_due_ms:
            return Effects()
        self._clock.pings += 1
        self._wait_for_answer(now_ms)
        return Effects(send=(wire.Ping(self._clock.pings),))

    def _take_head(self, frame: wire.Head, now_ms: int) -> Effects:
        head = self._verified(frame.text)
        self._greeted = True
        self._note_answer(now_ms)
        if self._head is None:
            return self._adopt(head, now_ms)
        known = self._head
        if head.size < known.size:
            return self._take_older(known, head)
        if head.size == known.size:
            if head.root != known.root:
                return Effects(conflict=Conflict(known, head, ()))
            return self._pumped(now_ms, None)
        if known.size > 0:
            if frame.size_from != known.size:
                raise ProofRefused(f"the head is not proven from {known.size} blocks")
            root = prefix_root(known.size, head.size, frame.proof, head.root)
            if root != known.root:
                return Effects(conflict=Conflict(known, head, frame.proof))
        return self._adopt(head, now_ms)

    def _take_older(self, known: SignedHead, head: SignedHead) -> Effects:
        """Judge a head below the newest one by the blocks that are held."""
        if head.size > self._tail.size:
            self.disputed = known
            raise HeadOutdated(f"the peer shows {head.size} blocks, {known.size} are known")
        if head.root != self._held.root_at(head.size):
            return Effects(conflict=Conflict(known, head, ()))
        return Effects()

    def _take_blocks(self, frame: wire.Blocks, now_ms: int) -> Effects:
        waiting = self._clock.waiting
        if not waiting or (frame.request, frame.start) != (waiting[0].number, waiting[0].next):
            raise NotAsked(f"blocks from {frame.start} on were not asked for now")
        request = waiting[0]
        end = frame.start + len(frame.blocks)
        if not frame.blocks or end > request.end:
            raise NotAsked(f"blocks [{frame.start}, {end}), asked up to {request.end}")
        tail = self._tail.extended([leaf_hash(block) for block in frame.blocks])
        verify_growth(tail, frame.start, request.head.size, frame.proof, request.head.root)
        self._tail = tail
        request.next = end
        if end == request.end:
            waiting.popleft()
        self._note_answer(now_ms)
        return self._pumped(now_ms, self._stored(frame.start, frame.blocks))

    def _take_tail(self, frame: wire.Tail, now_ms: int) -> Effects:
        head = self._verified(frame.text)
        if not self._greeted or self._head is None:
            raise NotAsked("a tail before any head")
        if frame.start != self._tail.size or self._clock.waiting or self._asked != frame.start:
            raise NotAsked(f"a tail from {frame.start} on, {self._tail.size} blocks are held")
        if head.size != frame.start + len(frame.blocks) or head.size <= self._head.size:
            raise HeadRefused("the blocks of a tail do not make up its head")
        tail = self._tail.extended([leaf_hash(block) for block in frame.blocks])
        if tail.root() != head.root:
            raise ProofRefused("the blocks of a tail do not lead to the root of its head")
        self._tail, self._head, self._asked = tail, head, head.size
        self._note_answer(now_ms)
        return Effects(store=self._stored(frame.start, frame.blocks))

    def _verified(self, text: str) -> SignedHead:
        """Check whose head it is; a higher fork of the same journal raises ForkMoved."""
        said = parse_checkpoint(text)
        held = self._held
        if (said.cell_id, said.journal) != (held.cell_id, held.journal):
            raise HeadRefused(f"the head is of {said.origin}")
        verify_parsed(text, said, self._public_key)
        head = SignedHead(text, said)
        if self._fork is not None and said.fork != self._fork:
            if said.fork < self._fork:
                raise HeadOutdated(f"the peer is at fork {said.fork}, {self._fork} is known")
            self.moved_to = head
            raise ForkMoved(f"the journal is at fork {said.fork} now, not at {self._fork}")
        return head

    def _adopt(self, head: SignedHead, now_ms: int) -> Effects:
        self._fork = head.checkpoint.fork
        self._head = head
        return self._pumped(now_ms, self._stored(self._tail.size, ()))

    def _stored(self, start: int, blocks: tuple[bytes, ...]) -> Stored:
        head = self._head
        assert head is not None  # noqa: S101 - for the type checker: a head is adopted before
        whole = self._tail.size == head.size
        if whole:
            check(self._tail.root() == head.root, "all blocks of a head lead to its root")
        return Stored(head, start, blocks, whole)

    def _pumped(self, now_ms: int, store: Stored | None) -> Effects:
        """Ask for more, as long as there is more and room for it."""
        send: list[wire.Frame] = []
        clock, head = self._clock, self._head
        while head is not None and self._asked < head.size and len(clock.waiting) < REQUESTS_MAX:
            end = min(self._asked + REQUEST_BLOCKS_MAX, head.size)
            clock.requests += 1
            clock.waiting.append(_Request(clock.requests, head, self._asked, end))
            send.append(wire.Want(clock.requests, head.size, self._asked, end))
            self._asked = end
        if send:
            self._wait_for_answer(now_ms)
        return Effects(tuple(send), store)

    def _note_answer(self, now_ms: int) -> None:
        self._clock.answer_due_ms = None
        self._clock.ping_due_ms = now_ms + PING_INTERVAL_MS
        if self._clock.waiting:
            self._wait_for_answer(now_ms)

    def _wait_for_answer(self, now_ms: int) -> None:
        self._clock.answer_due_ms = now_ms + REQUEST_TIMEOUT_MS
