"""What a cell listens on becomes what others can dial."""

from __future__ import annotations

from dataclasses import dataclass

from node.reachable import is_wildcard, told_addresses


@dataclass(frozen=True)
class _At:
    address: str


INTERFACES = {
    "lo": [_At("127.0.0.1"), _At("::1"), _At("00:00:00:00:00:00")],
    "eth0": [_At("192.168.1.7"), _At("8.8.8.8"), _At("fe80::1%eth0"), _At("2001:4860::7")],
}


def test_a_wildcard_stands_for_all_addresses_that_are_of_use_elsewhere() -> None:
    told = told_addresses(["/ip4/0.0.0.0/tcp/4710/p2p/x", "/ip6/::/tcp/4711"], INTERFACES)
    assert told == (
        "/ip4/8.8.8.8/tcp/4710",
        "/ip4/192.168.1.7/tcp/4710",
        "/ip6/2001:4860::7/tcp/4711",
    )


def test_a_machine_without_a_network_tells_loopback() -> None:
    alone = {"lo": INTERFACES["lo"]}
    assert told_addresses(["/ip4/0.0.0.0/tcp/1"], alone) == ("/ip4/127.0.0.1/tcp/1",)
    assert told_addresses(["/ip6/::/tcp/1"], {}) == ()


def test_other_addresses_stay_as_they_are_whatever_their_transport() -> None:
    listening = ["/ip4/10.0.0.1/tcp/1/ws/p2p/x", "/ip4/127.0.0.1/udp/2/quic-v1/p2p/x"]
    assert told_addresses(listening, INTERFACES) == (
        "/ip4/10.0.0.1/tcp/1/ws",
        "/ip4/127.0.0.1/udp/2/quic-v1",
    )
    assert told_addresses(["/ip4/0.0.0.0/udp/2/quic-v1"], {"a": [_At("10.0.0.1")]}) == (
        "/ip4/10.0.0.1/udp/2/quic-v1",
    )


def test_wildcards_are_told_apart() -> None:
    assert is_wildcard("/ip4/0.0.0.0/tcp/1/p2p/x")
    assert is_wildcard("/ip6/::/tcp/1")
    assert not is_wildcard("/ip4/10.0.0.0/tcp/1")
    assert not is_wildcard("/dns/0.0.0.0/tcp/1")
    assert not is_wildcard("")
