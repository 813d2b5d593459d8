"""A cell that tells of a far epoch and serves transfers as a test wants, for those who ask it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

from core.ids import Epoch
from gossip.host import Host, HostConfig, PeerStream
from gossip.wire import WIRE_VERSION, FrameReader, Have, Hello, Ping, Pong, encode_frame
from ledger.genesis import Genesis
from ledger.transfer.server import answer_of
from ledger.transfer.wire import (
    AskLinks,
    AskPiece,
    FrameBodies,
    Headers,
    Links,
    decode_ask,
    encode_answer,
)
from node.assembly import gossip_protocol
from node.transfer_serving import StoreSource, transfer_protocol
from tests.ledger.transfer.world import History, piece_of
from tests.node.history_store import opened, source_of, write

Handler = Callable[[PeerStream], Awaitable[None]]
_AHEAD = Epoch(1000)


class FakeCell:
    """Runs in a thread of its own."""

    def __init__(self, genesis: Genesis, seed: bytes) -> None:
        self.address = ""
        self.asked = 0
        self._genesis = genesis
        self._seed = seed
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(240)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(240)
        self._loop.close()

    async def transfer(self, stream: PeerStream) -> None:
        """Serve one transfer."""
        raise NotImplementedError

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        network = self._genesis.network_id
        config = HostConfig(self._seed, ("/ip4/127.0.0.1/tcp/0",), gossip_protocol(network))
        host = Host(config, self._gossip)
        host.set_handler(transfer_protocol(network), self.transfer)
        (self.address,) = await host.start()
        self._ready.set()
        await self._stop.wait()
        await host.stop()

    async def _gossip(self, stream: PeerStream) -> None:
        genesis = self._genesis
        hello = Hello(WIRE_VERSION, genesis.rule_set, genesis.network_id, _AHEAD)
        have = Have(_AHEAD, (0,) * len(genesis.members))
        await stream.write(encode_frame(hello) + encode_frame(have), timeout_s=60)
        reader = FrameReader()
        while data := await stream.read(65536, timeout_s=60):
            for frame in reader.feed(data):
                if isinstance(frame, Ping):
                    await stream.write(encode_frame(Pong(frame.number)), timeout_s=60)


class Liar(FakeCell):
    """Gives true links, and makes up the rest."""

    def __init__(self, genesis: Genesis, links: Links) -> None:
        super().__init__(genesis, b"\x77" * 32)
        self._links = links

    async def transfer(self, stream: PeerStream) -> None:
        bodies = FrameBodies()
        while data := await stream.read(65536, timeout_s=60):
            for body in bodies.feed(data):
                self.asked += 1
                match decode_ask(body):
                    case AskLinks(epoch):
                        links = tuple(x for x in self._links.links if x.header.epoch >= epoch)
                        answer = encode_answer(Links(_AHEAD, links))
                    case AskPiece():
                        answer = encode_answer(piece_of({b"value/mine": b"all of it"}))
                    case _:
                        answer = encode_answer(Headers((b"made up",)))
                await stream.write(answer, timeout_s=60)


class Honest(FakeCell):
    """Serves out of a history in a store of its own."""

    def __init__(self, genesis: Genesis, history: History, path: Path) -> None:
        super().__init__(genesis, b"\x66" * 32)
        self._history = history
        self._path = path
        self._source: StoreSource

    async def before_answer(self) -> None:
        """Wait for whatever a test wants, before each answer."""

    async def _run(self) -> None:
        async with opened(self._path) as store:
            await write(store, self._history)
            self._source = await source_of(store)
            await super()._run()

    async def transfer(self, stream: PeerStream) -> None:
        bodies = FrameBodies()
        while data := await stream.read(65536, timeout_s=60):
            for body in bodies.feed(data):
                self.asked += 1
                await self.before_answer()
                answer = encode_answer(await answer_of(decode_ask(body), self._source))
                await stream.write(answer, timeout_s=60)
