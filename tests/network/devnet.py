"""A devnet of real processes for tests, spoken to by the public command line and client only."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_bytes
from typing import Any

import psutil

from core.errors import MyceldError
from hashgraph.event import UnresolvedEvent, decode_any_event
from identity import keystore
from ledger.genesis import from_json, to_json
from myceld import CellRefused, CellTooLate, CellUnreachable, Client
from myceld.home import RunFile
from node.founding import Wishes, found, make_genesis
from node.home import Home
from tests.network.starting import ROOT, Started, run, start
from tests.ports import held_port

__all__ = ["COMMAND", "ROOT", "WAIT_S", "Devnet", "Started", "myceld", "wait_until"]

WAIT_S = 240
"""Until a test that waits in vain ends: for what happens in a second, on a busy machine in ten."""
PRANA = 1_000_000
"""What each cell begins with."""
COMMAND = (sys.executable, "-m", "cli.main")


def myceld(
    *arguments: str, expect: int | None = 0, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end; its exit status must be `expect` unless that is None.

    `given` is its standard input.
    """
    done = run(*arguments, given=given)
    assert expect is None or done.returncode == expect, (arguments, done)
    return done


class Devnet:
    """Cells are numbered from 1, as on the command line."""

    def __init__(self, directory: Path, cells: int = 4, *, epoch_rounds: int | None = None) -> None:
        self.directory = directory
        self.count = cells
        self._epoch_rounds = epoch_rounds
        self._clients: dict[int, Client] = {}
        self._started: dict[int, Started] = {}

    def up(self) -> None:
        """Start all cells that do not run, the first time a new network of them."""
        if not self.home(1).exists():
            self._make()
        idle = [cell for cell in self._cells() if not self._runs(cell)]
        for cell in idle:
            self._start(cell)
        for cell in idle:
            self._wait_ready(cell)

    def down(self) -> None:
        """End all cells."""
        for client in self._clients.values():
            client.close()
        self.kill(*self._cells())

    def kill(self, *cells: int) -> None:
        """Kill cells at once, without warning."""
        running = [self._started[cell] for cell in cells if self._runs(cell)]
        for process in running:
            process.kill()
        for process in running:
            process.wait(WAIT_S)

    def do(self, action: str, cell: int) -> None:
        """Kill, restart, pause or resume a cell; returns when that is done."""
        if action == "restart":
            if self._runs(cell):
                self._started[cell].terminate()
                self._started[cell].wait(WAIT_S)
            self._start(cell)
            self._wait_ready(cell)
            return
        assert self._runs(cell), f"cell {cell} is not running"
        if action == "kill":
            self.kill(cell)
        else:
            is_pause = {"pause": True, "resume": False}[action]
            self._started[cell].send_signal(signal.SIGSTOP if is_pause else signal.SIGCONT)
            process = self.process(cell)
            wait_until(
                lambda: (process.status() == psutil.STATUS_STOPPED) == is_pause,
                f"cell {cell} did not {action}",
            )

    def home(self, cell: int) -> Path:
        return self.directory / f"cell-{cell}"

    def client(self, cell: int) -> Client:
        """A client that survives restarts of its cell (ports stay the same)."""
        if cell not in self._clients:
            self._clients[cell] = Client.from_home(self.home(cell), timeout_s=WAIT_S)
        return self._clients[cell]

    def process(self, cell: int) -> psutil.Process:
        return psutil.Process(self._started[cell].pid)

    def status(self, cell: int) -> Mapping[str, Any]:
        return self.client(cell).status()

    def all_transactions(self, cell: int) -> Sequence[Mapping[str, Any]]:
        return self._all(lambda start: self.client(cell).transactions(start=start, limit=1000))

    def all_rounds(self, cell: int) -> Sequence[Mapping[str, Any]]:
        return self._all(lambda start: self.client(cell).rounds(start=start, limit=1000))

    def event_bytes(self, cell: int) -> list[bytes]:
        """The blocks of the consensus journal."""
        blocks = self._all(
            lambda start: self.client(cell).journal_blocks("consensus", start=start, limit=1000)
        )
        return [bytes.fromhex(block["data_hex"]) for block in blocks]

    def all_events(self, cell: int) -> list[UnresolvedEvent]:
        genesis = from_json((self.home(cell) / "genesis.json").read_text())
        return [decode_any_event(data, genesis.network_id)[0] for data in self.event_bytes(cell)]

    def wait_settled(self, cells: list[int] | None = None) -> None:
        """Wait until the cells are idle with equal state and everything is certified."""

        def settled() -> bool:
            states = [self.status(cell) for cell in cells or self._cells()]
            heads = {(s["round_applied"], s["round_certified"], s["state_root"]) for s in states}
            return len(heads) == 1 and all(s["phase"] == "idle" for s in states)

        wait_until(settled, "the cells never settled on one state")

    def _cells(self) -> range:
        return range(1, self.count + 1)

    def _runs(self, cell: int) -> bool:
        return cell in self._started and self._started[cell].poll() is None

    def _make(self) -> None:
        """Make all cells and their genesis, as `myceld devnet up` does."""
        homes = [Home(self.home(cell)) for cell in self._cells()]
        for home in homes:
            home.make()
        ids = [keystore.create(home.key, token_bytes(32)).cell_id for home in homes]
        ports = [(held_port(), held_port()) for _ in homes]
        members = [f"{one}={home.path.name}" for one, home in zip(ids, homes, strict=True)]
        prana = [f"{one}={PRANA}" for one in ids]
        genesis = self.directory / "genesis.json"
        made = make_genesis("devnet", members, epoch_rounds=self._epoch_rounds, prana=prana)
        genesis.write_text(to_json(made))
        listen = [f"/ip4/127.0.0.1/tcp/{port}" for port, _ in ports]
        addresses = [f"{at}/p2p/{one}" for at, one in zip(listen, ids, strict=True)]
        for number, home in enumerate(homes):
            others = (*addresses[:number], *addresses[number + 1 :])
            at, port = (listen[number],), ports[number][1]
            name = home.path.name
            found(home, Wishes(None, name, genesis, others, listen=at, gateway_port=port))

    def _start(self, cell: int) -> None:
        home = self.home(cell)
        (home / "run.json").unlink(missing_ok=True)
        with (home / "daemon.log").open("ab") as log:
            self._started[cell] = start("run", "--home", str(home), output=log, errors=log)

    def _wait_ready(self, cell: int) -> None:
        def is_ready() -> bool:
            log = self.home(cell) / "daemon.log"
            assert self._runs(cell), f"cell {cell} ended: {log.read_text()[-2000:]}"
            with suppress(MyceldError):
                started = RunFile.read(self.home(cell))
                return started.pid == self._started[cell].pid and bool(self.client(cell).health())
            return False

        wait_until(is_ready, f"cell {cell} is not ready")

    def _all(self, page: Callable[[int], Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        items: Sequence[Mapping[str, Any]] = []
        start: int | None = 0
        while start is not None:
            answer = page(start)
            items += answer["items"]
            start = answer["next"]
        return items


def wait_until(condition: Callable[[], bool], message: str, timeout_s: float = WAIT_S) -> float:
    """Poll until the condition holds; return how long it took in seconds."""
    started = time.monotonic()
    while time.monotonic() - started < timeout_s:
        try:
            if condition():
                return time.monotonic() - started
        except (CellUnreachable, CellRefused, CellTooLate):
            pass
        time.sleep(0.05)
    raise AssertionError(f"{message} (waited {timeout_s} s)")
