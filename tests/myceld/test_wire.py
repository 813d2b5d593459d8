"""What both clients make of answers that no cell gives, and of connections that are lost."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from myceld import (
    AsyncClient,
    CellAnswerUnreadable,
    CellTooLate,
    CellUnreachable,
    Client,
    HomeUnreadable,
)
from tests.cli.test_client import answering, http
from tests.myceld.driven import KINDS, Driven, Kind

_FRAME_SIZE_BYTES = 1 << 20
_FRAMES = 200


@KINDS
@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        http(b"hello"),
        http(b"[]"),
        http(b"[" * 100_000),
        http(b"{}", "418 Teapot"),
        http(b'{"error": "x"}', "500 No"),
    ],
)
def test_other_programs_are_not_taken_for_a_cell(kind: Kind, answer: bytes) -> None:
    with answering(answer) as url, Driven(kind(url)) as cell, pytest.raises(CellAnswerUnreadable):
        cell.put("k", b"v")


@KINDS
@pytest.mark.parametrize("answer", [None, http(b"{}", length=9), b"HTTP/1.1 200 OK\r\nConte"])
def test_a_submit_whose_answer_is_cut_off_is_not_repeated(kind: Kind, answer: bytes | None) -> None:
    with answering(answer) as url, Driven(kind(url)) as cell, pytest.raises(CellUnreachable):
        cell.put("k", b"v")


@KINDS
@pytest.mark.parametrize("reset", [False, True])
def test_a_read_is_repeated_when_a_kept_connection_was_closed(
    kind: Kind,
    reset: bool,  # noqa: FBT001 - a table
) -> None:
    ends = [http(b'{"n": 1}'), http(b'{"n": 2}')]
    with answering(*ends, reset=reset) as url, Driven(kind(url)) as cell:
        assert cell.status() == {"n": 1}
        assert cell.status() == {"n": 2}


def test_an_asynchronous_read_that_is_cut_off_is_repeated_once() -> None:
    with answering(http(b"{}", length=9), http(b'{"n": 2}')) as url, Driven(AsyncClient(url)) as it:
        assert it.status() == {"n": 2}
    with (
        answering(None, None) as url,
        Driven(AsyncClient(url)) as it,
        pytest.raises(CellUnreachable),
    ):
        it.status()


@KINDS
def test_an_answer_that_trickles_in_ends_at_the_deadline(kind: Kind) -> None:
    with (
        answering(http(b"x" * 400_000), delay_s=0.02) as url,  # takes eight minutes
        Driven(kind(url, timeout_s=0.3)) as cell,
        pytest.raises(CellTooLate),
    ):
        cell.put("k", b"v", timeout_s=-9.7)


@KINDS
def test_nobody_there_is_unreachable_and_a_stream_says_so_at_once(kind: Kind) -> None:
    with Driven(kind("http://127.0.0.1:1")) as cell:
        with pytest.raises(CellUnreachable):
            cell.status()
        for name, what in (("subscribe", "rounds"), ("watch", ""), ("messages", None)):
            with pytest.raises(CellUnreachable):
                cell.first(1, name, *([] if what is None else [what]))


@KINDS
def test_certificates_that_can_not_be_read_are_said_at_once(kind: Kind) -> None:
    with pytest.raises(HomeUnreadable):
        kind("https://127.0.0.1:1", ca="/nowhere")
    with pytest.raises(HomeUnreadable):
        kind("https://127.0.0.1:1", certificate="/nowhere")


class Flood:
    """A WebSocket that sends as fast as it can."""

    def __init__(self) -> None:
        self.sent = 0
        self.is_stuck = threading.Event()

    def talk(self, connection: ServerConnection) -> None:
        wish = json.loads(connection.recv())
        name = wish["subscription"]
        said = {"subscription": name, "subscribed": "rounds", "cursor": "0"}
        connection.send(json.dumps(said))
        fill = "x" * _FRAME_SIZE_BYTES
        try:
            for number in range(_FRAMES):
                frame = {"kind": "rounds", "round": number, "cursor": str(number), "item": {}}
                connection.send(json.dumps({"subscription": name, **frame, "fill": fill}))
                self.sent += 1
        except ConnectionClosed:
            return

    @contextmanager
    def served(self) -> Iterator[str]:
        with serve(self.talk, "127.0.0.1", 0, compression=None) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
            finally:
                server.shutdown()
                thread.join(10)

    def settled(self) -> int:
        """Return how much was sent once no more is."""
        before = -1
        while self.sent != before:
            before = self.sent
            time.sleep(0.3)
        return before


def test_a_slow_program_holds_a_few_frames_and_then_stops_the_sender() -> None:
    flood = Flood()
    with flood.served() as url, Client(url).subscribe("rounds") as stream:
        assert next(iter(stream))["round"] == 0
        assert flood.settled() < _FRAMES / 4


def test_a_slow_task_holds_a_few_frames_and_then_stops_the_sender() -> None:
    flood = Flood()

    async def main(url: str) -> int:
        async with AsyncClient(url) as client, client.subscribe("rounds") as stream:
            assert (await anext(stream))["round"] == 0
            return await asyncio.to_thread(flood.settled)

    with flood.served() as url:
        assert asyncio.run(main(url)) < _FRAMES / 4
