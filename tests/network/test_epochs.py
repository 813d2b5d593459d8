"""Real cells over several epochs: one order and one chain of headers, also through a kill -9."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hashgraph.event import decode_any_event
from ledger.genesis import from_json
from tests.network.devnet import Devnet, myceld, wait_until

ALL = (1, 2, 3, 4)


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Devnet]:
    devnet = Devnet(tmp_path / "net", epoch_rounds=16)
    try:
        devnet.up()
        yield devnet
    finally:
        devnet.down()


@pytest.mark.slow
def test_four_hundred_transactions_over_several_epochs_and_a_kill(net: Devnet) -> None:
    sent = _put(net, ALL, 200)
    while net.status(1)["epoch"] < 2:  # where cells exchange slowly a round has more events
        sent += _put(net, ALL, 4)
    net.wait_settled()
    before = net.status(1)["epoch"]
    net.do("kill", 4)
    sent += _put(net, (1,), 2)
    net.do("restart", 4)
    wait_until(lambda: _epochs(net) == {net.status(1)["epoch"]}, "cell 4 did not come back")
    sent += _put(net, ALL, 198)
    while net.status(1)["epoch"] <= before:
        sent += _put(net, ALL, 4)
    net.wait_settled()

    assert _epochs(net) == {net.status(1)["epoch"]}
    assert net.status(1)["epoch"] >= before + 1 >= 3
    assert len(sent) >= 400
    orders = [net.all_transactions(cell) for cell in ALL]
    assert orders[1:] == orders[:1] * 3
    assert sorted(line["id"] for line in orders[0]) == sorted(sent)
    assert {line["outcome"] for line in orders[0]} == {"applied"}
    hashes = [[line["header_hash"] for line in net.all_rounds(cell)] for cell in ALL]
    assert hashes[1:] == hashes[:1] * 3
    assert all(line["certified"] for line in net.all_rounds(4))
    _check_no_fork(net)
    home = str(net.home(2))
    (line,) = [
        line for line in myceld("status", "--home", home).stdout.splitlines() if "epoch" in line
    ]
    assert line.split()[-1] == str(net.status(2)["epoch"])


def _put(net: Devnet, cells: tuple[int, ...], count: int) -> list[str]:
    """Put values at the cells in turn; return the ids."""
    return [
        net.client(cells[at % len(cells)]).put(f"key-{at % 20}", b"%d" % at)["id"]
        for at in range(count)
    ]


def _epochs(net: Devnet) -> set[int]:
    return {net.status(cell)["epoch"] for cell in ALL}


def _check_no_fork(net: Devnet) -> None:
    """No two different events of one creator have one sequence number in one epoch."""
    network_id = from_json((net.home(1) / "genesis.json").read_text()).network_id
    seen: dict[tuple[int, int, int], bytes] = {}
    for cell in ALL:
        for data in net.event_bytes(cell):
            event, epoch = decode_any_event(data, network_id)
            place = (epoch, event.creator, event.sequence)
            assert seen.setdefault(place, event.id) == event.id
