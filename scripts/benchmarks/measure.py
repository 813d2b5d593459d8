"""The measurements: a quiet network, its first transactions after that, and loads.

Every load is checked: what was accepted must be in the agreed order, once, in all cells alike.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Any, cast

from load import STAGES, Plan, Result, Sent, generate
from network import BenchFailed, Network, Usage

from ledger.transaction import opaque_transaction

GENERATOR_TIMEOUT_S = 300.0
START_DELAY_S = 0.5
"""From the word to start until the first transaction may come due."""


@dataclass(frozen=True, slots=True)
class Load:
    """One line of the table."""

    name: str
    kind: str = "opaque"
    rate: float | None = None
    """Transactions a second over all cells; None is a closed loop."""
    seconds: float = 10.0
    warm_up_s: float = 3.0
    size_bytes: int = 100
    gather_ms: float = 10.0
    clients: int = 2
    batch: int = 250
    prepare_rate: float = 0.0
    """Transactions a second and cell that are made before the load."""
    seed: int = 1


def parameters(load: Load) -> dict[str, Any]:
    """Return what all loads of a run have in common."""
    own = ("name", "kind", "rate", "prepare_rate")
    return {name: value for name, value in asdict(load).items() if name not in own}


def quiet(network: Network, seconds: float, repeats: int) -> dict[str, Any]:
    """Measure cells that have nothing to do, then their first transactions after that."""
    network.settled()
    time.sleep(min(5.0, seconds))
    before = network.usage()
    time.sleep(seconds)
    after = network.usage()
    firsts = [_first(network, 0, seconds)]
    for at in range(1, repeats):
        network.settled()
        time.sleep(min(2.0, seconds))
        firsts.append(_first(network, at % len(network.clients), min(2.0, seconds)))
    return {
        "seconds": seconds,
        **_usage(before, after),
        "memory_mib": network.memory_mib(),
        "first_transactions_ms": firsts,
        "load_average": _load_average(),
    }


def loaded(network: Network, load: Load) -> dict[str, Any]:
    """Put a load on the network and return its line."""
    start = network.settled()
    with _generators(network, load) as controls:
        pids = [cast("int", _receive(control)) for control in controls]
        begin_ns = time.time_ns() + int(START_DELAY_S * 1e9)
        for control in controls:
            control.send(begin_ns)
        window_ns = begin_ns + int(load.warm_up_s * 1e9)
        _sleep_until(window_ns)
        before = network.usage(pids)
        _sleep_until(window_ns + int(load.seconds * 1e9))
        after, average, memory = network.usage(pids), _load_average(), network.memory_mib()
        for control in controls:
            _receive(control)  # all are over before the first asks for receipts
        for control in controls:
            control.send("collect")
        results = [cast("Result", _receive(control)) for control in controls]
    network.settled()
    sent = [one for result in results for one in result.sent]
    counts = Counter(network.order(start))
    return {
        "load": load.name,
        "kind": load.kind,
        "offered_per_s": load.rate,
        "seconds": load.seconds,
        **_rates(sent, window_ns, load),
        "accepted": len(sent),
        "refused": sum(result.refused for result in results),
        "lost": sum(one.id not in counts or _is_new(one, results) for one in sent),
        "twice": sum(count > 1 for count in counts.values()),
        "generator_backlog_s": round(max(result.backlog_s for result in results), 3),
        **_usage(before, after),
        "memory_mib": memory,
        "load_average": average,
    }


@contextmanager
def _generators(network: Network, load: Load) -> Iterator[list[Connection]]:
    """Run one generator process a cell; none is left at the end."""
    context = multiprocessing.get_context("spawn")
    processes, controls = [], []
    share = len(network.homes)
    try:
        for at, home in enumerate(network.homes):
            plan = Plan(
                home=home,
                kind=load.kind,
                size_bytes=load.size_bytes,
                rate=None if load.rate is None else load.rate / share,
                duration_s=load.warm_up_s + load.seconds,
                gather_ms=load.gather_ms,
                phase=at / share,
                clients=load.clients,
                batch=load.batch,
                prepare=int(load.prepare_rate * (load.warm_up_s + load.seconds)),
                seed=load.seed * 1000 + at,
            )
            ours, theirs = context.Pipe()
            process = context.Process(target=generate, args=(plan, theirs))
            process.start()
            theirs.close()
            processes.append(process)
            controls.append(ours)
        yield controls
    finally:
        for control in controls:
            control.close()
        for process in processes:
            process.join(1.0)
            if process.is_alive():
                process.kill()


def _receive(control: Connection) -> object:
    with suppress(EOFError):
        if control.poll(GENERATOR_TIMEOUT_S):
            return control.recv()
    raise BenchFailed("a load generator ended, or did not answer; its error is above")


def _first(network: Network, cell: int, quiet_s: float) -> dict[str, float]:
    raw = opaque_transaction(os.urandom(100))
    answer = network.clients[cell].submit([raw], wait="certified", timeout_s=30)
    stages = answer["items"][0]["stages_ns"]
    spans = {name: round((stages[name] - stages["accepted"]) / 1e6, 2) for name in STAGES[1:]}
    return {"quiet_s": quiet_s, **spans}


def _rates(sent: Sequence[Sent], window_ns: int, load: Load) -> dict[str, Any]:
    """Return the rate, and the latencies, of what came due in the window.

    A cell forgets the times of the oldest transactions; those have no latency.
    """
    end_ns = window_ns + int(load.seconds * 1e9)
    inside = [one for one in sent if window_ns <= one.due_ns < end_ns]
    latencies: dict[str, Any] = {}
    for stage in STAGES[1:]:
        spans = [
            one.stages_ns[stage] - one.stages_ns["accepted"]
            for one in inside
            if stage in one.stages_ns and "accepted" in one.stages_ns
        ]
        latencies[f"{stage}_ms"] = _percentiles(spans)
    ordered = [one for one in inside if "ordered" in one.stages_ns]
    latencies["due_to_accepted_ms"] = _percentiles(
        one.stages_ns["accepted"] - one.due_ns for one in ordered if "accepted" in one.stages_ns
    )
    latencies["due_to_ordered_ms"] = _percentiles(
        one.stages_ns["ordered"] - one.due_ns for one in ordered
    )
    return {
        "due_per_s": round(len(inside) / load.seconds, 1),
        "forgotten": sum("accepted" not in one.stages_ns for one in sent),
        **latencies,
    }


def _is_new(one: Sent, results: Iterable[Result]) -> bool:
    """Tell whether a cell had lost a transaction, and took it anew when asked for receipts."""
    collecting_ns = min(result.collecting_ns for result in results)
    return one.stages_ns.get("accepted", 0) >= collecting_ns


def _percentiles(spans_ns: Iterable[int]) -> dict[str, float] | None:
    """Return p50, p90, p99 and the greatest, in milliseconds (nearest rank)."""
    ordered = sorted(spans_ns)
    if not ordered:
        return None

    def rank(share: float) -> float:
        return round(ordered[max(0, -(-int(share * len(ordered) * 100) // 100) - 1)] / 1e6, 2)

    return {"p50": rank(0.5), "p90": rank(0.9), "p99": rank(0.99), "max": rank(1.0)}


def _usage(before: Usage, after: Usage) -> dict[str, Any]:
    """Return shares of one core in percent, and events and rounds a second."""
    span_s = after.at_s - before.at_s
    cells = [
        round(100 * (new - old) / span_s, 2)
        for old, new in zip(before.cells_s, after.cells_s, strict=True)
    ]
    generators = 100 * (after.generators_s - before.generators_s) / span_s
    machine = 100 * (after.machine_s - before.machine_s) / span_s
    return {
        "cpu_percent_per_cell": cells,
        "cpu_percent_cell_mean": round(statistics.mean(cells), 2),
        "cpu_percent_generators": round(generators, 1),
        "cpu_percent_others": round(max(0.0, machine - sum(cells) - generators), 1),
        "events_per_s": round((after.events - before.events) / span_s, 1),
        # Counts what was ordered in the window, whenever it came due: under a load that is more
        # than the cells can do, this is what they can do.
        "ordered_per_s": round((after.transactions - before.transactions) / span_s, 1),
        "rounds_per_s": round((after.rounds - before.rounds) / span_s, 1),
    }


def _load_average() -> list[float]:
    return [round(value, 2) for value in os.getloadavg()]


def _sleep_until(at_ns: int) -> None:
    time.sleep(max(0.0, (at_ns - time.time_ns()) / 1e9))
