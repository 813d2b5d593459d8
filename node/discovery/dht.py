"""Cells found by a distributed hash table: who provides the key of the network.

What a DHT says comes from strangers: every finding is a hint, bounded, of a cell id that must be
proven when it is dialled.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from typing import Protocol

from core.ids import CellId, NetworkId
from gossip.discovery.limits import BOOK_TOLD_BY_ONE_MAX, CELL_ADDRESSES_MAX
from node.discovery.finders import Findings
from node.discovery.limits import DHT_ADVERTISE_INTERVAL_S, DHT_TIMEOUT_S
from node.errors import DhtUnavailable


class Dht(Protocol):
    """What is needed of a distributed hash table."""

    async def advertise(self, key: bytes) -> None:
        """Become a provider of a key."""
        ...

    async def find(self, key: bytes) -> Sequence[tuple[CellId, tuple[str, ...]]]:
        """Return the providers of a key, with addresses."""
        ...


def network_key(network_id: NetworkId) -> bytes:
    """Return what the cells of a network provide; says nothing of it to who does not know it."""
    return hashlib.sha256(b"myceld/dht/1" + network_id).digest()


class DhtFinder:
    """Searches one DHT for cells of one network."""

    name = "dht"

    def __init__(self, dht: Dht, network_id: NetworkId) -> None:
        self._dht = dht
        self._key = network_key(network_id)
        self._advertised_s: float | None = None

    async def find(self) -> Findings:
        """Return who provides the network's key; raises DhtUnavailable."""
        await self.announce(())
        try:
            async with asyncio.timeout(DHT_TIMEOUT_S):
                found = await self._dht.find(self._key)
        except TimeoutError as error:
            raise DhtUnavailable(f"no answer of the DHT in {DHT_TIMEOUT_S:g} s") from error
        return Findings(
            hints=[
                (cell_id, tuple(addresses[:CELL_ADDRESSES_MAX]))
                for cell_id, addresses in list(found)[:BOOK_TOLD_BY_ONE_MAX]
            ]
        )

    async def announce(self, addresses: Sequence[str]) -> None:  # noqa: ARG002 - the host tells them
        """Become a provider, again when that fades; raises DhtUnavailable."""
        now_s = time.monotonic()
        advertised_s = self._advertised_s
        if advertised_s is not None and now_s - advertised_s < DHT_ADVERTISE_INTERVAL_S:
            return
        try:
            async with asyncio.timeout(DHT_TIMEOUT_S):
                await self._dht.advertise(self._key)
        except TimeoutError as error:
            raise DhtUnavailable(f"the DHT took nothing in {DHT_TIMEOUT_S:g} s") from error
        self._advertised_s = now_s

    async def close(self) -> None:
        """Do nothing: the DHT ends with the host."""
