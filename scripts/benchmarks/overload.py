"""Measures what a crowd at the gateway of one of four fresh cells costs everybody else.

    scripts/bench-gateway                     five pairs of 12 s quiet and 12 s crowded: 3 minutes
    scripts/bench-gateway --nice 0            with a crowd of the same priority as the cells
    scripts/bench-gateway --tls               over TLS, with a crowd that asks for handshakes

First the most answers a second that the gateway gives, to 64 clients with the owner's token, which
makes no way for consensus. Then, in turns, nobody or a crowd, from a process of its own: 1,000
connections that never finish a request head, 500 that send a byte a second, half of them of a body
with a good token, 4 WebSockets that subscribe and never read, and ten times as many requests a
second as the gateway can answer, whatever becomes of them; four fifths with one of four tokens, one
in twenty over a connection of its own. Beside it an honest client of the same cell with a token of
its own asks for the status 20 times a second, every other time over a new connection, and puts are
certified one after another at another cell and at the crowded one.

With --tls all that is over TLS, and the crowd asks for --rate handshakes a second, from --addresses
addresses, each cut when the server's answer begins; one in four of TLS 1.2, some of them garbage,
plain requests, or hellos that want the dearest keys. Beside them 300 connections that say nothing,
200 that send a byte of a hello a second, and 300 that stop in the middle of the handshake.

Bars: p99 of the honest client at most 250 ms and none failed,
time to a certificate at most 20 % above the quiet one (medians, the median of the pairs), every put
that was acknowledged applied, quiet again within 10 s. Exit status 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import psutil
from crowd import (
    BUSY,
    COUNTS,
    LIMITED,
    OFFERED,
    OK,
    OPENED,
    OTHER,
    WRITTEN,
    Plan,
    crowd_at,
    most_answers,
)
from network import Network, fresh_network
from report import ROOT, bar
from tls_crowd import TlsPlan, tls_crowd_at

from myceld import Client
from myceld.home import read_token

sys.path.append(str(ROOT))

from tests.gateway.certificates import Authority

ASKING, TIMES = 64, 10
TOKENS = 4
CERTIFICATE, KEY = "MYCELD_GATEWAY__TLS_CERTIFICATE", "MYCELD_GATEWAY__TLS_KEY"
HONEST_PERIOD_S = 0.05
CAPACITY_S, COME_S = 4.0, 3.0
P99_MS_MAX, SLOWER_MAX, QUIET_AGAIN_S_MAX = 250.0, 1.2, 10.0


@dataclass
class Phase:
    """What was measured in one part of the run."""

    honest_ms: list[float] = field(default_factory=list)
    failed: int = 0
    certified_ms: list[float] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    cell_percent: float = 0.0
    """Processor of the cell that is asked, of one core."""


@dataclass
class Crowded:
    """What a crowd did in such a part, a second, and how soon it was quiet again."""

    rates: list[float]
    percent: float
    again_s: float


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=12, help="of each phase")
    parser.add_argument("--pairs", type=int, default=5, help="of phases without and with a crowd")
    parser.add_argument(
        "--nice", type=int, default=10, help="priority of the crowd: 0 as the cells"
    )
    parser.add_argument("--tls", action="store_true", help="all of it over TLS")
    parser.add_argument("--rate", type=float, default=2500, help="handshakes a second, with --tls")
    parser.add_argument(
        "--addresses", type=int, default=64, help="of the crowd, with --tls; 0: the honest one's"
    )
    options = parser.parse_args()
    with over_tls(is_wanted=options.tls), fresh_network(4) as network:
        owner = network.clients[0]
        token = owner.create_token("honest", ["read"], rate_per_minute=100_000)["token"]
        honest = Honest(network, token)
        plan: Plan | TlsPlan
        if options.tls:
            most = 0.0
            plan = TlsPlan(owner.url, options.rate, options.addresses, options.nice)
        else:
            names = [f"crowd-{number}" for number in range(TOKENS)]
            tokens = [owner.create_token(name, ["read", "submit"])["token"] for name in names]
            most = capacity(network)
            lazy = owner.create_token("lazy", ["read"])["token"]
            plan = Plan(owner.url, tuple(tokens), lazy, most * TIMES, options.nice)
        quiet: list[Phase] = []
        crowded: list[Phase] = []
        crowds: list[Crowded] = []
        for number in range(options.pairs):
            quiet.append(measure(network, honest, options.seconds, f"q{number}"))
            good_ms = max(50.0, 2 * _at(quiet[-1].honest_ms, 99))
            phase, crowd = crowded_phase(network, honest, plan, options.seconds, f"c{number}")
            crowd.again_s = quiet_again_s(honest, good_ms)
            crowded.append(phase)
            crowds.append(crowd)
        acknowledged = [one for phase in crowded for one in phase.acknowledged]
        lost = [one for one in acknowledged if not is_applied(network.clients[3], one)]
    return report(quiet, crowded, crowds, most, len(lost))


@dataclass(frozen=True)
class Honest:
    """A client with a token of its own, of the cell that is crowded."""

    network: Network
    token: str

    def client(self) -> Client:
        """Return one that has no connection yet."""
        owner = self.network.clients[0]
        certificate = os.environ.get(CERTIFICATE, "") if owner.url.startswith("https:") else ""
        return Client(owner.url, self.token, certificate=certificate, timeout_s=10)


@contextmanager
def over_tls(*, is_wanted: bool) -> Iterator[None]:
    """Have cells that start meanwhile serve over TLS."""
    if not is_wanted:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="myceld-bench-") as folder:
        files = Authority.made(Path(folder), "bench").issue(Path(folder), "localhost")
        os.environ |= {CERTIFICATE: str(files.certificate), KEY: str(files.key)}
        try:
            yield
        finally:
            del os.environ[CERTIFICATE], os.environ[KEY]


def report(
    quiet: list[Phase], crowded: list[Phase], crowds: list[Crowded], most: float, lost: int
) -> int:
    """Print what was measured; return the exit status."""
    for name, phases in (("quiet", quiet), ("crowded", crowded)):
        asked = [span for phase in phases for span in phase.honest_ms]
        certified = [span for phase in phases for span in phase.certified_ms]
        busy = statistics.mean(phase.cell_percent for phase in phases)
        print(
            f"{name:8} honest p50 {statistics.median(asked):6.1f} ms  p99 {_at(asked, 99):6.1f} ms "
            f"({len(asked)})   certified p50 {statistics.median(certified):6.1f} ms "
            f"({len(certified)})   cell {busy:5.1f} % of a core"
        )
    rates = [statistics.mean(one.rates[at] for one in crowds) for at in range(COUNTS)]
    if most:
        print(
            f"the gateway answers {most:.0f} requests/s at most; offered {rates[OFFERED]:.0f}/s "
            f"({rates[OFFERED] / most:.1f} times as many), of which sockets took "
            f"{rates[WRITTEN]:.0f}/s"
        )
        told = (
            f"answered {rates[OK]:.0f}/s, too many {rates[LIMITED]:.0f}/s, busy {rates[BUSY]:.0f}/s"
        )
    else:
        print(f"handshakes wanted {rates[OFFERED]:.0f}/s, {rates[WRITTEN]:.0f}/s asked for at once")
        told = f"done {rates[OK]:.0f}/s, refused {rates[LIMITED]:.0f}/s, closed {rates[BUSY]:.0f}/s"
    print(
        f"{told}; {rates[OPENED]:.0f} new connections/s; the crowd's own process "
        f"{statistics.mean(one.percent for one in crowds):.0f} % of a core"
    )
    slower = [
        statistics.median(two.certified_ms) / statistics.median(one.certified_ms)
        for one, two in zip(quiet, crowded, strict=True)
    ]
    for one, two, ratio in zip(quiet, crowded, slower, strict=True):
        print(
            f"pair     certified p50 {statistics.median(one.certified_ms):6.1f} ms quiet, "
            f"{statistics.median(two.certified_ms):6.1f} ms crowded: {ratio:.2f} x"
        )
    asked = [span for phase in crowded for span in phase.honest_ms]
    acknowledged = sum(len(phase.acknowledged) for phase in crowded)
    had = most or rates[OK]
    bars = [
        bar("offered, below", max(0.0, TIMES - rates[OFFERED] / had), 0.5, "x"),
        bar("honest p99", _at(asked, 99), P99_MS_MAX, "ms"),
        bar("honest failed", sum(phase.failed for phase in crowded), 0, ""),
        bar(
            "certificates, later",
            100 * (statistics.median(slower) - 1),
            100 * (SLOWER_MAX - 1),
            "%",
        ),
        bar(f"lost of {acknowledged} acknowledged", lost, 0, ""),
        bar("quiet again after", max(one.again_s for one in crowds), QUIET_AGAIN_S_MAX, "s"),
    ]
    return 0 if all(bars) else 1


def capacity(network: Network) -> float:
    """Return the most answers a second that the first cell's gateway gives."""
    url, token = network.clients[0].url, read_token(network.homes[0])
    context = get_context("spawn")
    done = context.RawArray("q", COUNTS)
    asking = context.Process(target=most_answers, args=(url, token, ASKING, CAPACITY_S, done))
    asking.start()
    asking.join()
    if done[OTHER]:
        raise RuntimeError(f"{done[OTHER]} requests were not answered as they should be")
    return float(done[OK]) / CAPACITY_S


def crowded_phase(
    network: Network, honest: Honest, plan: Plan | TlsPlan, seconds: float, tag: str
) -> tuple[Phase, Crowded]:
    """Measure while a crowd is there."""
    context = get_context("spawn")
    stop, done = context.Event(), context.RawArray("q", COUNTS)
    target = tls_crowd_at if isinstance(plan, TlsPlan) else crowd_at
    crowd = context.Process(target=target, args=(plan, stop, done))
    crowd.start()
    time.sleep(COME_S)
    process = psutil.Process(crowd.pid)
    before, used_s, began_s = done[:], _cpu_s(process), time.monotonic()
    phase = measure(network, honest, seconds, tag)
    span_s = time.monotonic() - began_s
    rates = [(two - one) / span_s for one, two in zip(before, done[:], strict=True)]
    percent = 100 * (_cpu_s(process) - used_s) / span_s
    stop.set()
    crowd.join(20)
    return phase, Crowded(rates, percent, 0.0)


def measure(network: Network, honest: Honest, seconds: float, tag: str) -> Phase:
    """Measure the honest client and certificates for a while."""
    phase, before = Phase(), network.usage()
    until_s = time.monotonic() + seconds
    threads = [threading.Thread(target=be_honest, args=(honest, until_s, phase))]
    for at in (0, 2):
        client = network.clients[at].twin()
        put = (client, f"{tag}{at}", until_s, phase)
        threads.append(threading.Thread(target=put_on, args=put))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = network.usage()
    used_s, span_s = after.cells_s[0] - before.cells_s[0], after.at_s - before.at_s
    phase.cell_percent = 100 * used_s / span_s
    return phase


def be_honest(honest: Honest, until_s: float, phase: Phase) -> None:
    """Ask for the status again and again, over kept and new connections in turn."""
    kept = honest.client()
    while time.monotonic() < until_s:
        for client in (kept, honest.client()):
            span_ms = spent_ms(client.status)
            if span_ms is None:
                phase.failed += 1
            else:
                phase.honest_ms.append(span_ms)
            if client is not kept:
                client.close()
            time.sleep(HONEST_PERIOD_S)
    kept.close()


def put_on(client: Client, tag: str, until_s: float, phase: Phase) -> None:
    """Put values one after another, each certified before the next."""
    number = 0
    while time.monotonic() < until_s:
        number += 1
        began_s = time.monotonic()
        receipt = client.put(f"{tag}-{number}", b"v", wait="certified", timeout_s=60)
        phase.certified_ms.append((time.monotonic() - began_s) * 1000)
        phase.acknowledged.append(receipt["id"])
        time.sleep(0.1)
    client.close()


def quiet_again_s(honest: Honest, good_ms: float) -> float:
    """Return how long it takes until 20 answers in a row are as quick as before."""
    began_s, in_a_row = time.monotonic(), 0
    while in_a_row < 20 and time.monotonic() - began_s < 60:
        client = honest.client()
        span_ms = spent_ms(client.status)
        client.close()
        in_a_row = in_a_row + 1 if span_ms is not None and span_ms <= good_ms else 0
    return time.monotonic() - began_s


def spent_ms(ask: Callable[[], object]) -> float | None:
    """Return how long a call takes; None if it fails."""
    began_s = time.monotonic()
    try:
        ask()
    except Exception as error:  # noqa: BLE001 - any failure is one
        print(f"failed: {error}", file=sys.stderr)
        return None
    return (time.monotonic() - began_s) * 1000


def is_applied(client: Client, transaction_id: str) -> bool:
    """Tell whether another cell applied a transaction."""
    receipt = client.receipt(transaction_id, wait="applied", timeout_s=30)
    return bool(receipt["outcome"] == "applied")


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _at(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


if __name__ == "__main__":
    sys.exit(main())
