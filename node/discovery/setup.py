"""The finders that a cell's configuration asks for; each is imported only if it is used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.ids import CellId
from gossip.discovery.address import only_loopback
from gossip.discovery.spore import NetworkIdentity
from node.discovery.finders import Finder
from settings import Config


def make_finders(
    config: Config, network: NetworkIdentity, cell_id: CellId, home: Path
) -> list[Finder]:
    """Return the finders in the order in which they are asked: seeds, then the LAN."""
    finders = seed_finders(config.discovery.seeds, network, home)
    if config.discovery.mdns and not only_loopback(config.cell.listen):
        from node.discovery.mdns import MdnsFinder  # noqa: PLC0415 - not on loopback

        finders.append(MdnsFinder(network.network_id, cell_id))
    return finders


def seed_finders(seeds: Sequence[str], network: NetworkIdentity, home: Path) -> list[Finder]:
    """Return what looks for cells in the configured seeds: one finder for all, if there are any."""
    if not seeds:
        return []
    from node.discovery.seeds import SeedFinder  # noqa: PLC0415 - most cells have no seeds

    return [SeedFinder(seeds, network, home)]
