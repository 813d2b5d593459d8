"""A cell that computes another state is found out at the next checkpoint, and is repaired."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.codec import decode
from ledger.certificate import parse_certificate
from ledger.genesis import from_json
from ledger.network_score import EPOCH_RECORD_KEY
from ledger.verify import verify_text
from myceld import CellRefused
from node.faults import FAULTS_FILE, FAULTS_VARIABLE
from tests.network.devnet import WAIT_S, Devnet, myceld, wait_until

WRONG, OTHERS = 3, (1, 2, 4)


@pytest.fixture(
    name="net",
    params=[pytest.param(None, marks=pytest.mark.long), 24],
    ids=["first epoch", "later epoch"],
)
def _net(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Devnet]:
    monkeypatch.setenv(FAULTS_VARIABLE, "1")
    devnet = Devnet(tmp_path / "net", epoch_rounds=request.param)
    try:
        devnet.up()
        yield devnet
    finally:
        devnet.down()


def _have(net: Devnet, **faults: bool) -> None:
    path = net.home(WRONG) / FAULTS_FILE
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({"version": 1, **faults}))
    temporary.replace(path)


def _repair(net: Devnet) -> str:
    """Take the fault away, wait until the cell knows, and have it take over the right state."""
    _have(net)
    log = net.home(WRONG) / "daemon.log"
    wait_until(lambda: "no faults" in log.read_text(), "the fault is still there")
    return myceld("repair", "--home", str(net.home(WRONG)), "--timeout", str(WAIT_S)).stdout


@pytest.mark.slow
def test_another_state_is_caught_named_and_repaired_while_the_others_go_on(net: Devnet) -> None:
    sent = [str(net.client(1).put(f"key-{at}", b"v", wait="certified")["id"]) for at in range(8)]
    net.wait_settled()
    assert "MYC-NODE-532" in myceld("repair", "--home", str(net.home(WRONG)), expect=1).stderr
    _have(net, misjudge=True)

    def is_caught() -> bool:
        sent.append(str(net.client(1).put("wrong", b"%d" % len(sent), wait="certified")["id"]))
        return bool(net.status(WRONG)["phase"] == "diverged")

    wait_until(is_caught, "nobody noticed")
    wait_until(
        lambda: net.client(WRONG).divergence()["first_round"] is not None, "it was not looked into"
    )
    found = net.client(WRONG).divergence()
    assert found["transaction"] is not None
    assert found["report"] is not None
    right = net.client(2).receipt(found["transaction"])
    assert (right["round"], right["outcome"]) == (found["first_round"], "applied")
    assert (found["own_outcome"], found["their_outcome"]) == ("MYC-LEDGER-011", "applied")
    assert found["key"] == "value/wrong"
    assert str(found["first_round"]) in net.status(WRONG)["summary"]
    _check_report(net, Path(found["report"]))
    with pytest.raises(CellRefused, match="MYC-NODE-531"):
        net.client(WRONG).put("refused", b"v")
    sent += [
        str(net.client(cell).put(f"on-{cell}", b"v", wait="certified")["id"]) for cell in OTHERS
    ]
    net.do("kill", WRONG)
    net.do("restart", WRONG)
    sent.append(str(net.client(1).put("again", b"v", wait="certified")["id"]))
    wait_until(lambda: net.status(WRONG)["phase"] == "diverged", "a restart forgot it")
    assert "repaired" in _repair(net)
    net.wait_settled()
    assert net.client(WRONG).divergence()["diverged"] is False
    assert list(net.home(WRONG).glob("diverged-*.db")), "the evidence is gone"
    sent.append(str(net.client(WRONG).put("back", b"v", wait="certified")["id"]))
    net.wait_settled()
    orders = [net.all_transactions(cell) for cell in (1, WRONG)]
    assert set(sent) <= {line["id"] for line in orders[0]}
    known = {line["id"]: line["outcome"] for line in orders[1]}
    assert all(known[line["id"]] == line["outcome"] for line in orders[0] if line["id"] in known)
    assert set(sent[-4:]) <= set(known)
    net.do("kill", WRONG)
    net.do("restart", WRONG)
    net.wait_settled()


@pytest.mark.slow
@pytest.mark.long
def test_a_key_that_no_transaction_was_about_is_found_too(net: Devnet) -> None:
    net.client(1).put("right", b"v", wait="certified")
    net.wait_settled()
    _have(net, miscount=True)
    net.client(1).put("another", b"v", wait="certified")
    wait_until(
        lambda: net.client(WRONG).divergence()["first_round"] is not None, "it was not looked into"
    )
    found = net.client(WRONG).divergence()
    assert found["transaction"] is None
    assert found["report"] is not None
    report = json.loads(Path(found["report"]).read_text())
    assert (found["key"], report["notes"]) == (EPOCH_RECORD_KEY.decode(), [])
    assert report["own_value"] != report["their_value"]
    _check_report(net, Path(found["report"]))
    assert "repaired" in _repair(net)
    net.wait_settled()


def _check_report(net: Devnet, path: Path) -> None:
    """The report proves itself to whoever has the genesis."""
    genesis = from_json((net.home(1) / "genesis.json").read_text())
    report = json.loads(path.read_text())
    theirs = verify_text(report["header_proof"], genesis.network_id)
    assert theirs.header.encode().hex() == report["their_header"] != report["own_header"]
    assert theirs.header.round == report["first_round"]
    assert verify_text(report["value_proof"], genesis.network_id).claim
    certificate = parse_certificate(decode(bytes.fromhex(report["certificate"])))
    assert certificate.round == report["certified_round"] >= report["first_round"]
