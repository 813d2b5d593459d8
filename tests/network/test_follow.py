"""Two real cells: one follows a journal of the other, over libp2p, and a proof goes offline."""

from __future__ import annotations

import json
from pathlib import Path

from tests.network.devnet import myceld, wait_until
from tests.network.test_one_cell import Cell


def _view(cell: Cell) -> dict[str, object]:
    follows: list[dict[str, object]] = cell.json("journal", "list")["follows"]  # type: ignore[assignment]  # the shape is tested here
    return follows[0]


def test_a_cell_follows_another_cells_journal_and_proves_a_block_of_it(tmp_path: Path) -> None:
    writer, reader = Cell(tmp_path / "writer"), Cell(tmp_path / "reader")
    made = json.loads(writer.run("init", "--network", "pair", "--json").stdout)
    writer.start()
    try:
        for number in range(5):
            writer.run("tx", "put", f"k{number}", "v", "--wait", "certified")
        address = writer.json("status")["addresses"][0]  # type: ignore[index]  # the shape is tested here
        reader.run("init", "--bootstrap", str(address))
        reader.start()
        target = f"{made['cell_id']}/state"
        lines = reader.run("journal", "follow", target, "--json").stdout.splitlines()
        view = json.loads(lines[-1])
        assert view["state"] == "following"
        assert view["whole"] == view["size"] >= 5

        writer.run("tx", "put", "live", "v", "--wait", "certified")
        grown = {item["name"]: item["length"] for item in writer.json("journal", "list")["items"]}  # type: ignore[attr-defined]  # the shape is tested here
        wait_until(
            lambda: int(str(_view(reader)["whole"])) >= grown["state"], "the live tail stopped"
        )

        file = tmp_path / "block.tlog-proof"
        reader.run("journal", "export", target, "3", "--out", str(file))
        done = myceld("journal", "verify", str(file), "--cell", made["cell_id"], "--json")
        proven = json.loads(done.stdout)
        assert (proven["index"], proven["journal"]) == (3, "state")
        own = writer.json("journal", "read", "state", "3")
        assert proven["block_hex"] == own["data_hex"]
        assert [w["cell_id"] for w in proven["witnesses"]] == [reader.json("status")["cell_id"]]
        assert reader.json("journal", "audit", target)["state"] == "ok"
        reader.run("journal", "prune", target, "2")
        assert reader.run("journal", "read", target, "1", expect=1).stderr.startswith("error MYC-")

        assert reader.stop() == 0  # what is followed survives a restart
        writer.run("tx", "put", "meanwhile", "v", "--wait", "certified")
        reader.start()
        wait_until(lambda: int(str(_view(reader)["whole"])) > grown["state"], "it did not go on")
        wait_until(lambda: _view(reader)["state"] == "following", "it does not follow")
        reader.run("journal", "follow", target, "--stop")
        assert _view(reader)["state"] == "stopped"
    finally:
        for cell in (reader, writer):
            if cell.process is not None:
                assert cell.stop() == 0


def test_the_cells_own_journals_cannot_be_pruned_and_itself_not_followed(tmp_path: Path) -> None:
    one = Cell(tmp_path / "home")
    made = json.loads(one.run("init", "--json").stdout)
    one.start()
    try:
        refused = one.run("journal", "prune", "consensus", "1", expect=1)
        assert refused.stderr.startswith("error MYC-NODE-012")
        refused = one.run("journal", "follow", f"{made['cell_id']}/state", expect=1)
        assert refused.stderr.startswith("error MYC-REPLICATION-014")
    finally:
        assert one.stop() == 0
