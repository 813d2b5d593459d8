"""A devnet of real processes for tests, driven by the public command line and client only."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from hashgraph.event import UnresolvedEvent, decode_any_event
from ledger.genesis import from_json
from myceld import CellRefused, CellUnreachable, Client

WAIT_S = 240
COMMAND = (sys.executable, "-m", "cli.main")
ROOT = Path(__file__).parents[2]


def myceld(
    *arguments: str, expect: int | None = 0, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end; its exit status must be `expect` unless that is None.

    `given` is its standard input.
    """
    done = subprocess.run(
        [*COMMAND, *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=600,
        cwd=ROOT,
        check=False,
    )
    assert expect is None or done.returncode == expect, (arguments, done)
    return done


class Devnet:
    """Cells are numbered from 1, as on the command line."""

    def __init__(self, directory: Path, cells: int = 4, *, epoch_rounds: int | None = None) -> None:
        self.directory = directory
        self._options = [] if epoch_rounds is None else ["--epoch-rounds", str(epoch_rounds)]
        self.count = cells
        self._clients: dict[int, Client] = {}

    def up(self) -> None:
        myceld(
            "devnet", "up", "--dir", str(self.directory), "--cells", str(self.count), *self._options
        )

    def down(self) -> None:
        for client in self._clients.values():
            client.close()
        myceld("devnet", "down", "--dir", str(self.directory), expect=None)

    def do(self, action: str, cell: int) -> None:
        myceld("devnet", action, str(cell), "--dir", str(self.directory))

    def home(self, cell: int) -> Path:
        return self.directory / f"cell-{cell}"

    def client(self, cell: int) -> Client:
        """A client that survives restarts of its cell (ports stay the same)."""
        if cell not in self._clients:
            self._clients[cell] = Client.from_home(self.home(cell), timeout_s=240)
        return self._clients[cell]

    def process(self, cell: int) -> psutil.Process:
        content = json.loads((self.home(cell) / "run.json").read_text())
        return psutil.Process(content["pid"])

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
            states = [self.status(cell) for cell in cells or range(1, self.count + 1)]
            heads = {(s["round_applied"], s["round_certified"], s["state_root"]) for s in states}
            return len(heads) == 1 and all(s["phase"] == "idle" for s in states)

        wait_until(settled, "the cells never settled on one state")

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
        except (CellUnreachable, CellRefused):
            pass
        time.sleep(0.05)
    raise AssertionError(f"{message} (waited {timeout_s} s)")
