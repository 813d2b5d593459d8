"""Real cells join by ticket, with the commands people use: who gets in, and who does not."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from gossip.discovery.ticket import format_ticket, parse_ticket
from myceld import Client
from tests.network.devnet import ROOT, WAIT_S, Devnet, myceld, wait_until
from tests.network.test_one_cell import Cell


@pytest.fixture(scope="module", name="inviter")
def _inviter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    """A running network of one cell, for all tests here that leave it one."""
    cell = Cell(tmp_path_factory.mktemp("inviter") / "home")
    cell.run("init", "--name", "ann", "--network", "forest")
    cell.start()
    yield cell
    if cell.process is not None:
        cell.stop()


def _invite(home: Path, *options: str) -> dict[str, Any]:
    done = myceld("invite", *options, "--json", "--home", str(home))
    issued: dict[str, Any] = json.loads(done.stdout)
    return issued


def _shown(home: Path, invite_id: str) -> dict[str, Any]:
    listed = json.loads(myceld("invite", "list", "--json", "--home", str(home)).stdout)
    return next(item for item in listed["items"] if item["id"] == invite_id)


def _join(
    home: Path, ticket: str, *options: str, expect: int = 0
) -> subprocess.CompletedProcess[str]:
    return myceld("join", "-", "--home", str(home), *options, given=ticket, expect=expect)


def _joined(home: Path, ticket: str, *options: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_join(home, ticket, "--json", *options).stdout)
    return content


def _refused(home: Path, ticket: str, code: str) -> None:
    error = _join(home, ticket, expect=1).stderr
    assert error.startswith(f"error {code}: "), error
    assert error.count("\n") == 1, error


def test_a_fifth_cell_joins_by_ticket_is_approved_and_votes(net: Devnet, tmp_path: Path) -> None:
    issued = _invite(net.home(1), "--role", "sclerotium", "--name", "dora")
    home = tmp_path / "dora"
    dora, waiting = Cell(home), _Waiting(home, issued["ticket"])
    try:
        wait_until(lambda: "waiting: no cell is running" in waiting.told(), "did not join")
        use = _shown(net.home(1), issued["invite"]["id"])["uses"][0]
        assert f"words    {' '.join(use['words'])}\n" in waiting.told()
        assert len(set(use["words"])) > 1
        assert (use["name"], use["state"]) == ("dora", "waiting")
        dora.start()
        wait_until(lambda: _state(net, issued) == "proposed", "dora was not proposed")
        proposal = _shown(net.home(1), issued["invite"]["id"])["uses"][0]["proposal"]
        wait_until(lambda: proposal in waiting.told(), "the wait does not name the proposal")
        reasons = {one["what"]: one["detail"] for one in net.client(1).why_cell("dora")["reasons"]}
        assert "to be called dora: proposed as a member" in reasons["ticket"]
        for cell in (2, 3):
            myceld("member", "approve", proposal, "--home", str(net.home(cell)))
        wait_until(lambda: dora.status()["role"] == "sclerotium", "dora has no vote")
        wait_until(lambda: _state(net, issued) == "voting", "the inviter does not see her vote")
        assert waiting.status() == 0
        assert waiting.told().splitlines()[-1] == "voting"
        dora.run("tx", "put", "from-dora", "hello", "--wait", "certified")
        wait_until(
            lambda: net.client(4).state_value("from-dora")["value"] == "hello", "it is not there"
        )
        assert dora.stop() == 0
    finally:
        waiting.end()


def test_a_network_of_one_with_epochs_behind_it_goes_on_while_a_second_member_comes(
    tmp_path: Path,
) -> None:
    alone, second = Cell(tmp_path / "alone"), Cell(tmp_path / "second")
    made = alone.json("init", "--name", "ann")
    genesis, member = tmp_path / "genesis.json", f"{made['cell_id']}=ann"
    create = ["--name", "forest", "--member", member, "--epoch-rounds", "16"]
    myceld("genesis", "create", *create, "--out", str(genesis))
    alone.run("init", "--genesis", str(genesis))
    alone.start()
    try:
        with Client.from_home(alone.home) as client:
            for number in range(40):
                client.put(f"k{number}", b"v", wait="applied")
        assert alone.status()["epoch"] > 0
        issued = _invite(alone.home, "--role", "sclerotium")
        _joined(second.home, issued["ticket"], "--name", "bob")
        alone.run("tx", "put", "between", "v", "--wait", "certified")
        second.start()
        wait_until(lambda: second.status()["role"] == "sclerotium", "bob has no vote")
        second.run("tx", "put", "both", "v", "--wait", "certified")
        assert alone.run("state", "get", "both").stdout == "v\n"
    finally:
        for cell in (alone, second):
            if cell.process is not None:
                cell.stop()


def test_a_full_copy_joins_in_one_line_and_can_be_proposed_later(tmp_path: Path) -> None:
    inviter = Cell(tmp_path / "inviter")
    inviter.run("init", "--name", "ann", "--network", "forest")
    inviter.start()
    inviter.run("tx", "put", "before", "hello", "--wait", "certified")
    issued = _invite(inviter.home)
    joined = _joined(tmp_path / "bob", issued["ticket"], "--name", "bob")
    assert joined["role"] == "rhizomorph"
    bob = Cell(tmp_path / "bob")
    bob.start()
    try:
        wait_until(
            lambda: "hello" in bob.run("state", "get", "before", expect=None).stdout, "no copy"
        )
        assert bob.status()["role"] == "rhizomorph"
        only_bob = [(joined["cell_id"], False, True)]
        with Client.from_home(inviter.home) as client:
            wait_until(
                lambda: (
                    [(p["cell_id"], p["member"], p["connected"]) for p in client.peers()["items"]]
                    == only_bob
                ),
                "it has other peers",
            )
        inviter.run("member", "propose", joined["cell_id"], "--name", "bob")
        wait_until(lambda: bob.status()["role"] == "sclerotium", "bob has no vote")
    finally:
        bob.stop()
        inviter.stop()


def test_a_use_survives_kill_9_right_after_it_was_acknowledged(
    inviter: Cell, tmp_path: Path
) -> None:
    issued = _invite(inviter.home)
    first = _joined(tmp_path / "b", issued["ticket"])
    inviter.stop(signal.SIGKILL)
    inviter.start()
    _refused(tmp_path / "c", issued["ticket"], "MYC-TICKET-005")
    again = _joined(tmp_path / "b", issued["ticket"])
    assert again["cell_id"] == first["cell_id"]
    shown = _shown(inviter.home, issued["invite"]["id"])
    assert shown["state"] == "used"
    assert [use["words"] for use in shown["uses"]] == [again["words"]]


def test_tickets_survive_a_restart_of_the_inviter_and_end_as_they_should(
    inviter: Cell, tmp_path: Path
) -> None:
    good, revoked = _invite(inviter.home), _invite(inviter.home)
    short = _invite(inviter.home, "--expires", "1s")
    inviter.run("invite", "revoke", revoked["invite"]["id"])
    assert inviter.stop() == 0
    _refused(tmp_path / "b", good["ticket"], "MYC-TICKET-012")
    inviter.start()
    wait_until(
        lambda: _shown(inviter.home, short["invite"]["id"])["state"] == "expired", "never expired"
    )
    _refused(tmp_path / "b", short["ticket"], "MYC-TICKET-003")
    _refused(tmp_path / "b", revoked["ticket"], "MYC-TICKET-004")
    assert not (tmp_path / "b" / "genesis.json").exists()
    _joined(tmp_path / "b", good["ticket"])
    _refused(tmp_path / "c", good["ticket"], "MYC-TICKET-005")


def test_a_ticket_that_was_changed_or_is_for_another_network_lets_nobody_in(
    inviter: Cell, tmp_path: Path
) -> None:
    other = Cell(tmp_path / "other")
    other.run("init", "--network", "desert")
    other.start()
    try:
        text = _invite(inviter.home)["ticket"]
        ticket, theirs = parse_ticket(text), parse_ticket(_invite(other.home)["ticket"])
        place = tmp_path / "b"
        _refused(place, text[:60] + ("a" if text[60] != "a" else "b") + text[61:], "MYC-TICKET-001")
        _refused(place, text[:-9], "MYC-TICKET-001")
        _refused(place, "myceld2" + text[7:], "MYC-TICKET-002")
        forged = _changed(text, secret=bytes(16))
        _refused(place, forged, "MYC-TICKET-006")
        _refused(place, _changed(text, network_id=theirs.network_id), "MYC-TICKET-007")
        _refused(place, _changed(text, addresses=theirs.addresses), "MYC-TICKET-009")
        of_other = _changed(text, inviter=theirs.inviter, addresses=theirs.addresses)
        _refused(place, of_other, "MYC-TICKET-007")
        assert not (place / "genesis.json").exists()
        myceld("init", "--home", str(tmp_path / "c"))
        lived = Cell(tmp_path / "c")
        lived.start()
        lived.stop()
        _refused(lived.home, text, "MYC-NODE-004")
        assert _shown(inviter.home, ticket.id.hex())["state"] == "open"
        _joined(place, text)
    finally:
        other.stop()


def test_no_list_of_processes_log_or_file_shows_a_ticket(inviter: Cell, tmp_path: Path) -> None:
    ticket = _invite(inviter.home)["ticket"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"/ip4/127.0.0.1/tcp/{silent.getsockname()[1]}"
        other = _changed(ticket, addresses=(address,))
        waiting = _Waiting(tmp_path / "a", other)
        try:
            silent.settimeout(WAIT_S)
            with silent.accept()[0]:
                seen = [
                    argument
                    for process in psutil.process_iter(["cmdline"])
                    for argument in process.info["cmdline"] or ()
                ]
        finally:
            waiting.end()
    assert str(tmp_path / "a") in seen
    assert "node" in seen
    assert not any(text in argument for text in (ticket, other) for argument in seen)
    _joined(tmp_path / "b", ticket)
    private = (ticket.encode(), other.encode(), parse_ticket(ticket).secret)
    for home in (inviter.home, tmp_path / "a", tmp_path / "b"):
        for path in home.iterdir() if home.exists() else ():
            data = path.read_bytes()
            assert not any(text in data for text in private), path


class _Waiting:
    """`myceld join --wait` in a directory whose cell is started meanwhile."""

    def __init__(self, home: Path, ticket: str) -> None:
        command = [sys.executable, "-m", "cli.main", "join", "-", "--home", str(home), "--wait"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        assert self._process.stdin is not None
        self._process.stdin.write(ticket)
        self._process.stdin.close()
        self._reader.start()

    def told(self) -> str:
        return "".join(self._lines)

    def status(self) -> int:
        status = self._process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        return status

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self.status()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self._lines.extend(self._process.stdout)


def _state(net: Devnet, issued: dict[str, Any]) -> str:
    state: str = _shown(net.home(1), issued["invite"]["id"])["uses"][0]["state"]
    return state


def _changed(text: str, **fields: object) -> str:
    return format_ticket(replace(parse_ticket(text), **fields))  # type: ignore[arg-type]  # the tests' own
