"""One hostile peer at full speed: the host drops it, stays small, and serves the others.

The attacked host is a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest
import trio

from gossip.host import Host
from gossip.host.loading import Libp2pObject
from tests.gossip.host.attacker import (
    ACK,
    DATA,
    FIN,
    MULTISTREAM,
    PING,
    RST,
    SYN,
    WINDOW,
    attack,
    drain,
    opening,
    secured,
    yamux,
)
from tests.gossip.host.host_world import (
    ANYWHERE,
    HANG_S,
    PROTOCOL,
    eventually,
    eventually_there,
    read_all,
    run,
    started,
    swarm_of,
)

pytestmark = pytest.mark.slow

GROWTH_MIB_MAX = 50
WORK_S_MAX = 5.0
"""Processor time that the host may take for anything else before it answers an honest peer: how
long the peer waits depends on the machine, too."""
ROUNDS_ENDURED = 2
"""New connections of an honest peer during an attack that goes on."""


class Victim:
    """The process under attack."""

    def __init__(self, listen: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.gossip.host.victim", listen],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        self.address = self._line().strip()
        self.port = int(self.address.split("/")[4])
        self._system = psutil.Process(self.process.pid)

    def work_s(self) -> float:
        """Return how much processor time it took so far."""
        times = self._system.cpu_times()
        return float(times.user + times.system)

    def rss_mib(self) -> float:
        return float(self._system.memory_info().rss) / (1 << 20)

    def report(self) -> dict[str, int]:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        content: dict[str, int] = json.loads(self._line())
        return content

    def stop(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            return self.process.wait(HANG_S)
        finally:
            self.process.kill()
            self.process.wait(HANG_S)
            if self.process.stdout is not None:
                self.process.stdout.close()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    one = Victim(ANYWHERE)
    yield one
    assert one.stop() == 0


class Watch:
    """What happened to the host and to an honest peer during an attack."""

    def __init__(self) -> None:
        self.rss_mib_max = 0.0
        self.echoes = 0
        self.dials = 0
        self.work_s_max = 0.0


@contextlib.asynccontextmanager
async def watched(victim: Victim, honest: Host) -> AsyncIterator[Watch]:
    """Echo over one stream without pause, dial anew now and then, look at the memory."""
    watch = Watch()

    @contextlib.contextmanager
    def one_answer() -> Iterator[None]:
        before_s = victim.work_s()
        yield
        watch.work_s_max = max(watch.work_s_max, victim.work_s() - before_s)

    async def echo_on() -> None:
        async with await honest.dial(victim.address, timeout_s=HANG_S) as stream:
            while True:
                with one_answer():
                    await stream.write(b"x" * 1000, timeout_s=HANG_S)
                    await read_all(stream, 1000)
                watch.echoes += 1
                await asyncio.sleep(0.01)

    async def dial_on() -> None:
        while True:
            with one_answer():
                async with await honest.dial(victim.address, timeout_s=HANG_S) as stream:
                    await stream.write(b"new", timeout_s=HANG_S)
                    assert await read_all(stream, 3) == b"new"
            watch.dials += 1
            await asyncio.sleep(0.2)

    async def look() -> None:
        while True:
            watch.rss_mib_max = max(watch.rss_mib_max, victim.rss_mib())
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work()) for work in (echo_on, dial_on, look)]
        await eventually(lambda: watch.echoes > 0)
        yield watch
        so_far = watch.echoes
        await eventually(lambda: watch.echoes > so_far + 10)
        for task in tasks:
            task.cancel()


Attack = Callable[[str], Awaitable[None]]


async def opens_2000_streams(address: str) -> None:
    channel = await secured(address, seed=b"streams")
    for number in range(2000):
        await channel.write(opening(2 * number + 1))
    await drain(channel)


async def opens_2000_streams_of_identify_and_never_closes_one(address: str) -> None:
    channel = await secured(address, seed=b"identify")
    for number in range(2000):
        await channel.write(opening(2 * number + 1, b"/ipfs/id/1.0.0"))
    await drain(channel)


async def opens_and_resets_streams(address: str) -> None:
    channel = await secured(address, seed=b"resets")
    for number in range(20_000):
        stream = 2 * number + 1
        await channel.write(opening(stream) + yamux(WINDOW, RST, stream, 0))
    await drain(channel)


async def sends_garbage_after_noise(address: str) -> None:
    await _send_garbage(address, muxer=False)


async def sends_garbage_after_yamux(address: str) -> None:
    await _send_garbage(address, muxer=True)


async def _send_garbage(address: str, *, muxer: bool) -> None:
    async def one(number: int) -> None:
        with contextlib.suppress(Exception):
            channel = await secured(address, seed=b"garbage%d" % number, muxer=muxer)
            await channel.write(os.urandom(60_000))
            await drain(channel)

    async with trio.open_nursery() as nursery:
        for number in range(12):
            nursery.start_soon(one, number)


async def sends_a_giant_name_of_a_muxer(address: str) -> None:
    async def one(number: int) -> None:
        with contextlib.suppress(Exception):
            channel = await secured(address, seed=b"muxer%d" % number, muxer=False)
            await channel.write(MULTISTREAM + b"\xff\xff\xff\x7f")
            for _ in range(2000):
                await channel.write(bytes(60_000))

    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(one, number)


async def announces_a_giant_frame(address: str) -> None:
    for length in (0xFFFFFFFF, 1 << 24, 3 << 20):
        channel = await secured(address, seed=b"giant")
        await channel.write(opening(1) + yamux(DATA, 0, 1, length) + bytes(60_000))
        with contextlib.suppress(Exception):
            for _ in range(100):
                await channel.write(bytes(60_000))
        await drain(channel)


async def sends_a_giant_multistream_message(address: str) -> None:
    channel = await secured(address, seed=b"multi")
    body = MULTISTREAM + b"\xff\xff\x7f" + bytes(50_000)
    for number in range(200):
        await channel.write(yamux(DATA, SYN, 2 * number + 1, len(body), body))
    await drain(channel)


async def ignores_every_window(address: str) -> None:
    channel = await secured(address, seed=b"window")
    await channel.write(opening(1, PROTOCOL.encode()))
    body = bytes(60_000)
    for _ in range(4000):
        await channel.write(yamux(DATA, 0, 1, len(body), body))


async def floods_pings_and_never_reads(address: str) -> None:
    channel = await secured(address, seed=b"pings")
    await channel.write(opening(1, PROTOCOL.encode()))
    frames = yamux(PING, SYN, 0, 7) * 4000
    for _ in range(500):
        await channel.write(frames)


async def floods_frames_of_no_stream(address: str) -> None:
    channel = await secured(address, seed=b"frames")
    frames = b"".join(
        yamux(WINDOW, flags, stream, 1) for stream in range(1000, 2000) for flags in (0, FIN, RST)
    )
    for _ in range(100):
        await channel.write(frames)


DROPPED: list[Attack] = [
    opens_2000_streams,
    opens_2000_streams_of_identify_and_never_closes_one,
    opens_and_resets_streams,
    sends_garbage_after_noise,
    sends_garbage_after_yamux,
    sends_a_giant_name_of_a_muxer,
    announces_a_giant_frame,
    sends_a_giant_multistream_message,
    ignores_every_window,
]
ENDURED: list[Attack] = [floods_pings_and_never_reads, floods_frames_of_no_stream]


@pytest.mark.parametrize("hostile", [*DROPPED, *ENDURED], ids=lambda work: work.__name__)
def test_a_host_drops_or_endures_a_peer_that(victim: Victim, hostile: Attack) -> None:
    async def main() -> None:
        async with started("honest") as honest:
            before_mib = victim.rss_mib()

            async def work() -> None:
                # The host closing on it is what ends an attack.
                with contextlib.suppress(Exception):
                    await hostile(victim.address)

            async with watched(victim, honest) as watch:
                enough = watch.dials + ROUNDS_ENDURED

                def endured() -> bool:
                    return hostile in ENDURED and watch.dials >= enough

                dropped = await asyncio.to_thread(attack, work, timeout_s=HANG_S, enough=endured)
                assert dropped or endured(), "still connected at the deadline"
            assert watch.work_s_max < WORK_S_MAX
            assert watch.rss_mib_max - before_mib < GROWTH_MIB_MAX
            report = victim.report()
            assert report["restarts"] == 0

    run(main)


def _half_open(address: tuple[str, int], source: str, stage: int) -> socket.socket:
    sock = socket.create_connection(address, timeout=HANG_S, source_address=(source, 0))
    sock.settimeout(0)
    stages = (b"", b"\x13", MULTISTREAM, MULTISTREAM + b"\x07/noise\n")
    with contextlib.suppress(OSError):
        sock.send(stages[stage % len(stages)])
    return sock


def test_300_half_open_handshakes_from_20_addresses_keep_nobody_out(victim: Victim) -> None:
    async def main() -> None:
        target = ("127.0.0.1", victim.port)
        async with started("honest") as honest:
            before_mib = victim.rss_mib()
            async with watched(victim, honest) as watch:
                socks = []
                for number in range(300):
                    source = f"127.0.1.{1 + number % 20}"
                    with contextlib.suppress(OSError):
                        socks.append(await asyncio.to_thread(_half_open, target, source, number))
                assert len(socks) > 250
                enough = watch.dials + ROUNDS_ENDURED
                await eventually(lambda: watch.dials >= enough)
            for sock in socks:
                sock.close()
            assert watch.work_s_max < WORK_S_MAX
            assert watch.rss_mib_max - before_mib < GROWTH_MIB_MAX
            report = victim.report()
            assert report["restarts"] == 0
            assert report["upgrading"] <= 64

    run(main)


def test_silence_after_each_stage_of_an_authenticated_connection_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Noise but no Yamux closes the connection, a stream without protocol only the stream."""
    monkeypatch.setattr("gossip.host.engine.NEGOTIATION_TIMEOUT_S", 0.3)

    async def main() -> None:
        async with started("silenced", upgrade_timeout_s=0.3) as host:
            address = host.addresses[0]

            async def no_muxer(number: int) -> None:
                await drain(await _secured_in_time(address, b"silent%d" % number, muxer=False))

            async def no_protocol(number: int) -> None:
                channel = await _secured_in_time(address, b"silent%d" % number, muxer=True)
                await channel.write(yamux(DATA, SYN, 1, 5, MULTISTREAM[:5]))
                frames = b""
                while yamux(WINDOW, RST, 1, 0) not in frames:
                    more = await channel.read()
                    assert more, "the whole connection was closed"
                    frames += more

            async def work() -> None:
                async with trio.open_nursery() as nursery:
                    for number in range(6):
                        nursery.start_soon(no_muxer, number)
                        nursery.start_soon(no_protocol, 100 + number)

            assert await asyncio.to_thread(attack, work, timeout_s=HANG_S)
            await eventually_there(host, lambda network: len(swarm_of(network)._upgrading) == 0)
            assert host.restarts == 0

    run(main)


async def _secured_in_time(address: str, seed: bytes, *, muxer: bool) -> Libp2pObject:
    """Connect until the host's deadline, which is short here, was met."""
    while True:
        with contextlib.suppress(Exception):
            channel = await secured(address, seed=seed, muxer=muxer)
            if muxer:
                await _ping(channel)
            return channel


async def _ping(channel: Libp2pObject) -> None:
    """Wait for an answer: the other side has finished its upgrade, too."""
    await channel.write(yamux(PING, SYN, 0, 7))
    answer = b""
    while yamux(PING, ACK, 0, 7) not in answer:
        more = await channel.read()
        if not more:
            raise ConnectionError
        answer += more


def test_connecting_and_leaving_at_full_speed_leaks_nothing(victim: Victim) -> None:
    async def main() -> None:
        async def work() -> None:
            for number in range(60):
                with contextlib.suppress(Exception):
                    channel = await secured(victim.address, seed=b"churn%d" % (number % 20))
                    await channel.close()

        async with started("honest") as honest:
            before_mib = victim.rss_mib()
            async with watched(victim, honest) as watch:
                assert await asyncio.to_thread(attack, work, timeout_s=HANG_S)
            assert watch.rss_mib_max - before_mib < GROWTH_MIB_MAX
        nothing = dict.fromkeys(victim.report(), 0)
        with contextlib.suppress(TimeoutError):
            await eventually(lambda: victim.report() == nothing)
        assert victim.report() == nothing

    run(main)
