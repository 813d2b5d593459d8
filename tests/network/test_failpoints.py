"""One real cell that crashes, or whose disk fails, at a failpoint: nothing acknowledged is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import MyceldError
from myceld import Client
from node.failpoints import FAILPOINTS_VARIABLE
from tests.network.devnet import WAIT_S, myceld, wait_until
from tests.network.test_one_cell import Cell


def test_a_cell_whose_disk_fails_stops_with_its_code_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = Cell(tmp_path / "cell")
    cell.run("init")
    acknowledged = _put_until_it_ends(cell, "journal.durable.before=error@60", monkeypatch)
    assert cell.process is not None
    assert cell.process.wait(WAIT_S) == 1
    log = cell.log.read_text()
    assert "failpoints armed" in log
    assert "error MYC-JOURNAL-013: " in log
    assert "Traceback" not in log
    _check_applied(cell, acknowledged)


def test_nonces_of_what_a_seal_voids_in_the_replay_are_given_to_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by crashes under load: the cell signed another transaction with such a nonce."""
    cell = Cell(tmp_path / "cell")
    made = cell.json("init", "--name", "ann")
    genesis, member = tmp_path / "genesis.json", f"{made['cell_id']}=ann"
    create = ["--name", "forest", "--member", member, "--epoch-rounds", "16"]
    myceld("genesis", "create", *create, "--out", str(genesis))
    cell.run("init", "--genesis", str(genesis))
    acknowledged = _put_until_it_ends(cell, "execution.seal.before=kill@1", monkeypatch)
    assert cell.process is not None
    assert cell.process.wait(WAIT_S) == -9
    _check_applied(cell, acknowledged)


def _put_until_it_ends(cell: Cell, order: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Start a cell with an order for a failpoint; return the ids that it acknowledged."""
    acknowledged: list[str] = []

    def put() -> None:
        for number in range(1000):
            answer = client.put("key", b"%d" % number)
            acknowledged.append(answer["id"])

    monkeypatch.setenv(FAILPOINTS_VARIABLE, order)
    cell.start()
    with Client.from_home(cell.home) as client, pytest.raises(MyceldError):
        put()
    monkeypatch.delenv(FAILPOINTS_VARIABLE)
    assert acknowledged
    return acknowledged


def _check_applied(cell: Cell, acknowledged: list[str]) -> None:
    """Check that a cell that starts anew has applied all that was acknowledged, then and now."""
    cell.start()
    with Client.from_home(cell.home) as client:
        acknowledged += [client.put("after", b"%d" % number)["id"] for number in range(5)]
        wait_until(lambda: client.status()["phase"] == "idle", "it is not at rest")
        outcomes = {
            line["id"]: line["outcome"] for line in client.transactions(limit=1000)["items"]
        }
    assert cell.stop() == 0
    assert {outcomes.get(one) for one in acknowledged} == {"applied"}
