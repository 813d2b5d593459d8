"""The live screen: what keys do, in words and on a real terminal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.top import keys_in
from cli.top_view import HINT, Look, Screen, View, lower_lines, rates_of, screen_of
from gateway.doctor_routes import DoctorView
from gateway.errors import GatewayBusy
from tests.cli.served import serving
from tests.cli.terminal import Terminal, without_codes
from tests.gateway.fake_cell import FakeCell, write_home
from tests.network.devnet import ROOT


def _peer(number: int) -> dict[str, Any]:
    return {
        "name": f"peer-{number:02}",
        "cell_id": "12D3KooW",
        "connected": True,
        "direction": "in",
        "rtt_ms": None if number == 7 else 100.0 - number,
        "bytes_in": number * 1000,
        "bytes_out": (number * 7) % 10,
    }


_METRICS = dict.fromkeys(
    [
        *("events_in", "events_out", "bytes_in", "bytes_out", "mempool", "consensus_queue"),
        *("execution_queue", "orphans", "outbound_bytes"),
    ],
    0,
)
_STATUS = {
    "name": "ada\x1b[2J",
    "network_name": "club",
    "phase": "idle",
    "summary": "waits " * 40,
    "fault_budget": "one may fail",
    "round_decided": 1,
    "round_applied": 1,
    "round_certified": 1,
    "transactions_ordered": 5,
    "transactions_pending": 0,
    "metrics": {**_METRICS, "created_to_ordered": {"p50_ms": None}},
}
_FINDING = {"severity": "warning", "code": "MYC-DOCTOR-101", "what": "beta is missing"}
_DOCTOR = {"cpu_s": 1.0, "memory_bytes": 1, "files_open": 1, "findings": [_FINDING] * 9}
_LOOK = Look(
    1.0,
    _STATUS,
    [_peer(number) for number in range(30)],
    [{"journal": "state", "blocks": 4, "status": "running"}],
    _DOCTOR,
)


def _screen(view: View = View(), *, height: int = 30, trouble: str = "") -> Screen:  # noqa: B008 - frozen
    return screen_of(_LOOK, rates_of(_LOOK, _LOOK), view, (80, height), trouble)


def _names(view: View) -> list[str]:
    return [line.split()[0] for line in lower_lines(_LOOK, view)[1:31]]


@pytest.mark.parametrize(
    ("sort", "first", "last"),
    [(0, "peer-29", "peer-07"), (1, "peer-00", "peer-29"), (2, "peer-29", "peer-00")],
)
def test_peers_are_sorted_by_what_the_key_chose(sort: int, first: str, last: str) -> None:
    view = View()
    for _ in range(sort):
        view = view.pressed("s", page=5)
    names = _names(view)
    assert (names[0], names[-1]) == (first, last)
    assert _names(view.pressed("r", page=5)) == names[::-1]
    for _ in range(4):
        view = view.pressed("s", page=5)
    assert _names(view) == names


def test_a_screen_is_exactly_as_large_as_the_terminal_and_findings_stay() -> None:
    for height in (2, 3, 8, 20, 30, 100):
        screen = _screen(height=height)
        assert len(screen.lines) == height
        assert max(map(len, screen.lines)) <= 80
        assert not any("\x1b" in line for line in screen.lines)
        assert HINT in screen.lines[-1]
        assert screen.lines[-1 - screen.page].startswith("peer")
    assert "warning MYC-DOCTOR-101: beta is missing" in _screen(height=25).lines
    assert "and 4 findings more: myceld doctor" in _screen(height=25).lines
    assert _screen(height=100).lines[-1] == HINT
    assert _screen(trouble="no cell — start it").lines[0] == "no cell — start it"


def test_what_does_not_fit_is_turned_over_and_never_beyond_its_ends() -> None:
    screen = _screen()
    seen = []
    while True:
        seen += screen.lines[-1 - screen.page : -1]
        screen, before = _screen(screen.view.pressed("page down", page=screen.page)), screen
        if screen.view == before.view:
            break
    assert set(lower_lines(_LOOK, View())) <= set(seen)
    end = _screen(View().pressed("end", page=screen.page))
    assert end == screen
    assert end.lines[-2].startswith("state")
    assert end.lines[-1].startswith(f"lines {35 - end.page} to 34 of 34")
    assert _screen(end.view.pressed("up", page=1)).view.first == end.view.first - 1
    assert _screen(end.view.pressed("home", page=1)).view == View()
    assert View().pressed("up", page=3) == View().pressed("page up", page=3) == View()


def test_a_held_screen_says_so() -> None:
    held = View().pressed("p", page=1)
    assert _screen(held).lines[-1].startswith("HELD")
    assert held.pressed(" ", page=1) == View()
    assert held.pressed("?", page=1) == held.pressed("", page=1) == held


def test_keys_are_told_apart_and_what_is_unknown_is_none() -> None:
    assert keys_in(b"pq") == ["p", "q"]
    assert keys_in(b"\x1b[A\x1bOB\x1b[5~\x1b[6~s") == ["up", "down", "page up", "page down", "s"]
    assert keys_in(b"\x1b[H\x1b[4~\x1b[1;5C\x1b") == ["home", "end", "", ""]
    assert keys_in("é\xff".encode("latin-1"))[0] not in {"q", "p"}


def _busy() -> DoctorView:
    raise GatewayBusy("it waits for its disk")


class _Top(Terminal):
    """A terminal that `myceld top` runs on."""

    def __init__(self, home: Path) -> None:
        command = (sys.executable, "-m", "cli.main", "top", "--interval", "0.2", "--home", home)
        environment = os.environ | {"TERM": "xterm"}
        super().__init__([str(word) for word in command], environment, ROOT, (24, 110))

    def shows(self, text: str) -> str:
        """Wait until the screen has a text; return the screen."""
        self.wait(lambda: text in self._screen(), f"{text!r} was not shown")
        screen, self.raw = self._screen(), ""
        return screen

    def has_told(self, code: str) -> None:
        """Wait until the terminal was told something that is not shown."""
        self.wait(lambda: code in self.raw, f"{code!r} was not written")

    def _screen(self) -> str:
        return without_codes(self.raw.rpartition("\x1b[H")[2])


@pytest.fixture(name="cell")
def _cell(tmp_path: Path) -> Iterator[FakeCell]:
    with serving() as (cell, url):
        write_home(tmp_path, url)
        yield cell


@pytest.fixture(name="terminal")
def _terminal(tmp_path: Path, cell: FakeCell) -> Iterator[_Top]:  # noqa: ARG001 - it must be served
    terminal = _Top(tmp_path)
    yield terminal
    terminal.close()


def test_the_keys_work_on_a_terminal_which_is_given_back(terminal: _Top, cell: FakeCell) -> None:
    assert "round trip ▾" in terminal.shows(HINT)
    terminal.types("p")
    terminal.shows("HELD")
    terminal.types("psr")
    assert "HELD" not in terminal.shows("peer ▴")
    terminal.resize(12, 110)
    terminal.shows("lines 1 to")
    terminal.types("\x1b[B")
    terminal.shows("lines 2 to")
    cell.doctor = _busy  # type: ignore[method-assign]  # until it is well again
    terminal.shows("waits for its disk")
    del cell.doctor
    terminal.types("\x1a")  # an orphaned group of processes is not suspended
    terminal.shows("lines 2 to")
    terminal.types("q")
    assert terminal.ends() == 0
    terminal.has_told("\x1b[?1049l")
    terminal.has_told("\x1b[?25h")
    assert terminal.is_as_before()


def test_a_signal_gives_the_terminal_back_too(terminal: _Top) -> None:
    terminal.shows(HINT)
    assert not terminal.is_as_before()
    os.kill(terminal.process.pid, signal.SIGTERM)
    assert terminal.ends() == 130
    terminal.has_told("\x1b[?1049l")
    assert terminal.is_as_before()
