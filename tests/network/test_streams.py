"""Subscriptions at one real cell: by the client, by the command line, and by server-sent events."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from myceld import Client
from myceld.errors import CellRefused
from myceld.home import RunFile, read_token
from tests.network.devnet import ROOT, WAIT_S
from tests.network.test_one_cell import Cell


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    started = Cell(tmp_path_factory.mktemp("streams") / "cell")
    started.run("init")
    started.start()
    yield started
    if started.process is not None:
        started.stop()


def put(client: Client, key: str, value: bytes = b"v") -> int:
    receipt = client.put(key, value, wait="applied", timeout_s=WAIT_S)
    assert receipt["round"] is not None
    return receipt["round"]


def test_history_and_news_are_what_the_lists_say(cell: Cell) -> None:
    with Client.from_home(cell.home, timeout_s=WAIT_S) as client:
        first = put(client, "list/a")
        put(client, "list/b")
        with client.subscribe("transactions", after_round=first - 1) as items:
            frames = iter(items)
            found = [next(frames) for _ in range(2)]
            put(client, "list/c")
            found.append(next(frames))
        start = found[0]["item"]["position"]
        listed = client.transactions(start=start, limit=3)["items"]
        assert [frame["item"] for frame in found] == listed
        with client.subscribe("rounds", after_round=first - 1) as items:
            assert next(iter(items))["item"]["round"] == first
        with client.subscribe("state:list/", after_round=first - 1) as items:
            keys = [frame["item"]["key"] for _, frame in zip(range(3), items, strict=False)]
        assert keys == ["list/a", "list/b", "list/c"]


def test_a_subscription_outlives_a_restart_of_the_cell_without_a_gap(cell: Cell) -> None:
    seen: list[str] = []
    with Client.from_home(cell.home, timeout_s=WAIT_S) as client:
        before = put(client, "gap/0") - 1
        with client.subscribe("state:gap/", after_round=before) as items:
            reading = threading.Thread(
                target=lambda: seen.extend(
                    frame["item"]["key"] for _, frame in zip(range(4), items, strict=False)
                )
            )
            reading.start()
            put(client, "gap/1")
            cell.stop()
            cell.start()
            with Client.from_home(cell.home, timeout_s=WAIT_S) as again:
                put(again, "gap/2")
                put(again, "gap/3")
            reading.join(WAIT_S)
    assert seen == [f"gap/{number}" for number in range(4)]


def test_a_round_to_come_is_refused(cell: Cell) -> None:
    ahead = 1 << 40
    with Client.from_home(cell.home, timeout_s=WAIT_S) as client:
        items = client.subscribe("transactions", after_round=ahead)
        with items, pytest.raises(CellRefused) as refused:
            next(iter(items))
        assert refused.value.code == "MYC-GATEWAY-014"


def test_watch_shows_items_from_a_round_on(cell: Cell) -> None:
    with Client.from_home(cell.home, timeout_s=WAIT_S) as client:
        number = put(client, "watched/a", b"one")
        second = put(client, "watched/b", b"two")
    arguments = ("watch", "state:watched/", "--since", str(number - 1), "--count", "2")
    lines = cell.run(*arguments).stdout.splitlines()
    assert lines == [f"watched/a  {number}  one", f"watched/b  {second}  two"]
    frames = [json.loads(line) for line in cell.run(*arguments, "--json").stdout.splitlines()]
    assert [frame["item"]["key"] for frame in frames] == ["watched/a", "watched/b"]


def test_server_sent_events_go_on_from_the_last_id(cell: Cell) -> None:
    with Client.from_home(cell.home, timeout_s=WAIT_S) as client:
        number = put(client, "sse/a")
        put(client, "sse/b")
    query = f"/api/v1/events?subscribe=state:sse/&after_round={number - 1}"
    first = _events(cell, query, 2)
    assert [json.loads(one["data"])["item"]["key"] for one in first] == ["sse/a", "sse/b"]
    (again,) = _events(cell, query, 1, last=first[0]["id"])
    assert again == first[1]


def test_who_never_reads_holds_nobody_up(cell: Cell) -> None:
    """Its socket is not read at all, while another one gets all there is, large values included."""
    with Client.from_home(cell.home, timeout_s=WAIT_S) as client:
        lazy = socket.create_connection(_address(cell))
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.sendall(_request(cell, "/api/v1/events?subscribe=state:big/&after_round=0"))
        with client.subscribe("state:big/", after_round=put(client, "big/first")) as items:
            frames = iter(items)
            for number in range(12):
                put(client, f"big/{number}", b"x" * 30_000)
                assert next(frames)["item"]["key"] == f"big/{number}"
        lazy.close()


def test_ctrl_c_ends_a_watch(cell: Cell) -> None:
    command = [sys.executable, "-m", "cli.main", "watch", "state:", "--since", "0"]
    command += ["--home", str(cell.home)]
    with Client.from_home(cell.home, timeout_s=WAIT_S) as client:
        put(client, "any")
    watching = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert watching.stdout is not None
    assert watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    assert watching.wait(WAIT_S) == 130
    watching.stdout.close()


def _address(cell: Cell) -> tuple[str, int]:
    parts = urlsplit(RunFile.read(cell.home).url)
    return parts.hostname or "", parts.port or 0


def _request(cell: Cell, path: str) -> bytes:
    token = read_token(cell.home)
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )


def _events(cell: Cell, path: str, count: int, last: str | None = None) -> list[dict[str, str]]:
    """Return so many events with items."""
    connection = http.client.HTTPConnection(*_address(cell), timeout=WAIT_S)
    headers = {"Authorization": f"Bearer {read_token(cell.home)}"}
    if last is not None:
        headers["Last-Event-ID"] = last
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    assert answer.status == 200
    found: list[dict[str, str]] = []
    event: dict[str, str] = {}
    while len(found) < count:
        name, colon, value = answer.readline().decode().strip("\n").partition(": ")
        if colon and name:
            event[name] = value
        else:
            found += [event] if "id" in event else []
            event = {}
    connection.close()
    return found
