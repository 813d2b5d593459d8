"""Real cells whose links are cut: no side without a quorum orders anything, and all heals.

The links are cut inside the cells (`node/faults.py`): that works in every sandbox and on every
system, and dials and sessions end as they do when a network drops packets.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from myceld import CellRefused
from node.faults import FAULTS_FILE, FAULTS_VARIABLE
from tests.network.devnet import Devnet, wait_until
from tests.network.load import Load

pytestmark = pytest.mark.slow

ALL = (1, 2, 3, 4)
QUIET_S = 3.0


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FAULTS_VARIABLE, "1")
        devnet = Devnet(tmp_path_factory.mktemp("partitions") / "net")
        try:
            devnet.up()
            yield devnet
        finally:
            devnet.down()


@pytest.fixture
def loads(net: Devnet) -> Iterator[list[Load]]:
    """Clients at one cell of each side; in the end all cells must agree on all they were told."""
    loads = [Load(net, cell) for cell in (1, 4)]
    wait_until(lambda: all(len(load.acknowledged) > 5 for load in loads), "no progress")
    yield loads
    _cut(net, (), ())
    for load in loads:
        load.stop()
    net.wait_settled()
    orders = [net.all_transactions(cell) for cell in ALL]
    assert all(order == orders[0] for order in orders)
    applied = {line["id"] for line in orders[0] if line["outcome"] == "applied"}
    assert all(one in applied for load in loads for one in load.acknowledged)


def test_two_and_two_order_nothing_and_go_on_when_the_links_heal(
    net: Devnet, loads: list[Load]
) -> None:
    _cut(net, (1, 2), (3, 4))
    wait_until(lambda: all(_waits(net, cell) for cell in ALL), "it went unnoticed")
    before = max(_still(net, ALL))
    _cut(net, (), ())
    wait_until(lambda: all(_ordered(net, cell) > before for cell in ALL), "no healing")
    assert all(load.acknowledged for load in loads)


def test_three_go_on_without_the_fourth_which_orders_nothing_and_catches_up(
    net: Devnet, loads: list[Load]
) -> None:
    _cut(net, (1, 2, 3), (4,))
    wait_until(lambda: _waits(net, 4), "it went unnoticed")
    (alone,) = _still(net, (4,))
    before = _ordered(net, 1)
    wait_until(lambda: all(_ordered(net, cell) > before + 20 for cell in (1, 2, 3)), "no quorum")
    assert _ordered(net, 4) == alone
    assert net.all_transactions(4) == net.all_transactions(1)[:alone], "a prefix"
    with pytest.raises(CellRefused):
        net.client(4).put("alone", b"x", wait="ordered", timeout_s=1)
    behind = _ordered(net, 1)
    _cut(net, (), ())
    wait_until(lambda: _ordered(net, 4) > behind, "it did not catch up")
    done = len(loads[1].acknowledged)
    wait_until(lambda: len(loads[1].acknowledged) > done, "its client waits")


def test_flapping_links_do_no_harm(net: Devnet, loads: list[Load]) -> None:
    for number in range(4):
        _cut(net, *(((1, 2), (3, 4)) if number % 2 else ((1, 3), (2, 4))))
        time.sleep(0.8)
        _cut(net, (), ())
        time.sleep(0.4)
    before = [_ordered(net, cell) for cell in ALL]
    wait_until(
        lambda: all(_ordered(net, cell) > then for cell, then in zip(ALL, before, strict=True)),
        "they did not go on",
    )
    assert all(load.acknowledged for load in loads)


def _cut(net: Devnet, one: tuple[int, ...], other: tuple[int, ...]) -> None:
    """Cut the links between two sides, and heal all others."""
    ids = {cell: _cell_id(net, cell) for cell in ALL}
    for cell in ALL:
        far = other if cell in one else one if cell in other else ()
        content = {"version": 1, "cut": [ids[there] for there in far]}
        part = net.home(cell) / f"{FAULTS_FILE}.part"
        part.write_text(json.dumps(content))
        part.replace(net.home(cell) / FAULTS_FILE)


def _cell_id(net: Devnet, cell: int) -> str:
    content: dict[str, Any] = json.loads((net.home(cell) / "run.json").read_text())
    return str(content["cell_id"])


def _waits(net: Devnet, cell: int) -> bool:
    return bool(net.status(cell)["phase"] == "waiting")


def _ordered(net: Devnet, cell: int) -> int:
    return int(net.status(cell)["transactions_ordered"])


def _still(net: Devnet, cells: tuple[int, ...]) -> list[int]:
    """Return how much is ordered once nothing is for a while.

    What was decided before may still be applied, and it takes what time it takes.
    """
    counts: list[int] = []

    def quiet() -> bool:
        counts[:] = [_ordered(net, cell) for cell in cells]
        time.sleep(QUIET_S)
        return [_ordered(net, cell) for cell in cells] == counts

    wait_until(quiet, "something is ordered without a quorum")
    return counts
