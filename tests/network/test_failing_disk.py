"""One real cell whose disk fails: it stops with the code that says so, and loses nothing.

The failure is put in at the failpoint before a commit; a full disk is in `test_chaos.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import MyceldError
from myceld import Client
from node.failpoints import FAILPOINTS_VARIABLE
from tests.network.devnet import wait_until
from tests.network.test_one_cell import Cell


def test_a_cell_whose_disk_fails_stops_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = Cell(tmp_path / "cell")
    cell.run("init")
    monkeypatch.setenv(FAILPOINTS_VARIABLE, "journal.durable.before=error@9")
    cell.start()
    acknowledged: list[str] = []
    with Client.from_home(cell.home) as client, pytest.raises(MyceldError):
        _put_until_it_ends(client, acknowledged)
    assert cell.process is not None
    assert cell.process.wait(20) == 1
    log = cell.log.read_text()
    assert "failpoints armed" in log
    assert "error MYC-JOURNAL-013: " in log
    assert "Traceback" not in log
    monkeypatch.delenv(FAILPOINTS_VARIABLE)
    cell.start()
    with Client.from_home(cell.home) as client:
        wait_until(lambda: client.status()["phase"] == "idle", "it is not at rest")
        applied = {line["id"] for line in client.transactions(limit=1000)["items"]}
    assert cell.stop() == 0
    assert acknowledged
    assert set(acknowledged) <= applied


def _put_until_it_ends(client: Client, acknowledged: list[str]) -> None:
    for number in range(1000):
        answer = client.put("key", b"%d" % number)
        acknowledged.append(answer["id"])
