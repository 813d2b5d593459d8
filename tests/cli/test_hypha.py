"""`myceld init --role hypha` and what the command line makes of a hypha's answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.hypha import hypha_init_arguments, show_status
from cli.main import run
from gossip.discovery.ticket import Ticket, format_ticket
from identity.passphrase import PassphraseSource
from ledger.genesis import to_json
from tests.ledger.test_roster_proof import SHORT
from tests.ledger.world import KEYS
from tests.network.devnet import myceld


@pytest.fixture
def genesis(tmp_path: Path) -> str:
    path = tmp_path / "genesis.json"
    path.write_text(to_json(SHORT))
    return str(path)


def test_a_hypha_is_made_and_changed_by_init(tmp_path: Path, genesis: str) -> None:
    token = tmp_path / "ada.token"
    token.write_text("secret\n")
    token.chmod(0o600)
    home = str(tmp_path / "hypha")
    first = ("init", "--role", "hypha", "--home", home)
    made = myceld(
        *(*first, "--genesis", genesis, "--gateway", f"http://127.0.0.1:1,token={token}", "--json")
    )
    answer = json.loads(made.stdout)
    assert (answer["role"], answer["created"]) == ("hypha", True)
    assert answer["network_id"] == SHORT.network_id.hex()
    again = json.loads(myceld("init", "--home", home, "--name", "phone", "--json").stdout)
    assert (again["created"], again["cell_id"]) == (False, answer["cell_id"])
    assert again["gateways"] == ["http://127.0.0.1:1"]
    config = (tmp_path / "hypha" / "hypha.yaml").read_text()
    assert "name: phone" in config
    assert f"token_file: {token}" in config
    assert "secret" not in config
    token.chmod(0o644)
    done = myceld("run", "--home", home, expect=1)
    assert "MYC-HYPHA-004" in done.stderr


def test_a_hypha_is_not_made_of_a_full_cell(tmp_path: Path, genesis: str) -> None:
    home = str(tmp_path / "cell")
    myceld("init", "--home", home)
    gateway = ("--gateway", "http://127.0.0.1:1")
    done = myceld(
        "init", "--role", "hypha", "--home", home, "--genesis", genesis, *gateway, expect=1
    )
    assert "MYC-HYPHA-001" in done.stderr
    assert not (tmp_path / "cell" / "hypha.yaml").exists()


def test_a_hypha_needs_a_genesis_and_a_gateway(tmp_path: Path, genesis: str) -> None:
    home = str(tmp_path / "hypha")
    first = ("init", "--role", "hypha", "--home", home)
    for options, code in (
        (("--genesis", genesis), "MYC-HYPHA-001"),
        (("--genesis", genesis, "--gateway", "ftp://a"), "MYC-HYPHA-003"),
        (("--genesis", genesis, "--gateway", "http://a.example,token=t"), "MYC-HYPHA-003"),
    ):
        assert code in myceld(*first, *options, expect=1).stderr
    assert not Path(home).exists()
    assert "MYC-HYPHA-001" in myceld("run", "--role", "hypha", "--home", home, expect=1).stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--role", "hypha", "--listen", "/ip4/127.0.0.1/tcp/1"),
        ("--role", "hypha", "--network", "home"),
        ("--role", "hypha", "--gateway", "http://127.0.0.1:1,tokn=a"),
        ("--ticket", "myceld1aaaa"),
        ("--role", "hypha", "--ticket", "myceld1aaaa", "--genesis", "genesis.json"),
        ("--role", "sclerotium"),
        ("--gateway", "http://127.0.0.1:1"),
    ],
)
def test_options_that_do_not_go_together_are_a_wrong_usage(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    assert run(["init", "--home", str(tmp_path / "home"), *options]) == 2
    assert not (tmp_path / "home").exists()


def test_of_a_ticket_a_hypha_is_told_the_network_alone(tmp_path: Path) -> None:
    ticket = Ticket(SHORT.network_id, KEYS[0].public_key, bytes(range(16)), 1, ("/ip4/1.2.3.4",))
    file = tmp_path / "ticket.txt"
    file.write_text(format_ticket(ticket) + "\n")
    options = {"name": None, "gateway_port": None, "passphrase": PassphraseSource()}
    for text in (format_ticket(ticket), f"@{file}"):
        arguments = hypha_init_arguments(
            ["http://127.0.0.1:1"],
            text,
            home=str(tmp_path),
            genesis=None,
            as_json=False,
            **options,  # type: ignore[arg-type]  # of several types
        )
        at = arguments.index("--network-id")
        assert arguments[at + 1] == SHORT.network_id.hex()
        assert not any(ticket.secret.hex() in one or "myceld1" in one for one in arguments)


def test_the_status_names_who_lies_and_steers_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    gateway = {
        "url": "http://127.0.0.1:1",
        "state": "lies",
        "code": "MYC-LEDGER-554",
        "detail": "a wrong\x1b[31m signature",
        "round": 7,
        "latency_ms": 1.5,
        "failed": 0,
        "lies": 3,
    }
    show_status(
        {
            "name": "phone",
            "cell_id": "12D3",
            "network_name": "club",
            "network_id": "ab" * 32,
            "phase": "contradicted",
            "summary": "two histories",
            "head_time_ns": 1,
            "head_age_s": 3.0,
            "round_certified": 7,
            "epoch": 2,
            "header_hash": "cd",
            "state_root": "ef",
            "transactions_ordered": 4,
            "members_total": 4,
            "roster_steps": 1,
            "warnings": ["keep the proofs"],
            "contradictions": ["/home/evidence/7-other.proof"],
            "gateways": [gateway],
            "gateway_url": "http://127.0.0.1:2",
            "uptime_s": 5.0,
            "version": "0",
        }
    )
    shown = capsys.readouterr().out
    for words in ("lies", "MYC-LEDGER-554", "keep the proofs", "7-other.proof", "epoch 2"):
        assert words in shown
    assert "\x1b" not in shown
