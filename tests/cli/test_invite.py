"""`myceld invite` and `join` against a served fake cell: output, JSON, exit status, errors."""

from __future__ import annotations

import io
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cli.main import run
from core.ids import NetworkId, PublicKey
from gossip.discovery.ticket import Ticket, format_ticket, parse_ticket
from tests.cli.served import WAIT_S
from tests.gateway.fake_cell import CELL_ID, FakeCell

Run = Callable[..., tuple[int, str, str]]


def test_the_ticket_is_the_only_line_of_output_and_the_rest_is_beside_it(call: Run) -> None:
    status, out, err = call("invite")
    assert status == 0
    assert parse_ticket(out).addresses == ("/ip4/127.0.0.1/tcp/4710",)
    assert out.count("\n") == 1
    assert "for one rhizomorph" in err
    assert "only cells on this machine" in err
    assert "only cells" not in call("invite", "--address", "/ip4/192.0.2.7/tcp/1")[2]


def test_terms_reach_the_cell(call: Run, cell: FakeCell) -> None:
    call("invite", "--role", "sclerotium", "--name", "dora", "--weight", "2", "--expires", "2d")
    call("invite", "--uses", "3", "--expires", "90s", "--address", "/a", "--address", "/b")
    first, second = (wish for name, wish in cell.calls if name == "create_invite")
    assert repr(first) == (
        "InviteWish(votes=True, name='dora', weight=2, expires_s=172800, uses_max=1, addresses=())"
    )
    assert repr(second) == (
        "InviteWish(votes=False, name='', weight=1, expires_s=90, uses_max=3, "
        "addresses=('/a', '/b'))"
    )


def test_json_is_one_object_and_a_qr_code_is_drawn_when_asked_for(call: Run) -> None:
    status, out, err = call("invite", "--json")
    assert (status, err) == (0, "")
    issued = json.loads(out)
    assert parse_ticket(issued["ticket"]).id.hex() == issued["invite"]["id"]
    _, out, _ = call("invite", "--qr")
    assert "█▀" in out
    _, out, err = call("invite", "--qr", "--json")
    assert "█▀" in err
    json.loads(out)


@pytest.mark.parametrize("wrong", ["1", "h", "0h", "1y", "-1h", "1 h", "1.5h", "99999999h"])
def test_a_time_that_is_none_is_wrong_usage(call: Run, wrong: str) -> None:
    status, out, err = call("invite", f"--expires={wrong}")
    assert (status, out) == (2, "")
    assert err.startswith("error MYC-CLI-001")


def test_waiting_shows_who_came_with_the_words_and_ends_when_nobody_else_can(
    call: Run, cell: FakeCell
) -> None:
    def join_once_there_is_a_ticket() -> None:
        until_s = time.monotonic() + WAIT_S
        while not cell.invited and time.monotonic() < until_s:
            time.sleep(0.01)
        cell.use_invite(next(iter(cell.invited)), "one two three four")

    joining = threading.Thread(target=join_once_there_is_a_ticket)
    joining.start()
    status, out, err = call("invite", "--wait")
    joining.join()
    assert status == 0
    assert "words:  one two three four" in out
    assert CELL_ID in out
    assert "\x1b" not in out, "a newcomer's name must not steer the terminal"
    assert "compare the words" in err
    status, out, _ = call("invite", "list")
    assert "one two three four" in out
    assert "\x1b" not in out


def test_waiting_for_a_ticket_that_is_over_ends_with_a_code(
    call: Run, cell: FakeCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.invite.time.sleep", lambda _: call_revoke(next(iter(cell.invited))))

    def call_revoke(invite_id: str) -> None:
        cell.invited[invite_id] = replace(cell.invited[invite_id], state="expired")

    status, _, err = call("invite", "--wait")
    assert status == 4
    assert "error MYC-CLI-006: nobody joined, and the ticket is expired" in err


def test_options_before_list_and_revoke_are_refused_not_ignored(call: Run) -> None:
    for arguments in (["--json", "list"], ["--home", "/elsewhere", "revoke", "0" * 16]):
        status, out, err = call("invite", *arguments)
        assert status == 2, (out, err)
        assert "options go behind the command" in out + err


def test_tickets_are_listed_and_revoked(call: Run, cell: FakeCell) -> None:
    assert "no tickets" in call("invite", "list")[1]
    issued = json.loads(call("invite", "--json")[1])
    invite_id = issued["invite"]["id"]
    listed = json.loads(call("invite", "list", "--json")[1])
    assert [item["id"] for item in listed["items"]] == [invite_id]
    assert call("invite", "revoke", invite_id) == (0, f"revoked {invite_id}\n", "")
    assert "revoked" in call("invite", "list")[1]
    status, out, _ = call("invite", "revoke", "0" * 16, "--json")
    assert (status, json.loads(out)["error"]["code"]) == (1, "MYC-GATEWAY-060")
    assert len(cell.invited) == 1


def test_the_ticket_of_a_join_is_never_in_an_argument_of_the_daemons_program(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def stand_in(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
        seen.append(arguments)
        program = (
            "import sys, json; print(json.dumps({'cell_id': 'c', 'network_name': 'n', "
            "'network_id': 'ab', 'role': 'sclerotium', 'words': sys.stdin.read().split(), "
            "'addresses': ['/ip4/127.0.0.1/tcp/1/p2p/c']}))"
        )
        return [sys.executable, "-c", program], {}

    monkeypatch.setattr("cli.join.node_command", stand_in)
    ticket = Ticket(
        NetworkId(bytes(32)), PublicKey(bytes(32)), bytes(16), 1, ("/ip4/8.8.8.8/tcp/1",)
    )
    text = format_ticket(ticket)
    (tmp_path / "ticket").write_text(text + "\n")
    monkeypatch.setattr(sys, "stdin", _Input(text.encode()))
    home = ["--home", str(tmp_path / "cell")]
    assert run(["join", f"@{tmp_path / 'ticket'}", "--name", "dora", *home]) == 0
    out, err = capfd.readouterr()
    assert f"words    {text}" in out, "the stand-in shows what it got"
    assert "more than 2/3" in out
    assert f"myceld run --home {tmp_path / 'cell'}" in out
    assert "listens on this machine only" in err
    assert run(["join", "-", "--json", "--listen", "/ip4/0.0.0.0/tcp/1", *home]) == 0
    assert json.loads(capfd.readouterr().out)["words"] == [text]
    assert seen == [
        ["join", *home, "--name", "dora"],
        ["join", *home, "--listen", "/ip4/0.0.0.0/tcp/1"],
    ]


class _Input:
    """Standard input with given bytes."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "MYC-TICKET-001"),
        ("hello", "MYC-TICKET-001"),
        ("myceld2abc", "MYC-TICKET-002"),
        ("@/nowhere/at/all", "MYC-CLI-002"),
        ("x" * 5000, "MYC-CLI-002"),
    ],
)
def test_what_is_no_ticket_is_one_line_with_a_code(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, code: str
) -> None:
    assert run(["join", text, "--home", str(tmp_path / "cell")]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"error {code}: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "cell").exists()
