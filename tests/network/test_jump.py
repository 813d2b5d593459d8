"""One real cell that jumps: killed in the middle, lied to, and what its clients see of it."""

from __future__ import annotations

import json
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.genesis import to_json
from ledger.transfer.wire import Links
from myceld import CellRefused, Client
from tests.ledger.transfer.world import SHORT, History
from tests.network.devnet import wait_until
from tests.network.fake_cell import Liar, Slow
from tests.network.test_one_cell import Cell


def _staged(database: Path) -> int:
    """How many pieces are on the disk; 0 when it can not be told."""
    connection = None
    try:
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        count: int = connection.execute("SELECT count(*) FROM staged").fetchone()[0]
    except sqlite3.Error:
        return 0
    finally:
        if connection is not None:
            connection.close()
    return count


def _watch_from_the_beginning(home: Path) -> CellRefused:
    """Wait for changes of the state after round 0; return why there are none to be had."""
    with Client.from_home(home, timeout_s=120) as client, pytest.raises(CellRefused) as caught:
        client.state_changes("", after_round=0, timeout_s=100)
    return caught.value


def _check_its_history(cell: Cell, history: History) -> None:
    """It begins with the epoch of the checkpoint, and says so."""
    refused = json.loads(cell.run("tx", "list", "--json", expect=1).stdout)["error"]
    assert refused["code"] == "MYC-NODE-030"
    first = history.receipts(2)[0]
    assert refused["message"].endswith(f"goes on at {first.position}")
    page: list[dict[str, object]] = cell.json("tx", "list", "--start", str(first.position))["items"]  # type: ignore[assignment]  # the shape is tested here
    listed = [one.id.hex() for one in history.receipts(2)[:100]]
    assert [line["id"] for line in page] == listed
    assert {line["kind"] for line in page} == {"unknown"}
    receipt = cell.json("receipt", first.id.hex())
    assert (receipt["position"], receipt["stage"]) == (first.position, "certified")


def test_a_transfer_goes_on_after_kill_9_a_liar_is_dropped_and_clients_see_no_half_state(
    tmp_path: Path,
) -> None:
    history = History(41, 3, keys=400, value_bytes=30_000, busy=(6, 9))
    genesis = tmp_path / "genesis.json"
    genesis.write_text(to_json(SHORT))
    links, seal = Links(None, tuple(history.links)), history.links[-1].header
    cell = Cell(tmp_path / "cell")
    database = cell.home / "cell.db"
    slow = Slow(SHORT, history, tmp_path / "slow.db", 0.1)
    with slow, Liar(SHORT, links) as liar:
        bootstrap = [part for one in (liar, slow) for part in ("--bootstrap", one.address)]
        cell.run("init", "--genesis", str(genesis), *bootstrap)
        kept = 0
        for _ in range(2):
            cell.start()
            wait_until(lambda: _staged(database) >= kept + 8, "nothing was kept")  # noqa: B023 - called in this turn
            status = cell.json("status")
            assert (status["round_applied"], status["transactions_ordered"]) == (0, 0)
            assert cell.stop(signal.SIGKILL) == -signal.SIGKILL
            kept = _staged(database)
        asked = slow.asked
        cell.start()
        watching = ThreadPoolExecutor(1)
        try:
            watched = watching.submit(_watch_from_the_beginning, cell.home)
            wait_until(lambda: cell.json("status")["round_applied"] == seal.round, "no jump")
            assert watched.result(timeout=10).code == "MYC-LEDGER-503", "it is to read anew"
            assert slow.asked > asked
            status = cell.json("status")
            assert status["state_root"] == seal.state_root.hex()
            assert (status["epoch"], status["round_certified"]) == (3, seal.round)
            assert status["transactions_ordered"] == seal.transactions_total
            log = cell.log.read_text()
            assert "catching up" in log
            assert "fetching the end of epoch 2: 100 %" in log
            assert "MYC-TRANSFER-00" in log
            key, value = next(
                (key, value) for key, value in history.states[2].items() if key[:6] == b"value/"
            )
            got = cell.json("state", "get", key[6:].decode())
            assert str(got["value_hex"]) in value.hex()
            _check_its_history(cell, history)
            assert _staged(database) == 0

            assert cell.stop() == 0
            cell.start()  # and it is there as after any stop
            assert cell.json("status")["state_root"] == seal.state_root.hex()
        finally:
            assert cell.stop() == 0
            watching.shutdown()
