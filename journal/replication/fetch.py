"""Fetching a range of blocks with its proof, by one who has nothing but the cell id. Pure.

    fetch = Fetch(cell_id, journal, start, end)
    send fetch.start(); then blocks, send = fetch.receive(frame) until fetch.done

Each frame of blocks is checked alone against the head that the server showed first.
"""

from __future__ import annotations

from core.errors import check
from core.ids import CellId, public_key_of
from journal.checkpoint import Checkpoint, parse_checkpoint, verify_checkpoint
from journal.errors import HeadRefused, NoSuchBlock
from journal.merkle import leaf_hash
from journal.replication import wire
from journal.replication.errors import NotAsked, PeerRefused
from journal.replication.limits import REQUEST_BLOCKS_MAX
from journal.replication.ranges import verify_range


class Fetch:
    """One range of one journal from one server, whoever that is."""

    def __init__(self, cell_id: CellId, journal: str, start: int, end: int) -> None:
        check(0 <= start < end, "a range has blocks")
        self._cell_id = cell_id
        self._journal = journal
        self._next = start
        self._end = end
        self._requests = 0
        self._request_end = start
        self.head: Checkpoint | None = None
        self.head_text = ""

    @property
    def done(self) -> bool:
        """Whether every block of the range was returned."""
        return self._next == self._end

    def start(self) -> wire.Frame:
        """Return the first frame."""
        return wire.Follow(wire.VERSION, self._cell_id, self._journal, None, 0, 0)

    def receive(self, frame: wire.Frame) -> tuple[tuple[bytes, ...], tuple[wire.Frame, ...]]:
        """Take a frame; return the blocks that it proves, the next of the range, and what to send.

        Raises HeadRefused, ProofRefused, NotAHash, NotAsked, NoSuchBlock or PeerRefused.
        """
        match frame:
            case wire.Refuse():
                raise PeerRefused(f"{frame.code}: {frame.reason}")
            case wire.Head() if self.head is None:
                self._take_head(frame.text)
                return (), self._asked()
            case wire.Blocks():
                return self._take_blocks(frame), self._asked()
            case _:
                return (), ()

    def _take_head(self, text: str) -> None:
        said = parse_checkpoint(text)
        if (said.cell_id, said.journal) != (self._cell_id, self._journal):
            raise HeadRefused(f"the head is of {said.origin}")
        head = verify_checkpoint(text, said.origin, public_key_of(self._cell_id))
        if self._end > head.size:
            raise NoSuchBlock(f"the journal has {head.size} blocks, not {self._end}")
        self.head, self.head_text = head, text

    def _take_blocks(self, frame: wire.Blocks) -> tuple[bytes, ...]:
        head = self.head
        end = frame.start + len(frame.blocks)
        expected = (self._requests, self._next)
        if head is None or (frame.request, frame.start) != expected:
            raise NotAsked(f"blocks from {frame.start} on were not asked for now")
        if not frame.blocks or end > self._request_end:
            raise NotAsked(f"blocks up to {end}, asked up to {self._request_end}")
        leaves = [leaf_hash(block) for block in frame.blocks]
        verify_range(leaves, frame.start, head.size, frame.proof, head.root)
        self._next = end
        return frame.blocks

    def _asked(self) -> tuple[wire.Frame, ...]:
        if self.head is None or self.done or self._next < self._request_end:
            return ()
        self._requests += 1
        self._request_end = min(self._next + REQUEST_BLOCKS_MAX, self._end)
        return (wire.Want(self._requests, self.head.size, self._next, self._request_end),)
