"""`devnet up --foreground`: prove that the network works, then watch it until Ctrl-C."""

from __future__ import annotations

import time
from typing import Any

from cli import show
from cli.devnet import processes
from cli.devnet.directory import Cell, Devnet, locked, locked_now
from cli.devnet.report import show_next_steps
from cli.errors import EXIT_INTERRUPTED, EXIT_OK
from cli.limits import DEVNET_FIRST_TIMEOUT_S, POLL_S
from myceld.client import Client

_WATCH_S = 10 * POLL_S


def stay(devnet: Devnet, *, as_json: bool, begun_s: float) -> int:
    """Certify a first transaction, watch, and stop all cells at the end; return the exit status."""
    try:
        try:
            _first_transaction(devnet, as_json=as_json, begun_s=begun_s)
            if not as_json:
                show_next_steps(devnet)
                _say("Ctrl-C stops all cells.", as_json=as_json)
            _watch(devnet, as_json=as_json)
        except KeyboardInterrupt:
            _say("stopping all cells (Ctrl-C again kills them)", as_json=as_json)
            _stop_all(devnet, as_json=as_json)
        except BaseException:
            _stop_all(devnet, as_json=as_json)
            raise
    except KeyboardInterrupt:
        # However soon the second one comes.
        devnet = Devnet.load(devnet.path)
        processes.stop(devnet, devnet.cells, at_once=True)
        _say("killed all cells", as_json=as_json)
        return EXIT_INTERRUPTED
    return EXIT_OK


def _stop_all(devnet: Devnet, *, as_json: bool) -> None:
    with locked(devnet.path):
        devnet = Devnet.load(devnet.path)
        processes.stop(devnet, devnet.cells)
    _say("all cells stopped", as_json=as_json)


def _first_transaction(devnet: Devnet, *, as_json: bool, begun_s: float) -> None:
    key = f"devnet/up/{time.time_ns()}"
    asked_s = time.monotonic()
    with Client.from_home(devnet.home(devnet.cells[0])) as client:
        receipt = client.put(
            key, b"the first of many", wait="certified", timeout_s=DEVNET_FIRST_TIMEOUT_S
        )
    took_s, total_s = time.monotonic() - asked_s, time.monotonic() - begun_s
    if as_json:
        show.as_json({"first_receipt": receipt, "took_s": took_s, "since_start_s": total_s})
        return
    _say(
        f"first transaction certified in {show.duration(took_s)}, "
        f"{show.duration(total_s)} after the start  ({show.brief(receipt['id'])})",
        as_json=as_json,
    )


def _watch(devnet: Devnet, *, as_json: bool) -> None:
    """Say when a cell dies, is stopped or runs again; return when others have stopped them all."""
    seen = devnet
    told: set[int] = set()
    while True:
        processes.reap()
        devnet = Devnet.load(devnet.path)
        for before, cell in zip(seen.cells, devnet.cells, strict=True):
            if cell.pid != before.pid:
                _tell_change(cell, as_json=as_json)
            if cell.pid is not None and cell.pid not in told:
                _tell_if_dead(devnet, cell, told, as_json=as_json)
        seen = devnet
        if all(cell.pid is None for cell in devnet.cells):
            _say("all cells were stopped by another command", as_json=as_json)
            return
        time.sleep(_WATCH_S)


def _tell_change(cell: Cell, *, as_json: bool) -> None:
    now = "was stopped" if cell.pid is None else f"runs again (pid {cell.pid})"
    _say(f"{cell.name} {now}", as_json=as_json, cell=cell.number, pid=cell.pid)


def _tell_if_dead(devnet: Devnet, cell: Cell, told: set[int], *, as_json: bool) -> None:
    if cell.pid is None or processes.find(devnet, cell) is not None:
        return
    # `down` and `restart` end a process before they record that: whoever is at it is waited for.
    with locked_now(devnet.path) as is_ours:
        if not is_ours or Devnet.load(devnet.path).cell(cell.number).pid != cell.pid:
            return
    told.add(cell.pid)
    text = f"{cell.name} (pid {cell.pid}) has died; its log: {devnet.log(cell)}"
    _say(text, as_json=as_json, cell=cell.number, pid=cell.pid)


def _say(text: str, *, as_json: bool, **more: Any) -> None:  # noqa: ANN401 - any JSON value
    if as_json:
        show.as_json({"event": text, **more})
    else:
        show.line(text)
        show.flush()
