"""Somebody starts a copy of a cell: its key forks, and leaves at the same round everywhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.network.devnet import Devnet, wait_until
from tests.network.test_one_cell import Cell

HONEST = (1, 2, 3)


@pytest.mark.slow
def test_a_copied_cell_is_found_out_and_leaves_while_the_others_go_on(
    net: Devnet, tmp_path: Path
) -> None:
    sent = [net.client(cell).put(f"before-{cell}", b"v")["id"] for cell in (*HONEST, 4)]
    net.wait_settled()
    forker = net.status(4)["cell_id"]
    net.do("kill", 4)
    copy = Cell(tmp_path / "copy")
    shutil.copytree(net.home(4), copy.home, ignore=shutil.ignore_patterns("*.lock", "run.json"))
    _listen_elsewhere(copy.home)
    net.do("restart", 4)
    copy.start()
    try:
        number = 0

        def is_proven() -> bool:
            nonlocal number
            number += 1
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
    finally:
        copy.stop()


def _forks(net: Devnet, cell: int) -> list[str]:
    return [fork["cell_id"] for fork in net.client(cell).members()["forks"]]


def _listen_elsewhere(home: Path) -> None:
    """Give a copied directory ports of its own."""
    path = home / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["cell"] |= {"listen": ["/ip4/127.0.0.1/tcp/0"], "gateway_port": 0}
    path.write_text(yaml.safe_dump(config))
