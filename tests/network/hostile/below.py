"""Attacks below the gossip protocol: on sockets, connections and streams."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from functools import partial

from gossip.host import HostConfig
from gossip.host.addresses import parse_dial_address
from gossip.host.loading import Libp2pObject, load_libp2p
from identity.keys import KeyPair
from tests.network.hostile.peer import Target

SOCKETS = 200
STREAMS = 2_000


@dataclass(slots=True)
class Outcome:
    """What became of an attack. Times are seconds from its start."""

    dropped_s: list[float] = field(default_factory=list)
    """How long each connection or session lived that the target took and then ended."""
    refused: int = 0
    """Attempts that were not taken."""
    left: int = 0
    """What was still open in the end."""


def use_source(source: str | None) -> None:
    """Let all TCP connections that this process dials come from one IP address."""
    import trio

    if source is not None:
        plain = partial(trio.open_tcp_stream, local_address=source)
        trio.open_tcp_stream = plain  # type: ignore[misc]  # libp2p offers no other way


async def half_open(target: Target, seconds: float) -> Outcome:
    """Connect and say nothing: as many sockets as it takes, made anew when they are closed."""
    at = parse_dial_address(target.address).at
    outcome = Outcome()
    until_s = time.monotonic() + seconds

    async def one() -> None:
        while time.monotonic() < until_s:
            began_s = time.monotonic()
            try:
                reader, writer = await asyncio.open_connection(
                    at.host, at.port, local_addr=(target.source, 0) if target.source else None
                )
            except OSError:
                outcome.refused += 1
                await asyncio.sleep(0.1)
                continue
            with contextlib.suppress(OSError):
                await reader.read()  # until the target closes it
            lived_s = time.monotonic() - began_s
            if lived_s > 0.5:
                outcome.dropped_s.append(lived_s)
            else:
                outcome.refused += 1
                await asyncio.sleep(0.1)
            writer.close()

    tasks = [asyncio.create_task(one()) for _ in range(SOCKETS)]
    _, still = await asyncio.wait(tasks, timeout=seconds + 15)
    outcome.left = len(still)
    for task in still:
        task.cancel()
    return outcome


def many_streams(target: Target, key: KeyPair, seconds: float) -> Outcome:
    """Open 2,000 streams on one connection, and again on a new one, as long as it goes."""
    import trio

    load_libp2p()
    use_source(target.source)

    outcome = Outcome()

    async def main() -> None:
        from libp2p.tools.anyio_service import background_trio_service

        from gossip.host.swarm import build_swarm

        config = HostConfig(key.seed, ("/ip4/127.0.0.1/tcp/0",), "/none")
        swarm = build_swarm(config, lambda _: False)
        async with background_trio_service(swarm):
            until_s = time.monotonic() + seconds
            while time.monotonic() < until_s:
                await _one_connection(swarm, target, outcome, until_s)
                await trio.sleep(0.1)

    trio.run(main)
    return outcome


async def _one_connection(
    swarm: Libp2pObject, target: Target, outcome: Outcome, until_s: float
) -> None:
    """Open streams on a new connection until the target closes it, or the time is over."""
    import trio

    try:
        with trio.fail_after(5):
            connection = await swarm.connect(parse_dial_address(target.address))
    except Exception:  # noqa: BLE001 - libp2p raises what it likes
        outcome.refused += 1
        return
    began_s = time.monotonic()
    closed = connection.muxed_conn.event_closed
    opened = 0
    with contextlib.suppress(Exception), trio.move_on_after(until_s - time.monotonic()):
        while opened < STREAMS and not closed.is_set():
            await connection.new_stream()
            opened += 1
        await closed.wait()
    if closed.is_set() and opened:
        outcome.dropped_s.append(time.monotonic() - began_s)
    elif closed.is_set():
        outcome.refused += 1
    else:
        outcome.left += 1
    await swarm.drop(connection)
