"""Measures what a crowd at the gateway of one of four fresh cells costs everybody else.

    scripts/bench-gateway                 15 s quiet, 20 s crowded, and how soon it is quiet again
    scripts/bench-gateway --seconds 60

The crowd, a process of its own: 1,000 connections that never finish a request head, 500 that send
a byte a second, half of them of a body with a good token, and 64 clients that ask as fast as they
are answered, half of them with a token, half with none; each takes another connection when its own
is closed. Beside it an honest client of the same cell with a token of its own asks for the status
20 times a second, every other time over a new connection, and puts are certified one after another
at another cell and at the crowded one. Bars: p99 of the honest client at most 250 ms, median
time to a certificate at most 20 % above the quiet one, every put that was acknowledged applied,
quiet again within 10 s. Exit status 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, MutableSequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from typing import TypeAlias
from urllib.parse import urlsplit

from network import Network, fresh_network

from myceld import Client

Counts: TypeAlias = MutableSequence[int]
"""Shared between processes; one writes, one reads."""

HALF_OPEN, SLOW, FLOODING = 1000, 500, 64
HONEST_PERIOD_S = 0.05
P99_MS_MAX, SLOWER_MAX, QUIET_AGAIN_S_MAX = 250.0, 1.2, 10.0


@dataclass
class Phase:
    """What was measured in one part of the run."""

    honest_ms: list[float] = field(default_factory=list)
    failed: int = 0
    certified_ms: list[float] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        """The 99th percentile of the honest client."""
        return sorted(self.honest_ms)[int(len(self.honest_ms) * 0.99)] if self.honest_ms else 0.0


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=20, help="how long the crowd stays")
    options = parser.parse_args()
    with fresh_network(4) as network:
        owner = network.clients[0]
        honest = owner.create_token("honest", ["read"], rate_per_minute=100_000)["token"]
        flooding = owner.create_token("flooding", ["read", "submit"])["token"]
        quiet = measure(network, honest, 15, "q")
        context = get_context("spawn")
        stop = context.Event()
        done = context.Array("q", 2)
        crowd = context.Process(target=crowd_at, args=(owner.url, flooding, stop, done))
        crowd.start()
        time.sleep(3)
        began_s, opened, answered = time.monotonic(), *done[:]
        crowded = measure(network, honest, options.seconds, "c")
        span_s = time.monotonic() - began_s
        opened, answered = done[0] - opened, done[1] - answered
        stop.set()
        crowd.join(20)
        again_s = quiet_again_s(owner.url, honest, max(50.0, 2 * quiet.p99_ms))
        lost = [one for one in crowded.acknowledged if not is_applied(network.clients[3], one)]
    slower = statistics.median(crowded.certified_ms) / statistics.median(quiet.certified_ms)
    for name, phase in (("quiet", quiet), ("crowded", crowded)):
        half = statistics.median(phase.honest_ms)
        print(
            f"{name:8} honest p50 {half:7.1f} ms  p99 {phase.p99_ms:7.1f} ms  "
            f"({len(phase.honest_ms)} answers, {phase.failed} failed)  certified p50 "
            f"{statistics.median(phase.certified_ms):7.1f} ms ({len(phase.certified_ms)})"
        )
    print(f"the crowd    {opened / span_s:.0f} connections/s, {answered / span_s:.0f} answers/s")
    print(f"certificates {slower:5.2f} x as slow   (bar {SLOWER_MAX})")
    print(f"acknowledged {len(crowded.acknowledged)}, not applied {len(lost)}")
    print(f"quiet again after {again_s:.1f} s  (bar {QUIET_AGAIN_S_MAX:.0f})")
    is_good = crowded.p99_ms <= P99_MS_MAX and not crowded.failed and not lost
    return 0 if is_good and slower <= SLOWER_MAX and again_s <= QUIET_AGAIN_S_MAX else 1


def measure(network: Network, token: str, seconds: float, tag: str) -> Phase:
    """Measure the honest client and certificates for a while."""
    phase = Phase()
    until_s = time.monotonic() + seconds
    threads = [
        threading.Thread(target=be_honest, args=(network.clients[0].url, token, until_s, phase))
    ]
    for at in (0, 2):
        client = network.clients[at].twin()
        put = (client, f"{tag}{at}", until_s, phase)
        threads.append(threading.Thread(target=put_on, args=put))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return phase


def be_honest(url: str, token: str, until_s: float, phase: Phase) -> None:
    """Ask for the status again and again, over kept and new connections in turn."""
    kept = Client(url, token, timeout_s=10)
    while time.monotonic() < until_s:
        for client in (kept, Client(url, token, timeout_s=10)):
            span_ms = spent_ms(client.status)
            if span_ms is None:
                phase.failed += 1
            else:
                phase.honest_ms.append(span_ms)
            if client is not kept:
                client.close()
            time.sleep(HONEST_PERIOD_S)
    kept.close()


def put_on(client: Client, tag: str, until_s: float, phase: Phase) -> None:
    """Put values one after another, each certified before the next."""
    number = 0
    while time.monotonic() < until_s:
        number += 1
        began_s = time.monotonic()
        receipt = client.put(f"{tag}-{number}", b"v", wait="certified", timeout_s=60)
        phase.certified_ms.append((time.monotonic() - began_s) * 1000)
        phase.acknowledged.append(receipt["id"])
        time.sleep(0.1)
    client.close()


def quiet_again_s(url: str, token: str, good_ms: float) -> float:
    """Return how long it takes until 20 answers in a row are as quick as before."""
    began_s, in_a_row = time.monotonic(), 0
    while in_a_row < 20 and time.monotonic() - began_s < 60:
        client = Client(url, token, timeout_s=10)
        span_ms = spent_ms(client.status)
        client.close()
        in_a_row = in_a_row + 1 if span_ms is not None and span_ms <= good_ms else 0
    return time.monotonic() - began_s


def spent_ms(ask: Callable[[], object]) -> float | None:
    """Return how long a call takes; None if it fails."""
    began_s = time.monotonic()
    try:
        ask()
    except Exception as error:  # noqa: BLE001 - any failure is one
        print(f"failed: {error}", file=sys.stderr)
        return None
    return (time.monotonic() - began_s) * 1000


def is_applied(client: Client, transaction_id: str) -> bool:
    """Tell whether another cell applied a transaction."""
    receipt = client.receipt(transaction_id, wait="applied", timeout_s=30)
    return bool(receipt["outcome"] == "applied")


def crowd_at(url: str, token: str, stop: Event, done: Counts) -> None:
    """Crowd a gateway until told to stop; the whole of a process.

    `done` counts connections that were opened, and requests that were answered. It gives way to
    the cells: a crowd is on other machines, and takes no processor here.
    """
    os.nice(10)
    parts = urlsplit(url)
    asyncio.run(_crowd(parts.hostname or "", parts.port or 80, token, stop, done))


async def _crowd(host: str, port: int, token: str, stop: Event, done: Counts) -> None:
    credential = f"Authorization: Bearer {token}\r\n"
    head = f"POST /api/v1/transactions HTTP/1.1\r\nHost: {host}\r\n{credential}"
    head += "Content-Length: 900\r\n\r\n"
    tasks = [
        asyncio.create_task(_hold(host, port, done, b"GET / HTTP/1.1\r\n"))
        for _ in range(HALF_OPEN)
    ]
    for at in range(SLOW):
        said = head.encode() if at % 2 else b"GET / HTTP/1.1\r\nX: "
        tasks.append(asyncio.create_task(_hold(host, port, done, said, b"x")))
    tasks += [
        asyncio.create_task(_flood(host, port, done, credential if at % 2 else ""))
        for at in range(FLOODING)
    ]
    await asyncio.to_thread(stop.wait)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _hold(host: str, port: int, done: Counts, said: bytes, more: bytes = b"") -> None:
    """Keep a connection that never comes to an end; another one a second after it is closed."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port)
            done[0] += 1
            try:
                writer.write(said)
                while True:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(1):
                            if not await reader.read(1000):
                                break
                    if more:
                        writer.write(more)
                        await writer.drain()
            finally:
                writer.close()
        await asyncio.sleep(1)


async def _flood(host: str, port: int, done: Counts, credential: str) -> None:
    """Ask as fast as answers come."""
    path = "/api/v1/status" if credential else "/api/public/health"
    asked = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{credential}\r\n".encode()
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, http.client.HTTPException):
            reader, writer = await asyncio.open_connection(host, port)
            done[0] += 1
            try:
                while True:
                    writer.write(asked)
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                    await reader.readexactly(int(length or b"0"))
                    done[1] += 1
            finally:
                writer.close()


if __name__ == "__main__":
    sys.exit(main())
