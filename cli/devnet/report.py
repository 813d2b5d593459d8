"""What the devnet commands print: the state of every cell, and what to try next."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cli import show
from cli.devnet.directory import Cell, Devnet
from cli.devnet.processes import State, state_of
from cli.limits import DEVNET_ASK_TIMEOUT_S, DEVNET_CELLS_MAX
from core.errors import MyceldError
from myceld.client import Client

_ASKED = ("phase", "summary", "round_decided", "members_reachable", "members_total")


def describe(devnet: Devnet) -> Mapping[str, Any]:
    """Return the state of the devnet as documented in docs/cli.md; running cells are asked."""
    with ThreadPoolExecutor(min(len(devnet.cells), DEVNET_CELLS_MAX)) as pool:
        cells = list(pool.map(lambda cell: _describe_cell(devnet, cell), devnet.cells))
    return {"dir": str(devnet.path), "cells": cells}


def show_devnet(devnet: Devnet, *, as_json: bool) -> None:
    """Print the state of every cell."""
    answer = describe(devnet)
    if as_json:
        show.as_json(answer)
        return
    rows = [
        [
            str(cell["number"]),
            show.safe(cell["cell_id"]),
            show.safe(cell["pid"]),
            cell["state"],
            show.safe(cell["round_decided"]),
            _reachable(cell),
            show.safe(cell["phase"]),
            cell["gateway_url"],
        ]
        for cell in answer["cells"]
    ]
    show.table(["cell", "cell id", "pid", "state", "round", "reachable", "phase", "gateway"], rows)


def show_next_steps(devnet: Devnet) -> None:
    """Print commands that can be pasted."""
    command = own_command()
    first, last = devnet.cells[0], devnet.cells[-1]
    home, other = (shlex.quote(_near(devnet.home(cell))) for cell in (first, last))
    where = f" --dir {shlex.quote(_near(devnet.path))}"
    show.line()
    show.line("Cells:")
    for cell in devnet.cells:
        show.line(f"  {cell.name}  {cell.gateway_url}  {cell.address}")
    show.line()
    show.line("Try, in another terminal:")
    show.line(f"  {command} tx put hello world --home {home} --wait certified")
    show.line(f"  {command} state get hello --home {other}")
    show.line(f"  {command} status --home {home}")
    show.line(f"  {command} tx list --home {other}")
    if len(devnet.cells) > 1:
        show.line(f"  {command} devnet kill {last.number}{where}")
        show.line(f"  {command} devnet restart {last.number}{where}")
    show.line(f"  {command} devnet status{where}")
    show.line()


def own_command() -> str:
    """Return how the user can call this program again."""
    program = Path(sys.argv[0])
    if program.name != "myceld":
        return f"{shlex.quote(sys.executable)} -m cli.main"
    found = shutil.which("myceld")
    if found and Path(found).resolve() == program.resolve():
        return "myceld"
    return shlex.quote(_near(program.absolute()))


def _near(path: Path) -> str:
    """Return `path` relative to the current directory if it is below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _describe_cell(devnet: Devnet, cell: Cell) -> Mapping[str, Any]:
    state = state_of(devnet, cell)
    answer: dict[str, Any] = {
        "number": cell.number,
        "name": cell.name,
        "cell_id": cell.cell_id,
        "home": str(devnet.home(cell)),
        "pid": cell.pid if state in {State.RUNNING, State.PAUSED} else None,
        "state": state.value,
        "address": cell.address,
        "gateway_url": cell.gateway_url,
        **dict.fromkeys(_ASKED),
    }
    if state is State.RUNNING:
        try:
            with Client.from_home(devnet.home(cell), timeout_s=DEVNET_ASK_TIMEOUT_S) as client:
                status: Mapping[str, Any] = client.status()
            answer.update({name: status[name] for name in _ASKED})
        except MyceldError as error:
            answer["summary"] = str(error)
    return answer


def _reachable(cell: Mapping[str, Any]) -> str:
    if cell["members_total"] is None:
        return "–"
    return f"{cell['members_reachable']} of {cell['members_total']}"
