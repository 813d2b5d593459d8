"""The DHT between hosts: everybody finds everybody by one address, and lies go nowhere."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import PublicKey, cell_id_of
from gossip.host import DhtAlone, DhtViolated, Host, PeerStream, StreamLost
from gossip.host.host import DHT_PROTOCOL
from gossip.host.kademlia import Contact
from gossip.host.loading import load_libp2p
from gossip.host.varint import encode_varint
from tests.gossip.host.host_world import HANG_S, assert_serves, run, started

load_libp2p()

from gossip.host import dht  # noqa: E402 - needs libp2p loaded lean
from gossip.host.kad_wire import (  # noqa: E402 - the same
    KadMessage,
    Kind,
    decode_kad,
    encode_kad,
)

KEY = hashlib.sha256(b"a network").digest()
A = cell_id_of(PublicKey(bytes(range(32))))
CONTACT = Contact(A, (f"/ip4/10.0.0.1/tcp/4001/p2p/{A}", f"/ip6/::1/tcp/1/ws/p2p/{A}"))


@contextlib.asynccontextmanager
async def _nodes(count: int) -> AsyncIterator[Sequence[Host]]:
    """Hosts of which all know the first."""
    async with contextlib.AsyncExitStack() as stack:
        hosts: list[Host] = []
        for number in range(count):
            known = tuple(hosts[0].addresses[:1]) if hosts else ()
            hosts.append(
                await stack.enter_async_context(
                    started(f"n{number}", dht=True, dht_bootstrap=known)  # type: ignore[arg-type]  # fields by name
                )
            )
        yield hosts


def test_five_hosts_with_one_bootstrap_address_find_each_other() -> None:
    async def main() -> None:
        async with _nodes(5) as hosts:
            for host in hosts[1:]:
                assert host.dht is not None
                await host.dht.advertise(KEY)
            assert hosts[0].dht is not None
            await hosts[0].dht.advertise(KEY)
            for host in hosts:
                assert host.dht is not None
                found = dict(await host.dht.find(KEY))
                assert found == {
                    other.cell_id: other.addresses for other in hosts if other is not host
                }
                assert await host.dht.find(b"another key") == ()
                assert host.restarts == 0

    run(main)


def test_records_are_found_after_the_bootstrap_node_is_gone() -> None:
    async def main() -> None:
        async with _nodes(4) as hosts:
            for host in (*hosts[1:], *hosts[1:]):
                assert host.dht is not None
                await host.dht.advertise(KEY)
            await hosts[0].stop()
            for host in hosts[1:]:
                assert host.dht is not None
                others = {other.cell_id for other in hosts[1:]} - {host.cell_id}
                assert {cell_id for cell_id, _ in await host.dht.find(KEY)} == others

    run(main)


def test_alone_there_is_an_error_and_without_dht_no_protocol() -> None:
    async def main() -> None:
        async with _nodes(1) as (host,), started("b") as b:
            assert host.dht is not None
            assert b.dht is None
            for attempt in (host.dht.find, host.dht.advertise):
                with pytest.raises(DhtAlone) as caught:
                    await attempt(KEY)
                assert caught.value.code == "MYC-HOST-019"

    run(main)


def test_a_node_only_takes_a_record_of_the_peer_itself() -> None:
    async def main() -> None:
        async with _nodes(1) as (host,), started("b") as b:
            stranger = KadMessage(Kind.ADD_PROVIDER, KEY, providers=(CONTACT,))
            assert (await _ask(b, host, stranger)).key == KEY
            own = Contact(b.cell_id, b.addresses)
            await _ask(b, host, KadMessage(Kind.ADD_PROVIDER, KEY, providers=(own, CONTACT)))
            answer = await _ask(b, host, KadMessage(Kind.GET_PROVIDERS, KEY))
            assert answer.providers == (own,)
            assert (await _ask(b, host, KadMessage(Kind.PING))).kind is Kind.PING

    run(main)


def test_addresses_are_told_only_where_they_mean_something() -> None:
    from gossip.discovery.address import Reach
    from gossip.host.dht import _within

    world, site, local = (
        f"/ip4/{host}/tcp/1/p2p/{A}" for host in ("8.8.8.8", "10.0.0.1", "127.0.0.1")
    )
    contact = Contact(A, (world, site, local))
    assert _within((contact,), Reach.LOOPBACK) == (contact,)
    assert _within((contact,), Reach.SITE) == (Contact(A, (world, site)),)
    assert _within((contact,), Reach.WORLD) == (Contact(A, (world,)),)
    assert _within((Contact(A, (local,)),), Reach.SITE) == ()


async def _ask(asker: Host, node: Host, message: KadMessage) -> KadMessage:
    data = encode_kad(message)
    async with await asker.dial(
        node.addresses[0], timeout_s=HANG_S, protocol=DHT_PROTOCOL
    ) as stream:
        await stream.write(encode_varint(len(data)) + data, timeout_s=HANG_S)
        answer = bytearray()
        while not answer or len(answer) <= answer[0]:
            answer += await stream.read(timeout_s=HANG_S)
    skip = 1 if answer[0] < 0x80 else 2
    return decode_kad(bytes(answer[skip:]))


def test_garbage_on_the_protocol_ends_the_stream_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attacks = [
        b"\xff\xff\xff\xff\xff\xff\xff\x7f",
        encode_varint(10 << 20) + bytes(1000),
        encode_varint(5) + b"\xff\xff\xff\xff\xff",
        encode_varint(2) + b"\x08\x00",
        encode_varint(2) + b"\x08\x04",
        encode_varint(20) + b"half",
        b"\x02\x08\x05" * 1000,
    ]

    async def main() -> None:
        async with _nodes(2) as (host, other), started("b") as b:
            assert other.dht is not None
            for attack in attacks:
                with monkeypatch.context() as impatient:
                    impatient.setattr(dht, "DHT_QUERY_TIMEOUT_S", 0.2)
                    await _send_until_ended(b, host, attack)
                await other.dht.advertise(KEY)
                await assert_serves(host, b)
            assert host.restarts == 0

    run(main)


async def _send_until_ended(attacker: Host, node: Host, data: bytes) -> None:
    address = node.addresses[0]
    async with await attacker.dial(address, timeout_s=HANG_S, protocol=DHT_PROTOCOL) as stream:
        with contextlib.suppress(StreamLost):
            await stream.write(data, timeout_s=HANG_S)
            while await stream.read(timeout_s=HANG_S):
                pass


def test_a_node_that_lies_or_hangs_costs_a_search_its_deadline_at_most() -> None:
    async def main() -> None:
        async def lie(stream: PeerStream) -> None:
            data = await stream.read(timeout_s=HANG_S)
            assert data
            answer = encode_kad(KadMessage(Kind.GET_PROVIDERS, b"other key", (CONTACT,)))
            await stream.write(encode_varint(len(answer)) + answer, timeout_s=HANG_S)

        from gossip.host import HostConfig
        from tests.gossip.host.host_world import ANYWHERE, PROTOCOL, echo

        liar = Host(HostConfig(b"l" * 32, (ANYWHERE,), PROTOCOL), echo)
        liar.set_handler(DHT_PROTOCOL, lie)
        await liar.start()
        try:
            async with started("b", dht=True, dht_bootstrap=(liar.addresses[0],)) as b:  # type: ignore[arg-type]  # fields by name
                assert b.dht is not None
                with pytest.raises(DhtAlone):
                    await asyncio.wait_for(b.dht.find(KEY), HANG_S)
        finally:
            await liar.stop()

    run(main)


def test_a_message_reads_back_and_addresses_that_cannot_be_dialled_are_left_out() -> None:
    message = KadMessage(Kind.GET_PROVIDERS, KEY, (CONTACT,), (CONTACT,))
    assert decode_kad(encode_kad(message)) == message
    from libp2p.kad_dht.pb.kademlia_pb2 import Message
    from multiaddr import Multiaddr

    raw = Message.FromString(encode_kad(message))
    raw.closerPeers[0].addrs[0] = Multiaddr("/ip4/10.0.0.1/udp/4001/quic-v1").to_bytes()
    raw.closerPeers[0].addrs[1] = b"\xff\xff no multiaddr"
    raw.providerPeers[0].id = b"\x00\x01no cell id"
    read = decode_kad(raw.SerializeToString())
    assert (read.closer, read.providers) == ((), ())


@given(st.binary(max_size=400), st.integers(0, 120))
def test_a_damaged_message_is_refused_or_read_and_never_raises_anything_else(
    data: bytes, at: int
) -> None:
    whole = encode_kad(KadMessage(Kind.FIND_NODE, KEY, (CONTACT,), (CONTACT,)))
    for damaged in (data, whole[:at] + data + whole[at + len(data) :]):
        try:
            read = decode_kad(damaged)
        except DhtViolated:
            continue
        assert all(len(c.addresses) <= 4 for c in (*read.closer, *read.providers))
