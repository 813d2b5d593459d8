"""Which of several spores counts, and what several of them know together.

Authority first (primary, seed, latent), then the newer one, then the one whose maker is trusted
more; the bytes decide what is left, so that the ranking is total and the same at every cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from core.ids import CellId
from gossip.discovery.announcement import Announcement, join
from gossip.discovery.spore import Spore, Variant


@dataclass(frozen=True, slots=True, order=True)
class Sighting:
    """Who saw a cell when: compared in this order."""

    authority: Variant
    last_seen_ns: int
    trust: int


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one cell."""

    announcements: tuple[Announcement, ...]
    sighting: Sighting


Nodes: TypeAlias = Mapping[CellId, Known]
"""Cells by their id."""


def rank(spore: Spore, trust: int = 0) -> tuple[Variant, int, int, bytes]:
    """Return what spores are compared by; `trust` is ours in the one who made it."""
    return (spore.variant, spore.updated_ns, trust, spore.encoded)


def nodes_of(spore: Spore) -> Nodes:
    """Return what a spore says."""
    return {
        node.cell_id: Known(
            node.announcements, Sighting(spore.variant, node.last_seen_ns, node.trust)
        )
        for node in spore.nodes
    }


def merge(several: Iterable[Nodes]) -> dict[CellId, Known]:
    """Return what several know together, whatever their order, however often each comes.

    Where a cell listens is its own newest word, whoever passed it on; when it was seen and how far
    it is trusted is taken from the highest authority.
    """
    merged: dict[CellId, Known] = {}
    for nodes in several:
        for cell_id, known in nodes.items():
            other = merged.get(cell_id, known)
            merged[cell_id] = Known(
                join(other.announcements, known.announcements),
                max(other.sighting, known.sighting),
            )
    return merged
