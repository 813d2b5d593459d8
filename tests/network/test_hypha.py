"""A hypha over gateways of real cells: one lies, it is killed at any moment, members change."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from ledger.genesis import from_json
from ledger.verify import Verified, verify_text
from myceld import CellRefused, CellUnreachable, Client
from tests.network.devnet import COMMAND, ROOT, WAIT_S, Devnet, myceld, wait_until

pytestmark = pytest.mark.slow

_RSS_MAX = 60 << 20


class Forwarder:
    """Stands before a gateway and alters every answer of it; runs in a thread of its own."""

    def __init__(self, port: int, alter: Callable[[bytes], bytes]) -> None:
        self._target = port
        self._alter = alter
        self.port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(WAIT_S)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._talk, "127.0.0.1", 0, limit=1 << 22)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        talks = asyncio.all_tasks(self._loop)
        for talk in talks:
            talk.cancel()
        if talks:
            self._loop.run_until_complete(asyncio.wait(talks))
        self._loop.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            while True:
                to_writer.write(await reader.readuntil(b"\r\n\r\n"))
                head = await to_reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                body = self._alter(await to_reader.readexactly(int(length)))
                writer.write(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            to_writer.transport.abort()


def _lie(body: bytes) -> bytes:
    """Change the value in a proof, or one of its signatures, wherever the middle falls.

    Where there is none, tell of a round that nobody can prove: it never says anything true.
    """
    answer = json.loads(body)
    text = answer.get("proof")
    if not text:
        return json.dumps({**answer, "certified_round": 1 << 40}).encode()
    at = len(text) // 2
    answer["proof"] = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    return json.dumps(answer).encode()


class Hypha:
    """One hypha as a process."""

    def __init__(self, home: Path, net: Devnet, *gateways: str) -> None:
        self.home = home
        self.process: subprocess.Popen[str] | None = None
        genesis = net.home(1) / "genesis.json"
        options = [part for gateway in gateways for part in ("--gateway", gateway)]
        myceld(
            *("init", "--role", "hypha", "--home", str(home), "--genesis", str(genesis), *options)
        )
        self.network_id = from_json(genesis.read_text()).network_id

    def start(self) -> None:
        log = self.home.with_suffix(".log").open("a")
        self.process = subprocess.Popen(
            [*COMMAND, "run", "--home", str(self.home)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
        )
        log.close()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == "ready":
                return
        raise AssertionError("it ended before it was ready")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self._reap()

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            assert self._reap() == 0

    def client(self) -> Client:
        return Client.from_home(self.home, timeout_s=WAIT_S)

    def status(self) -> Mapping[str, Any]:
        with self.client() as client:
            return client.status()

    def head(self) -> Verified:
        return verify_text((self.home / "head.proof").read_text("ascii"), self.network_id)

    def _reap(self) -> int:
        assert self.process is not None
        assert self.process.stdout is not None
        code = self.process.wait(WAIT_S)
        self.process.stdout.close()
        self.process = None
        return code


def _gateway(net: Devnet, cell: int) -> str:
    url = json.loads((net.home(cell) / "run.json").read_text())["url"]
    return f"{url},token={net.home(cell) / 'light.token'}"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """Four running cells with short epochs, for all tests here."""
    devnet = Devnet(tmp_path_factory.mktemp("hypha") / "net", epoch_rounds=24)
    try:
        devnet.up()
        devnet.client(1).put("hello", b"world", wait="certified")
        yield devnet
    finally:
        devnet.down()


@pytest.fixture
def started() -> Iterator[list[Hypha]]:
    """Hyphae that a test started: none outlives it."""
    made: list[Hypha] = []
    yield made
    for one in made:
        if one.process is not None:
            one.kill()


def test_a_hypha_shows_the_truth_beside_a_gateway_that_lies(
    net: Devnet, tmp_path: Path, started: list[Hypha]
) -> None:
    good = _gateway(net, 1)
    url, _, token = _gateway(net, 2).partition(",")
    liar = Forwarder(int(url.rpartition(":")[2]), _lie)
    try:
        hypha = Hypha(tmp_path / "hy", net, f"http://127.0.0.1:{liar.port},{token}", good)
        started.append(hypha)
        hypha.start()
        wait_until(lambda: hypha.status()["round_certified"] > 0, "no head came")
        home = ("--home", str(hypha.home))
        assert myceld("state", "get", "hello", *home).stdout == "world\n"
        net.client(1).put("list/a", b"1", wait="certified")
        net.client(1).put("list/b", b"2", wait="certified")
        listed = json.loads(myceld("state", "list", "list/", *home, "--json").stdout)
        assert [(one["key"], one["value"]) for one in listed["items"]] == [
            ("list/a", "1"),
            ("list/b", "2"),
        ]
        gone = myceld("state", "get", "nothing", *home, expect=1)
        assert "proven" in gone.stderr
        answer = json.loads(
            myceld(
                "tx", "put", "from-hypha", "light", *home, "--wait", "certified", "--json"
            ).stdout
        )
        assert (answer["stage"], answer["outcome"]) == ("certified", "applied")
        assert myceld("state", "get", "from-hypha", *home).stdout == "light\n"
        net.wait_settled()
        assert net.client(4).state_value("from-hypha")["value"] == "light"
        shown = json.loads(myceld("receipt", answer["id"], *home, "--json").stdout)
        assert shown["position"] == answer["position"]
        file, genesis = str(tmp_path / "p.proof"), str(net.home(1) / "genesis.json")
        myceld("receipt", answer["id"], *home, "--proof", file)
        assert "was applied" in myceld("verify", file, "--genesis", genesis).stdout
        with Client.from_home(hypha.home, genesis=genesis, timeout_s=WAIT_S) as client:
            assert client.verified_value("from-hypha").value == b"light"
            assert client.verified_value("nothing").value is None
            assert client.verified_receipt(answer["id"]).position == answer["position"]
        wait_until(
            lambda: [one["state"] for one in hypha.status()["gateways"]] == ["lies", "good"],
            "who lies is not told from who is honest",
        )
        assert hypha.status()["role"] == "hypha"
        words = myceld("status", *home).stdout
        assert "lies" in words
        assert "warning" in words
        assert "MYC-HYPHA-010" in myceld("peers", *home, expect=1).stderr
        assert hypha.process is not None
        assert psutil.Process(hypha.process.pid).memory_info().rss < _RSS_MAX
        hypha.stop()
        assert not (hypha.home / "run.json").exists()
    finally:
        liar.close()


@pytest.mark.long
def test_killed_at_any_moment_it_never_goes_back(
    net: Devnet, tmp_path: Path, started: list[Hypha]
) -> None:
    hypha = Hypha(tmp_path / "hy", net, _gateway(net, 1), _gateway(net, 3))
    started.append(hypha)
    ended = threading.Event()

    def load() -> None:
        with Client.from_home(net.home(2), timeout_s=WAIT_S) as client:
            number = 0
            while not ended.is_set():
                client.put("busy", b"%d" % number)
                number += 1
                time.sleep(0.02)

    busy = threading.Thread(target=load)
    busy.start()
    rounds = [0]
    try:
        for at in range(5):
            hypha.start()
            before = rounds[-1]
            wait_until(
                lambda before=before: hypha.status()["round_certified"] > before,  # type: ignore[misc]  # mypy sees no default
                "no newer head came",
            )
            with hypha.client() as client:
                shown = client.state_value("busy")["round"]
            time.sleep(0.01 * at)  # somewhere: where does not matter
            hypha.kill()
            rounds.append(hypha.head().certified.round)
            assert rounds[-1] >= max(shown, rounds[-2])
    finally:
        ended.set()
        busy.join(WAIT_S)
    assert rounds == sorted(rounds)


@pytest.mark.long
def test_members_may_change_while_it_is_away(
    net: Devnet, tmp_path: Path, started: list[Hypha]
) -> None:
    """From the roster that it knows it goes on over epochs, to one without a member of before."""
    hypha = Hypha(tmp_path / "hy", net, _gateway(net, 1), _gateway(net, 2))
    started.append(hypha)
    hypha.start()
    wait_until(lambda: hypha.status()["round_certified"] > 0, "no head came")
    hypha.kill()
    epoch = hypha.head().certified.epoch
    leaver = net.status(4)["cell_id"]
    net.client(1).change_members("remove", cell=leaver, wait="certified")
    proposal = net.client(1).members()["proposals"][0]["id"]
    for cell in (2, 3):
        if any(one["cell_id"] == leaver for one in net.client(cell).members()["members"]):
            net.client(cell).change_members("approve", proposal=proposal, wait="certified")

    def gone() -> bool:
        net.client(1).put("tick", b"tick", wait="certified")
        members = net.client(1).members()
        return members["epoch"] > epoch and len(members["members"]) == 3

    wait_until(gone, "the member never left")
    hypha.start()
    wait_until(lambda: hypha.status()["members_total"] == 3, "the new roster was not taken over")
    with hypha.client() as client:
        assert client.state_value("hello")["value"] == "world"
        status: Mapping[str, Any] = client.status()
        assert status["roster_steps"] == 1
    hypha.stop()
    assert len(hypha.head().roster.members) == 3


def test_without_gateways_it_says_so_and_shows_nothing(
    net: Devnet, tmp_path: Path, started: list[Hypha]
) -> None:
    hypha = Hypha(tmp_path / "hy", net, "http://127.0.0.1:9", _gateway(net, 1).partition(",")[0])
    started.append(hypha)
    hypha.start()
    wait_until(
        lambda: [one["state"] for one in hypha.status()["gateways"]] == ["silent", "refuses"],
        "the states never came",
    )
    with hypha.client() as client, pytest.raises(CellRefused) as caught:
        client.state_value("hello")
    assert caught.value.code == "MYC-HYPHA-011"
    assert hypha.status()["phase"] == "starting"
    hypha.stop()
    with pytest.raises(CellUnreachable):
        hypha.client()
