"""Real cells: a fifth one is voted in, votes, and leaves again, by the commands people use."""

from __future__ import annotations

import json
from pathlib import Path

from tests.network.devnet import Devnet, myceld, wait_until
from tests.network.test_one_cell import Cell


def _member(net: Devnet, cell: int, *arguments: str, expect: int = 0) -> dict[str, object]:
    done = myceld("member", *arguments, "--json", "--home", str(net.home(cell)), expect=expect)
    content: dict[str, object] = json.loads(done.stdout) if done.stdout else {}
    return content


def _names(net: Devnet, cell: int) -> list[str]:
    return [member["name"] for member in net.client(cell).members()["members"]]


def test_a_fifth_cell_is_voted_in_votes_and_leaves_again(net: Devnet, tmp_path: Path) -> None:
    for number in range(5):
        net.client(1).put(f"before{number}", b"v", wait="certified")
    fifth = Cell(tmp_path / "fifth")
    address = net.status(1)["addresses"][0]
    made = json.loads(fifth.run("init", "--name", "dora", "--bootstrap", address, "--json").stdout)
    fifth.start()
    try:
        proposal = _member(net, 1, "propose", made["cell_id"], "--name", "dora")
        assert proposal["outcome"] == "applied"
        refused = _member(net, 1, "approve", str(proposal["id"]), expect=5)
        assert refused["refusal"]["code"] == "MYC-LEDGER-039"  # type: ignore[index]  # as above
        members: list[dict[str, str]] = _member(net, 2, "list")["members"]  # type: ignore[assignment]  # as above
        assert [item["name"] for item in members] == ["cell-1", "cell-2", "cell-3", "cell-4"]
        assert _member(net, 2, "approve", str(proposal["id"]))["outcome"] == "applied"
        assert _member(net, 3, "approve", str(proposal["id"]))["outcome"] == "applied"

        everyone = ["cell-1", "cell-2", "cell-3", "cell-4", "dora"]
        for cell in (1, 2, 3, 4):
            wait_until(lambda cell=cell: _names(net, cell) == everyone, "no new epoch")  # type: ignore[misc]  # a bound default
        wait_until(lambda: fifth.status()["role"] == "sclerotium", "dora has no vote")
        fifth.run("tx", "put", "from-dora", "hello", "--wait", "certified")
        wait_until(lambda: fifth.status()["events_own"] > 0, "dora made no event")
        wait_until(
            lambda: net.client(4).state_value("from-dora")["value"] == "hello", "it is not there"
        )

        fifth.run("member", "leave")
        wait_until(lambda: _names(net, 4) == everyone[:4], "dora did not leave")
        wait_until(lambda: fifth.status()["role"] == "rhizomorph", "dora still votes")
        fifth.run("tx", "put", "from-outside", "hello", "--wait", "certified")
        net.wait_settled()
        heads = {net.status(cell)["state_root"] for cell in (1, 2, 3, 4)}
        wait_until(lambda: {fifth.status()["state_root"]} == heads, "dora differs")
    finally:
        assert fifth.stop() == 0
