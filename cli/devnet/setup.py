"""Prepare a devnet: keys of all cells, one genesis, one configuration each.

Every step can be repeated, so an interrupted `up` goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from cli import daemon
from cli.devnet.directory import Cell, Devnet
from cli.devnet.ports import held_ports
from cli.errors import SetupFailed, one_line
from cli.limits import DEVNET_PRANA, DEVNET_SETUP_TIMEOUT_S

_JOBS = 2
"""Programs at a time: each is a Python start and a deliberately slow key derivation."""


@contextlib.contextmanager
def planned(path: Path, count: int, epoch_rounds: int | None) -> Iterator[Devnet]:
    """Choose ports for `count` cells and save them; they are held while the block lasts."""
    with held_ports(2 * count) as ports:
        cells = tuple(
            Cell(number, port=ports[2 * number - 2], gateway_port=ports[2 * number - 1])
            for number in range(1, count + 1)
        )
        devnet = Devnet(path, prepared=False, cells=cells, epoch_rounds=epoch_rounds)
        devnet.save()
        yield devnet


def prepare(devnet: Devnet) -> Devnet:
    """Make all directories and the genesis; raises SetupFailed."""
    with ThreadPoolExecutor(_JOBS) as pool:
        ids = list(pool.map(lambda cell: _make_key(devnet, cell), devnet.cells))
    cells = tuple(
        replace(cell, cell_id=cell_id) for cell, cell_id in zip(devnet.cells, ids, strict=True)
    )
    devnet = replace(devnet, cells=cells)
    genesis = devnet.path / "genesis.json"
    if not genesis.exists():
        _make_genesis(devnet, genesis)
    with ThreadPoolExecutor(_JOBS) as pool:
        list(pool.map(lambda cell: _join(devnet, cell, genesis), cells))
    devnet = replace(devnet, prepared=True)
    devnet.save()
    return devnet


def _make_key(devnet: Devnet, cell: Cell) -> str:
    home = str(devnet.home(cell))
    answer = _node_json(["init", "--home", home, "--name", cell.name, "--json"])
    cell_id = answer.get("cell_id")
    if not isinstance(cell_id, str) or not cell_id:
        raise SetupFailed(f"init of {cell.name} printed no cell id")
    return cell_id


def _make_genesis(devnet: Devnet, genesis: Path) -> None:
    new = genesis.with_suffix(".json.new")
    new.unlink(missing_ok=True)
    members = [f"{cell.cell_id}={cell.name}" for cell in devnet.cells]
    arguments = ["genesis", "create", "--name", "devnet", "--out", str(new)]
    for member in members:
        arguments += ["--member", member]
    for cell in devnet.cells:
        arguments += ["--prana", f"{cell.cell_id}={DEVNET_PRANA}"]
    if devnet.epoch_rounds is not None:
        arguments += ["--epoch-rounds", str(devnet.epoch_rounds)]
    _node(arguments)
    try:
        new.replace(genesis)
    except OSError as error:
        raise SetupFailed(f"genesis create wrote no {new}: {error.strerror}") from error


def _join(devnet: Devnet, cell: Cell, genesis: Path) -> None:
    arguments = [
        "init",
        *("--home", str(devnet.home(cell)), "--name", cell.name),
        *("--genesis", str(genesis)),
        *("--listen", f"/ip4/127.0.0.1/tcp/{cell.port}"),
        *("--gateway-port", str(cell.gateway_port)),
    ]
    for other in devnet.cells:
        if other.number != cell.number:
            arguments += ["--bootstrap", other.address]
    _node_json([*arguments, "--json"])


def _node_json(arguments: Sequence[str]) -> dict[str, Any]:
    output = _node(arguments)
    try:
        answer = json.loads(output)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise SetupFailed(f"`node {arguments[0]}` printed no JSON object")
    return answer


def _node(arguments: Sequence[str]) -> str:
    command, environment = daemon.node_command(arguments)
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEVNET_SETUP_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        limit = f"{DEVNET_SETUP_TIMEOUT_S:.0f} s"
        raise SetupFailed(f"`node {arguments[0]}` took over {limit}") from error
    except OSError as error:
        raise SetupFailed(f"can not start {command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        last = one_line(said[-1]) if said else f"exit status {done.returncode}"
        raise SetupFailed(f"`node {arguments[0]}` failed: {last}")
    return done.stdout.decode(errors="replace")
