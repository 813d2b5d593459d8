"""The client package: deadlines, refusals, lost and kept connections, unreadable homes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import socket
import struct
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import myceld
from gateway.views import Stage
from myceld import (
    CellAnswerUnreadable,
    CellTooLate,
    CellUnreachable,
    Client,
    HomeUnreadable,
)
from myceld.version import VERSION
from tests.cli.served import WAIT_S

RUN = {"pid": 1, "url": "http://127.0.0.1:1", "cell_id": "x", "addresses": [], "started_ns": 1}


@contextlib.contextmanager
def answering(
    *answers: bytes | None, delay_s: float = 0.0, reset: bool = False, keep: bool = False
) -> Iterator[str]:
    """Serve raw bytes, one answer per connection; None closes without a word.

    `reset`: connections are reset at their end, as those of a killed process are. `keep`: they end
    when a second request comes.
    """
    listener = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        step = 16 if delay_s else 1 << 20
        with contextlib.suppress(OSError):
            for answer in answers:
                with listener.accept()[0] as connection:
                    _read_request(connection)
                    for begin in range(0, len(answer or b""), step):
                        time.sleep(delay_s)
                        connection.sendall((answer or b"")[begin : begin + step])
                    if keep:
                        _read_request(connection)
                    if reset:
                        at_once = struct.pack("ii", 1, 0)
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # nobody comes any more
        thread.join(WAIT_S)
        listener.close()


def _read_request(connection: socket.socket) -> None:
    """Read one request, or the end of the connection: what is left unread would reset it."""
    with connection.makefile("rb") as stream:
        size_bytes = 0
        for line in iter(stream.readline, b"\r\n"):
            if not line:
                return
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size_bytes = int(value)
        stream.read(size_bytes)


def http(body: bytes, status: str = "200 OK", *, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n".encode() + body


def test_the_version_and_the_stages_are_those_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["version"] == VERSION
    assert tuple(stage.word for stage in Stage) == myceld.STAGES


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="Linux tells of locks there")
def test_a_cell_that_starts_is_told_apart_from_one_that_does_not_run(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("pid 4194303 since long ago\n")
    with pytest.raises(CellUnreachable, match="no cell is running"):
        Client.from_home(tmp_path)
    with (tmp_path / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(CellUnreachable, match=rf"starts or stops \(pid {os.getpid()}\)"):
            Client.from_home(tmp_path)


def test_no_listener_is_unreachable_and_names_the_command_to_start(tmp_path: Path) -> None:
    with pytest.raises(CellUnreachable) as caught:
        Client.from_home(tmp_path / "none")
    assert "myceld init --home" in caught.value.remedy
    with pytest.raises(CellUnreachable) as caught:
        Client.from_home(tmp_path)
    assert f"`myceld run --home {tmp_path}`" in caught.value.remedy
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    (tmp_path / "gateway.token").write_text("t\n")
    with pytest.raises(CellUnreachable, match="no cell is running"):
        Client.from_home(tmp_path).status()


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '"x"', json.dumps({**RUN, "pid": "1"}), json.dumps({"pid": 1}), "\x00"]
)
def test_a_run_file_that_no_cell_wrote_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(HomeUnreadable):
        Client.from_home(tmp_path)


@pytest.mark.parametrize("token", [b"", b"a\nb", b"\xff", b"x" * 70_000, "ü".encode()])
def test_a_token_that_can_not_be_sent_is_refused(tmp_path: Path, token: bytes) -> None:
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    (tmp_path / "gateway.token").write_bytes(token)
    with pytest.raises(HomeUnreadable):
        Client.from_home(tmp_path)


@pytest.mark.parametrize("url", ["127.0.0.1", "http://", "http://h:x", ""])
def test_only_urls_of_gateways_are_taken(url: str) -> None:
    with pytest.raises(CellAnswerUnreadable):
        Client(url)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        http(b"hello"),
        http(b"[]"),
        http(b"[" * 100_000),
        http(b"{}", "418 Teapot"),
        http(b'{"error": "x"}', "500 No"),
    ],
)
def test_other_programs_are_not_taken_for_a_cell(answer: bytes) -> None:
    with answering(answer) as url, Client(url) as cell, pytest.raises(CellAnswerUnreadable):
        cell.status()


@pytest.mark.parametrize("answer", [None, http(b"{}", length=9), b"HTTP/1.1 200 OK\r\nConte"])
def test_a_lost_connection_is_unreachable_and_a_submit_is_not_repeated(
    answer: bytes | None,
) -> None:
    with answering(answer) as url, Client(url) as cell, pytest.raises(CellUnreachable):
        cell.put("k", b"v")


def test_too_many_connections_are_told_apart() -> None:
    with (
        answering(http(b"Service Unavailable", "503 No")) as url,
        Client(url) as cell,
        pytest.raises(CellUnreachable, match="no more connections"),
    ):
        cell.status()


def test_a_slow_answer_ends_at_the_deadline_even_when_it_dribbles() -> None:
    with (
        answering(http(b'{"a": "' + b"x" * 4000 + b'"}'), delay_s=0.02) as url,  # 5 s in all
        Client(url, timeout_s=0.3) as cell,
        pytest.raises(CellTooLate),
    ):
        cell.status()


@pytest.mark.parametrize("reset", [False, True])
def test_a_submit_after_the_cell_was_restarted_takes_a_new_connection(
    reset: bool,  # noqa: FBT001 - a table
) -> None:
    ends = [http(b'{"n": 1}'), http(b'{"n": 2}')]
    with answering(*ends, reset=reset) as url, Client(url) as cell:
        assert dict(cell.put("k", b"v")) == {"n": 1}
        _wait_until_closed(cell)
        assert dict(cell.put("k", b"v")) == {"n": 2}


def _wait_until_closed(cell: Client) -> None:
    """Wait until the end of the kept connection has come here."""
    connection = cell._connection
    assert connection is not None
    assert select.select([connection.sock], [], [], WAIT_S)[0]


def test_a_read_is_repeated_once_when_a_kept_connection_ends_meanwhile() -> None:
    with answering(http(b'{"n": 1}'), http(b'{"n": 2}'), keep=True) as url, Client(url) as cell:
        assert dict(cell.status()) == {"n": 1}
        assert dict(cell.status()) == {"n": 2}


def test_a_submit_is_not_repeated_when_a_kept_connection_ends_meanwhile() -> None:
    with answering(http(b'{"n": 1}'), http(b'{"n": 2}'), keep=True) as url, Client(url) as cell:
        assert dict(cell.put("k", b"v")) == {"n": 1}
        with pytest.raises(CellUnreachable):
            cell.put("k", b"v")
