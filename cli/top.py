"""`myceld top`: a live screen of one cell. What it shows and what keys do: `cli.top_view`.

Two looks make rates; nothing is asked of the cell that `status`, `peers`, `services` and `doctor`
do not ask. A thread asks, so that keys work while the cell takes its time. Rich, which draws, is
loaded only here and only for the live screen.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import termios
import threading
import time
import tty
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from cli import show
from cli.errors import BadUsage
from cli.interruptible import interruptible
from cli.limits import TOP_INTERVAL_S_DEFAULT, TOP_REDRAW_S
from cli.options import Common, common_options
from cli.top_view import (
    Look,
    Rates,
    Screen,
    View,
    lower_lines,
    rates_of,
    screen_of,
    upper_lines,
)
from core.errors import MyceldError
from myceld.client import Client

if TYPE_CHECKING:
    from rich.live import Live

_INTERVAL = click.FloatRange(min=0.2, max=60)
_ENDS: Final = frozenset({"q", "Q", "\x03", "\x04"})
_SUSPENDS: Final = "\x1a"
_READ_SIZE_BYTES: Final = 1024
_SEQUENCE: Final = re.compile(r"\x1b(?:[\[O][0-9;]*[A-Za-z~])?|.", re.DOTALL)
_NAMES: Final = {
    "A": "up",
    "B": "down",
    "5~": "page up",
    "6~": "page down",
    "H": "home",
    "1~": "home",
    "7~": "home",
    "F": "end",
    "4~": "end",
    "8~": "end",
}


@click.command()
@click.option("--once", is_flag=True, help="Look twice, print, and end.")
@click.option(
    "--interval",
    "interval_s",
    type=_INTERVAL,
    default=TOP_INTERVAL_S_DEFAULT,
    show_default=True,
    metavar="S",
    help="Seconds between two looks.",
)
@common_options
def top(common: Common, *, once: bool, interval_s: float) -> None:
    """Watch what the cell does: rounds, rates, peers, queues, journals, processor and memory.

    Keys: q ends it, p or space holds it and goes on, s sorts the peers by something else, r the
    other way round; arrows, PgUp, PgDn, Home and End turn over what does not fit.

    \b
    Examples:
      myceld top
      myceld top --once --json
    """
    if common.as_json and not once:
        raise BadUsage("--json is for --once")
    with common.client() as cell:
        before = look(cell)
        if once or not sys.stdout.isatty():
            time.sleep(interval_s)
            now = look(cell)
            rates = rates_of(before, now)
            if common.as_json:
                show.as_json(as_object(now, rates))
            else:
                for line in (*upper_lines(now, rates), *lower_lines(now, View())):
                    show.line(line)
            return
        with interruptible():
            _watch(_Looker(cell, before, interval_s))


def look(cell: Client) -> Look:
    """Ask the cell for all that is shown; raises what the client does."""
    status, peers, services = cell.status(), cell.peers()["items"], cell.services()["items"]
    return Look(time.monotonic(), status, peers, services, cell.doctor())


def as_object(now: Look, rates: Rates) -> Mapping[str, Any]:
    """Return what --json prints."""
    return {
        "status": now.status,
        "rates": {name: round(value, 3) for name, value in asdict(rates).items()},
        "peers": now.peers,
        "services": now.services,
        "memory_bytes": now.doctor["memory_bytes"],
        "files_open": now.doctor["files_open"],
        "findings": now.doctor["findings"],
    }


def keys_in(data: bytes) -> list[str]:
    """Return the keys that a terminal sent; those that are no letter by their name, or empty."""
    found = _SEQUENCE.findall(data.decode("utf-8", "replace"))
    return [_NAMES.get(one[2:], "") if one[0] == "\x1b" else one for one in found]


@dataclass(frozen=True, slots=True)
class _Seen:
    """The newest that is known of the cell."""

    now: Look
    rates: Rates
    trouble: str = ""


class _Looker:
    """Looks at the cell again and again, in a thread of its own."""

    def __init__(self, cell: Client, first: Look, interval_s: float) -> None:
        self.seen = _Seen(first, rates_of(first, first))
        self.is_held = False
        self.failure: BaseException | None = None
        """What nobody expected: the thread has ended."""
        self._cell = cell
        self._interval_s = interval_s
        self.news, self._wake = os.pipe()
        threading.Thread(target=self._run, name="look", daemon=True).start()

    def _run(self) -> None:
        try:
            while True:
                time.sleep(self._interval_s)
                if not self.is_held:
                    self.seen = self._look()
                    os.write(self._wake, b".")
        except BaseException as error:  # noqa: BLE001 - it is raised where it is drawn
            self.failure = error
            os.write(self._wake, b".")

    def _look(self) -> _Seen:
        before = self.seen.now
        try:
            now = look(self._cell)
        except MyceldError as error:
            return _Seen(before, self.seen.rates, f"{error.detail} — {error.remedy}")
        return _Seen(now, rates_of(before, now))


class _Keyboard:
    """A terminal that gives keys at once, and unseen, between `take` and `give_back`."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._settings = termios.tcgetattr(descriptor)

    def take(self) -> None:
        """Have keys at once."""
        tty.setcbreak(self.descriptor)
        settings = termios.tcgetattr(self.descriptor)
        # Ctrl-Z is a key like others: the screen has to be put back first.
        settings[6][termios.VSUSP] = bytes([os.fpathconf(self.descriptor, "PC_VDISABLE") & 0xFF])
        termios.tcsetattr(self.descriptor, termios.TCSADRAIN, settings)

    def give_back(self) -> None:
        """Have the terminal as it was."""
        termios.tcsetattr(self.descriptor, termios.TCSADRAIN, self._settings)

    def read(self) -> list[str]:
        """Return the keys that wait; once the terminal is gone that is the end."""
        try:
            return keys_in(os.read(self.descriptor, _READ_SIZE_BYTES)) or ["q"]
        except OSError:
            return ["q"]


def _watch(looker: _Looker) -> None:
    """Draw until q or Ctrl-C."""
    from rich.live import Live  # noqa: PLC0415 - only the live screen needs it

    view = View()
    keyboard = _Keyboard(sys.stdin.fileno()) if sys.stdin.isatty() else None
    with ExitStack() as at_end:
        if keyboard is not None:
            at_end.callback(keyboard.give_back)
            keyboard.take()
        live = at_end.enter_context(Live(screen=True, auto_refresh=False))
        while True:
            if looker.failure is not None:
                raise looker.failure
            screen = _draw(live, looker.seen, view)
            view = screen.view
            for key in _wait(keyboard, looker.news):
                if key in _ENDS:
                    return
                if key == _SUSPENDS and keyboard is not None:
                    _suspend(live, keyboard)
                view = view.pressed(key, page=screen.page)
            looker.is_held = view.is_held


def _draw(live: Live, seen: _Seen, view: View) -> Screen:
    from rich.text import Text  # noqa: PLC0415 - only the live screen needs it

    size = live.console.size
    screen = screen_of(seen.now, seen.rates, view, (size.width, size.height), seen.trouble)
    text = Text("\n".join(screen.lines), no_wrap=True, overflow="crop")
    live.update(text, refresh=True)
    return screen


def _wait(keyboard: _Keyboard | None, news: int) -> list[str]:
    """Wait for keys or for something new to draw; return the keys."""
    sources = [news] if keyboard is None else [news, keyboard.descriptor]
    ready, _, _ = select.select(sources, [], [], TOP_REDRAW_S)
    if news in ready:
        os.read(news, _READ_SIZE_BYTES)
    return keyboard.read() if keyboard is not None and keyboard.descriptor in ready else []


def _suspend(live: Live, keyboard: _Keyboard) -> None:
    """Give the terminal back until the shell lets the command go on."""
    live.stop()
    keyboard.give_back()
    os.kill(0, signal.SIGTSTP)
    keyboard.take()
    live.start()
