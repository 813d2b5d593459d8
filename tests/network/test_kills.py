"""A long run: cells are killed and restarted again and again under load, and come back each time.

NETWORK_KILLS says how often (30 is the number to show); without it nothing is run here, and
`test_faults.py` has a short sample of both.
"""

from __future__ import annotations

import os
import shutil
import statistics
import time
from pathlib import Path

import pytest

from tests.network.devnet import Devnet, wait_until
from tests.network.load import Load, check_acknowledged, check_no_fork

KILLS = int(os.environ.get("NETWORK_KILLS", "0"))
COPY_AGE_S = float(os.environ.get("NETWORK_COPY_AGE_S", "60"))
ALL = (1, 2, 3, 4)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not KILLS, reason="a long run: set NETWORK_KILLS=30"),
]


def test_a_killed_cell_comes_back_each_time_and_never_forks(net: Devnet) -> None:
    loads = [Load(net, cell) for cell in ALL]
    took_s = [_kill_and_restart(net, 1 + number % 4) for number in range(KILLS)]
    _check_end(net, loads, took_s)


def test_a_cell_put_back_to_an_old_copy_of_its_directory_observes_first_and_never_forks(
    net: Devnet, tmp_path: Path
) -> None:
    load = Load(net, 1)
    took_s = []
    for number in range(KILLS + 3):
        cell = 2 + number % 3  # the first has a client, which remembers what was acknowledged
        if number >= 3:  # by now the copy from its last turn is old enough
            net.do("kill", cell)
            _put_back(tmp_path / f"copy-{number - 3}", net.home(cell))
            took_s.append(_restart(net, cell))
        # What is copied goes on from there: all that it signed until then will be told.
        net.do("kill", cell)
        _copied(net.home(cell), tmp_path / f"copy-{number}")
        _restart(net, cell)
        busy_until_s = time.monotonic() + COPY_AGE_S / 3
        while time.monotonic() < busy_until_s:
            net.client(cell).put(f"own-{cell}", b"%d" % number, wait="ordered", timeout_s=20)
            time.sleep(0.05)
    _check_end(net, [load], took_s)


def _kill_and_restart(net: Devnet, cell: int) -> float:
    net.do("kill", cell)
    other = 1 + cell % 4
    ordered = net.status(other)["transactions_ordered"]
    wait_until(
        lambda: net.status(other)["transactions_ordered"] > ordered + 10, "the others stopped"
    )
    return _restart(net, cell)


def _restart(net: Devnet, cell: int) -> float:
    """Restart a cell; return how long it took until it ordered what the others had before."""
    other = 1 + cell % 4
    began_s = time.monotonic()
    ordered = net.status(other)["transactions_ordered"]
    net.do("restart", cell)

    def back() -> bool:
        status = net.status(cell)
        caught_up = status["transactions_ordered"] >= ordered
        return caught_up and status["phase"] in ("idle", "ordering")

    wait_until(back, f"cell {cell} did not come back")
    return time.monotonic() - began_s


def _copied(home: Path, to: Path) -> None:
    to.mkdir()
    for path in home.glob("cell.db*"):
        shutil.copy(path, to / path.name)


def _put_back(copy: Path, home: Path) -> None:
    for path in home.glob("cell.db*"):
        path.unlink()
    for path in copy.iterdir():
        shutil.move(path, home / path.name)


def _check_end(net: Devnet, loads: list[Load], took_s: list[float]) -> None:
    for load in loads:
        load.stop()
    net.wait_settled()
    # Of what was ordered before a checkpoint that it began with again, a cell knows no kind.
    orders = [
        [tuple(one[name] for name in ("position", "id", "round", "outcome")) for one in order]
        for order in map(net.all_transactions, ALL)
    ]
    assert all(order == orders[0] for order in orders)
    assert len({net.status(cell)["state_root"] for cell in ALL}) == 1
    check_acknowledged(net, loads)
    check_no_fork([net.all_events(cell) for cell in ALL])
    print(  # noqa: T201 - the numbers of a long run
        f"{len(took_s)} times back: median {statistics.median(took_s):.2f} s, "
        f"max {max(took_s):.2f} s; {len(orders[0])} transactions"
    )
