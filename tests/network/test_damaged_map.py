"""A real cell whose map of the state is damaged, or of an earlier version, makes it anew."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from core.errors import MyceldError
from ledger.genesis import from_json
from ledger.proof import StateClaim
from ledger.verify import verify_text
from myceld import Client
from tests.network.devnet import WAIT_S, myceld
from tests.network.test_one_cell import Cell

KEYS = [f"key/{number:02d}" for number in range(40)]
MADE = "making the map of the state anew"


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    """Return a cell that stands still, with some values."""
    one = Cell(tmp_path / "cell")
    one.run("init", "--network", "solo")
    one.start()
    with Client.from_home(one.home, timeout_s=WAIT_S) as client:
        for key in KEYS:
            client.put(key, b"at first")
        client.put("last", b"at first", wait="certified")
    assert one.stop() == 0
    return one


def _in_database(cell: Cell, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(cell.home / "cell.db")) as database, database:
        assert database.execute(sql).rowcount > 0


def _check_is_well(cell: Cell) -> None:
    """Have it go on, and prove all its values."""
    network_id = from_json((cell.home / "genesis.json").read_text()).network_id
    with Client.from_home(cell.home, timeout_s=WAIT_S) as client:
        client.put("last", b"later", wait="certified")
        for key in (*KEYS, "last"):
            claim = verify_text(client.state_proof(key)["proof"], network_id).claim
            assert isinstance(claim, StateClaim)
            assert claim.value is not None
    assert cell.stop() == 0


def _ends_with(cell: Cell, code: str) -> None:
    assert cell.process is not None
    assert cell.process.wait(WAIT_S) == 1
    assert f"error {code}: " in cell.log.read_text()
    cell.process = None


def test_a_damaged_page_stops_the_cell_and_the_next_start_makes_the_map_anew(cell: Cell) -> None:
    _in_database(cell, "UPDATE page SET body = zeroblob(length(body))")
    assert MADE not in cell.start()

    def change() -> None:
        for key in KEYS:
            client.put(key, b"later", wait="certified")

    with Client.from_home(cell.home) as client, pytest.raises(MyceldError):
        change()
    _ends_with(cell, "MYC-LEDGER-502")
    assert MADE in cell.start()
    _check_is_well(cell)
    assert MADE not in cell.start()
    assert cell.stop() == 0


def test_a_map_of_an_earlier_version_is_made_anew(cell: Cell) -> None:
    _in_database(cell, "UPDATE page SET body = zeroblob(9), digest = zeroblob(32)")
    _in_database(cell, "UPDATE layout SET version = 5")
    assert MADE in cell.start()
    _check_is_well(cell)


def test_who_asks_for_it_gets_the_map_made_anew(cell: Cell) -> None:
    assert "next time" in cell.run("repair", "--map").stdout
    assert MADE in cell.start()
    _check_is_well(cell)


def test_nothing_is_asked_for_where_no_cell_is(tmp_path: Path) -> None:
    done = myceld("repair", "--map", "--home", str(tmp_path / "none"), expect=1)
    assert "MYC-NODE-003" in done.stderr
    assert not (tmp_path / "none").exists()
