"""What the simulated network does to bytes, and what it must never do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from core.errors import MyceldError
from gossip.host import (
    DialFailed,
    NotAMultiaddr,
    NotConnected,
    PeerStream,
    ProtocolRefused,
    StreamLost,
    WriteTimedOut,
    WrongPeer,
)
from sim.errors import NetworkMisused, TooMuchInFlight
from sim.limits import WAITING_CHANNELS_MAX, WINDOW_BYTES
from sim.network import SimNetwork
from sim.port import SimPort
from sim.taps import TappedFrame, framed
from tests.sim.wire_world import End, WireWorld, collecting


def opened(world: WireWorld) -> tuple[PeerStream, list[bytes], list[End]]:
    """Start two hosts and return a stream from the first, and what the second gets on it."""
    got, ends = list[bytes](), list[End]()
    world.start(0)
    world.start(1, collecting(got, ends))
    return world.dial(0, 1), got, ends


def kinds(ends: list[End]) -> list[type[Exception] | None]:
    return [kind for _, kind in ends]


def test_a_dial_takes_four_round_trips_and_bytes_one_delay() -> None:
    world = WireWorld()
    began_s = world.loop.time() + 0.002  # two hosts start
    stream, got, _ = opened(world)
    assert world.loop.time() - began_s == pytest.approx(0.08)
    world.do(0, stream.write(b"x", timeout_s=1))
    world.run_for(0.0099)
    assert got == []
    world.run_for(0.0002)
    assert got == [b"x"]


def test_jitter_and_loss_make_bytes_late_and_change_nothing_else() -> None:
    world = WireWorld()
    stream, got, _ = opened(world)
    link = world.network.link(0, 1)
    link.jitter_s, link.loss = 0.5, 0.3
    sent = [bytes([number]) * 100 for number in range(200)]

    async def write() -> None:
        for data in sent:
            await stream.write(data, timeout_s=60)
            await asyncio.sleep(0.01)

    world.result(0, write())
    late = len(got)
    world.run_for(60)
    assert late < len(sent)
    assert b"".join(got) == b"".join(sent)


def test_a_slow_link_takes_as_long_as_its_bytes() -> None:
    world = WireWorld()
    stream, got, _ = opened(world)
    world.network.link(0, 1).bytes_per_s = 100_000
    world.do(0, stream.write(bytes(200_000), timeout_s=60))
    world.run_for(1.9)
    assert 100_000 < sum(map(len, got)) < 200_000
    world.run_for(0.2)
    assert sum(map(len, got)) == 200_000


def test_a_spike_delays_all_that_leaves_while_it_lasts() -> None:
    world = WireWorld()
    stream, got, _ = opened(world)
    world.network.link(0, 1).spike_s = 2
    world.do(0, stream.write(b"x", timeout_s=1))
    world.run_for(2)
    assert got == []
    world.run_for(0.02)
    assert got == [b"x"]


def test_a_cut_link_is_silent_and_what_was_sent_comes_after_it_is_healed() -> None:
    world = WireWorld()
    stream, got, ends = opened(world)
    world.network.cut(0, 1)
    world.do(0, stream.write(b"one", timeout_s=1))
    world.run_for(4)
    with pytest.raises(DialFailed, match="no answer in 3 s"):
        world.dial(1, 0, timeout_s=3)
    world.do(0, stream.write(b"two", timeout_s=1))
    world.run_for(1)
    assert (got, ends) == ([], [])
    world.network.heal(0, 1)
    world.run_for(4)
    assert (b"".join(got), ends) == (b"onetwo", [])


def test_bytes_under_way_when_the_link_is_cut_keep_their_order() -> None:
    world = WireWorld()
    stream, got, _ = opened(world)
    link = world.network.link(0, 1)
    link.jitter_s = 0.2

    async def write() -> None:
        for number in range(100):
            await stream.write(bytes([number]), timeout_s=60)
            await asyncio.sleep(0.01)
            if number % 20 == 10:
                world.network.cut(0, 1)
            if number % 20 == 15:
                world.network.heal(0, 1)

    world.result(0, write())
    world.run_for(10)
    assert b"".join(got) == bytes(range(100))


def test_a_link_may_be_cut_in_one_direction_only() -> None:
    world = WireWorld()
    got, ends, back = list[bytes](), list[End](), list[bytes]()
    world.start(0, collecting(back, ends))
    world.start(1, collecting(got, ends))
    forth, there = world.dial(0, 1), world.dial(1, 0)
    world.network.cut(0, 1, both=False)
    world.do(0, forth.write(b"forth", timeout_s=1))
    world.do(1, there.write(b"back", timeout_s=1))
    world.run_for(5)
    assert (got, back) == ([], [b"back"])


def test_partitions_cut_between_groups_and_whoever_is_in_none() -> None:
    network = WireWorld(5).network

    def whole() -> list[tuple[int, int]]:
        pairs = [(a, b) for a in range(5) for b in range(5) if a != b]
        return [pair for pair in pairs if not network.link(*pair).cut]

    network.partition([[0, 1], [2, 3]])
    assert whole() == [(0, 1), (1, 0), (2, 3), (3, 2)]
    network.heal_all()
    assert len(whole()) == 20


def test_after_kill_9_the_peer_sees_the_end_one_delay_later() -> None:
    world = WireWorld()
    stream, got, ends = opened(world)
    world.do(0, stream.write(b"last words", timeout_s=1))
    world.run_for(0.001)
    killed_s = world.loop.time()
    world.lives[0].kill()
    world.run_for(1)
    assert (got, ends) == ([b"last words"], [(round(killed_s + 0.01, 6), StreamLost)])
    with pytest.raises(DialFailed, match="refused"):
        world.result(1, world.dialled(1, 0))
    world.start(0)
    assert world.dial(1, 0).cell_id == world.hosts[0].cell_id


def test_after_kill_9_on_a_cut_link_the_peer_sees_the_end_when_it_heals() -> None:
    world = WireWorld()
    _, _, ends = opened(world)
    world.network.cut(0, 1)
    world.lives[0].kill()
    world.run_for(20)
    assert ends == []
    world.network.heal(0, 1)
    world.run_for(5)
    assert kinds(ends) == [StreamLost]


def test_after_a_power_cut_there_is_silence_until_the_machine_is_back() -> None:
    world = WireWorld()
    _, _, ends = opened(world)
    world.network.power_off(0)
    assert not world.lives[0].alive
    world.run_for(20)
    with pytest.raises(DialFailed, match="no answer"):
        world.dial(1, 0, timeout_s=2)
    assert ends == []
    world.network.power_on(0)
    world.run_for(5)
    assert kinds(ends) == [StreamLost]


def test_a_life_that_was_just_killed_sends_nothing_more() -> None:
    world = WireWorld()
    stream, got, _ = opened(world)

    async def die_and_write() -> None:
        world.lives[0].kill()
        await stream.write(b"from beyond", timeout_s=1)

    world.do(0, die_and_write())
    world.run_for(5)
    assert got == []


def test_a_peer_that_does_not_read_makes_the_writer_wait_at_its_window() -> None:
    world = WireWorld()
    world.start(0)
    world.start(1)
    stream = world.dial(0, 1)
    world.result(0, stream.write(bytes(WINDOW_BYTES), timeout_s=0.001))
    with pytest.raises(WriteTimedOut):
        world.result(0, stream.write(b"x", timeout_s=3))
    assert stream.closed


def test_a_paused_process_keeps_its_streams_and_answers_no_dial() -> None:
    world = WireWorld()
    stream, got, ends = opened(world)
    world.lives[1].pause()
    world.do(0, stream.write(b"x", timeout_s=1))
    with pytest.raises(DialFailed, match="no answer"):
        world.dial(0, 1, timeout_s=3)
    assert got == []
    world.lives[1].resume()
    world.run_for(1)
    assert (got, ends) == ([b"x"], [])


def test_dials_fail_as_those_of_the_real_host() -> None:
    world = WireWorld(3)
    world.start(0)
    world.start(1)
    host, other = world.hosts[0], world.hosts[1]
    at, cell = other.addresses[0].split("/p2p/")

    def fails(address: str, error: type[MyceldError], protocol: str | None = None) -> float:
        began_s = world.loop.time()
        with pytest.raises(error):
            world.result(0, host.dial(address, timeout_s=5, protocol=protocol))
        return world.loop.time() - began_s

    assert fails(f"{at}/p2p/nonsense", NotAMultiaddr) == 0
    assert fails(f"/ip4/10.0.0.3/tcp/4710/p2p/{cell}", DialFailed) < 0.1
    assert fails(f"{at.replace('4710', '4711')}/p2p/{cell}", DialFailed) < 0.1
    assert fails(f"/ip4/192.0.2.1/tcp/4710/p2p/{cell}", DialFailed) == 5
    assert fails(other.addresses[0], ProtocolRefused, "/myceld/no/such/1") < 0.1
    world.network.power_off(1)
    assert fails(other.addresses[0], DialFailed) == 5
    world.network.power_on(1)
    world.start(1, key=2)
    assert fails(other.addresses[0], WrongPeer) < 0.1


@pytest.mark.parametrize("denying", [0, 1])
def test_denied_cells_get_no_connection_whoever_dials(denying: int) -> None:
    world = WireWorld()
    world.start(0)
    world.start(1)
    world.hosts[denying].denied = frozenset({world.hosts[1 - denying].cell_id})
    with pytest.raises(DialFailed):
        world.dial(0, 1)
    world.hosts[denying].denied = frozenset()
    assert world.dial(0, 1)


def test_two_machines_may_run_one_key() -> None:
    world = WireWorld(3)
    got, ends = list[bytes](), list[End]()
    world.start(0, key=2)
    world.start(1, key=2)
    world.start(2, collecting(got, ends), key=5)
    for index in (0, 1):
        stream = world.dial(index, 2)
        world.do(index, stream.write(b"twin", timeout_s=1))
    back = world.dial(2, 1)
    assert back.cell_id == world.hosts[0].cell_id == world.hosts[1].cell_id
    world.run_for(1)
    assert got == [b"twin", b"twin"]


def test_connected_hosts_introduce_themselves_and_answer_pings() -> None:
    world = WireWorld()
    world.start(0)
    world.start(1)
    with pytest.raises(NotConnected):
        world.result(0, world.hosts[0].ping(world.hosts[1].cell_id, timeout_s=1))
    world.dial(0, 1)
    world.run_for(0.1)
    for here, there in ((0, 1), (1, 0)):
        told = world.hosts[here].introduction(world.hosts[there].cell_id)
        assert told is not None
        assert told.rtt_ms == pytest.approx(20, abs=3)
        assert told.listen_addresses == (f"/ip4/10.0.0.{there + 1}/tcp/4710",)
        ping = world.hosts[here].ping(world.hosts[there].cell_id, timeout_s=1)
        assert world.result(here, ping) == pytest.approx(20)


def test_streams_can_be_broken() -> None:
    world = WireWorld()
    stream, _, ends = opened(world)
    assert world.network.break_streams(0, 1) == 1
    world.run_for(0.001)
    assert kinds(ends) == [StreamLost]
    with pytest.raises(StreamLost):
        world.result(0, stream.write(b"x", timeout_s=1))
    assert world.network.break_streams(0, 1) == 0


@pytest.mark.parametrize("outgoing", [True, False])
def test_taps_drop_delay_change_multiply_and_inject_frames(outgoing: bool) -> None:  # noqa: FBT001 - a parameter
    world = WireWorld()
    seen: list[tuple[int, int, bytes]] = []
    ports: list[SimPort] = []

    def tap(frame: TappedFrame) -> Iterable[tuple[float, bytes]]:
        if frame.outgoing != outgoing:
            return [(0.0, frame.data)]
        seen.append((frame.here, frame.there, frame.data))
        ports.append(frame.port)
        made: dict[bytes, list[tuple[float, bytes]]] = {
            b"drop": [],
            b"late": [(1.0, b"late")],
            b"change": [(0.0, b"changed")],
            b"twice": [(0.0, b"twice"), (0.0, b"twice")],
        }
        return made.get(frame.data, [(0.0, frame.data)])

    world.network.tap(0 if outgoing else 1, tap)
    stream, got, _ = opened(world)
    frames = [b"plain", b"drop", b"late", b"change", b"twice", b"", b"end"]
    data = b"".join(map(framed, frames))
    for at in range(0, len(data), 7):  # never along the frames
        world.result(0, stream.write(data[at : at + 7], timeout_s=1))
    world.run_for(0.5)
    expected = [b"plain", b"changed", b"twice", b"twice", b"", b"end"]
    assert b"".join(got) == b"".join(map(framed, expected))
    world.run_for(1)
    assert b"".join(got).endswith(framed(b"end") + framed(b"late"))
    assert seen == [(0, 1, f) if outgoing else (1, 0, f) for f in frames]
    if outgoing:
        ports[0].inject(b"made up")
        world.run_for(0.1)
        assert b"".join(got).endswith(framed(b"made up"))


def test_a_tapped_stream_carries_more_than_its_window_and_bounds_what_is_injected() -> None:
    world = WireWorld()
    ports: list[SimPort] = []

    def tap(frame: TappedFrame) -> Iterable[tuple[float, bytes]]:
        ports.append(frame.port)
        return [] if len(frame.data) % 2 else [(0.0, frame.data), (0.0, b"more")]

    for index in (0, 1):
        world.network.tap(index, tap)
    stream, got, _ = opened(world)

    async def write() -> None:
        for size in range(100_000, 100_100):
            await stream.write(framed(bytes(size)), timeout_s=5)

    world.result(0, write())
    world.run_for(1)
    assert sum(map(len, got)) > 5_000_000
    world.lives[1].pause()

    def flood() -> None:
        for _ in range(200):
            ports[0].inject(bytes(100_000))

    with pytest.raises(TooMuchInFlight):
        flood()


def test_machines_that_do_not_exist_are_named() -> None:
    world = WireWorld()
    with pytest.raises(NetworkMisused, match="no machine 2 of 2"):
        world.network.cut(0, 2)
    with pytest.raises(NetworkMisused):
        SimNetwork(world.loop, 1, 0)


_RUN: str = """
import asyncio
import contextlib
from tests.sim.wire_world import WireWorld

log = []
async def serve(stream):
    while data := await stream.read(timeout_s=None):
        log.append((asyncio.get_running_loop().time(), stream.remote_address, len(data)))

world = WireWorld(4)
for link in world.network.links():
    link.jitter_s, link.loss = 0.02, 0.05
for index in range(4):
    world.start(index, serve)
streams = {(a, b): world.dial(a, b) for a in range(4) for b in range(a)}

async def talk(stream):
    for size in range(200):
        await stream.write(bytes(size * 50), timeout_s=60)
        await asyncio.sleep(0.05)

for (a, b), stream in streams.items():
    world.do(a, talk(stream))
world.run_for(2)
world.network.partition([[0, 1], [2, 3]])
world.run_for(2)
world.network.heal_all()
world.run_for(5)
world.lives[2].kill()
world.network.power_off(3)
world.run_for(5)
print(log, world.loop.callbacks)
"""


def test_a_network_does_the_same_in_every_run() -> None:
    def output(hash_seed: str) -> bytes:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", _RUN]
        root = Path(__file__).parents[2]
        return subprocess.run(
            command, check=True, capture_output=True, env=environment, cwd=root
        ).stdout

    first = output("1")
    assert len(first) > 10_000
    assert first == output("2")


def test_what_waits_for_a_cut_link_is_bounded() -> None:
    world = WireWorld()
    stream, _, _ = opened(world)
    world.network.cut(0, 1)

    async def write() -> None:
        while True:
            await stream.write(b"x", timeout_s=1)

    async def dial() -> None:
        for _ in range(2 * WAITING_CHANNELS_MAX):
            with contextlib.suppress(DialFailed):
                await world.dialled(1, 0, timeout_s=0.01)
            abandoned = world.do(1, world.dialled(1, 0, timeout_s=1e6))
            await asyncio.sleep(0)
            assert not abandoned.done()

    with pytest.raises(StreamLost):
        world.result(0, write())
    world.result(1, dial())
    assert len(world.network.link(0, 1).waiting) <= WAITING_CHANNELS_MAX
    assert len(world.network.link(1, 0).waiting) <= WAITING_CHANNELS_MAX


@pytest.mark.parametrize("power", [True, False])
def test_a_dialler_that_dies_leaves_nothing_at_the_other_end(power: bool) -> None:  # noqa: FBT001 - a parameter
    world = WireWorld()
    world.start(1)
    for dies_s in (0.005, 0.015, 0.035, 0.075):
        world.start(0)
        world.do(0, world.dialled(0, 1))
        world.run_for(dies_s)
        if power:
            world.network.power_off(0)
            world.network.machine(0).up = True  # nothing tells the other end
        else:
            world.lives[0].kill()
        world.run_for(6)
        opened_before = 1 if power and dies_s > 0.07 else 0
        assert len(world.network.machine(1).ports()) == opened_before
