"""A fifth cell joins a loaded network of four, votes, and leaves, again and again.

Clients put values at every cell all the time. No cell may go without a newly ordered transaction
for more than two seconds, and no acknowledged one may be lost. `NETWORK_CHANGES` says how many
changes there are: 20 are the whole run, which takes 45 s; the sample has four.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from myceld import Client
from myceld.errors import CellRefused
from tests.network.devnet import Devnet, myceld, wait_until
from tests.network.test_one_cell import Cell

CHANGES = int(os.environ.get("NETWORK_CHANGES", "4"))
GAP_S_MAX = 2.0
LOAD_S = 1.0
"""Of load after each change, for the stall that it might cause."""
PAUSE_S = 0.04
"""Between two puts of one client: five of them make some 100 transactions a second."""


@dataclass
class Load:
    """One client that puts values at one cell, and an eye on what that cell orders."""

    home: Path
    wait: str
    """`stored` at a member; a cell without a vote stores nothing, so there `ordered`."""
    sent: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    gap_s: float = 0.0
    """The longest time in which the number of ordered transactions stood still."""

    def put(self, stopped: threading.Event) -> None:
        count = 0
        with Client.from_home(self.home, timeout_s=60) as client:
            while not stopped.is_set():
                count += 1
                try:
                    key = f"{self.home.name}/{count % 50}"
                    receipt = client.put(key, b"%d" % count, wait=self.wait, timeout_s=60)
                except CellRefused as refusal:  # not acknowledged: it promises nothing
                    self.refused.append(str(refusal))
                else:
                    self.sent.append(receipt["id"])
                stopped.wait(PAUSE_S)

    def watch(self, stopped: threading.Event) -> None:
        with Client.from_home(self.home, timeout_s=60) as client:
            changed = time.monotonic()
            ordered = client.status()["transactions_ordered"]
            while not stopped.wait(0.05):
                now, newest = time.monotonic(), client.status()["transactions_ordered"]
                self.gap_s = max(self.gap_s, now - changed)
                if newest != ordered:
                    ordered, changed = newest, now


@pytest.fixture
def dora(net: Devnet, tmp_path: Path) -> Iterator[Cell]:
    """A fifth cell that joined by a ticket which has the first cell propose it."""
    invite = ("invite", "--role", "sclerotium", "--name", "dora", "--json")
    ticket = json.loads(myceld(*invite, "--home", str(net.home(1))).stdout)["ticket"]
    cell = Cell(tmp_path / "dora")
    cell.run("join", "-", given=ticket)
    cell.start()
    yield cell
    assert cell.stop() == 0


@pytest.mark.slow
@pytest.mark.long
def test_members_come_and_go_under_load_without_a_stall_or_a_loss(net: Devnet, dora: Cell) -> None:
    loads = [Load(net.home(cell), "stored") for cell in (1, 2, 3, 4)]
    loads.append(Load(dora.home, "ordered"))
    with Client.from_home(dora.home, timeout_s=60) as fifth:
        wait_until(lambda: fifth.status()["members_reachable"] == 4, "dora is not connected")
        with _running(loads[:4]):
            with _running(loads[4:]):
                for change in range(CHANGES):
                    _change(net, fifth, join=change % 2 == 0)
                    time.sleep(LOAD_S)
            _change(net, fifth, join=True)
            dora.stop(signal.SIGKILL)  # the other four are just enough for a quorum of five
            time.sleep(3 * LOAD_S)
        dora.start()
    assert not [load.refused for load in loads if load.refused]
    net.wait_settled()
    heads = {net.status(cell)["state_root"] for cell in (1, 2, 3, 4)}
    wait_until(lambda: {str(dora.json("status")["state_root"])} == heads, "dora differs")

    order = [line["id"] for line in net.all_transactions(1)]
    assert len(set(order)) == len(order)
    lost = {sent for load in loads for sent in load.sent} - set(order)
    assert not lost, f"{len(lost)} lost"
    assert net.status(1)["epoch"] > CHANGES
    gaps = {load.home.name: round(load.gap_s, 2) for load in loads}
    assert max(gaps.values()) <= GAP_S_MAX, gaps
    print(f"{CHANGES} changes, {len(order)} transactions, longest gaps in s: {gaps}")  # noqa: T201 - the numbers of a long run


@contextmanager
def _running(loads: list[Load]) -> Iterator[None]:
    """Put load on cells meanwhile."""
    stopped, failures = threading.Event(), list[BaseException]()
    threads = [
        threading.Thread(target=_run, args=(work, stopped, failures))
        for load in loads
        for work in (load.put, load.watch)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
    assert not failures


def _run(
    work: Callable[[threading.Event], None],
    stopped: threading.Event,
    failures: list[BaseException],
) -> None:
    try:
        work(stopped)
    except BaseException as error:  # noqa: BLE001 - told to the test's own thread
        failures.append(error)


def _change(net: Devnet, fifth: Client, *, join: bool) -> None:
    """Let dora join by the votes of the others, or leave by itself."""
    if not join:
        fifth.change_members("leave", wait="applied")
        wait_until(lambda: fifth.status()["role"] == "rhizomorph", "dora still votes")
        return
    proposal = _proposed(net, fifth.status()["cell_id"], again=fifth.status()["epoch"] > 0)
    for cell in (2, 3):
        approved = net.client(cell).change_members("approve", proposal=proposal, wait="applied")
        assert approved["outcome"] == "applied", json.dumps(approved)
    wait_until(lambda: fifth.status()["role"] == "sclerotium", "dora has no vote")
    wait_until(lambda: fifth.status()["events_own"] > 0, "dora made no event")


def _proposed(net: Devnet, cell_id: str, *, again: bool) -> str:
    """Return the id of the proposal to add a cell: of the ticket's, or one that is made now."""
    if again:
        made = net.client(1).change_members(
            "add", cell=cell_id, weight=1, name="dora", wait="applied"
        )
        assert made["outcome"] == "applied", json.dumps(made)
        return str(made["id"])

    def found() -> list[str]:
        proposals = net.client(1).members()["proposals"]
        return [item["id"] for item in proposals if item["cell_id"] == cell_id]

    wait_until(lambda: len(found()) == 1, "the inviter did not propose dora")
    return found()[0]
