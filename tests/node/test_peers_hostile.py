"""What peers may do to a cell's sessions: over real hosts in one process, no cells behind them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from core.errors import MyceldError
from core.ids import Epoch
from gossip.discovery.book import AddressBook
from gossip.host import Host, HostConfig, PeerStream
from gossip.limits import REPEATS_BURST, SCORE_BAN, WANTED_EVENTS_MIN
from gossip.score import COSTS, Misbehaviour
from gossip.wire import (
    WIRE_VERSION,
    Events,
    Frame,
    FrameReader,
    Have,
    Hello,
    Ping,
    Want,
    encode_frame,
)
from identity.keys import KeyPair
from node import conduct, session
from node import peers as module
from node.errors import PeerMisbehaved, PeerTooSlow
from node.inbox import Connected, ConsensusInbox, FrameFrom
from node.peers import Peers, PeersConfig, PeersLinks
from node.session import Session
from tests.ledger.world import GENESIS, KEYS
from tests.node.silent import SilentIntroducer
from tests.waiting import PATIENCE_S, run, until

pytestmark = pytest.mark.usefixtures("patient")

PROTOCOL = "/myceld/test/1"
ANYWHERE = ("/ip4/127.0.0.1/tcp/0",)
ROSTER = GENESIS.roster
MEMBER = KEYS[1]


@pytest.fixture(name="clock", autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Milliseconds by which peers are judged: no budget grows and no ban ends by itself."""
    clock = [0]
    for part in (conduct, module, session):
        monkeypatch.setattr(part, "now_ms", lambda: clock[0])
    return clock


class Stranger:
    """A host that speaks by hand."""

    def __init__(self, key: KeyPair) -> None:
        self.key = key
        self.host = Host(HostConfig(key.seed, ANYWHERE, PROTOCOL), _abort)

    async def talk(self, address: str) -> PeerStream:
        """Dial and say HELLO; raises when the other side does not say it too."""
        stream = await self.host.dial(address, timeout_s=PATIENCE_S)
        hello = Hello(WIRE_VERSION, GENESIS.rule_set, GENESIS.network_id, ROSTER.epoch)
        await stream.write(encode_frame(hello), timeout_s=PATIENCE_S)
        reader = FrameReader()
        while not (frames := list(reader.feed(await _some(stream)))):
            pass
        assert isinstance(frames[0], Hello)
        return stream


@asynccontextmanager
async def world(
    *keys: KeyPair,
) -> AsyncIterator[tuple[Peers, ConsensusInbox, str, list[Stranger]]]:
    """The peers of member 0, with its inbox and address; and hosts with these keys."""
    heard = ConsensusInbox()
    config = PeersConfig(
        HostConfig(KEYS[0].seed, ANYWHERE, PROTOCOL), GENESIS.network_id, GENESIS.rule_set, ROSTER
    )
    links = PeersLinks(heard, asyncio.Queue(8), list, _nothing, _nothing, SilentIntroducer())
    peers = Peers(config, links, AddressBook(KEYS[0].cell_id))
    (address,) = await peers.start()
    running = asyncio.create_task(peers.run())
    others = [Stranger(key) for key in keys]
    try:
        for other in others:
            await other.host.start()
        yield peers, heard, address, others
    finally:
        running.cancel()
        for other in others:
            await other.host.stop()
        await peers.stop()


def test_events_that_nobody_asked_a_stranger_for_cost_it_its_session_a_member_may_push(
    clock: list[int],
) -> None:
    async def main() -> None:
        key = KeyPair(os.urandom(32))
        async with world(key, MEMBER) as (peers, heard, address, (stranger, member)):
            streams = [await stranger.talk(address), await member.talk(address)]
            await until(lambda: len(peers.connected()) == 2)
            pushed = Events(Epoch(0), (b"x",), last=False)
            for _ in range(3):
                peers.conduct.judge_events(key.cell_id, pushed, 0)
                peers.conduct.judge_events(MEMBER.cell_id, pushed, 0)
            await until(lambda: peers.connected() == [MEMBER.cell_id])
            assert peers.conduct.standings.banned_cells(clock[0]) == {key.cell_id}
            await until(lambda: key.cell_id in peers.host.denied)
            with pytest.raises((MyceldError, ConnectionError)):
                await stranger.talk(address)
            await streams[1].write(encode_frame(Ping(1)), timeout_s=PATIENCE_S)
            assert heard.qsize() > 0

    run(main())


def test_what_we_asked_for_is_welcome_from_anybody(clock: list[int]) -> None:
    async def main() -> None:
        key = KeyPair(os.urandom(32))
        async with world(key) as (peers, _, address, (stranger,)):
            await stranger.talk(address)
            await until(lambda: peers.connected() == [key.cell_id])
            session = peers.session(key.cell_id)
            assert session is not None
            session.note_asked()
            for _ in range(10):
                peers.conduct.judge_events(
                    key.cell_id, Events(Epoch(0), (b"x",) * 100, last=False), 100
                )
            peers.conduct.judge_events(key.cell_id, Events(Epoch(0), (), last=True), 0)
            assert peers.conduct.standings.points(key.cell_id, clock[0]) == 0
            assert not session.is_asked

    run(main())


def test_a_member_that_repeats_itself_beyond_its_budget_is_disconnected(clock: list[int]) -> None:
    async def main() -> None:
        async with world(MEMBER) as (peers, _, address, (member,)):
            await member.talk(address)
            await until(lambda: peers.connected() == [MEMBER.cell_id])
            frame = Events(Epoch(0), (b"x",) * 500, last=False)
            for _ in range(REPEATS_BURST // 500):
                peers.conduct.judge_events(MEMBER.cell_id, frame, 500)
            assert peers.conduct.standings.points(MEMBER.cell_id, clock[0]) < 5
            for _ in range(2):
                peers.conduct.judge_events(MEMBER.cell_id, frame, 500)
            await until(lambda: peers.connected() == [])
            assert PeerMisbehaved.code in str(peers.infos[MEMBER.cell_id].last_error)

    run(main())


def test_who_wants_the_same_again_and_again_is_refused_and_then_disconnected() -> None:
    async def main() -> None:
        async with world(MEMBER) as (peers, _, address, (member,)):
            await member.talk(address)
            await until(lambda: peers.connected() == [MEMBER.cell_id])
            session = peers.session(MEMBER.cell_id)
            assert session is not None
            assert peers.conduct.may_want(MEMBER.cell_id, events=100)
            session.answered_events = WANTED_EVENTS_MIN + 201
            assert not peers.conduct.may_want(MEMBER.cell_id, events=100)
            await until(lambda: peers.connected() == [])

    run(main())


def test_strangers_take_no_seats_of_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STRANGER_SESSIONS_MAX", 2)

    async def main() -> None:
        keys = [KeyPair(os.urandom(32)) for _ in range(3)]
        async with world(*keys, MEMBER) as (peers, _, address, (*strangers, member)):
            for stranger in strangers[:2]:
                await stranger.talk(address)
            with pytest.raises((MyceldError, ConnectionError)):
                await strangers[2].talk(address)
            await member.talk(address)
            members = {MEMBER.cell_id, *(key.cell_id for key in keys[:2])}
            await until(lambda: set(peers.connected()) == members)
            assert "MYC-NODE-025" in str(peers.infos[keys[2].cell_id].last_error)

    run(main())


def test_a_flood_of_frames_is_read_slowly_and_ends_the_session(
    clock: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses_ms: list[int] = []

    async def pause(_: Session, wait_ms: int) -> None:
        """Take no longer than the reading; what was to be waited for is over then."""
        pauses_ms.append(wait_ms)
        clock[0] += wait_ms
        await asyncio.sleep(0)

    monkeypatch.setattr(Session, "_pause", pause)

    async def main() -> None:
        async with world(MEMBER) as (peers, heard, address, (member,)):
            stream = await member.talk(address)
            await until(lambda: peers.connected() == [MEMBER.cell_id])
            flood = asyncio.create_task(_flood(stream, Ping(1)))
            await until(lambda: peers.connected() == [])
            await asyncio.wait([flood])
            assert peers.conduct.standings.banned_ms(MEMBER.cell_id, clock[0]) > 0
            assert heard.size_bytes == 0
            slow = [wait_ms for wait_ms in pauses_ms if wait_ms]
            assert len(slow) >= SCORE_BAN / COSTS[Misbehaviour.FRAME_FLOOD] - 1

    run(main())


def test_pressure_of_one_peer_fills_its_own_lane_only_and_what_we_send_is_never_held_up() -> None:
    async def main() -> None:
        async with world(MEMBER, KEYS[2]) as (peers, heard, address, (noisy, quiet)):
            loud, calm = await noisy.talk(address), await quiet.talk(address)
            await until(lambda: len(peers.connected()) == 2)
            wants = encode_frame(Want(Epoch(0), (0,) * 4))
            await loud.write(wants * 500, timeout_s=PATIENCE_S)  # nobody takes them out
            await until(lambda: heard.qsize() >= 60)
            await calm.write(encode_frame(Have(Epoch(0), (7,) * 4)), timeout_s=PATIENCE_S)
            own = encode_frame(Events(Epoch(0), (b"own event",), last=False))
            peers.broadcast(own)
            for stream in (loud, calm):
                while b"own event" not in await _some(stream):
                    pass  # a ping comes in between
            wanted = FrameFrom(KEYS[2].cell_id, Have(Epoch(0), (7,) * 4))
            await until(lambda: heard._queue.count(KEYS[2].cell_id) == 2)
            found = False
            while not found:
                item = await heard.get()
                found = item == wanted
                assert isinstance(item, Connected | FrameFrom)
            assert heard.qsize() > 20, "the quiet one did not wait for all of the noise"

    run(main())


def test_the_bytes_that_wait_for_all_peers_together_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "OUTBOUND_SIZE_BYTES_MAX", 1 << 20)

    async def main() -> None:
        key = KeyPair(os.urandom(32))
        async with world(key, MEMBER) as (peers, _, address, (stranger, member)):
            await stranger.talk(address)
            await member.talk(address)
            await until(lambda: len(peers.connected()) == 2)
            peers.broadcast(bytes(600 << 10))
            await until(lambda: peers.connected() == [MEMBER.cell_id])
            assert PeerTooSlow.code in str(peers.infos[key.cell_id].last_error)

    run(main())


async def _flood(stream: PeerStream, frame: Frame) -> None:
    data = encode_frame(frame) * 1000
    try:
        while True:
            await stream.write(data, timeout_s=PATIENCE_S)
    except MyceldError:
        return


async def _some(stream: PeerStream) -> bytes:
    data = await stream.read(timeout_s=PATIENCE_S)
    if not data:
        raise ConnectionError("the stream ended")
    return data


async def _abort(stream: PeerStream) -> None:
    await stream.abort()


async def _nothing(*_: object) -> None:
    return None
