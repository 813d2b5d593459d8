"""Attacks below the gossip protocol: on sockets, connections and streams."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from gossip.host import HostConfig
from gossip.host.addresses import parse_dial_address
from gossip.host.loading import Libp2pObject, load_libp2p
from identity.keys import KeyPair
from tests.network.hostile.peer import Target

SOCKETS = 200
STREAMS = 2_000
FIRST_S = 61.0
"""How long the first session or connection of an attack may live, however short the attack: more
than a target may take to end it, so that one which takes too long is seen to."""
HALF_OPEN_S_MAX = 30.0
PHANTOM_S_MAX = 10.0
PATIENCE_S = 120.0
"""Until the first session: a ban may have to end first, and a busy target refuses."""
YAMUX_PING = bytes([0, 2, 0, 1]) + bytes(4) + (1).to_bytes(4, "big")
"""A muxer that a connection was given to answers it; one that was closed before does not."""


@dataclass(slots=True)
class Outcome:
    """What became of an attack. Times are seconds from its start."""

    dropped_s: list[float] = field(default_factory=list)
    """How long each connection or session lived that the target took and then ended."""
    refused: int = 0
    """Attempts that were not taken."""
    left_s: list[float] = field(default_factory=list)
    """How long those had lived that were still open in the end."""


def use_source(source: str | None) -> None:
    """Let all TCP connections that this process dials come from one IP address."""
    import trio

    if source is not None:
        # libp2p offers no other way for all its dials.
        trio.open_tcp_stream = partial(trio.open_tcp_stream, local_address=source)


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
            end = await _wait_closed(reader, writer)
            lived_s = time.monotonic() - began_s
            if end is End.NEVER:
                outcome.left_s.append(lived_s)
            elif end is End.CLOSED and lived_s > 0.5:
                outcome.dropped_s.append(lived_s)
            else:
                outcome.refused += 1
                await asyncio.sleep(0.1)
            writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(SOCKETS):
            group.create_task(one())
    return outcome


class End(Enum):
    """How a connection ended."""

    CLOSED = "the target closed it"
    PHANTOM = "the target's kernel forgot it before anybody accepted it: it cost nothing"
    NEVER = "it is open at both ends"


async def _wait_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> End:
    """Wait until the target closes a connection, which shows on sending when it is a phantom."""
    try:
        await asyncio.wait_for(reader.read(), HALF_OPEN_S_MAX)
    except TimeoutError:
        writer.write(b"?")
        try:
            await asyncio.wait_for(reader.read(), PHANTOM_S_MAX)
        except TimeoutError:
            return End.NEVER
        except OSError:
            pass
        return End.PHANTOM
    except OSError:
        return End.CLOSED
    return End.CLOSED


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
            end_s = time.monotonic() + PATIENCE_S
            is_first = True
            while (began_s := time.monotonic()) < end_s:
                until_s = began_s + FIRST_S if is_first else end_s
                await _one_connection(swarm, target, outcome, until_s)
                if is_first and (outcome.dropped_s or outcome.left_s):
                    is_first, end_s = False, began_s + seconds
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
    muxed = connection.muxed_conn
    closed = muxed.event_closed
    with contextlib.suppress(Exception), trio.move_on_after(until_s - time.monotonic()):
        await muxed._write_frame(YAMUX_PING)
        while not (muxed.rtt() or muxed.event_shutting_down.is_set()):  # noqa: ASYNC110 - two ends
            await trio.sleep(0.002)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_open_streams, connection)
            await closed.wait()
            nursery.cancel_scope.cancel()
    lived_s = time.monotonic() - began_s
    with trio.move_on_after(2.0):
        await closed.wait()
    if not closed.is_set():
        outcome.left_s.append(lived_s)
    elif muxed.rtt():
        outcome.dropped_s.append(lived_s)
    else:
        outcome.refused += 1
    await swarm.drop(connection)


async def _open_streams(connection: Libp2pObject) -> None:
    """Open streams until that fails; one that is under way when the connection ends may hang."""
    with contextlib.suppress(Exception):
        for _ in range(STREAMS):
            await connection.new_stream()
