"""Real cells vote by `myceld gov`; an upgrade begins, and one that lacks it stops and says why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest

from node.errors import UpgradeNeeded
from node.faults import FAULTS_VARIABLE, RULE_SETS_VARIABLE
from tests.network.devnet import Devnet, myceld, wait_until

_NUMBERS = count()


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Devnet]:
    devnet = Devnet(tmp_path / "net", epoch_rounds=16)
    try:
        devnet.up()
        yield devnet
    finally:
        devnet.down()


def _gov(net: Devnet, cell: int, *arguments: str, expect: int = 0) -> dict[str, Any]:
    home = str(net.home(cell))
    done = myceld("gov", *arguments, "--json", "--home", home, expect=expect)
    content: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    return content


def _until_epoch(net: Devnet, epoch: int, cells: tuple[int, ...]) -> None:
    """Put values until cells are in an epoch: without transactions there are no rounds."""

    def reached() -> bool:
        net.client(cells[0]).put(f"k{next(_NUMBERS) % 8}", b"v", wait="applied")
        return all(net.status(cell)["epoch"] >= epoch for cell in cells)

    wait_until(reached, f"epoch {epoch} did not begin")


@pytest.mark.long
def test_an_upgrade_begins_and_the_cell_that_lacks_it_stops_and_comes_back_with_another_build(
    net: Devnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    net.do("kill", 4)
    with monkeypatch.context() as patch:
        patch.setenv(FAULTS_VARIABLE, "1")
        patch.setenv(RULE_SETS_VARIABLE, "2")
        net.do("restart", 4)
    longer = _gov(net, 1, "propose", "longer", "--set", "epoch_rounds=24")["id"]
    assert _gov(net, 2, "vote", longer, "no")["outcome"] == "applied"
    assert _gov(net, 3, "vote", longer, "yes")["outcome"] == "applied"
    assert _gov(net, 2, "vote", longer, "yes")["outcome"] == "applied"
    shown = _gov(net, 4, "show", longer)
    assert (shown["state"], shown["weight_yes"]) == ("accepted", 3)
    (rounds,) = [
        row["value"]
        for row in _gov(net, 3, "parameters")["parameters"]
        if row["name"] == "epoch_rounds"
    ]
    assert rounds == 24

    epoch = net.status(1)["epoch"] + 2
    fields = f"epoch={epoch},rule_set=1,release=myceld 9"
    upgrade = _gov(net, 1, "propose", "back to the roots", "--upgrade", fields)["id"]

    def told() -> bool:
        return all(one["rule_sets"] for one in _gov(net, 1, "parameters")["supports"])

    wait_until(told, "the members did not tell what they know")
    for cell in (2, 3):
        assert _gov(net, cell, "vote", upgrade, "yes")["outcome"] == "applied"
    wait_until(lambda: net.status(4)["upgrade"] is not None, "cell 4 does not see it come")
    warned = myceld("status", "--home", str(net.home(4))).stdout
    assert "THIS CELL STOPS BEFORE THAT" in warned
    assert net.status(1)["upgrade"]["missing"] == ["cell-4"]
    old = net.process(4)

    _until_epoch(net, epoch, (1, 2, 3))
    assert {item["rule_set"] for item in net.client(1).epochs(start=epoch)["items"]} == {1}
    wait_until(lambda: not _is_running(old), "cell 4 goes on")
    log = (net.home(4) / "daemon.log").read_text(encoding="utf-8")
    assert UpgradeNeeded.code in log
    assert "install myceld 9" in log

    net.do("restart", 4)
    wait_until(lambda: net.status(4)["epoch"] >= epoch, "cell 4 did not come back")
    net.client(4).put("from-4", b"hello", wait="certified", timeout_s=60)
    net.wait_settled()
    assert net.client(1).state_value("from-4")["value"] == "hello"


def _is_running(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
