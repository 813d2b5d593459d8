"""One real cell that jumps: killed in the middle, lied to, and what its clients see of it."""

from __future__ import annotations

import asyncio
import json
import math
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.genesis import to_json
from ledger.transfer.wire import Links
from myceld import CellRefused, Client
from tests.ledger.transfer.world import SHORT, History
from tests.network.devnet import WAIT_S, wait_until
from tests.network.fake_cell import Honest, Liar
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


class Held(Honest):
    """Answers only as long as fewer than `staged_max` pieces are on the disk of who asks."""

    def __init__(self, history: History, path: Path, database: Path) -> None:
        super().__init__(SHORT, history, path)
        self.staged_max: float = 0
        self._database = database

    async def before_answer(self) -> None:
        while _staged(self._database) >= self.staged_max:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)


def _watch_from_the_beginning(home: Path) -> CellRefused:
    """Wait for changes of the state after round 0; return why there are none to be had."""
    with (
        Client.from_home(home, timeout_s=2 * WAIT_S) as client,
        pytest.raises(CellRefused) as caught,
    ):
        client.state_changes("", after_round=0, timeout_s=WAIT_S)
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
    held = Held(history, tmp_path / "held.db", database)
    with held, Liar(SHORT, links) as liar:
        bootstrap = [part for one in (liar, held) for part in ("--bootstrap", one.address)]
        cell.run("init", "--genesis", str(genesis), *bootstrap)
        kept = 0
        for _ in range(2):
            held.staged_max = kept + 8
            cell.start()
            wait_until(
                lambda: liar.asked > 0 and _staged(database) >= held.staged_max,
                "nothing was kept, or the liar was not asked",
            )
            status = cell.status()
            assert (status["round_applied"], status["transactions_ordered"]) == (0, 0)
            assert cell.stop(signal.SIGKILL) == -signal.SIGKILL
            kept = _staged(database)
        asked = held.asked
        cell.start()
        watching = ThreadPoolExecutor(1)
        try:
            watched = watching.submit(_watch_from_the_beginning, cell.home)
            assert cell.status()["round_applied"] == 0
            held.staged_max = math.inf
            wait_until(lambda: cell.status()["round_applied"] == seal.round, "no jump")
            assert watched.result(timeout=WAIT_S).code == "MYC-LEDGER-503", "it is to read anew"
            assert held.asked > asked
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
