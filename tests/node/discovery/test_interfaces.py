"""0.0.0.0 becomes what the machine has; nothing else changes."""

from __future__ import annotations

from gossip.discovery.address import is_peer_address, only_loopback
from node.discovery.interfaces import dialable, machine_hosts
from tests.ledger.world import KEYS

CELL = KEYS[0].cell_id
HOSTS = [("ip4", "127.0.0.1"), ("ip4", "192.168.1.7"), ("ip6", "::1"), ("ip6", "fd00::7")]


def test_each_wildcard_becomes_every_address_of_its_kind() -> None:
    listening = [
        f"/ip4/0.0.0.0/tcp/4710/p2p/{CELL}",
        f"/ip6/::/tcp/4711/ws/p2p/{CELL}",
        f"/ip4/10.0.0.1/tcp/4712/p2p/{CELL}",
    ]
    assert dialable(listening, lambda: HOSTS) == [
        f"/ip4/127.0.0.1/tcp/4710/p2p/{CELL}",
        f"/ip4/192.168.1.7/tcp/4710/p2p/{CELL}",
        f"/ip6/::1/tcp/4711/ws/p2p/{CELL}",
        f"/ip6/fd00::7/tcp/4711/ws/p2p/{CELL}",
        f"/ip4/10.0.0.1/tcp/4712/p2p/{CELL}",
    ]


def test_the_machine_is_not_asked_when_no_wildcard_is_there() -> None:
    def ask() -> list[tuple[str, str]]:
        raise AssertionError

    address = f"/ip4/10.0.0.1/tcp/1/p2p/{CELL}"
    assert dialable([address, address], ask) == [address]


def test_this_machine_has_addresses_that_a_cell_can_announce() -> None:
    hosts = machine_hosts()
    assert ("ip4", "127.0.0.1") in hosts
    told = dialable([f"/ip4/0.0.0.0/tcp/1/p2p/{CELL}"], machine_hosts)
    assert f"/ip4/127.0.0.1/tcp/1/p2p/{CELL}" in filter(is_peer_address, told)


def test_only_loopback_addresses_reach_nobody_else() -> None:
    assert only_loopback(["/ip4/127.0.0.1/tcp/0", f"/ip6/::1/tcp/1/p2p/{CELL}"])
    assert not only_loopback(["/ip4/127.0.0.1/tcp/0", "/ip4/0.0.0.0/tcp/0"])
    assert only_loopback([])
