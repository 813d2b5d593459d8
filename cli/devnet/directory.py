"""The directory of a devnet: which cells it has, on which ports, and which processes they are.

    DIR/devnet.json     this module's file, replaced atomically
    DIR/genesis.json    the network, written by `python -m node genesis create`
    DIR/cell-N/         the home of cell N, with daemon.log beside the node's own files

Commands that change it hold `locked`, so two of them never work at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from cli.errors import DevnetBusy, DevnetUnreadable, NoDevnet, NoSuchCell
from cli.limits import DEVNET_FILE_SIZE_BYTES_MAX, DEVNET_LOCK_TIMEOUT_S, POLL_S
from core.json_text import NotJson, parse_json

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a devnet; `pid` is None while it is stopped on purpose."""

    number: int
    port: int
    gateway_port: int
    cell_id: str = ""
    pid: int | None = None
    started_s: float = 0.0
    """Start time of the process, which tells a reused pid from ours."""

    @property
    def name(self) -> str:
        """The name people see, and that of its directory."""
        return f"cell-{self.number}"

    @property
    def address(self) -> str:
        """Full address for the other cells."""
        return f"/ip4/127.0.0.1/tcp/{self.port}/p2p/{self.cell_id}"

    @property
    def gateway_url(self) -> str:
        """URL of its API."""
        return f"http://127.0.0.1:{self.gateway_port}"


@dataclass(frozen=True, slots=True)
class Devnet:
    """The content of devnet.json; every change is a new value that is saved whole."""

    path: Path
    prepared: bool
    """False until every cell's directory is made."""
    cells: tuple[Cell, ...]
    epoch_rounds: int | None = None
    """Rounds of one epoch, if that was chosen when the devnet was made."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read DIR/devnet.json; raises NoDevnet, DevnetUnreadable."""
        file = path / "devnet.json"
        try:
            raw: Any = parse_json(_bounded(file))
            if raw["format"] != _FORMAT:
                raise DevnetUnreadable(f"{file} has a format of another version")
            return cls(
                path,
                bool(raw["prepared"]),
                tuple(_cell(item) for item in raw["cells"]),
                raw.get("epoch_rounds"),
            )
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NoDevnet(f"there is no devnet in {path}") from error
        except OSError as error:
            raise DevnetUnreadable(f"{file}: {error.strerror}") from error
        except (NotJson, KeyError, TypeError) as error:
            raise DevnetUnreadable(f"{file} is not what this program writes") from error

    def save(self) -> None:
        """Write DIR/devnet.json atomically."""
        raw = {
            "format": _FORMAT,
            "prepared": self.prepared,
            "epoch_rounds": self.epoch_rounds,
            "cells": [asdict(cell) for cell in self.cells],
        }
        new = self.path / "devnet.json.new"
        new.write_text(json.dumps(raw, indent=1) + "\n")
        new.replace(self.path / "devnet.json")

    def home(self, cell: Cell) -> Path:
        """Return the directory of a cell."""
        return self.path / cell.name

    def log(self, cell: Cell) -> Path:
        """Return the file a cell's output goes to."""
        return self.home(cell) / "daemon.log"

    def cell(self, number: int) -> Cell:
        """Return cell `number`; raises NoSuchCell."""
        if not 1 <= number <= len(self.cells):
            raise NoSuchCell(f"there is no cell {number}, the devnet has {len(self.cells)}")
        return self.cells[number - 1]

    def having(self, cell: Cell) -> Devnet:
        """Return the devnet with the cell of that number replaced, saved."""
        cells = tuple(cell if cell.number == old.number else old for old in self.cells)
        changed = replace(self, cells=cells)
        changed.save()
        return changed


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other devnet commands out of the directory, which is made if need be.

    Raises DevnetBusy, DevnetUnreadable.
    """
    until_s = time.monotonic() + DEVNET_LOCK_TIMEOUT_S
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DevnetUnreadable(f"can not use {path}: {error.strerror}") from error
    while True:
        with locked_now(path) as is_ours:
            if is_ours:
                yield
                return
        if time.monotonic() > until_s:
            raise DevnetBusy(f"another devnet command works in {path}")
        time.sleep(POLL_S)


@contextlib.contextmanager
def locked_now(path: Path) -> Iterator[bool]:
    """Keep other devnet commands out, if none is at work; yields whether that is so.

    Raises DevnetUnreadable.
    """
    try:
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DevnetUnreadable(f"can not use {path}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _bounded(file: Path) -> bytes:
    with file.open("rb") as opened:
        data = opened.read(DEVNET_FILE_SIZE_BYTES_MAX + 1)
    if len(data) > DEVNET_FILE_SIZE_BYTES_MAX:
        raise DevnetUnreadable(f"{file} is far too large")
    return data


def _cell(raw: dict[str, Any]) -> Cell:
    cell = Cell(**raw)
    numbers = (cell.number, cell.port, cell.gateway_port, cell.pid if cell.pid is not None else 1)
    if any(type(number) is not int or number <= 0 for number in numbers):
        raise DevnetUnreadable("devnet.json holds a cell with impossible numbers")
    return cell
