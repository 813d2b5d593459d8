"""`scripts/bench-hostile`: honest throughput and memory with and without a hostile peer.

Five cells are started and one of them killed, whose key the attacker has for the attacks of a
member. For each attack the same load is measured twice, first without it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import psutil
from measure import Load, loaded
from network import BenchFailed, Network, fresh_network
from report import ROOT, aligned, heading, surroundings

from identity import keystore

ATTACKS = {
    "bad-signatures": False,
    "repeats": True,
    "wants-everything": False,
    "wants-again": False,
    "reads-slowly": False,
    "giant-frames": False,
    "garbage": False,
    "many-streams": False,
    "half-open": False,
    "missing-parents": True,
    "missing-parents-in-silence": True,
    "equivocates": True,
}
"""Whether the attacker needs a member's key."""

COLUMNS = (
    *("attack", "tx/s without", "with", "share", "memory + without", "with"),
    *("sessions", "longest s", "refused"),
)
TAKEN_TIMEOUT_S = 75.0
SAMPLE_S = 0.1


@dataclass(slots=True)
class Memory:
    """Resident memory of the attacked cell over one load."""

    process: psutil.Process
    before: int = 0
    peak: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def grown_mib(self) -> float:
        """How far it rose above what it was."""
        return round((self.peak - self.before) / 2**20, 1)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Sample it inside the block."""
        self.before = self.peak = self.process.memory_info().rss
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            self.peak = max(self.peak, self.process.memory_info().rss)


@click.command()
@click.option("--attacks", metavar="LIST", help=f"Default: {','.join(ATTACKS)}")
@click.option("--seconds", type=click.FloatRange(1), default=6.0, show_default=True)
@click.option("--warm-up", type=click.FloatRange(0), default=2.0, show_default=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all here.")
def main(*, attacks: str | None, seconds: float, warm_up: float, json_file: Path | None) -> None:
    """Measure each attack against one of four honest cells under full load.

    The attacker is niced: what it burns itself on the same machine is not the cells' doing, though
    with few cores it still costs them some.
    """
    names = list(ATTACKS) if attacks is None else attacks.split(",")
    if unknown := [name for name in names if name not in ATTACKS]:
        raise click.BadParameter(f"no such attack: {unknown[0]}")
    around = surroundings()
    click.echo(heading(around))
    base = Load("opaque", seconds=seconds, warm_up_s=warm_up, prepare_rate=2000.0)
    lines: list[dict[str, Any]] = []
    try:
        with fresh_network(5) as network:
            seed = _take_insider(network)
            for number, name in enumerate(names):
                lines.append(_measured(network, name, base, seed, number))
                click.echo(f"{name}: done", err=True)
    except BenchFailed as error:
        click.echo(f"error {error}", err=True)
        sys.exit(1)
    finally:
        click.echo(aligned([COLUMNS, *map(_row, lines)]))
        if json_file is not None:
            content = {**around, "attacks": lines}
            json_file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _take_insider(network: Network) -> bytes:
    """Kill the last cell for good; return its secret."""
    network.processes.pop().kill()
    network.clients.pop().close()
    return keystore.load(network.homes.pop() / "key.json").seed


def _measured(
    network: Network, name: str, load: Load, insider: bytes, number: int
) -> dict[str, Any]:
    pids = [process.pid for process in network.processes]
    calm = Memory(network.processes[0])
    with calm.watched():
        without = loaded(network, load)
    seed = insider if ATTACKS[name] else os.urandom(32)
    attacked = Memory(network.processes[0])
    seconds = load.seconds + load.warm_up_s + 4
    with attacked.watched(), _attacker(network, name, seed, seconds, number) as hostile:
        during = loaded(network, load)
        outcome = _outcome(hostile)
    if not all(psutil.pid_exists(pid) for pid in pids):
        raise BenchFailed(f"a cell ended under {name}")
    ended = [*outcome["dropped_s"], *outcome["left_s"]]
    return {
        "attack": name,
        "without_per_s": without["ordered_per_s"],
        "with_per_s": during["ordered_per_s"],
        "share": round(during["ordered_per_s"] / max(1.0, without["ordered_per_s"]), 3),
        "lost": without["lost"] + during["lost"],
        "memory_without_mib": calm.grown_mib,
        "memory_with_mib": attacked.grown_mib,
        "sessions": len(ended),
        "longest_s": round(max(ended, default=0.0), 2),
        "refused": outcome["refused"],
    }


@contextmanager
def _attacker(
    network: Network, name: str, seed: bytes, seconds: float, number: int
) -> Iterator[subprocess.Popen[str]]:
    """Start the hostile process, and wait until it is at work; it is gone in the end."""
    status = network.clients[0].status()
    orders = {
        "attack": name,
        "address": status["addresses"][0],
        "genesis": str(network.homes[0] / "genesis.json"),
        "epoch": status["epoch"],
        "seed": seed.hex(),
        "seconds": seconds,
        "source": f"127.0.2.{number + 1}" if sys.platform == "linux" else None,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "tests.network.hostile"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as hostile:
        try:
            assert hostile.stdin is not None  # noqa: S101 - for the type checker: it is a pipe
            hostile.stdin.write(json.dumps(orders))
            hostile.stdin.close()
            _line(hostile)
            yield hostile
        finally:
            hostile.kill()


def _outcome(hostile: subprocess.Popen[str]) -> dict[str, Any]:
    outcome: dict[str, Any] = json.loads(_line(hostile))
    return outcome


def _line(hostile: subprocess.Popen[str]) -> str:
    """Return the next line of the hostile process, which kills itself if that takes too long."""
    assert hostile.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
    timer = threading.Timer(TAKEN_TIMEOUT_S, hostile.kill)
    timer.start()
    try:
        line = hostile.stdout.readline()
    finally:
        timer.cancel()
    if not line:
        raise BenchFailed("the hostile process ended; its error is above")
    return line


def _row(line: dict[str, Any]) -> tuple[str, ...]:
    return (
        line["attack"],
        f"{line['without_per_s']:.0f}",
        f"{line['with_per_s']:.0f}",
        f"{100 * line['share']:.0f} %",
        f"{line['memory_without_mib']:.1f}",
        f"{line['memory_with_mib']:.1f}",
        str(line["sessions"]),
        f"{line['longest_s']:.2f}",
        str(line["refused"]),
    )


if __name__ == "__main__":
    main()
