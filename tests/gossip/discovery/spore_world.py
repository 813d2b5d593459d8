"""Cells, addresses, announcements and spores for the tests of discovery."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.ids import CellId
from gossip.discovery.announcement import Announcement, announce
from gossip.discovery.spore import NetworkIdentity, Node, Spore, Variant, make_spore
from identity.keys import KeyPair
from ledger.spore_authority import network_identity
from tests.ledger.world import ALL_KEYS, GENESIS, NETWORK, START_NS

NETWORK_IDENTITY: NetworkIdentity = network_identity(GENESIS)
NOW_NS = START_NS + 10**12
HOSTS = {"loopback": "127.0.0.1", "site": "192.168.1.7", "world": "8.8.4.4"}


def at(cell_id: CellId, port: int = 4710, host: str = "127.0.0.1") -> str:
    """Return an address of a cell."""
    return f"/ip4/{host}/tcp/{port}/p2p/{cell_id}"


def announced(
    key: KeyPair, *addresses: str, issued_ns: int = NOW_NS, role: str = "sclerotium"
) -> list[Announcement]:
    """Return what a cell says of itself; by default one loopback address."""
    return announce(
        network_id=NETWORK,
        public_key=key.public_key,
        node_type=role,
        issued_ns=issued_ns,
        addresses=addresses or (at(key.cell_id),),
        sign=key.sign,
    )


def node(key: KeyPair, *addresses: str, seen_ns: int = NOW_NS, trust: int = 500_000) -> Node:
    """Return a node of a spore."""
    return Node(tuple(announced(key, *addresses)), seen_ns, trust)


def spore(
    nodes: Iterable[Node] = (),
    *,
    variant: Variant = Variant.LATENT,
    issuer: KeyPair = ALL_KEYS[0],
    updated_ns: int = NOW_NS,
    proof: bytes = b"",
) -> Spore:
    """Return a signed spore."""
    return make_spore(
        variant,
        NETWORK_IDENTITY,
        list(nodes) or [node(key) for key in ALL_KEYS[:3]],
        updated_ns=updated_ns,
        issuer=issuer.public_key,
        sign=issuer.sign,
        proof=proof,
    )


def many(count: int, first: int = 0) -> Sequence[KeyPair]:
    """Return that many cells."""
    return [
        KeyPair(number.to_bytes(32, "little")) for number in range(first + 1, first + count + 1)
    ]
