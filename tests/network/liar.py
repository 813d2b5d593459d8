"""A cell that tells of a far epoch and serves a spoilt checkpoint, for tests of those who ask."""

from __future__ import annotations

import asyncio
import threading
from typing import Self

from core.ids import Epoch
from gossip.host import Host, HostConfig, PeerStream
from gossip.wire import (
    WIRE_VERSION,
    FrameReader,
    Have,
    Hello,
    Ping,
    Pong,
    encode_frame,
)
from ledger.genesis import Genesis
from ledger.transfer.wire import (
    AskLinks,
    AskPiece,
    Entries,
    FrameBodies,
    Headers,
    Links,
    decode_ask,
    encode_answer,
)
from node.daemon import gossip_protocol
from node.transfer_serving import transfer_protocol

_SEED = b"\x77" * 32
_AHEAD = 1000


class Liar:
    """Runs in a thread of its own. `links` are true ones, got from an honest cell."""

    def __init__(self, genesis: Genesis, links: Links) -> None:
        self._genesis = genesis
        self._links = links
        self.pieces_asked = 0
        self.address = ""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        self._loop.close()

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        network = self._genesis.network_id
        config = HostConfig(_SEED, ("/ip4/127.0.0.1/tcp/0",), gossip_protocol(network))
        host = Host(config, self._gossip)
        host.set_handler(transfer_protocol(network), self._transfer)
        (self.address,) = await host.start()
        self._ready.set()
        await self._stop.wait()
        await host.stop()

    async def _gossip(self, stream: PeerStream) -> None:
        genesis = self._genesis
        hello = Hello(WIRE_VERSION, genesis.rule_set, genesis.network_id, Epoch(_AHEAD))
        have = Have(Epoch(_AHEAD), (0,) * len(genesis.members))
        await stream.write(encode_frame(hello) + encode_frame(have), timeout_s=5)
        reader = FrameReader()
        while data := await stream.read(65536, timeout_s=60):
            for frame in reader.feed(data):
                if isinstance(frame, Ping):
                    await stream.write(encode_frame(Pong(frame.number)), timeout_s=5)

    async def _transfer(self, stream: PeerStream) -> None:
        bodies = FrameBodies()
        while data := await stream.read(65536, timeout_s=60):
            for body in bodies.feed(data):
                match decode_ask(body):
                    case AskLinks(epoch):
                        links = tuple(x for x in self._links.links if x.header.epoch >= epoch)
                        answer = encode_answer(Links(Epoch(_AHEAD), links))
                    case AskPiece():
                        self.pieces_asked += 1
                        answer = encode_answer(Entries(((b"value/mine", b"all of it"),)))
                    case _:
                        answer = encode_answer(Headers((b"made up",)))
                await stream.write(answer, timeout_s=5)
