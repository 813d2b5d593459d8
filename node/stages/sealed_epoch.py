"""The epoch before the present one at one cell: kept to be served, nothing is added to it.

A cell that has not sealed it yet lacks events that only its members have. They tell what they have
when they seal it and when they are told of less, and stream what is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable

from core.ids import CellId, Epoch
from gossip.index import EventIndex
from gossip.sync import Effect as SyncEffect
from gossip.sync import Send, Sync
from gossip.wire import Have, Vector


class SealedEpoch:
    """What the cell has of an epoch, by its place in the consensus journal."""

    def __init__(self, epoch: Epoch, index: EventIndex, sync: Sync, first_block: int) -> None:
        self.epoch = epoch
        self.first_block = first_block
        self.index = index
        self._sync = sync

    def connected(self, peer: CellId, now_ms: int) -> None:
        """A peer finished its handshake. If it is behind, it will say so."""
        self._sync.connected(peer, now_ms)

    def disconnected(self, peer: CellId) -> None:
        """A peer is gone."""
        self._sync.disconnected(peer)

    def begin(self, peers: Iterable[CellId]) -> list[SyncEffect]:
        """Tell all peers what the epoch came to: who has not sealed it yet asks for the rest."""
        have = Have(self.epoch, self.index.vector(), sealed=True)
        return [Send(peer, have) for peer in peers]

    def told(self, peer: CellId, vector: Vector) -> list[SyncEffect]:
        """A peer that is still in this epoch told what it has: answer if we have more."""
        ours = self.index.vector()
        return [] if vector == ours else [Send(peer, Have(self.epoch, ours, sealed=True))]

    def wanted(self, peer: CellId, vector: Vector) -> list[SyncEffect]:
        """A peer asks for what lies beyond its vector. Raises BadFrame."""
        return self._sync.wanted(peer, vector)

    def drained(self, peer: CellId) -> list[SyncEffect]:
        """The link to a peer has room again."""
        return self._sync.drained(peer)

    def is_streaming(self, peer: CellId) -> bool:
        """Return whether a peer's Want is not answered whole yet."""
        return self._sync.is_streaming(peer)
