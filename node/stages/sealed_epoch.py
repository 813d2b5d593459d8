"""The epoch before the present one at one cell: kept to be served, nothing is added to it.

A cell that has not sealed it yet lacks events that only its members have. They tell what they have
when they seal it and when they are told of less, and stream what is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable

from core.ids import CellId, Epoch
from gossip.answers import Answers
from gossip.effects import Effect, Send
from gossip.index import EventIndex
from gossip.sync import check_vector
from gossip.wire import Have, Vector


class SealedEpoch:
    """What the cell has of an epoch, by its place in the consensus journal."""

    def __init__(
        self, epoch: Epoch, index: EventIndex, first_block: int, answers: Answers | None = None
    ) -> None:
        """`answers` are those that are under way."""
        self.epoch = epoch
        self.first_block = first_block
        self.index = index
        self.answers = Answers(index) if answers is None else answers

    def begin(self, peers: Iterable[CellId]) -> list[Effect]:
        """Tell all peers what the epoch came to: who has not sealed it yet asks for the rest."""
        have = Have(self.epoch, self.index.vector(), sealed=True)
        return [Send(peer, have) for peer in peers]

    def told(self, peer: CellId, vector: Vector) -> list[Effect]:
        """A peer that is still in this epoch told what it has: answer if we have more."""
        ours = self.index.vector()
        return [] if vector == ours else [Send(peer, Have(self.epoch, ours, sealed=True))]

    def wanted(self, peer: CellId, vector: Vector, now_ms: int) -> list[Effect]:
        """A peer asks for what lies beyond its vector. Raises BadFrame."""
        check_vector(vector, self.index.members)
        return [*self.answers.wanted(peer, vector, now_ms)]
