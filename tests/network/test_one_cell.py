"""A network of one real cell, a cell that joins by an address, and what bad input gets."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ledger.genesis import from_json
from ledger.proof import RangeClaim, StateClaim
from ledger.transaction import opaque_transaction
from ledger.verify import verify_text
from myceld import Client
from node.metric_table import MEASURES
from tests.network.devnet import ROOT, WAIT_S, myceld, wait_until
from tests.network.starting import Started, start


class Cell:
    """One cell started by `myceld run`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = home.with_name(home.name + ".log")
        self.process: Started | None = None

    def start(self) -> list[str]:
        """Start and return the lines up to `ready`."""
        with self.log.open("ab") as log:
            self.process = start("run", "--home", str(self.home), errors=log)
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line.strip())
            if lines[-1] == "ready":
                return lines
        raise AssertionError(f"ended before it was ready: {lines}")

    def stop(self, number: int = signal.SIGINT) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(WAIT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return status

    @property
    def config(self) -> Path:
        return self.home / "config.yaml"

    def hang_up(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def run(
        self, *arguments: str, expect: int | None = 0, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return myceld(*arguments, "--home", str(self.home), expect=expect, given=given)

    def status(self) -> Mapping[str, Any]:
        """Return what its gateway says of it, without a command."""
        with Client.from_home(self.home, timeout_s=WAIT_S) as client:
            return client.status()

    def json(self, *arguments: str) -> dict[str, object]:
        content: dict[str, object] = json.loads(self.run(*arguments, "--json").stdout)
        return content


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    one = Cell(tmp_path_factory.mktemp("one") / "home")
    one.run("init", "--network", "solo")
    one.start()
    yield one
    assert one.stop() == 0


def _init(home: Path, *options: str) -> dict[str, object]:
    done = myceld("init", "--home", str(home), *options, "--json")
    content: dict[str, object] = json.loads(done.stdout)
    return content


def _one_line(done: subprocess.CompletedProcess[str], code: str) -> str:
    """The error is exactly one line, with its code and what to do."""
    assert done.stderr.count("\n") == 1, done.stderr
    assert f"error {code}: " in done.stderr
    assert " — " in done.stderr
    return done.stderr


def test_an_exported_graph_gives_the_order_again_and_passes_the_oracle(
    cell: Cell, tmp_path: Path
) -> None:
    for number in range(3):
        cell.run("tx", "put", f"dag{number}", "v", "--wait", "certified")
    file = tmp_path / "graph.json"
    answer = cell.json("dag", "export", str(file))
    assert answer["epoch"] == 0
    graph = json.loads(file.read_text())
    assert len(graph["events"]) == answer["events"]
    assert len(graph["events"]) >= 9
    assert len(graph["expect"]["order"]) >= 3
    command = [sys.executable, "-m", "hashgraph", "check", str(file)]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=WAIT_S).returncode == 0
    refused = cell.run("dag", "export", str(file), "--epoch", "7", expect=2)
    _one_line(refused, "MYC-CLI-001")


def _items(answer: dict[str, object]) -> list[dict[str, object]]:
    items = answer["items"]
    assert isinstance(items, list)
    return items


def test_what_the_cell_did_is_proven_offline(cell: Cell, tmp_path: Path) -> None:
    put = cell.json("tx", "put", "deed", "mine", "--wait", "certified")
    raw = opaque_transaction(b"whatever").hex()
    (sent,) = _items(cell.json("tx", "send", raw, "--wait", "certified"))
    genesis = ("--genesis", str(cell.home / "genesis.json"))
    network_id = from_json((cell.home / "genesis.json").read_text()).network_id
    file = str(tmp_path / "a.proof")
    for answer in (put, sent):
        cell.run("receipt", str(answer["id"]), "--proof", file)
        proven = json.loads(myceld("verify", file, *genesis, "--json").stdout)
        assert proven["receipt"]["id"] == answer["id"]
        assert proven["receipt"]["outcome"] == "applied"
        assert (proven["weight"], proven["round"]) == (1, answer["round"])
    assert proven["receipt"]["transaction_hex"] == raw
    assert cell.run("state", "get", "deed", "--proof", file).stdout == "mine\n"
    assert "the key deed has this value" in myceld("verify", file, *genesis).stdout
    with Client.from_home(cell.home, timeout_s=WAIT_S) as client:
        at = client.round_proof()["round"]
        cell.run("tx", "put", "deed", "yours", "--wait", "certified")
        before = verify_text(client.state_proof("deed", round_number=at)["proof"], network_id)
        shown = verify_text(client.range_proof("dee")["proof"], network_id).claim
    assert isinstance(before.claim, StateClaim)
    assert b"mine" in (before.claim.value or b"")
    assert isinstance(shown, RangeClaim)
    assert [key for key, _ in shown.shown.entries] == [b"value/deed"]
    assert shown.shown.is_complete
    _one_line(cell.run("state", "get", "none", "--proof", file, expect=1), "MYC-CLI-201")
    assert "the key none has no value" in myceld("verify", file, *genesis).stdout


def test_init_is_idempotent_and_keeps_the_key(tmp_path: Path) -> None:
    first = _init(tmp_path / "home", "--network", "solo")
    second = _init(tmp_path / "home", "--network", "solo")
    assert (first["created"], second["created"]) == (True, False)
    assert first["cell_id"] == second["cell_id"]
    assert first["network_id"] == second["network_id"]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The directory of a cell that ran once, with what it told."""
    one = Cell(tmp_path_factory.mktemp("stopped") / "home")
    _init(one.home, "--network", "first")
    lines = one.start()
    assert one.stop(signal.SIGTERM) == 0
    return one.home, lines


def test_run_tells_version_id_addresses_gateway_and_ready(
    stopped: tuple[Path, list[str]],
) -> None:
    home, lines = stopped
    cell_id = json.loads(myceld("key", "show", "--home", str(home), "--json").stdout)["cell_id"]
    words = [line.split()[0] for line in lines]
    assert words == ["myceld", "cell", "network", "address", "gateway", "ready"]
    assert lines[1].split()[1] == cell_id
    assert lines[3].endswith(f"/p2p/{cell_id}")


def test_a_network_of_one_cell_works_alone(cell: Cell) -> None:
    receipt = cell.json("tx", "put", "alone", "works", "--wait", "certified")
    assert (receipt["stage"], receipt["outcome"]) == ("certified", "applied")
    assert cell.json("state", "get", "alone")["value"] == "works"
    assert cell.json("receipt", str(receipt["id"]))["stage"] == "certified"
    journals = {item["name"]: item for item in cell.json("journal", "list")["items"]}  # type: ignore[attr-defined]  # the shape is tested here
    services = cell.json("services")["items"]
    assert {item["status"] for item in services} == {"healthy"}  # type: ignore[attr-defined]  # the shape is tested here
    assert set(journals) == {*(item["journal"] for item in services), "audit"}  # type: ignore[attr-defined]  # as above
    blocks = cell.json("journal", "show", "consensus")["items"]
    assert blocks[0]["index"] == 0  # type: ignore[index]  # the shape is tested here


_KEPT = ("cell_id", "network_id", "name", "role", "round_applied", "transactions_ordered")


def _history(cell: Cell) -> dict[str, list[object]]:
    """The first hundred blocks of each journal."""
    names = [str(item["name"]) for item in cell.json("journal", "list")["items"]]  # type: ignore[attr-defined]  # the shape is tested elsewhere
    pages = {name: cell.json("journal", "show", name, "--limit", "100") for name in names}
    return {name: list(page["items"]) for name, page in pages.items()}  # type: ignore[call-overload]  # as above


def test_key_id_history_state_and_receipts_survive_a_restart(tmp_path: Path) -> None:
    one = Cell(tmp_path / "home")
    _init(one.home)
    one.start()
    receipt = one.json("tx", "put", "kept", "yes", "--wait", "certified")
    status, key, history = one.json("status"), one.json("key", "show"), _history(one)
    assert one.stop() == 0
    one.start()
    again = one.json("status")
    assert [again[name] for name in _KEPT] == [status[name] for name in _KEPT]
    assert one.json("key", "show") == key
    after = _history(one)
    assert {name: blocks[: len(history[name])] for name, blocks in after.items()} == history
    assert len(history) >= 5
    assert one.json("state", "get", "kept")["value"] == "yes"
    assert one.json("receipt", str(receipt["id"]))["position"] == receipt["position"]
    assert one.json("status")["state_root"] == status["state_root"]
    assert one.json("tx", "put", "more", "yes", "--wait", "certified")["outcome"] == "applied"
    assert one.stop() == 0


def test_a_second_ctrl_c_forces_the_exit(tmp_path: Path) -> None:
    one = Cell(tmp_path / "home")
    _init(one.home)
    one.start()
    assert one.process is not None
    # Both are pending before the loop looks at either: the second one must win at once.
    os.kill(one.process.pid, signal.SIGSTOP)
    os.kill(one.process.pid, signal.SIGINT)
    os.kill(one.process.pid, signal.SIGTERM)
    os.kill(one.process.pid, signal.SIGCONT)
    assert one.process.wait(WAIT_S) == 130
    assert one.process.stdout is not None
    one.process.stdout.close()
    assert one.start()[-1] == "ready"
    assert one.stop() == 0


def test_a_cell_with_an_address_only_follows_the_network_and_submits(
    cell: Cell, tmp_path: Path
) -> None:
    address = cell.json("status")["addresses"][0]  # type: ignore[index]  # the shape is tested here
    cell.run("tx", "put", "seen", "from outside", "--wait", "certified")
    observer = Cell(tmp_path / "observer")
    made = _init(observer.home, "--bootstrap", str(address))
    assert made["network_name"] == "solo"
    assert made["member"] is False
    observer.start()
    try:
        wait_until(
            lambda: observer.run("state", "get", "seen", expect=None).returncode == 0,
            "it did not catch up",
        )
        assert observer.json("status")["role"] == "rhizomorph"
        receipt = observer.json("tx", "put", "from", "observer", "--wait", "certified")
        assert receipt["outcome"] == "applied"
        assert cell.json("state", "get", "from")["value"] == "observer"
    finally:
        assert observer.stop() == 0


def test_a_running_cell_takes_over_what_it_can_of_a_changed_configuration(cell: Cell) -> None:
    with Client.from_home(cell.home, timeout_s=WAIT_S) as client:
        before = client.services()["cell"]["metadata"]
        answer = cell.run("config", "set", "cell.metadata", "place=attic").stdout
        assert answer == "cell.metadata: [place=attic]\ntaken over     cell.metadata\n"
        assert client.services()["cell"]["metadata"] == before | {"place": "attic"}
        text = cell.config.read_text()
        told = "gateway: {hosts: [cell.example], rate_open: 0}\nstate: {history_rounds: 0}\n"
        cell.config.write_text(f"{text}{told}discovery: {{seeds: [here.json], dht: true}}\n")
        assert _status_under_name(client.url, "cell.example") == 403
        assert client.reload_config() == {
            "applied": [
                "gateway.hosts",
                "gateway.rate_open",
                "discovery.seeds",
                "state.history_rounds",
            ],
            "needs_restart": ["discovery.dht"],
        }
        assert _status_under_name(client.url, "cell.example") == 200
        shown = client.config()
        values = {row["key"]: row for row in shown["values"]}
        assert values["gateway.rate_open"]["value"] == 0
        assert values["gateway.rate_open"]["line"] == text.count("\n") + 1
        assert (values["discovery.dht"]["value"], values["discovery.dht"]["line"]) == (False, None)
        assert shown["needs_restart"] == ["discovery.dht"]
        assert "journal nucleus" in {use["what"] for use in client.space()["uses"]}
        cell.config.write_text(f"{text}gateway: {{rate_open: many}}\n")
        cell.hang_up()
        wait_until(lambda: "a number, got 'many'" in cell.log.read_text(), "nothing is logged")
        assert _status_under_name(client.url, "cell.example") == 200
        cell.config.write_text(text)
        client.reload_config()
        rows = client.journal_blocks("nucleus", limit=1000)["items"]
        texts = [bytes.fromhex(row["data_hex"]) for row in rows]
        assert len([text for text in texts if b"metadata.set" in text and b"attic" in text]) == 1


def test_a_malformed_transaction_is_refused_with_its_code(cell: Cell) -> None:
    _one_line(cell.run("tx", "send", "c0ffee", expect=1), "MYC-LEDGER-010")
    _one_line(cell.run("tx", "send", "not hex", expect=1), "MYC-CLI-002")


def test_a_wrong_signature_is_refused_with_its_code(cell: Cell) -> None:
    raw = bytearray.fromhex(cell.run("tx", "sign", "k", "v", "--nonce", "900").stdout.strip())
    raw[-1] ^= 1
    _one_line(cell.run("tx", "send", raw.hex(), expect=1), "MYC-LEDGER-011")


def test_an_oversize_value_is_refused_with_its_code(cell: Cell, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(b"x" * (32 * 1024 + 1))
    _one_line(cell.run("tx", "put", "big", f"@{big}", expect=1), "MYC-LEDGER-013")
    assert cell.run("state", "get", "big", expect=None).returncode != 0


def test_a_used_nonce_is_refused_with_its_code(cell: Cell) -> None:
    receipt = cell.json("tx", "put", "nonce", "one", "--wait", "applied")
    again = cell.run("tx", "put", "nonce", "two", "--nonce", str(receipt["nonce"]), expect=1)
    _one_line(again, "MYC-LEDGER-014")
    assert cell.json("state", "get", "nonce")["value"] == "one"


def test_a_transaction_for_another_network_is_refused(cell: Cell, tmp_path: Path) -> None:
    other = Cell(tmp_path / "other")
    _init(other.home, "--network", "other")
    raw = other.run("tx", "sign", "k", "v", "--nonce", "0").stdout.strip()
    _one_line(cell.run("tx", "send", raw, expect=1), "MYC-LEDGER-012")


def test_a_locked_directory_is_refused_with_who_holds_it(cell: Cell) -> None:
    words = _one_line(cell.run("run", expect=1), "MYC-NODE-002")
    assert cell.process is not None
    assert f"pid {cell.process.pid} since " in words


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        one = Cell(tmp_path / "gateway")
        _init(one.home, "--gateway-port", str(port))
        assert str(port) in _last(one.run("run", expect=1), "MYC-GATEWAY-001")
        other = Cell(tmp_path / "listen")
        _init(other.home, "--listen", f"/ip4/127.0.0.1/tcp/{port}")
        assert str(port) in _last(other.run("run", expect=1), "MYC-HOST-001")


def test_an_unreadable_config_is_refused_with_line_or_key(tmp_path: Path) -> None:
    one = Cell(tmp_path / "home")
    _init(one.home)
    (one.home / "config.yaml").write_text("version: 1\ncell:\n  name: [unclosed\n")
    assert "line " in _one_line(one.run("run", expect=1), "MYC-NODE-001")
    (one.home / "config.yaml").write_text("version: 1\ncell:\n  gatway_port: 1\n")
    words = _one_line(one.run("run", expect=1), "MYC-NODE-001")
    assert "did you mean gateway_port?" in words


def test_a_directory_without_a_cell_and_a_cell_that_does_not_run_say_what_to_do(
    tmp_path: Path,
) -> None:
    one = Cell(tmp_path / "home")
    _one_line(one.run("run", expect=1), "MYC-NODE-003")
    _init(one.home)
    _one_line(one.run("status", expect=3), "MYC-CLIENT-001")


def test_an_open_or_damaged_key_file_is_refused(tmp_path: Path) -> None:
    one = Cell(tmp_path / "home")
    _init(one.home)
    key = one.home / "key.json"
    key.chmod(0o644)
    _one_line(one.run("run", expect=1), "MYC-IDENTITY-004")
    key.chmod(0o600)
    text = key.read_text()
    key.write_text(text[: len(text) // 2])
    _one_line(one.run("run", expect=1), "MYC-IDENTITY-003")


def test_another_network_is_refused_after_the_first_run(
    tmp_path: Path, stopped: tuple[Path, list[str]]
) -> None:
    one = Cell(shutil.copytree(stopped[0], tmp_path / "home"))
    done = one.run("init", "--network", "second", expect=1)
    _one_line(done, "MYC-NODE-004")
    assert _init(one.home)["network_name"] == "first"


def test_the_devnet_in_front_reaches_a_certified_transaction_and_stops_cleanly(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "net"
    front = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "devnet", "up", "--foreground", "--dir", str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )
    assert front.stdout is not None
    lines = []
    for line in front.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    assert any("certified" in line for line in lines), lines
    pids = [cell["pid"] for cell in json.loads((directory / "devnet.json").read_text())["cells"]]
    front.send_signal(signal.SIGINT)
    rest = front.stdout.read()
    assert front.wait(WAIT_S) == 0, rest
    front.stdout.close()
    for pid in pids:
        assert not _is_running(pid), "a cell was left running"


def _status_under_name(url: str, name: str) -> int:
    """Ask the gateway by another name of its host; return the status of its answer."""
    request = urllib.request.Request(f"{url}/api/public/health", headers={"Host": name})  # noqa: S310 - the cell's own loopback address
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:  # noqa: S310 - as above
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def _is_running(pid: int) -> bool:
    """One that ended and that the system has not buried yet does not run."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _last(done: subprocess.CompletedProcess[str], code: str) -> str:
    """The last line on stderr is the error; the log may come before it."""
    line = done.stderr.rstrip("\n").rsplit("\n", 1)[-1]
    assert line.startswith(f"error {code}: "), done.stderr
    assert " — " in line
    return line


def test_the_metrics_of_a_running_cell_are_read_by_prometheus_own_parser(cell: Cell) -> None:
    cell.run("tx", "put", "measured", "v", "--wait", "certified")
    wait_until(lambda: cell.status()["phase"] == "idle", "it does not come to rest")
    run = json.loads((cell.home / "run.json").read_text())
    token = (cell.home / "gateway.token").read_text().strip()
    request = urllib.request.Request(  # noqa: S310 - the cell's own loopback address
        f"{run['url']}/api/v1/metrics", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:  # noqa: S310 - as above
        text = answer.read().decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    shown = {name: str(family.type) for name, family in families.items()}
    assert shown == {row.family: row.type.value for row in MEASURES}
    assert all(
        families[row.family].documentation == row.text for row in MEASURES if not row.is_of_process
    )
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert samples["myceld_transactions_ordered_total",] >= 1
    assert samples["myceld_created_to_ordered_seconds_count",] >= 1
    assert samples["myceld_commit_seconds_bucket", "+Inf"] >= 1
    assert samples["myceld_round", "certified"] == cell.json("status")["round_certified"]
    assert samples["myceld_queue", "mempool"] == 0
    assert samples["myceld_member",] == samples["myceld_quorum",] == 1
    assert samples["myceld_apply_seconds_count",] >= 1
    assert samples["myceld_disk_free_bytes",] > samples["myceld_database_bytes", "database"] > 0
    assert samples["myceld_journal_blocks", "consensus"] >= 1
    metrics: dict[str, dict[str, float]] = cell.json("status")["metrics"]  # type: ignore[assignment]  # the shape is tested here
    assert 0 < metrics["commit"]["p50_ms"] <= metrics["commit"]["p99_ms"]
