"""mDNS: real records over multicast on loopback, and what comes in from anybody at all."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

import pytest
from zeroconf import ServiceStateChange

from core.ids import CellId, NetworkId
from gossip.discovery.limits import CELL_ADDRESSES_MAX
from node.discovery import mdns as module
from node.discovery.limits import MDNS_CELLS_MAX
from node.discovery.mdns import (
    SERVICE,
    MdnsFinder,
    addresses_in,
    cell_of,
    instance_name,
    txt_of,
)
from tests.gossip.discovery.spore_world import at, many
from tests.ledger.world import KEYS, NETWORK

A, B, C = (key.cell_id for key in KEYS[:3])
OTHER_NETWORK = NetworkId(bytes(32))
GROUP = "224.0.0.251"
HANG_S = 60
"""For what must happen."""


def _multicast_works() -> bool:
    """Whether a datagram to the group comes back on loopback."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        loopback = socket.inet_aton("127.0.0.1")
        probe.bind(("", 0))
        probe.settimeout(HANG_S)
        probe.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
        member = struct.pack("4s4s", socket.inet_aton(GROUP), loopback)
        probe.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        probe.sendto(b"there?", (GROUP, probe.getsockname()[1]))
        return probe.recv(16) == b"there?"
    return False


def test_a_name_fits_a_dns_label_and_tells_network_and_cell() -> None:
    name = instance_name(NETWORK, A)
    assert len(name.removesuffix("." + SERVICE)) <= 63
    assert cell_of(NETWORK, name) == A
    assert cell_of(OTHER_NETWORK, name) is None
    assert NETWORK.hex()[:8] not in name
    for wrong in ("", SERVICE, f"printer.{SERVICE}", name.replace("-", "_", 1), name[:-3]):
        assert cell_of(NETWORK, wrong) is None


def test_only_addresses_that_others_can_dial_are_told() -> None:
    told = txt_of([at(A), at(A, 1, "10.0.0.1"), at(A, 2, "8.8.8.8")])
    assert told == {"a0": "/ip4/10.0.0.1/tcp/1", "a1": "/ip4/8.8.8.8/tcp/2"}
    properties: dict[bytes, bytes | None] = {k.encode(): v.encode() for k, v in told.items()}
    assert addresses_in(A, properties) == (at(A, 1, "10.0.0.1"), at(A, 2, "8.8.8.8"))


def test_rubbish_in_a_record_is_left_out() -> None:
    properties: dict[bytes, bytes | None] = {
        b"a0": b"\xff\xfe",
        b"a1": None,
        b"a2": b"/ip4/0.0.0.0/tcp/1",
        b"a3": b"x" * 1000,
        b"a4": b"/ip4/10.0.0.1/tcp/1",
        b"a5": b"/ip4/10.0.0.1/tcp/1/p2p/" + B.encode(),
        b"other": b"/ip4/10.0.0.9/tcp/1",
    }
    assert addresses_in(A, properties) == (at(A, 1, "10.0.0.1"),)
    many_addresses: dict[bytes, bytes | None] = {
        b"a%d" % number: b"/ip4/10.0.0.1/tcp/%d" % (number + 1) for number in range(1000)
    }
    assert len(addresses_in(A, many_addresses)) == CELL_ADDRESSES_MAX


def test_records_of_other_networks_and_of_ourselves_are_not_even_resolved() -> None:
    async def main() -> None:
        finder = MdnsFinder(NETWORK, A)
        for name in (
            instance_name(OTHER_NETWORK, B),
            instance_name(NETWORK, A),
            f"printer.{SERVICE}",
        ):
            finder.on_change(None, SERVICE, name, ServiceStateChange.Added)  # type: ignore[arg-type] # never used
        assert finder._resolving == {}
        assert (await finder.find()).hints == []
        await finder.close()

    asyncio.run(main())


def test_the_number_of_noted_cells_is_bounded_and_those_that_leave_are_forgotten() -> None:
    async def main() -> None:
        finder = MdnsFinder(NETWORK, A)
        cells = [key.cell_id for key in many(MDNS_CELLS_MAX + 20)]
        for cell in cells[:MDNS_CELLS_MAX]:
            finder.note(cell, {b"a0": b"/ip4/10.0.0.1/tcp/1"})
        late = instance_name(NETWORK, cells[-1])
        finder.on_change(None, SERVICE, late, ServiceStateChange.Added)  # type: ignore[arg-type] # never used
        assert finder._resolving == {}
        assert len((await finder.find()).hints) == MDNS_CELLS_MAX
        gone = instance_name(NETWORK, cells[0])
        finder.on_change(None, SERVICE, gone, ServiceStateChange.Removed)  # type: ignore[arg-type] # never used
        assert cells[0] not in dict((await finder.find()).hints)

    asyncio.run(main())


@pytest.mark.slow
def test_two_cells_of_one_network_hear_each_other_and_not_one_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MDNS_TIMEOUT_S", HANG_S)
    if not _multicast_works():
        pytest.skip("this machine passes no multicast on its loopback interface")

    async def main() -> None:
        finders = [
            MdnsFinder(network, cell, interfaces=["127.0.0.1"])
            for network, cell in ((NETWORK, A), (NETWORK, B), (OTHER_NETWORK, C))
        ]
        found: list[dict[CellId, tuple[str, ...]]] = [{}, {}, {}]

        async def look() -> None:
            for place, finder in enumerate(finders):
                found[place] = dict((await finder.find()).hints)

        try:
            for finder, cell in zip(finders, (A, B, C), strict=True):
                await finder.announce([at(cell, 4710, "192.168.1.7")])
            async with asyncio.timeout(HANG_S):
                while not (found[0] and found[1]):
                    await look()
                    await asyncio.sleep(0.05)
            assert found[0] == {B: (at(B, 4710, "192.168.1.7"),)}
            assert found[1] == {A: (at(A, 4710, "192.168.1.7"),)}
            # It moved: the new record replaces the old one.
            await finders[1].announce([at(B, 4711, "192.168.1.8")])
            async with asyncio.timeout(HANG_S):
                while found[0].get(B) != (at(B, 4711, "192.168.1.8"),):
                    await look()
                    await asyncio.sleep(0.05)
            assert found[2] == {}
        finally:
            for finder in finders:
                await finder.close()

    asyncio.run(main())
