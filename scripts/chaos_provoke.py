"""What makes a cell come to the failpoints that clients' puts alone do not lead to.

Each provocation is called again and again while the cell that shall crash is alive, and may be cut
short by its end at any moment.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from chaos_cell import POLL_S, Cell, Starter, wait_until
from chaos_errors import NetworkNotUp

from core.errors import MyceldError

Provoke: TypeAlias = Callable[[Cell], None]

BULK_BYTES: Final = 30_000
"""Value of a put that fills the write-ahead log, which is copied at 8 MiB."""
JOIN_S: Final = 30.0
FETCH_S: Final = 5.0
"""A newcomer fetches its checkpoint in less; then it is made new again."""


def wait(_: Cell) -> None:
    """Leave it to the load."""


def put_much(cell: Cell) -> None:
    """Fill the log."""
    with contextlib.suppress(MyceldError):
        cell.client.put("chaos/bulk", os.urandom(BULK_BYTES))


def invite(cell: Cell, *, votes: bool = False) -> str:
    """Have the cell make a ticket; return it, empty if it made none."""
    role = "sclerotium" if votes else "rhizomorph"
    try:
        issued = cell.client.create_invite(role=role, uses_max=1, expires_s=3600)
    except MyceldError:
        return ""
    return str(issued["ticket"])


def take_new_key(cell: Cell) -> None:
    """Have the cell give its key up for another one, unless it did so just before."""
    with contextlib.suppress(MyceldError):
        cell.client.rotate_key()


def make_ticket(cell: Cell) -> None:
    """Have the cell make a ticket that nobody uses."""
    invite(cell)


class Joining:
    """Newcomers that use a ticket of the cell; one whose inviter crashed has to get in later."""

    def __init__(self, home: Path, starter: Starter, key: Path | None = None) -> None:
        """`key` is that of a cell which runs elsewhere, so that it is proposed as a member."""
        self._home = home
        self._starter = starter
        self._key = key
        self._ticket = home.with_suffix(".ticket")
        self.joined = 0

    def __call__(self, inviter: Cell) -> None:
        """Use a ticket, a new one if the last one did."""
        if not self._ticket.exists():
            ticket = invite(inviter, votes=self._key is not None)
            if not ticket:
                return
            self._ticket.write_text(ticket, encoding="ascii")
        if self._key is not None and not self._home.exists():
            self._home.mkdir(mode=0o700)
            shutil.copy(self._key, self._home / "key.json")
        if self._joins(inviter):
            self.joined += 1
            self._ticket.unlink()
            shutil.rmtree(self._home)

    def _joins(self, inviter: Cell) -> bool:
        process = self._starter.start(
            ["join", "--home", str(self._home)],
            {},
            self._home.with_suffix(".log"),
            given=self._ticket,
        )
        until_s = time.monotonic() + JOIN_S
        while process.is_alive():
            if not inviter.is_alive() or time.monotonic() > until_s:
                process.send(signal.SIGKILL)
            time.sleep(POLL_S)
        return (self._home / "config.yaml").exists()


class Fetching:
    """A cell that is made new again and again, so that it fetches a checkpoint of others."""

    def __init__(self, fetcher: Cell) -> None:
        self._fetcher = fetcher
        self._since_s = 0.0

    def __call__(self, _: Cell) -> None:
        """Make it new if it was for a while."""
        if time.monotonic() - self._since_s > FETCH_S:
            self._since_s = time.monotonic()
            self._fetcher.end()
            make_new(self._fetcher)
            self._fetcher.start()


def make_new(cell: Cell) -> None:
    """Take from a cell that does not run all it has but its key and its configuration."""
    for path in cell.home.glob("cell.db*"):
        path.unlink()


def newcomer(number: int, home: Path, members: list[Cell]) -> Cell:
    """Return a new cell without a vote that knows where the members are; it is not started."""
    home.mkdir(mode=0o700)
    cell = Cell(number, home, members[0].starter)
    port, gateway_port = _free_ports()
    arguments = ["init", "--genesis", str(members[0].home / "genesis.json")]
    arguments += ["--listen", f"/ip4/127.0.0.1/tcp/{port}", "--gateway-port", str(gateway_port)]
    for member in members:
        address = member.status_now()["addresses"][0]
        arguments += ["--bootstrap", address]
    process = cell.run(*arguments)
    wait_until(lambda: not process.is_alive(), JOIN_S, "a cell is not made")
    if not (home / "config.yaml").exists():
        raise NetworkNotUp(f"a cell was not made: {cell.last_words()}")
    return cell


def _free_ports() -> tuple[int, int]:
    """Return two ports that nobody has."""
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
