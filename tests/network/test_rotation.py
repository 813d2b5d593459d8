"""Cells of a network take new keys while it runs, and come up as the right one whatever happens."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from identity import keystore
from identity.keystore import PlainKey
from ledger.errors import KeyRotated
from myceld import Client
from tests.network.devnet import WAIT_S, Devnet, myceld, wait_until
from tests.network.starting import Started, start

pytestmark = pytest.mark.slow


def _rotate(net: Devnet, cell: int) -> dict[str, str]:
    done = myceld(
        "key", "rotate", "--home", str(net.home(cell)), "--json", "--timeout", str(WAIT_S)
    )
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


def _members(net: Devnet, cell: int) -> list[str]:
    return [member["cell_id"] for member in net.client(cell).members()["members"]]


def _agree(net: Devnet, expected: list[str]) -> None:
    wait_until(
        lambda: all(_members(net, cell) == expected for cell in range(1, net.count + 1)),
        "not every cell has the new roster",
    )


def _put(net: Devnet, cell: int, key: str) -> None:
    net.client(cell).put(key, b"v", wait="certified", timeout_s=WAIT_S)


def test_members_rotate_keep_their_seats_and_come_up_as_themselves(net: Devnet) -> None:
    _put(net, 1, "before")
    before = _members(net, 1)
    late = myceld("tx", "sign", "late", "v", "--nonce", "90", "--home", str(net.home(2))).stdout
    answer = _rotate(net, 2)
    assert answer["old_cell_id"] == before[1]
    expected = [before[0], answer["cell_id"], *before[2:]]
    _agree(net, expected)
    stored = keystore.inspect(net.home(2) / "key.json")
    assert isinstance(stored, PlainKey)
    assert [stored.pair.cell_id, *(pair.cell_id for pair in stored.others)] == expected[
        1:2
    ] + before[1:2]
    # Its vote counts: without it three of four would be missing one.
    net.do("kill", 4)
    _put(net, 2, "by the new key")
    refused = myceld("tx", "send", late.strip(), "--home", str(net.home(1)), expect=1)
    assert KeyRotated.code in refused.stderr
    net.do("restart", 4)
    net.do("kill", 2)
    net.do("restart", 2)
    _put(net, 2, "after the restart")
    status = net.status(2)
    assert (status["cell_id"], status["role"]) == (answer["cell_id"], "sclerotium")
    # All of them at once: each seal is one of its own, and the network goes on.
    others = [_rotating(net.home(cell)) for cell in (1, 3, 4)]
    assert [process.wait(2 * WAIT_S) for process in others] == [0, 0, 0]
    wait_until(lambda: not {*_members(net, 1)} & {*before}, "an old key still votes")
    _agree(net, _members(net, 1))
    for cell in range(1, 5):
        _put(net, cell, f"by cell {cell}")
    net.wait_settled()


@pytest.fixture(scope="module", name="used_home")
def _used_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a network of one cell, which ran and was stopped."""
    home = tmp_path_factory.mktemp("used") / "home"
    myceld("init", "--home", str(home), "--network", "solo")
    process = _start(home)
    myceld("tx", "put", "k", "v", "--home", str(home), "--wait", "certified")
    _stop(process)
    return home


@pytest.mark.parametrize(
    ("place", "hits"),
    [
        ("file.rename.after", 2),  # the new key (after run.json) is on disk, no transaction made
        ("execution.seal.after", 1),  # the rotation is applied, nothing else
        ("journal.takeover.after", 1),  # the journals are the new key's, the key file is not
    ],
)
def test_killed_in_the_middle_a_cell_comes_up_with_the_right_key(
    tmp_path: Path, used_home: Path, place: str, hits: int
) -> None:
    home = shutil.copytree(used_home, tmp_path / "home")
    at = ("--home", str(home))
    process = _start(home, MYCELD_FAILPOINTS=f"{place}=kill@{hits}")
    old = keystore.load(home / "key.json").cell_id
    rotating = _rotating(home)
    assert process.wait(WAIT_S) != 0
    if process.stdout is not None:
        process.stdout.close()
    process = _start(home)
    try:
        if place == "file.rename.after":
            rotating.kill()
            assert json.loads(myceld("status", *at, "--json").stdout)["cell_id"] == old
            myceld("key", "rotate", *at, "--timeout", str(WAIT_S))
        assert rotating.wait(2 * WAIT_S) in {0, 1, 3, -9}
        with Client.from_home(home, timeout_s=WAIT_S) as client:
            wait_until(lambda: client.status()["cell_id"] != old, "it came up with its old key")
            wait_until(lambda: client.status()["role"] == "sclerotium", "it lost its seat")
            myceld("tx", "put", "k", "w", *at, "--wait", "certified")
            assert keystore.load(home / "key.json").cell_id == client.status()["cell_id"] != old
        assert json.loads(myceld("journal", "audit", "consensus", *at, "--json").stdout)
    finally:
        rotating.kill()
        rotating.wait(WAIT_S)
        _stop(process)


def _start(home: Path, **environment: str) -> Started:
    with pytest.MonkeyPatch.context() as patch, Path(os.devnull).open("wb") as nothing:
        for name, value in environment.items():
            patch.setenv(name, value)
        process = start("run", "--home", str(home), errors=nothing)
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "ready":
            return process
    raise AssertionError("ended before it was ready")


def _rotating(home: Path) -> Started:
    """Start the command that takes a new key."""
    with Path(os.devnull).open("wb") as nothing:
        words = ("key", "rotate", "--home", str(home), "--timeout", str(WAIT_S))
        return start(*words, output=nothing, errors=nothing)


def _stop(process: Started) -> None:
    process.terminate()
    process.wait(WAIT_S)
    if process.stdout is not None:
        process.stdout.close()
