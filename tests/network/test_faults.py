"""Real cells that are killed, paused and restarted: nothing acknowledged is ever lost."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from myceld import CellRefused
from tests.network.devnet import Devnet, myceld, wait_until
from tests.network.load import Load, check_acknowledged, check_no_fork

ALL = (1, 2, 3, 4)
QUIET_S = 8.0


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """One network for all tests here: each leaves it settled, with all four cells running."""
    devnet = Devnet(tmp_path_factory.mktemp("faults") / "net")
    try:
        devnet.up()
        yield devnet
    finally:
        devnet.down()


def test_kill_9_of_one_cell_stops_nobody_and_it_catches_up_without_a_fork(net: Devnet) -> None:
    loads = [Load(net, cell) for cell in (1, 2, 4)]
    wait_until(lambda: all(len(load.acknowledged) > 10 for load in loads), "no progress")
    for _ in range(3):
        net.do("kill", 4)
        ordered = net.status(1)["transactions_ordered"]
        wait_until(
            lambda ordered=ordered: net.status(1)["transactions_ordered"] > ordered + 20,  # type: ignore[misc]  # a bound default
            "the other three did not go on",
        )
        net.do("restart", 4)
        wait_until(
            lambda: net.status(4)["phase"] in ("idle", "ordering"), "cell 4 did not come back"
        )
    for load in loads:
        load.stop()
    net.wait_settled()
    orders = [net.all_transactions(cell) for cell in ALL]
    assert all(order == orders[0] for order in orders)
    check_acknowledged(net, loads)
    check_no_fork([net.all_events(cell) for cell in ALL])


def test_kill_9_of_all_cells_at_once_loses_nothing_acknowledged(net: Devnet) -> None:
    loads = [Load(net, cell) for cell in ALL]
    wait_until(lambda: all(len(load.acknowledged) > 20 for load in loads), "no progress")
    net.kill(*ALL)
    for load in loads:
        load.stop()
    net.up()
    net.wait_settled()
    check_acknowledged(net, loads)
    orders = [net.all_transactions(cell) for cell in ALL]
    assert all(order == orders[0] for order in orders)
    check_no_fork([net.all_events(cell) for cell in ALL])
    assert net.client(2).put("after", b"all of it", wait="certified")["outcome"] == "applied"


def test_without_quorum_the_network_waits_says_so_and_goes_on_by_itself(net: Devnet) -> None:
    assert net.client(1).put("before", b"x", wait="certified")["outcome"] == "applied"
    net.do("pause", 3)
    net.do("kill", 4)
    wait_until(lambda: net.status(1)["phase"] == "waiting", "cell 1 did not notice")
    words = myceld("status", "--home", str(net.home(1))).stdout
    assert "2 of 4 members reachable, 3 needed; silent: cell-3, cell-4" in words

    with pytest.raises(CellRefused) as refused:
        net.client(1).put("during", b"y", wait="ordered", timeout_s=2)
    assert refused.value.code == "MYC-GATEWAY-023"
    assert "3 needed" in refused.value.detail
    wait_until(lambda: _stays(net, QUIET_S), "new events, or it grows")

    net.do("resume", 3)
    wait_until(lambda: net.client(2).state_value("during")["value"] == "y", "it did not go on")
    net.do("restart", 4)
    net.wait_settled()
    assert net.client(4).state_value("during")["value"] == "y"


def test_a_cell_put_back_to_an_old_copy_of_its_directory_never_forks(net: Devnet) -> None:
    load = Load(net, 2)
    wait_until(lambda: len(load.acknowledged) > 10, "no progress")
    net.do("kill", 2)
    copy = {p: p.read_bytes() for p in net.home(2).iterdir() if p.name.startswith("cell.db")}
    net.do("restart", 2)
    before = len(load.acknowledged)
    wait_until(lambda: len(load.acknowledged) > before + 20, "no progress after the restart")
    net.do("kill", 2)
    load.wait_refused()
    # It may have been killed between an answer and the sending: nobody else has such an event.
    net.wait_settled([1, 3, 4])
    known = {line["id"] for line in net.all_transactions(1)}
    load.acknowledged[:] = [one for one in load.acknowledged if one in known]
    assert len(load.acknowledged) > before, "nothing that the copy lacks was sent"
    for path in net.home(2).glob("cell.db*"):
        path.unlink()
    for path, data in copy.items():
        path.write_bytes(data)
    net.do("restart", 2)
    load.stop()
    assert net.client(2).put("after", b"restore", wait="certified")["outcome"] == "applied"
    net.wait_settled()
    check_acknowledged(net, [load])
    check_no_fork([net.all_events(cell) for cell in ALL])


def _stays(net: Devnet, seconds: float) -> bool:
    """Return whether there are no new events and no growth for some time."""
    before = _size(net)
    time.sleep(seconds)
    return _size(net) == before


def _size(net: Devnet) -> tuple[list[int], list[int]]:
    events = [net.status(cell)["events_total"] for cell in (1, 2)]
    sizes = [sum(p.stat().st_size for p in net.home(cell).glob("cell.db*")) for cell in (1, 2)]
    return events, sizes
