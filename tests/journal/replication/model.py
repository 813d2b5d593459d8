"""A journal in memory, and one session between the two machines, for tests without a disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import lru_cache

from core.ids import CellId, Hash
from journal.checkpoint import sign_checkpoint, verify_checkpoint
from journal.merkle import EMPTY_ROOT, Frontier, leaf_hash
from journal.replication import wire
from journal.replication.follower import Conflict, Effects, Follower, Held, SignedHead, Stored
from journal.replication.ranges import Tail, prove_prefix, prove_range
from journal.replication.server import Read, ReadBlocks, ReadHead, ReadTail, ReadTile, Server
from tests.journal.world import CELL_ID, PUBLIC_KEY, sign, slow_root

NAME = "notes"

# Each step of a session asks for the hashes of the same blocks again.
leaf_of = lru_cache(1 << 14)(leaf_hash)
root_of = lru_cache(1 << 14)(slow_root)


class Log:
    """Blocks of the test's cell, with heads signed by its key."""

    def __init__(self, blocks: Sequence[bytes] = (), fork: int = 0) -> None:
        self.blocks = list(blocks)
        self.fork = fork

    def leaves(self) -> list[bytes]:
        return [leaf_of(block) for block in self.blocks]

    def node(self, level: int, number: int) -> bytes:
        return root_of(tuple(map(leaf_of, self.blocks[number << level : (number + 1) << level])))

    def root(self, size: int) -> Hash:
        return Hash(root_of(tuple(map(leaf_of, self.blocks[:size]))))

    def head(self, size: int | None = None) -> str:
        size = len(self.blocks) if size is None else size
        origin = f"{CELL_ID}/{NAME}/{self.fork}"
        return sign_checkpoint(origin, size, self.root(size), PUBLIC_KEY, sign)


class Copy:
    """What a follower has on its disk."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.head: SignedHead | None = None
        self.conflicts: list[Conflict] = []
        self.whole: SignedHead | None = None

    def held(self) -> Held:
        frontier = Frontier()
        for block in self.blocks:
            frontier.append(leaf_of(block))
        fork = None if self.head is None else self.head.checkpoint.fork
        tail = Tail(frontier.size, frontier.hashes)
        return Held(CellId(CELL_ID), NAME, fork, self.head, tail, self.root)

    def root(self, size: int) -> Hash:
        return Hash(root_of(tuple(map(leaf_of, self.blocks[:size])))) if size else EMPTY_ROOT

    def commit(self, stored: Stored) -> None:
        assert stored.start == len(self.blocks)
        self.blocks += stored.blocks
        self.head = stored.head
        if stored.whole:
            assert len(self.blocks) == stored.head.size
            assert self.root(len(self.blocks)) == stored.head.root
            self.whole = stored.head


class Session:
    """A follower and a server joined by two queues of frames that the test moves by hand."""

    def __init__(self, log: Log, copy: Copy, span: int = 7) -> None:
        self.log = log
        self.copy = copy
        self.span = span
        self.follower = Follower(copy.held())
        self.server = Server(0)
        self.to_server: deque[wire.Frame] = deque()
        self.to_follower: deque[wire.Frame] = deque()
        self.apply(self.follower.start(0))

    def apply(self, effects: Effects) -> None:
        if effects.store is not None:
            self.copy.commit(effects.store)
        if effects.conflict is not None:
            self.copy.conflicts.append(effects.conflict)
        self.to_server.extend(effects.send)

    def publish(self) -> None:
        self.server.published(self.log.head(), len(self.log.blocks), self.log.fork)

    def step_server(self) -> bool:
        """Take one frame, or answer one read; False when there is nothing to do."""
        if self.to_server:
            first = self.server.follow is None
            self.server.receive(through_the_wire(self.to_server.popleft()), 0)
            if first:
                self.publish()
            self.to_follower.extend(self.server.pongs())
            return True
        read = self.server.next_read()
        if read is None:
            return False
        self.to_follower.append(self.answer(read))
        return True

    def step_follower(self) -> bool:
        if not self.to_follower:
            return False
        frame = through_the_wire(self.to_follower.popleft())
        self.apply(self.follower.receive(frame, 0))
        return True

    def run(self) -> None:
        while self.step_server() or self.step_follower():
            if self.copy.conflicts:
                return

    def answer(self, read: Read) -> wire.Frame:
        log = self.log
        match read:
            case ReadHead():
                proof = prove_prefix(read.size_from, read.size, log.node) if read.size_from else []
                return self.server.answer_head(read, proof)
            case ReadBlocks():
                end = min(read.end, read.start + self.span)
                proof = prove_range(read.start, end, read.size, log.node)
                return self.server.answer_blocks(read, log.blocks[read.start : end], proof)
            case ReadTile():
                proof = prove_range(read.start, read.end, read.size, log.node)
                return self.server.answer_tile(read, log.leaves()[read.start : read.end], proof)
            case ReadTail():
                blocks = log.blocks[read.start : read.size]
                few = blocks if len(blocks) <= self.span else None
                answer = self.server.answer_tail(read, few)
                return self.answer(answer) if isinstance(answer, ReadHead) else answer


def through_the_wire(frame: wire.Frame) -> wire.Frame:
    """Encode and parse a frame: what is compared is what would arrive."""
    data = wire.encode_frame(frame)
    assert wire.length_of(data[:4]) == len(data) - 4
    assert wire.decode_frame(data[4:]) == frame
    return frame


def signed(text: str) -> SignedHead:
    """Return a head of the test's cell."""
    origin = text.partition("\n")[0]
    return SignedHead(text, verify_checkpoint(text, origin, PUBLIC_KEY))
