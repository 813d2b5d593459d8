"""Identify and ping: what peers learn of each other, and how little a bad answer can do."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import PublicKey, cell_id_of
from gossip.host import Introduction, NotConnected, PingFailed
from gossip.host.loading import load_libp2p
from tests.gossip.host.host_world import (
    HANG_S,
    PROTOCOL,
    ask,
    assert_serves,
    eventually,
    ignore,
    run,
    started,
)

load_libp2p()

from gossip.host import services  # noqa: E402 - needs libp2p loaded lean
from gossip.host.identify import (  # noqa: E402 - the same
    BadIdentify,
    Ourselves,
    decode_identify,
    encode_identify,
)
from gossip.host.limits import IDENTIFY_ITEMS_MAX, IDENTIFY_TEXT_MAX  # noqa: E402 - the same

A = cell_id_of(PublicKey(bytes(range(32))))
B = cell_id_of(PublicKey(bytes(range(1, 33))))
US = Ourselves(A, "myceld/0.1", ("/ipfs/id/1.0.0", "/x/1"), ("/ip4/127.0.0.1/tcp/4001",))


def test_an_identify_message_reads_back() -> None:
    assert decode_identify(encode_identify(US, "/ip6/::1/tcp/9"), A) == Introduction(
        protocol_version="myceld/1",
        agent_version="myceld/0.1",
        protocols=("/ipfs/id/1.0.0", "/x/1"),
        listen_addresses=("/ip4/127.0.0.1/tcp/4001",),
        observed_address="/ip6/::1/tcp/9",
        rtt_ms=None,
    )


def test_an_identify_message_with_the_key_of_another_is_refused() -> None:
    with pytest.raises(BadIdentify, match="another key"):
        decode_identify(encode_identify(US, None), B)


def test_an_identify_message_is_cut_to_its_bounds_and_made_printable() -> None:
    big = Ourselves(A, "\x1b[31m" + "z" * 5000, ("p\n",) * 500, US.listen_addresses * 500)
    read = decode_identify(encode_identify(big, None), A)
    assert len(read.agent_version) == IDENTIFY_TEXT_MAX
    assert read.agent_version.isprintable()
    assert read.protocols == ("p\ufffd",) * IDENTIFY_ITEMS_MAX
    assert len(read.listen_addresses) == IDENTIFY_ITEMS_MAX


@given(st.binary(max_size=300), st.integers(0, 200))
def test_garbage_is_refused_or_read_but_never_raises_anything_else(data: bytes, at: int) -> None:
    whole = encode_identify(US, "/ip4/1.2.3.4/tcp/5")
    for message in (data, whole[:at] + data + whole[at + len(data) :]):
        try:
            read = decode_identify(message, A)
        except BadIdentify:
            continue
        assert read.agent_version.isprintable()


def test_both_ends_of_a_connection_introduce_themselves_and_measure_the_round_trip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Else an answer that nobody reads for so long is taken back. A host that ends waits for it.
    monkeypatch.setattr(services, "CLOSE_LINGER_S", HANG_S / 4)

    async def main() -> None:
        async with started("a", ignore) as a, started("b") as b:
            began = time.monotonic()
            stream = await b.dial(a.addresses[0], timeout_s=HANG_S)
            for host, peer in ((a, b), (b, a)):

                def known(host: object = host, peer: object = peer) -> bool:
                    told = host.introduction(peer.cell_id)  # type: ignore[attr-defined]  # hosts, bound early
                    return told is not None and told.rtt_ms is not None

                await eventually(known)
            told = b.introduction(a.cell_id)
            assert told is not None
            assert (told.protocol_version, told.agent_version) == ("myceld/1", "myceld")
            assert told.protocols == (PROTOCOL, "/ipfs/id/1.0.0", "/ipfs/ping/1.0.0")
            assert [f"{at}/p2p/{a.cell_id}" for at in told.listen_addresses] == [*a.addresses]
            assert str(told.observed_address).startswith("/ip4/127.0.0.1/tcp/")
            assert told.rtt_ms is not None
            assert 0 < told.rtt_ms < _ms_since(began)
            await stream.abort()

    run(main)


def test_a_connected_peer_can_be_pinged_from_both_ends_and_another_cannot() -> None:
    async def main() -> None:
        async with started("a", ignore) as a, started("b") as b, started("c") as c:
            stream = await b.dial(a.addresses[0], timeout_s=HANG_S)
            for pinging, pinged in (*[(b, a)] * 10, (a, b)):
                began = time.monotonic()
                round_trip_ms = await pinging.ping(pinged.cell_id, timeout_s=HANG_S)
                assert 0 < round_trip_ms < _ms_since(began)
            with pytest.raises(NotConnected):
                await a.ping(c.cell_id, timeout_s=HANG_S)
            await stream.abort()

    run(main)


def test_a_ping_without_an_answer_ends_at_its_deadline() -> None:
    async def main() -> None:
        async with started("a") as a, started("b") as b:
            stream = await b.dial(a.addresses[0], timeout_s=HANG_S)
            a._bridge.engine()._services["/ipfs/ping/1.0.0"] = _never  # type: ignore[union-attr]  # the host is started
            with pytest.raises(PingFailed):
                await b.ping(a.cell_id, timeout_s=0.3)
            await assert_serves(a, b)
            await stream.abort()
            assert a.restarts == b.restarts == 0

    run(main)


def _ms_since(began: float) -> float:
    return (time.monotonic() - began) * 1000


async def _never(*_: object) -> None:
    import trio

    await trio.sleep_forever()


def test_introductions_are_asked_for_once_while_they_are_fresh(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "INTRODUCTION_FRESH_S", 3600.0)

    async def main() -> None:
        async with started("a") as a, started("b") as b:
            await assert_serves(a, b)
            asked = await ask(b, lambda engine: dict(engine._introductions._asked))
            assert list(asked) == [a.cell_id]
            for _ in range(4):
                await assert_serves(a, b)
            assert await ask(b, lambda engine: engine._introductions._asked) == asked
            monkeypatch.setattr(services, "INTRODUCTION_FRESH_S", 0.0)
            await assert_serves(a, b)
            assert await ask(b, lambda engine: engine._introductions._asked) != asked

    run(main)
