"""Measures subscriptions at one cell of a fresh four-cell network on this machine.

    scripts/bench-streams                    300 subscribers, 50 transactions/s
    scripts/bench-streams --pairs 4          more phases without and with them

Phases without and with subscribers take turns under the same load. All subscribers are WebSockets
at the cell that takes the transactions, from one process; one of them never reads. Fan-out is from
when the cell has a transaction applied to when a subscriber has it in hand; consensus latency from
accepted to ordered. Bars: p99 of fan-out 500 ms, median consensus latency + 20 %, every subscriber
got everything, and the cell's memory by no more than 64 MiB larger. Exit status 1 when one is
missed.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import re
import socket
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Final
from urllib.parse import urlsplit

from network import Network, fresh_network

from ledger.transaction import opaque_transaction, transaction_id
from myceld.home import read_token

FANOUT_P99_MS_MAX: Final = 500.0
CONSENSUS_PERCENT_MAX: Final = 20.0
MEMORY_MIB_MAX: Final = 64.0
CONTENT_SIZE_BYTES: Final = 100
SETTLE_S: Final = 2.0
CONNECT_PAUSE_S: Final = 0.003
ID: Final = re.compile(rb'"id":"([0-9a-f]{64})"')
_MASK: Final = bytes(4)


@dataclass(frozen=True, slots=True)
class Phase:
    """What one phase measured; times in ms."""

    consensus: list[float]
    applied_ns: dict[str, int]
    cell_percent: float
    """Processor of the cell that is subscribed to, of one core."""
    memory_mib: float


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--subscribers", type=int, default=300, help="one of them never reads")
    parser.add_argument("--rate", type=float, default=50.0, help="transactions a second")
    parser.add_argument("--pairs", type=int, default=3, help="of phases without and with them")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each phase")
    options = parser.parse_args()
    without: list[Phase] = []
    with_them: list[Phase] = []
    fanout: list[float] = []
    missed = 0
    with fresh_network(4) as network:
        load(network, options.rate, 3.0)
        for _ in range(options.pairs):
            without.append(load(network, options.rate, options.seconds))
            ours, theirs = multiprocessing.Pipe()
            url, token = network.clients[0].url, read_token(network.homes[0])
            arguments = (url, token, options.subscribers, theirs)
            watchers = multiprocessing.Process(target=watch, args=arguments)
            watchers.start()
            ours.recv()
            with_them.append(load(network, options.rate, options.seconds))
            ours.send(with_them[-1].applied_ns)
            spans_ms, lost = ours.recv()
            watchers.join()
            fanout += spans_ms
            missed += lost
    return report(without, with_them, fanout, missed)


def report(
    without: Sequence[Phase], with_them: Sequence[Phase], fanout: list[float], missed: int
) -> int:
    """Print what was measured; return the exit status."""
    before = [one for phase in without for one in phase.consensus]
    after = [one for phase in with_them for one in phase.consensus]
    change = 100 * (statistics.median(after) / statistics.median(before) - 1)
    memory = max(one.memory_mib for one in with_them) - max(one.memory_mib for one in without)
    print(f"fan-out     {_spread(fanout)}   of {len(fanout)}   (bar p99 {FANOUT_P99_MS_MAX:.0f})")
    for name, spans, phases in (("without", before, without), ("with", after, with_them)):
        busy = statistics.mean(phase.cell_percent for phase in phases)
        print(f"consensus   {_spread(spans)}   {name:8} cell {busy:5.1f} % of a core")
    print(f"consensus   {change:+.1f} % at the median   (bar + {CONSENSUS_PERCENT_MAX:.0f} %)")
    print(f"memory      {memory:+.1f} MiB   (bar + {MEMORY_MIB_MAX:.0f})")
    print(f"missed      {missed}")
    is_good = (
        _at(fanout, 99) <= FANOUT_P99_MS_MAX
        and change <= CONSENSUS_PERCENT_MAX
        and memory <= MEMORY_MIB_MAX
        and not missed
    )
    return 0 if is_good else 1


def load(network: Network, rate: float, duration_s: float) -> Phase:
    """Hand transactions to the first cell, one at a time at even intervals; return the phase."""
    raws: list[bytes] = []
    before = network.usage()
    begun_s = time.monotonic()
    with network.clients[0].twin() as cell:
        while (due_s := begun_s + len(raws) / rate) < begun_s + duration_s:
            time.sleep(max(0.0, due_s - time.monotonic()))
            raws.append(opaque_transaction(os.urandom(CONTENT_SIZE_BYTES)))
            cell.submit(raws[-1:], wait="accepted")
        time.sleep(SETTLE_S)
        after = network.usage()
        stages: dict[str, Any] = {}
        for at in range(0, len(raws), 500):
            answer = cell.submit(raws[at : at + 500], wait="certified", timeout_s=60)
            stages |= {one["id"]: one["stages_ns"] for one in answer["items"]}
    ids = [transaction_id(raw).hex() for raw in raws]
    took_s = after.at_s - before.at_s
    return Phase(
        [(stages[one]["ordered"] - stages[one]["accepted"]) / 1e6 for one in ids],
        {one: stages[one]["applied"] for one in ids},
        100 * (after.cells_s[0] - before.cells_s[0]) / took_s,
        network.memory_mib()[0],
    )


class Watcher(asyncio.Protocol):
    """One WebSocket, of which nothing is looked at but the ids of transactions and their time."""

    def __init__(self, host: str, token: str, *, reads: bool) -> None:
        self._request = (
            f"GET /api/v1/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        ).encode()
        self._reads = reads
        self._rest = b""
        self.got: list[tuple[bytes, int]] = []
        self.is_ready = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note which transactions are in it."""
        now_ns = time.time_ns()
        data = self._rest + data
        if not self.is_ready.done():
            self._begin(data)
            return
        end = 0
        for match in ID.finditer(data):
            self.got.append((match[1], now_ns))
            end = match.end()
        self._rest = data[max(end, len(data) - 80) :]

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail if it was not ready."""
        if not self.is_ready.done():
            self.is_ready.set_exception(exc or ConnectionResetError("closed by the cell"))

    def _begin(self, data: bytes) -> None:
        self._rest = data
        if b"\r\n\r\n" in data and not data.endswith(b'"}'):
            command = b'{"subscribe":"transactions"}'
            self.transport.write(b"\x81" + bytes([0x80 | len(command)]) + _MASK + command)
            self._rest = b"-"
        elif b'"subscribed"' in data:
            self._rest = b""
            self.is_ready.set_result(None)
            if not self._reads:
                self.transport.pause_reading()


def watch(url: str, token: str, count: int, control: Connection) -> None:
    """Subscribe, say so, wait for when transactions were applied, send spans and what is missed."""
    os.nice(10)  # they would be on other machines
    asyncio.run(_watch(url, token, count, control))


async def _watch(url: str, token: str, count: int, control: Connection) -> None:
    loop = asyncio.get_running_loop()
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 0
    watchers: list[Watcher] = []
    for number in range(count):
        raw = socket.socket()
        if number == 0:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)  # noqa: FBT003 - the standard library's own
        await loop.sock_connect(raw, (host, port))
        is_reading = number > 0
        make = partial(Watcher, f"{host}:{port}", token, reads=is_reading)
        _, watcher = await loop.create_connection(make, sock=raw)
        await watcher.is_ready
        watchers.append(watcher)
        await asyncio.sleep(CONNECT_PAUSE_S)
    control.send("ready")
    applied_ns: dict[str, int] = await asyncio.to_thread(control.recv)
    spans_ms: list[float] = []
    missed = 0
    for watcher in watchers[1:]:
        got = [(one.decode(), at) for one, at in watcher.got]
        spans_ms += [(at - applied_ns[one]) / 1e6 for one, at in got if one in applied_ns]
        missed += (
            abs(len(applied_ns.keys() & dict(got)) - len(applied_ns)) + len(got) - len(dict(got))
        )
        watcher.transport.abort()
    watchers[0].transport.abort()
    control.send((spans_ms, missed))


def _spread(values: Sequence[float]) -> str:
    p50, p99 = _at(values, 50), _at(values, 99)
    return f"p50 {p50:7.1f} ms   p99 {p99:7.1f} ms   max {max(values):7.1f} ms"


def _at(values: Sequence[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


if __name__ == "__main__":
    sys.exit(main())
