"""`myceld top`: a live screen of one cell. Keys: q ends it, p holds it, r turns the peers around.

Two looks make rates; nothing is asked of the cell that `status`, `peers`, `services` and `doctor`
do not ask. Rich, which draws, is loaded only here and only for the live screen.
"""

from __future__ import annotations

import select
import sys
import termios
import time
import tty
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import click

from cli import show
from cli.errors import BadUsage
from cli.limits import TOP_INTERVAL_S_DEFAULT
from cli.options import Common, common_options
from myceld.client import Client
from myceld.errors import CellUnreachable

_INTERVAL = click.FloatRange(min=0.2, max=60)


@dataclass(frozen=True, slots=True)
class Look:
    """What the cell said at one moment."""

    at_s: float
    status: Mapping[str, Any]
    peers: Sequence[Mapping[str, Any]]
    services: Sequence[Mapping[str, Any]]
    doctor: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rates:
    """What went on between two looks, a second; processor time as a share of one core."""

    transactions: float
    rounds: float
    events_in: float
    events_out: float
    bytes_in: float
    bytes_out: float
    processor: float


@click.command()
@click.option("--once", is_flag=True, help="Look twice, print, and end.")
@click.option(
    "--interval",
    "interval_s",
    type=_INTERVAL,
    default=TOP_INTERVAL_S_DEFAULT,
    show_default=True,
    metavar="S",
    help="Seconds between two looks.",
)
@common_options
def top(common: Common, *, once: bool, interval_s: float) -> None:
    """Watch what the cell does: rounds, rates, peers, queues, journals, processor and memory.

    Keys: q ends it, p holds it and goes on, r lists the peers the other way round.

    \b
    Examples:
      myceld top
      myceld top --once --json
    """
    if common.as_json and not once:
        raise BadUsage("--json is for --once")
    with common.client() as cell:
        before = look(cell)
        if once or not sys.stdout.isatty():
            time.sleep(interval_s)
            now = look(cell)
            rates = rates_of(before, now)
            if common.as_json:
                show.as_json(as_object(now, rates))
            else:
                for line in lines_of(now, rates):
                    show.line(line)
            return
        _watch(cell, before, interval_s)


def look(cell: Client) -> Look:
    """Ask the cell for all that is shown; raises what the client does."""
    status, peers, services = cell.status(), cell.peers()["items"], cell.services()["items"]
    return Look(time.monotonic(), status, peers, services, cell.doctor())


def rates_of(before: Look, now: Look) -> Rates:
    """Return what went on between two looks; zero where a restart set a count back."""
    passed_s = max(now.at_s - before.at_s, 1e-3)

    def rate(old: float, new: float) -> float:
        return max(0.0, new - old) / passed_s

    old, new = before.status, now.status
    old_metrics, new_metrics = old["metrics"], new["metrics"]
    return Rates(
        transactions=rate(old["transactions_ordered"], new["transactions_ordered"]),
        rounds=rate(old["round_decided"], new["round_decided"]),
        events_in=rate(old_metrics["events_in"], new_metrics["events_in"]),
        events_out=rate(old_metrics["events_out"], new_metrics["events_out"]),
        bytes_in=rate(old_metrics["bytes_in"], new_metrics["bytes_in"]),
        bytes_out=rate(old_metrics["bytes_out"], new_metrics["bytes_out"]),
        processor=rate(before.doctor["cpu_s"], now.doctor["cpu_s"]),
    )


def as_object(now: Look, rates: Rates) -> Mapping[str, Any]:
    """Return what --json prints."""
    return {
        "status": now.status,
        "rates": {name: round(value, 3) for name, value in asdict(rates).items()},
        "peers": now.peers,
        "services": now.services,
        "memory_bytes": now.doctor["memory_bytes"],
        "files_open": now.doctor["files_open"],
        "findings": now.doctor["findings"],
    }


def lines_of(now: Look, rates: Rates, *, reverse: bool = False) -> list[str]:
    """Return the screen as lines of text."""
    status, metrics = now.status, now.status["metrics"]
    size, number = show.size, show.number
    order = metrics["created_to_ordered"]
    finality = "–" if order["p50_ms"] is None else f"p50 {order['p50_ms']:.0f} ms"
    lines = [
        (
            f"{show.safe(status['name'])} of {show.safe(status['network_name'])}   "
            f"{show.safe(status['phase'])}: {show.safe(status['summary'])}"
        ),
        show.safe(status["fault_budget"]),
        "",
        (
            f"rounds    decided {number(status['round_decided'])}, applied "
            f"{number(status['round_applied'])}, certified {number(status['round_certified'])}   "
            f"{rates.rounds:.1f}/s   own event to order {finality}"
        ),
        (
            f"order     {number(status['transactions_ordered'])} transactions   "
            f"{rates.transactions:.1f}/s   pending {number(status['transactions_pending'])}"
        ),
        (
            f"gossip    in {rates.events_in:.1f} events/s, {size(int(rates.bytes_in))}/s   "
            f"out {rates.events_out:.1f} events/s, {size(int(rates.bytes_out))}/s"
        ),
        (
            f"queues    mempool {number(metrics['mempool'])}   consensus "
            f"{number(metrics['consensus_queue'])}   execution "
            f"{number(metrics['execution_queue'])}   orphans {number(metrics['orphans'])}   "
            f"outbound {size(metrics['outbound_bytes'])}"
        ),
        (
            f"process   {rates.processor:.1%} of a core   {size(now.doctor['memory_bytes'])}   "
            f"{number(now.doctor['files_open'])} files"
        ),
        "",
    ]
    lines += _peer_lines(now.peers, reverse=reverse)
    lines += ["", f"{'journal':<14}{'blocks':>12}  service"]
    lines += [
        f"{show.safe(one['journal']):<14}{number(one['blocks']):>12}  {show.safe(one['status'])}"
        for one in now.services
    ]
    for finding in now.doctor["findings"]:
        lines.append(f"{finding['severity']} {finding['code']}: {show.safe(finding['what'])}")
    return lines


def _peer_lines(peers: Sequence[Mapping[str, Any]], *, reverse: bool) -> list[str]:
    if not peers:
        return ["no other cell is known"]
    rows = sorted(peers, key=lambda one: (one["rtt_ms"] is None, one["rtt_ms"] or 0.0))
    lines = [f"{'peer':<24}{'link':<10}{'round trip':>12}{'in':>12}{'out':>12}"]
    for one in reversed(rows) if reverse else rows:
        trip = "–" if one["rtt_ms"] is None else f"{one['rtt_ms']:.1f} ms"
        link = one["direction"] if one["connected"] else "down"
        name = show.safe(one["name"] or one["cell_id"][-12:])[:22]
        lines.append(
            f"{name:<24}{show.safe(link):<10}{trip:>12}{show.size(one['bytes_in']):>12}"
            f"{show.size(one['bytes_out']):>12}"
        )
    return lines


def _watch(cell: Client, before: Look, interval_s: float) -> None:
    """Draw until q or Ctrl-C."""
    from rich.live import Live  # noqa: PLC0415 - only the live screen needs it
    from rich.text import Text  # noqa: PLC0415 - as above

    held, reverse, last = False, False, Text("looking …")
    with _keys(), Live(last, screen=True, auto_refresh=False) as live:
        while True:
            key = _key_within(interval_s)
            if key in ("q", "Q", "\x03", "\x04"):
                return
            held ^= key == "p"
            reverse ^= key == "r"
            if held:
                continue
            try:
                now = look(cell)
            except CellUnreachable as error:
                live.update(Text(f"{error.detail} — {error.remedy}\n\nq ends"), refresh=True)
                continue
            lines = lines_of(now, rates_of(before, now), reverse=reverse)
            live.update(Text("\n".join([*lines, "", "q quit  p hold  r reverse"])), refresh=True)
            before = now


@contextmanager
def _keys() -> Iterator[None]:
    """Have the terminal give keys at once, and unseen."""
    if not sys.stdin.isatty():
        yield
        return
    settings = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, settings)


def _key_within(timeout_s: float) -> str:
    """Return the key that was pressed meanwhile; empty if none was."""
    if not sys.stdin.isatty():
        time.sleep(timeout_s)
        return ""
    ready, _, _ = select.select([sys.stdin], [], [], timeout_s)
    return sys.stdin.read(1) if ready else ""
