"""Cells of two networks, even with the same key and each other's addresses, say nothing but no.

The cells run in this process, with everything that a cell has. What they say to each other is
recorded before it is encrypted: all of it, on all sides. It may be what libp2p says to anybody: the
negotiation of protocols, and identify (a cell's own key, addresses and protocols).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from core.ids import CellId, public_key_of
from gossip.host import PeerStream
from gossip.host.loading import load_libp2p
from gossip.wire import Frame, FrameReader, Hello, encode_frame
from identity import keystore
from identity.keys import KeyPair
from node.assembly import gossip_protocol
from node.daemon import Daemon
from node.founding import Wishes, found
from node.home import Home
from node.parts import Parts
from settings import CellConfig, Config
from tests.gossip.host.host_world import started

_MARKS = (b"myceld/spore/", b"myceld/announcement/", b"myceld/round/", b"myceld/roster/")
_SAID_SIZE_BYTES_MAX = 32 * 1024
"""For each time that somebody was refused: they try again for as long as a test takes."""
_HANGS_S = 240.0
FRIEND = KeyPair(bytes([77]) * 32).cell_id
FRIENDS_ADDRESS = f"/ip4/127.77.0.1/tcp/9/p2p/{FRIEND}"
"""Of a cell that only one of the networks knows."""


class Cell:
    """A daemon in this process."""

    def __init__(self, home: Home, *bootstrap: str) -> None:
        self.lines: list[str] = []
        config = Config(CellConfig(listen=("/ip4/127.0.0.1/tcp/0",), bootstrap=bootstrap))
        self.daemon = Daemon(home, config, self.lines.append)

    @property
    def parts(self) -> Parts:
        supervisor = self.daemon._supervisor
        assert supervisor is not None
        assert supervisor._cell is not None
        return supervisor._cell._parts

    @property
    def address(self) -> str:
        return next(line.split()[1] for line in self.lines if line.startswith("address"))

    def book(self) -> set[CellId]:
        return {cell for cell, addresses in self.parts.peers.book.all() if addresses}


@asynccontextmanager
async def running(cell: Cell) -> AsyncIterator[Cell]:
    task = asyncio.create_task(cell.daemon.run())
    try:
        async with asyncio.timeout(_HANGS_S):
            while "ready" not in cell.lines:
                assert not task.done(), task
                await asyncio.sleep(0.02)
        yield cell
    finally:
        cell.daemon.stop()
        async with asyncio.timeout(_HANGS_S):
            await task


def make_home(path: Path, network: str, seed: bytes) -> Home:
    """A home with a key that the test chooses, and a network of that cell."""
    home = Home(path)
    home.make()
    keystore.create(home.key, seed)
    found(home, Wishes(network=network, gateway_port=0))
    return home


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Everything that any host of this process encrypts for another, in order."""
    load_libp2p()
    from libp2p.security.noise.io import NoiseTransportReadWriter

    record: list[bytes] = []
    real = NoiseTransportReadWriter.encrypt

    def encrypt(self: object, data: bytes) -> bytes:
        record.append(bytes(data))
        encrypted: bytes = real(self, data)
        return encrypted

    monkeypatch.setattr(NoiseTransportReadWriter, "encrypt", encrypt)
    return record


def only_refusals(said: Sequence[bytes]) -> None:
    """Fail if anything of a network was said: cells, spores, headers, or addresses of others."""
    everything = b"".join(said)
    refusals = everything.count(b"na\n")
    assert refusals, "nobody was refused"
    assert len(everything) < _SAID_SIZE_BYTES_MAX * refusals
    for secret in (*_MARKS, FRIEND.encode(), public_key_of(FRIEND), b"127.77.0.1", b"\x7f\x4d\0\1"):
        assert secret not in everything


async def settle(*cells: Cell, seconds: float = 4.0) -> None:
    """Give cells the time in which they would meet, several times over."""
    await asyncio.sleep(seconds)
    for cell in cells:
        assert cell.parts.peers.host.restarts == 0


def test_two_networks_with_the_same_bootstrap_list_learn_nothing_of_each_other(
    tmp_path: Path, said: list[bytes]
) -> None:
    async def main() -> None:
        seeds = [bytes([number]) * 32 for number in (11, 12)]
        one, two = (
            make_home(tmp_path / name, name, seed)
            for name, seed in zip(("one", "two"), seeds, strict=True)
        )
        async with running(Cell(one, FRIENDS_ADDRESS)) as first:
            shared = first.address
            async with running(Cell(two, shared)) as second:
                async with asyncio.timeout(_HANGS_S):
                    identity = first.parts.cell_id
                    infos = second.parts.peers.infos
                    while not (identity in infos and infos[identity].last_error):  # noqa: ASYNC110 - as above
                        await asyncio.sleep(0.02)
                await settle(first, second)
                assert "MYC-HOST-006" in str(infos[identity].last_error)
                # What their own configurations say, and no more.
                assert first.book() == {FRIEND}
                assert second.book() == {identity}
                for cell in (first, second):
                    assert cell.parts.peers.connected() == []
                    spore = await cell.parts.discovery.handed_out()
                    assert [node.cell_id for node in spore.nodes] == [cell.parts.cell_id]
                only_refusals(said)

    asyncio.run(main())


def test_the_same_key_in_two_networks_is_two_cells_that_ignore_each_other(
    tmp_path: Path, said: list[bytes]
) -> None:
    async def main() -> None:
        seed = bytes([13]) * 32
        one, two = (make_home(tmp_path / name, name, seed) for name in ("one", "two"))
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(running(Cell(one)))
            second = await stack.enter_async_context(running(Cell(two, first.address)))
            assert first.parts.cell_id == second.parts.cell_id
            # A third one of the first network has both addresses of "the" cell on its list.
            third_home = Home(tmp_path / "three")
            third_home.make()
            keystore.create(third_home.key, bytes([14]) * 32)
            found(third_home, Wishes(genesis=one.genesis, gateway_port=0))
            third = Cell(third_home, second.address, first.address)
            await stack.enter_async_context(running(third))
            async with asyncio.timeout(_HANGS_S):
                while not third.parts.peers.connected():  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.02)
            await settle(first, second, third)
            async with asyncio.timeout(_HANGS_S):  # a connection may have been lost meanwhile
                while not all(  # noqa: ASYNC110 - as above
                    one.parts.peers.connected() == [other.parts.cell_id]
                    for one, other in ((third, first), (first, third))
                ):
                    await asyncio.sleep(0.02)
            assert second.parts.peers.connected() == []
            assert second.book() == set()
            # Inside a network the same recorder does hear spores.
            assert any(_MARKS[0] in data for data in said)
            book = third.parts.peers.book
            assert book.addresses(first.parts.cell_id)[0] == first.address

    asyncio.run(main())


def test_whoever_speaks_a_networks_protocol_from_another_one_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes the name of the protocol gets HELLO and REFUSE, and leaves nothing behind."""

    monkeypatch.setattr("node.session.HANDSHAKE_TIMEOUT_MS", 1000 * _HANGS_S)

    async def main() -> None:
        home = make_home(tmp_path / "one", "one", bytes([15]) * 32)
        async with running(Cell(home)) as cell, started("stranger") as stranger:
            protocol = gossip_protocol(cell.parts.genesis.network_id)
            stream = await stranger.dial(cell.address, timeout_s=_HANGS_S, protocol=protocol)
            async with stream:
                other = Hello(
                    2, 2, type(cell.parts.genesis.network_id)(bytes(32)), cell.parts.consensus.epoch
                )
                await stream.write(encode_frame(other), timeout_s=_HANGS_S)
                frames = await _all_frames(stream)
            assert [type(frame).__name__ for frame in frames] == ["Hello", "Refuse"]
            assert "another network" in repr(frames[1])
            assert cell.book() == set()
            assert cell.parts.peers.connected() == []

    asyncio.run(main())


async def _all_frames(stream: PeerStream) -> list[Frame]:
    reader, frames = FrameReader(), []
    while data := await stream.read(timeout_s=_HANGS_S):
        frames += list(reader.feed(data))
    return frames
