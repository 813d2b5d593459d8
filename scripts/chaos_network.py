"""The network of real cells that a chaos run has: made, started, watched, and ended for sure."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from chaos_cell import READY_S, Cell, PlainStarter, QuickStarter, Starter, wait_until
from chaos_errors import NetworkNotUp

from cli.devnet import setup
from core.errors import MyceldError

SETTLE_S: Final = 60.0
AT_WORK: Final = ("idle", "ordering")
"""Phases of a cell that takes part."""


class Network:
    """Cells that are the members of one genesis."""

    def __init__(
        self, directory: Path, cells: int, epoch_rounds: int, starter: Starter, patience: float
    ) -> None:
        """Make a network; on a slow machine every deadline is longer by the factor `patience`."""
        self.directory = directory
        self.starter = starter
        self.patience = patience
        with setup.planned(directory, cells, epoch_rounds) as planned:
            devnet = setup.prepare(planned)
        self.cells = [Cell(one.number, devnet.home(one), starter) for one in devnet.cells]
        self.others: list[Cell] = []
        """Cells that are no members, and end with the network all the same."""
        self.is_kept = False

    def up(self) -> None:
        """Start all; raises NetworkNotUp unless a transaction is certified."""
        for cell in self.cells:
            cell.start()
        for cell in self.cells:
            cell.wait_ready(self.patience * READY_S)
        try:
            self.cells[0].client.put(
                "chaos/up", b"1", wait="certified", timeout_s=self.patience * READY_S
            )
        except MyceldError as error:
            raise NetworkNotUp(f"nothing is certified: {error}") from error

    def cell(self, number: int) -> Cell:
        """Return a cell by its number."""
        return self.cells[number - 1]

    def except_for(self, numbers: Iterable[int]) -> list[Cell]:
        """Return the other cells."""
        gone = set(numbers)
        return [cell for cell in self.cells if cell.number not in gone]

    def settle(self) -> bool:
        """Wait until all are idle with equal states, all certified; return whether they are."""

        def settled() -> bool:
            statuses = [cell.status() for cell in self.cells]
            return _are_equal([one for one in statuses if one is not None], len(statuses))

        try:
            wait_until(settled, self.patience * SETTLE_S, "not settled")
        except NetworkNotUp:
            return False
        return True

    def keep(self) -> None:
        """Leave the directory for a look."""
        self.is_kept = True

    def end(self) -> None:
        """Kill what runs."""
        for cell in (*self.cells, *self.others):
            cell.send(signal.SIGCONT)
            cell.end()


@contextmanager
def real_network(
    cells: int, *, epoch_rounds: int, quick: bool, patience: float
) -> Iterator[Network]:
    """Make and start a network in a temporary directory; end it, and remove that.

    A directory in which something went wrong stays. `quick` is for many restarts, `patience` for
    slow machines.
    """
    directory = Path(tempfile.mkdtemp(prefix="myceld-chaos-"))
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)  # also Ctrl-C: a shell's background jobs ignore it
    starter: PlainStarter | QuickStarter = QuickStarter() if quick else PlainStarter()
    network: Network | None = None
    kept = False
    try:
        network = Network(directory, cells, epoch_rounds, starter, patience)
        network.up()
        yield network
        kept = network.is_kept
    except Exception:
        kept = True
        raise
    finally:
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)  # a further Ctrl-C does not keep cells alive
        if network is not None:
            network.end()
        if isinstance(starter, QuickStarter):
            starter.close()
        if kept:
            print(f"kept for a look: {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)


def _are_equal(statuses: list[Mapping[str, Any]], wanted: int) -> bool:
    heads = {(s["round_applied"], s["round_certified"], s["state_root"]) for s in statuses}
    idle = all(s["phase"] == "idle" and s["transactions_pending"] == 0 for s in statuses)
    return len(statuses) == wanted and len(heads) == 1 and idle


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
