"""A devnet under attack by one hostile process."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from itertools import count
from typing import Any

from identity.keystore import load
from tests.network.devnet import Devnet, wait_until
from tests.network.starting import run

SAMPLE_S = 0.1
_SOURCES = count(1)


@dataclass(frozen=True, slots=True)
class Attacked:
    """What an attack did, seen from both sides."""

    outcome: dict[str, Any]
    """Of the hostile process: `Outcome`."""
    grown_mib: float
    """How far the memory of the attacked cell rose above what it was, at its highest."""
    same_process: bool
    """Whether each watched cell is the process it was."""


def attack(
    net: Devnet,
    name: str,
    *,
    seconds: float,
    seed: bytes,
    target: int = 1,
    watched: tuple[int, ...] = (1, 2, 3, 4),
) -> Attacked:
    """Let a hostile process attack one cell, and watch; all watched cells have to go on."""
    orders = {
        "attack": name,
        "address": net.status(target)["addresses"][0],
        "genesis": str(net.home(target) / "genesis.json"),
        "epoch": net.status(target)["epoch"],
        "seed": seed.hex(),
        "seconds": seconds,
        # Each attack comes from its own address: they are banned too. Elsewhere it has to wait.
        "source": f"127.0.1.{next(_SOURCES)}" if sys.platform == "linux" else None,
    }
    process = net.process(target)
    pids = {cell: net.process(cell).pid for cell in watched}
    ordered = {cell: net.status(cell)["transactions_ordered"] for cell in watched}
    before = process.memory_info().rss
    peak = before

    def measure() -> None:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)
        time.sleep(SAMPLE_S)

    hostile = run(program="tests.network.hostile", given=json.dumps(orders), meanwhile=measure)
    assert hostile.returncode == 0, f"the hostile process failed: {hostile}"
    wait_until(
        lambda: all(net.status(cell)["transactions_ordered"] > ordered[cell] for cell in watched),
        "the cells do not go on",
    )
    return Attacked(
        outcome=json.loads(hostile.stdout.splitlines()[-1]),
        grown_mib=(peak - before) / 2**20,
        same_process=all(net.process(cell).pid == pid for cell, pid in pids.items()),
    )


def member_seed(net: Devnet, cell: int) -> bytes:
    """Return the secret of a member, for an attack from inside."""
    return load(net.home(cell) / "key.json").seed
