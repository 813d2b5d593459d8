"""What only a running network shows: a quorum that is lost, a clock that is wrong, a second start.

One network of two real cells, both of which are needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from node.doctor.limits import CLOCK_APART_MS
from node.faults import FAULTS_FILE, FAULTS_VARIABLE
from tests.network.devnet import Devnet, myceld, wait_until

pytestmark = pytest.mark.slow

OF_THE_MACHINE = ("MYC-DOCTOR-05", "MYC-DOCTOR-09")
"""Codes about its disk and its memory, which others use too."""


@pytest.fixture(name="net", scope="module")
def _net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    net = Devnet(tmp_path_factory.mktemp("net"), 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FAULTS_VARIABLE, "1")
        try:
            net.up()
            net.client(1).put("hello", b"world", wait="certified", timeout_s=60)
            yield net
        finally:
            net.down()


def _findings(net: Devnet, cell: int) -> dict[str, Mapping[str, Any]]:
    found = net.client(cell).doctor()["findings"]
    return {one["code"]: one for one in found if not one["code"].startswith(OF_THE_MACHINE)}


def test_a_sound_network_has_nothing_wrong(net: Devnet) -> None:
    wait_until(lambda: _findings(net, 1) == {}, "something is wrong")
    answer = net.client(1).why_stall()
    assert answer["answer"].startswith("nothing stalls")
    assert net.status(1)["fault_budget"] == "none may fail"


@pytest.mark.long
def test_a_clock_an_hour_behind_is_named_by_the_others_and_by_itself(net: Devnet) -> None:
    # Times of a member never fall, so its clock seems to stand: it takes as long as is tolerated.
    faults = net.home(2) / FAULTS_FILE
    faults.write_text(json.dumps({"version": 1, "skew_ms": -3_600_000}))

    def seen(key: str) -> bool:
        for cell in (1, 2):
            net.client(cell).put(f"{key}-{cell}", b"x", wait="ordered", timeout_s=60)
        return all("MYC-DOCTOR-081" in _findings(net, cell) for cell in (1, 2))

    wait_until(lambda: seen("late"), "nobody noticed the clock")
    (clock,) = net.client(1).doctor()["clocks"]
    assert clock["ahead_ms"] is not None
    assert clock["ahead_ms"] < -CLOCK_APART_MS
    assert any(one["what"].startswith("clock of") for one in net.client(1).why_stall()["reasons"])
    faults.unlink()  # the remedy: set the clock
    wait_until(lambda: not seen("right") and not _any_clock(net), "the clock is still called wrong")


def _any_clock(net: Devnet) -> bool:
    return any("MYC-DOCTOR-081" in _findings(net, cell) for cell in (1, 2))


def test_a_lost_quorum_is_named_and_starting_the_member_mends_it(net: Devnet) -> None:
    net.do("kill", 2)
    wait_until(lambda: "MYC-DOCTOR-100" in _findings(net, 1), "nobody noticed the kill")
    answer = net.client(1).why_stall()
    assert answer["answer"].startswith("the network waits")
    assert "weight 1 of 2" in answer["reasons"][0]["detail"]
    waiting = net.client(1).put("later", b"x", wait="accepted", timeout_s=60)
    why = net.client(1).why_transaction(waiting["id"])
    assert "the network waits" in why["answer"]
    name = net.status(1)["silent"][0]
    wait_until(
        lambda: str(net.client(1).why_cell(name)["answer"]).startswith("not connected"),
        "the connection is there",
    )
    done = myceld("doctor", "--home", str(net.home(1)), expect=1)
    assert "MYC-DOCTOR-100" in done.stdout
    net.do("restart", 2)
    wait_until(lambda: "MYC-DOCTOR-100" not in _findings(net, 1), "it is still called lost")
    net.client(1).receipt(waiting["id"], wait="certified", timeout_s=60)
    assert net.client(1).why_transaction(waiting["id"])["answer"].startswith("done")


def test_a_second_start_in_one_directory_is_refused_with_a_code(net: Devnet) -> None:
    done = myceld("run", "--home", str(net.home(1)), expect=1)
    assert "MYC-NODE-002" in done.stderr
    remedy = myceld("explain", "MYC-NODE-002").stdout
    assert "Stop that process first" in remedy


def test_a_copy_of_a_directory_beside_the_cell_finds_its_ports_taken(
    net: Devnet, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir(mode=0o700)
    for name in ("config.yaml", "genesis.json", "key.json"):
        (copy / name).write_bytes((net.home(1) / name).read_bytes())
        (copy / name).chmod(0o600)
    done = myceld("doctor", "--home", str(copy), "--json", expect=1)
    codes = {one["code"] for one in json.loads(done.stdout)["findings"]}
    assert {"MYC-DOCTOR-060", "MYC-DOCTOR-061"} <= codes
