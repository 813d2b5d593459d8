"""The commands of `myceld devnet`."""

from __future__ import annotations

import functools
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from cli import show
from cli.devnet import foreground, processes, setup
from cli.devnet.directory import Cell, Devnet, locked
from cli.devnet.report import own_command, show_devnet
from cli.errors import CellsMismatch, EpochsMismatch, NoDevnet, NotReady, one_line
from cli.interruptible import interruptible
from cli.limits import DEVNET_CELLS_MAX, DEVNET_SIGNAL_TIMEOUT_S, POLL_S
from cli.options import expand, json_option
from ledger.limits import EPOCH_ROUNDS_MAX, EPOCH_ROUNDS_MIN

_CELLS_DEFAULT = 4


@click.group()
def devnet() -> None:
    """Run a local network; each cell is its own process with its own directory and ports."""


def devnet_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --dir and --json; the command takes `path` and `as_json`."""

    @functools.wraps(command)
    def with_options(directory: str, *, as_json: bool, **rest: object) -> None:
        command(expand(directory).resolve(), as_json=as_json, **rest)

    directed = click.option(
        "--dir",
        "directory",
        metavar="DIR",
        envvar="MYCELD_DEVNET",
        default="./.devnet",
        show_default=True,
        help="Directory of the devnet (environment: MYCELD_DEVNET).",
    )(with_options)
    return json_option(directed)


_number = click.argument("number", metavar="N", type=click.IntRange(min=1))


@devnet.command()
@click.option(
    "--cells",
    type=click.IntRange(1, DEVNET_CELLS_MAX),
    help=f"How many cells a new devnet gets; default: {_CELLS_DEFAULT}.",
)
@click.option(
    "--epoch-rounds",
    type=click.IntRange(EPOCH_ROUNDS_MIN, EPOCH_ROUNDS_MAX),
    metavar="N",
    help="Rounds of one epoch in a new devnet, 16 to 65536; default: 2048.",
)
@click.option(
    "--foreground",
    "in_front",
    is_flag=True,
    help="Certify a first transaction, then watch the cells until Ctrl-C stops them all.",
)
@devnet_options
def up(
    path: Path, cells: int | None, epoch_rounds: int | None, *, in_front: bool, as_json: bool
) -> None:
    """Start the devnet, and make it first if there is none in the directory.

    Cells that already run are left alone. Without --foreground the cells go on when the command
    has returned.

    \b
    Examples:
      myceld devnet up
      myceld devnet up --cells 7 --dir /tmp/seven --foreground
    """
    begun_s = time.monotonic()
    with interruptible():
        network = _up(path, cells, epoch_rounds, as_json=as_json)
        if in_front:
            status = foreground.stay(network, as_json=as_json, begun_s=begun_s)
            raise click.exceptions.Exit(status)
    if not as_json:
        show.line(f"stop them with: {own_command()} devnet down --dir {shlex.quote(str(path))}")


@devnet.command()
@devnet_options
def down(path: Path, *, as_json: bool) -> None:
    """Stop all cells; their directories stay."""
    _loaded(path)
    with locked(path):
        network = Devnet.load(path)
        network = processes.stop(network, network.cells)
    show_devnet(network, as_json=as_json)


@devnet.command()
@devnet_options
def status(path: Path, *, as_json: bool) -> None:
    """Show every cell: process, round, reachable members, phase."""
    show_devnet(_loaded(path), as_json=as_json)


@devnet.command()
@_number
@devnet_options
def kill(path: Path, number: int, *, as_json: bool) -> None:
    """Kill cell N without warning (SIGKILL), as a crash or power cut would."""
    network = _loaded(path)
    processes.kill(network, network.cell(number))
    show_devnet(network, as_json=as_json)


@devnet.command()
@_number
@devnet_options
def restart(path: Path, number: int, *, as_json: bool) -> None:
    """Stop cell N if it runs, start it, and wait until it is ready."""
    _loaded(path)
    with interruptible(), locked(path):
        network = Devnet.load(path)
        network = processes.stop(network, [network.cell(number)])
        network = _start(network, [network.cell(number)])
    show_devnet(network, as_json=as_json)


@devnet.command()
@_number
@devnet_options
def pause(path: Path, number: int, *, as_json: bool) -> None:
    """Freeze cell N (SIGSTOP): its connections stay open, but it does nothing."""
    network = _loaded(path)
    processes.send(processes.running(network, network.cell(number)), signal.SIGSTOP)
    _show_once(network, number, processes.State.PAUSED, as_json=as_json)


@devnet.command()
@_number
@devnet_options
def resume(path: Path, number: int, *, as_json: bool) -> None:
    """Let a paused cell N go on (SIGCONT)."""
    network = _loaded(path)
    processes.send(processes.running(network, network.cell(number)), signal.SIGCONT)
    _show_once(network, number, processes.State.RUNNING, as_json=as_json)


def _loaded(path: Path) -> Devnet:
    """Return the devnet; raises NoDevnet also for one that was never completed."""
    network = Devnet.load(path)
    if not network.prepared:
        raise NoDevnet(f"the devnet in {path} was never completed")
    return network


def _up(path: Path, count: int | None, epoch_rounds: int | None, *, as_json: bool) -> Devnet:
    with locked(path), ExitStack() as until_ready:
        try:
            network = Devnet.load(path)
        except NoDevnet:
            new = setup.planned(path, count or _CELLS_DEFAULT, epoch_rounds)
            network = until_ready.enter_context(new)
        if count is not None and count != len(network.cells):
            raise CellsMismatch(f"the devnet in {path} has {len(network.cells)} cells, not {count}")
        if epoch_rounds is not None and epoch_rounds != network.epoch_rounds:
            length = network.epoch_rounds or "the default number of"
            raise EpochsMismatch(f"the devnet in {path} has epochs of {length} rounds")
        if not network.prepared:
            if not as_json:
                show.line(f"preparing {len(network.cells)} cells in {path}")
                show.flush()
            network = setup.prepare(network)
        idle = [cell for cell in network.cells if processes.find(network, cell) is None]
        network = _start(network, idle)
    show_devnet(network, as_json=as_json)
    show.flush()
    return network


def _start(network: Devnet, cells: Sequence[Cell]) -> Devnet:
    """Start cells and wait until they are ready; when that fails stop those started here."""
    numbers = [cell.number for cell in cells]
    try:
        for cell in cells:
            network = processes.start(network, cell)
        processes.wait_ready(network, [network.cell(number) for number in numbers])
    except NotReady:
        _show_logs(network, numbers)
        processes.stop(network, [network.cell(number) for number in numbers])
        raise
    except BaseException:
        # Also Ctrl-C: the record on disk has a cell the moment it is started.
        network = Devnet.load(network.path)
        processes.stop(network, [network.cell(number) for number in numbers])
        raise
    return network


def _show_logs(network: Devnet, numbers: Sequence[int]) -> None:
    for number in numbers:
        cell = network.cell(number)
        if processes.find(network, cell) is not None and len(numbers) > 1:
            continue
        for text in processes.log_tail(network.log(cell)):
            sys.stderr.write(f"{cell.name}: {one_line(text)}\n")


def _show_once(network: Devnet, number: int, state: processes.State, *, as_json: bool) -> None:
    """Show the devnet when the kernel has brought the process to `state`, or it takes too long."""
    until_s = time.monotonic() + DEVNET_SIGNAL_TIMEOUT_S
    while processes.state_of(network, network.cell(number)) is not state:
        if time.monotonic() > until_s:
            break
        time.sleep(POLL_S)
    show_devnet(network, as_json=as_json)
