"""Somebody starts a copy of a cell: its key forks, and leaves at the same round everywhere.

A cell keeps one session with another, and one that starts asks what others have of it. So the cell
has lost its links when the copy starts, signs what nobody hears of, and comes back when the copy
has signed something else and is gone.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from core.errors import MyceldError
from myceld import Client
from node.faults import FAULTS_FILE, FAULTS_VARIABLE
from tests.network.devnet import Devnet, wait_until
from tests.network.test_one_cell import Cell

HONEST = (1, 2, 3)
AT_WORK = ("idle", "ordering")


@pytest.mark.slow
def test_a_copied_cell_is_found_out_and_leaves_while_the_others_go_on(
    net: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [net.client(cell).put(f"before-{cell}", b"v")["id"] for cell in (*HONEST, 4)]
    net.wait_settled()
    forker = net.status(4)["cell_id"]
    net.do("kill", 4)
    copy = Cell(tmp_path / "copy")
    shutil.copytree(net.home(4), copy.home, ignore=shutil.ignore_patterns("*.lock", "run.json"))
    _listen_elsewhere(copy.home)
    monkeypatch.setenv(FAULTS_VARIABLE, "1")
    net.do("restart", 4)
    wait_until(lambda: net.status(4)["phase"] in AT_WORK, "it does not take part")
    _cut(net.home(4), *(net.status(cell)["cell_id"] for cell in HONEST))
    wait_until(lambda: "cut=" in (net.home(4) / "daemon.log").read_text(), "it is not cut off")
    net.client(4).put("by-the-cell", b"v")
    copy.start()
    with Client.from_home(copy.home) as client:
        wait_until(
            lambda: bool(client.put("by-the-copy", b"v", wait="certified")), "it takes no part"
        )
    copy.stop()
    _cut(net.home(4))
    number = 0

    def is_proven() -> bool:
        nonlocal number
        number += 1
        with suppress(MyceldError):  # it may know by now
            net.client(4).put(f"after-{number}", b"v")
        for cell in HONEST:
            sent.append(net.client(cell).put(f"during-{number}", b"v")["id"])
        return all(_forks(net, cell) == [forker] for cell in HONEST)

    wait_until(is_proven, "no fork was proven")
    wait_until(
        lambda: all(len(net.client(cell).members()["members"]) == 3 for cell in HONEST),
        "the forker did not leave",
    )
    sent += [net.client(cell).put(f"after-{cell}", b"v")["id"] for cell in HONEST]
    net.wait_settled(list(HONEST))
    (fork,) = net.client(1).members()["forks"]
    proven = [
        next(line for line in net.all_rounds(cell) if line["round"] == fork["round"])
        for cell in HONEST
    ]
    assert proven[1:] == proven[:1] * 2
    assert set(sent) <= {line["id"] for line in net.all_transactions(2)}


def _forks(net: Devnet, cell: int) -> list[str]:
    return [fork["cell_id"] for fork in net.client(cell).members()["forks"]]


def _cut(home: Path, *others: str) -> None:
    """Cut the links of the cell in a directory to others."""
    (home / FAULTS_FILE).write_text(json.dumps({"version": 1, "cut": others}))


def _listen_elsewhere(home: Path) -> None:
    """Give a copied directory ports of its own."""
    path = home / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["cell"] |= {"listen": ["/ip4/127.0.0.1/tcp/0"], "gateway_port": 0}
    path.write_text(yaml.safe_dump(config))
