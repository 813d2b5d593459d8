"""The devnet under measurement: started fresh, watched from outside, stopped whatever happens."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from myceld import Client

START_TIMEOUT_S = 120
SETTLE_TIMEOUT_S = 120
PAGE = 1000


class BenchFailed(Exception):
    """The measurement can not go on; its text says why."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor seconds since their start of the cells, of the generators, and of the machine."""

    at_s: float
    cells_s: tuple[float, ...]
    generators_s: float
    machine_s: float
    events: int
    rounds: int
    transactions: int


class Network:
    """A running devnet."""

    def __init__(self, directory: Path, cells: list[dict[str, Any]]) -> None:
        self.homes = [Path(cell["home"]) for cell in cells]
        self.processes = [psutil.Process(cell["pid"]) for cell in cells]
        self.clients = [Client.from_home(home, timeout_s=60) for home in self.homes]
        self.directory = directory

    def usage(self, generators: list[int] | None = None) -> Usage:
        """Return what was used so far; what was ordered as the first cell tells it."""
        status = self.clients[0].status()
        machine = psutil.cpu_times()
        return Usage(
            at_s=time.monotonic(),
            cells_s=tuple(_cpu_s(process) for process in self.processes),
            generators_s=sum(_cpu_s(psutil.Process(pid)) for pid in generators or []),
            machine_s=sum(machine) - machine.idle - getattr(machine, "iowait", 0.0),
            events=status["events_total"],
            rounds=status["round_decided"],
            transactions=status["transactions_ordered"],
        )

    def memory_mib(self) -> list[float]:
        """Return the resident memory of each cell."""
        return [round(process.memory_info().rss / 2**20, 1) for process in self.processes]

    def settled(self) -> int:
        """Wait until all cells have ordered the same number, and nothing waits; return it."""
        until_s = time.monotonic() + SETTLE_TIMEOUT_S
        while time.monotonic() < until_s:
            statuses = [client.status() for client in self.clients]
            totals = {status["transactions_ordered"] for status in statuses}
            pending = sum(status["transactions_pending"] for status in statuses)
            if len(totals) == 1 and pending == 0 and {s["phase"] for s in statuses} == {"idle"}:
                return int(totals.pop())
            time.sleep(0.2)
        raise BenchFailed(f"the cells did not come to rest in {SETTLE_TIMEOUT_S} s")

    def order(self, start: int) -> list[str]:
        """Return the ids of the agreed order from a position; raises unless all cells agree."""
        orders = [_order_of(client, start) for client in self.clients]
        if len({digest for _, digest in orders}) != 1:
            raise BenchFailed(f"the cells disagree about the order: {self.directory}")
        return orders[0][0]


@contextmanager
def fresh_network(cells: int, *options: str) -> Iterator[Network]:
    """Make and start a devnet in a temporary directory; stop it and remove it at the end.

    `options` are those of `myceld devnet up`. A directory in which something went wrong is kept
    for a look.
    """
    directory = Path(tempfile.mkdtemp(prefix="myceld-bench-"))
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    remove = True
    try:
        yield Network(directory, _devnet(directory, "up", "--cells", str(cells), *options)["cells"])
    except Exception:
        remove = False
        print(f"kept for a look: {directory}", file=sys.stderr)
        raise
    finally:
        _stop(directory, remove=remove)


def _stop(directory: Path, *, remove: bool) -> None:
    """Stop all cells; a further Ctrl-C does not keep them alive."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    if (directory / "devnet.json").exists():
        _devnet(directory, "down")
    if remove:
        shutil.rmtree(directory, ignore_errors=True)


def _devnet(directory: Path, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "cli.main", "devnet", *arguments]
    child = subprocess.Popen(
        [*command, "--dir", str(directory), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = child.communicate(timeout=START_TIMEOUT_S)
    except BaseException:
        child.send_signal(signal.SIGINT)  # it stops the cells that it has started
        child.communicate()
        raise
    if child.returncode != 0:
        raise BenchFailed(f"devnet {arguments[0]}: {output}{errors}")
    answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    return answer


def _order_of(client: Client, start: int) -> tuple[list[str], str]:
    """Return ids, and a digest of everything that the cells must agree on."""
    ids: list[str] = []
    digest = hashlib.sha256()
    at: int | None = start
    while at is not None:
        page = client.transactions(start=at, limit=PAGE)
        for item in page["items"]:
            ids.append(item["id"])
            digest.update(json.dumps(item, sort_keys=True).encode())
        at = page["next"]
    return ids, digest.hexdigest()


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
