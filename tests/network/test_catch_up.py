"""Four real cells, and those that come later or were away: they jump to the newest checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.network.devnet import Devnet, wait_until
from tests.network.test_one_cell import Cell

ALL = (1, 2, 3, 4)


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Devnet]:
    devnet = Devnet(tmp_path / "net", epoch_rounds=16)
    try:
        devnet.up()
        yield devnet
    finally:
        devnet.down()


def _fill(net: Devnet, epochs: int, *, cells: tuple[int, ...] = ALL, size_bytes: int = 8) -> None:
    """Put values until so many more epochs have ended."""
    end, number = net.status(cells[0])["epoch"] + epochs, 0
    while net.status(cells[0])["epoch"] < end:
        value = b"%d" % number * size_bytes
        net.client(cells[number % len(cells)]).put(f"key-{number % 80}", value[:size_bytes])
        number += 1


def _fresh(net: Devnet, home: Path, *more: str) -> Cell:
    cell = Cell(home)
    addresses = [*more, net.status(1)["addresses"][0]]
    cell.run("init", *(part for address in addresses for part in ("--bootstrap", address)))
    return cell


def _head(status: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(status[name] for name in ("round_applied", "state_root", "epoch"))


def _wait_equal(cell: Cell, net: Devnet) -> None:
    wait_until(lambda: _head(cell.json("status")) == _head(net.status(1)), "it did not catch up")


@pytest.mark.slow
def test_a_fresh_cell_jumps_is_served_by_and_serves_others_and_says_where_history_begins(
    net: Devnet, tmp_path: Path
) -> None:
    _fill(net, 5, size_bytes=30_000)
    net.wait_settled()
    fifth = _fresh(net, tmp_path / "fifth")
    fifth.start()
    try:
        _wait_equal(fifth, net)
        wait_until(lambda: "checkpoint in place" in fifth.log.read_text(), "it did not jump")
        before: list[object] = fifth.json("tx", "list")["items"]  # type: ignore[assignment]  # what gossip brought before the jump; the shape is tested here
        missing = ("tx", "list", "--start", str(len(before)), "--json")
        refused = json.loads(fifth.run(*missing, expect=1).stdout)["error"]
        assert refused["code"] == "MYC-NODE-030"
        goes_on = int(refused["message"].split()[-1])
        listed: list[dict[str, object]] = fifth.json("tx", "list", "--start", str(goes_on))["items"]  # type: ignore[assignment]  # the shape is tested here
        page = [line["position"] for line in listed]
        total = net.status(1)["transactions_ordered"]
        assert page == list(range(goes_on, goes_on + len(page)))
        assert goes_on + len(page) == total or len(page) >= 20
        lines = net.client(2).transactions(start=goes_on, limit=1)["items"]
        receipt = fifth.json("receipt", lines[0]["id"])
        assert (receipt["position"], receipt["outcome"]) == (goes_on, "applied")

        _fill(net, 1)  # all that the fifth can serve the sixth it got by the jump or since
        for cell in (2, 3, 4):
            net.do("kill", cell)
        _wait_equal(fifth, net)
        sixth = Cell(tmp_path / "sixth")
        sixth.run("init", "--bootstrap", str(fifth.json("status")["addresses"][0]))  # type: ignore[index]  # as above
        net.do("kill", 1)
        sixth.start()
        try:
            wait_until(
                lambda: _head(sixth.json("status")) == _head(fifth.json("status")),
                "who jumped does not serve",
            )
            assert fifth.stop() == 0
            fifth.start()  # its snapshots are built again
            wait_until(
                lambda: _head(fifth.json("status")) == _head(sixth.json("status")),
                "it has not what it served",
            )
        finally:
            assert sixth.stop() == 0
    finally:
        assert fifth.stop() == 0


@pytest.mark.slow
def test_a_member_that_was_away_for_many_epochs_knows_the_fate_of_all_it_acknowledged(
    net: Devnet,
) -> None:
    _fill(net, 1)
    sent = [net.client(4).put(f"last-{number}", b"v", wait="stored")["id"] for number in range(5)]
    net.do("kill", 4)
    _fill(net, 5, cells=ALL[:3], size_bytes=30_000)
    net.do("restart", 4)
    wait_until(lambda: _head(net.status(4)) == _head(net.status(1)), "it did not catch up")
    for identity in sent:
        wait_until(
            lambda: net.client(1).receipt(identity)["stage"] == "certified",  # noqa: B023 - called in this turn
            "an acknowledged transaction is lost",
        )
    net.wait_settled()
    listed = [line["id"] for line in net.all_transactions(1)]
    assert [listed.count(identity) for identity in sent] == [1] * 5
    log = net.home(4) / "daemon.log"
    wait_until(lambda: "checkpoint in place" in log.read_text(), "it did not jump")
