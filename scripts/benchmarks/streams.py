"""Measures subscriptions at one cell of a fresh four-cell network on this machine.

    scripts/bench-streams                    300 subscribers, 50 transactions/s, 6 pairs: 4 minutes
    scripts/bench-streams --pairs 12         more phases without and with them

Phases without and with subscribers take turns under the same load, in pairs of which every other
one begins with them. All subscribers are WebSockets at the cell that takes the transactions, from
one process of a lower priority; one of them never reads. Fan-out is from when the cell has a
transaction applied to when a subscriber has it in hand; consensus latency is the client's, from
accepted to certified; its change is the median of what the pairs say. Bars: p99 of fan-out 500 ms,
consensus latency + 20 %, every subscriber got everything, and the cell's memory by no more than
64 MiB larger. Exit status 1 when one is missed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from network import Network, fresh_network
from report import bar
from watchers import watch

from ledger.transaction import opaque_transaction, transaction_id
from myceld.home import read_token

FANOUT_P99_MS_MAX: Final = 500.0
CONSENSUS_PERCENT_MAX: Final = 20.0
MEMORY_MIB_MAX: Final = 64.0
CONTENT_SIZE_BYTES: Final = 100
SETTLE_S: Final = 1.5
WARM_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Phase:
    """What one phase measured; times in ms."""

    certified: list[float]
    """From accepted on, of each transaction."""
    ordered: list[float]
    applied_ns: dict[str, int]
    cell_percent: float
    """Processor of the cell that is subscribed to, of one core."""
    memory_mib: float


@dataclass(frozen=True, slots=True)
class Watched:
    """What the subscribers of one phase say."""

    fanout: list[float]
    missed: int


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--subscribers", type=int, default=300, help="one of them never reads")
    parser.add_argument("--rate", type=float, default=50.0, help="transactions a second")
    parser.add_argument("--pairs", type=int, default=6, help="of phases without and with them")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each phase")
    options = parser.parse_args()
    without: list[Phase] = []
    with_them: list[Phase] = []
    watched: list[Watched] = []
    with fresh_network(4) as network:
        load(network, options.rate, WARM_S)
        for number in range(options.pairs):
            for is_with in (number % 2 == 1, number % 2 == 0):
                if not is_with:
                    without.append(load(network, options.rate, options.seconds))
                    continue
                phase, said = crowded(network, options)
                with_them.append(phase)
                watched.append(said)
    return report(without, with_them, watched)


def crowded(network: Network, options: argparse.Namespace) -> tuple[Phase, Watched]:
    """Measure a phase with subscribers."""
    ours, theirs = multiprocessing.Pipe()
    url, token = network.clients[0].url, read_token(network.homes[0])
    arguments = (url, token, options.subscribers, theirs)
    watchers = multiprocessing.Process(target=watch, args=arguments)
    watchers.start()
    theirs.close()
    ours.recv()
    phase = load(network, options.rate, options.seconds)
    ours.send(phase.applied_ns)
    fanout, missed = ours.recv()
    watchers.join()
    return phase, Watched(fanout, missed)


def report(without: Sequence[Phase], with_them: Sequence[Phase], watched: Sequence[Watched]) -> int:
    """Print what was measured; return the exit status."""
    fanout = [span for one in watched for span in one.fanout]
    missed = sum(one.missed for one in watched)
    print(f"fan-out     {_spread(fanout)}   of {len(fanout)}")
    for name, phases in (("without", without), ("with", with_them)):
        spans = [span for phase in phases for span in phase.certified]
        ordered = statistics.median(span for phase in phases for span in phase.ordered)
        busy = statistics.mean(phase.cell_percent for phase in phases)
        print(
            f"certified   {_spread(spans)}   {name:8} ordered p50 {ordered:6.1f} ms   "
            f"cell {busy:5.1f} % of a core"
        )
    changes = [
        100 * (statistics.median(two.certified) / statistics.median(one.certified) - 1)
        for one, two in zip(without, with_them, strict=True)
    ]
    print("pairs       " + "  ".join(f"{change:+.1f} %" for change in changes))
    memory = max(one.memory_mib for one in with_them) - max(one.memory_mib for one in without)
    bars = [
        bar("fan-out p99", _at(fanout, 99), FANOUT_P99_MS_MAX, "ms"),
        bar("consensus, median of pairs", statistics.median(changes), CONSENSUS_PERCENT_MAX, "%"),
        bar("memory", memory, MEMORY_MIB_MAX, "MiB"),
        bar("missed", missed, 0, ""),
    ]
    return 0 if all(bars) else 1


def load(network: Network, rate: float, duration_s: float) -> Phase:
    """Hand transactions to the first cell, one at a time at even intervals; return the phase."""
    raws: list[bytes] = []
    before = network.usage()
    begun_s = time.monotonic()
    with network.clients[0].twin() as cell:
        while (due_s := begun_s + len(raws) / rate) < begun_s + duration_s:
            time.sleep(max(0.0, due_s - time.monotonic()))
            raws.append(opaque_transaction(os.urandom(CONTENT_SIZE_BYTES)))
            cell.submit(raws[-1:], wait="accepted")
        after = network.usage()
        time.sleep(SETTLE_S)
        stages: dict[str, Any] = {}
        for at in range(0, len(raws), 500):
            answer = cell.submit(raws[at : at + 500], wait="certified", timeout_s=60)
            stages |= {one["id"]: one["stages_ns"] for one in answer["items"]}
    ids = [transaction_id(raw).hex() for raw in raws]
    took_s = after.at_s - before.at_s
    return Phase(
        [(stages[one]["certified"] - stages[one]["accepted"]) / 1e6 for one in ids],
        [(stages[one]["ordered"] - stages[one]["accepted"]) / 1e6 for one in ids],
        {one: stages[one]["applied"] for one in ids},
        100 * (after.cells_s[0] - before.cells_s[0]) / took_s,
        network.memory_mib()[0],
    )


def _spread(values: Sequence[float]) -> str:
    p50, p99 = _at(values, 50), _at(values, 99)
    return f"p50 {p50:7.1f} ms   p99 {p99:7.1f} ms   max {max(values):7.1f} ms"


def _at(values: Sequence[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


if __name__ == "__main__":
    sys.exit(main())
