"""`myceld status`, `peers` and `version`: what a cell is and does."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from cli import show
from cli.hypha import HYPHA
from cli.hypha import show_status as show_hypha_status
from cli.options import Common, common_options
from myceld.errors import CellUnreachable
from myceld.version import VERSION

_SILENT: Final = {
    "no-work": "no transaction waits",
    "too-soon": "the last own event is too young",
    "waiting-for-tips": "events of others are on their way",
    "no-quorum": "too few members are there",
    "observing": "own newest events may still be missing here",
}
"""Why the cell makes no event, in words."""


@click.command()
@common_options
def status(common: Common) -> None:
    """Say what the cell does, and what it waits for.

    \b
    Examples:
      myceld status
      myceld status --json | jq .round_decided
    """
    with common.client() as cell:
        answer, told = cell.status(), cell.services()
    services = told["items"]
    if common.as_json:
        own = {"cell": told["cell"]} if "cell" in told else {}  # a hypha has no such part
        show.as_json({**answer, "services": services, **own})
    elif answer["role"] == HYPHA:
        show_hypha_status(answer)
    else:
        _show_status(answer, services)


@click.command()
@common_options
def peers(common: Common) -> None:
    """List the cells this one is connected to, or knows how to reach."""
    with common.client() as cell:
        answer = cell.peers()
    if common.as_json:
        show.as_json(answer)
        return
    rows = [_peer_row(peer) for peer in answer["items"]]
    if not rows:
        show.line("no other cell is known")
        return
    head = ["name", "cell id", "role", "link", "round trip", "in", "out", "last error"]
    show.table(head, rows, empty="no other cell is known")


@click.command()
@common_options
def version(common: Common) -> None:
    """Show the version of this program, and of the cell if one is running."""
    running: str | None = None
    try:
        with common.client() as cell:
            running = cell.health()["version"]
    except CellUnreachable:
        pass
    if common.as_json:
        show.as_json({"version": VERSION, "cell_version": running})
    else:
        show.pairs([("myceld", VERSION), ("cell", show.safe(running or "not running"))])


def _upgrade_line(upgrade: Mapping[str, Any] | None) -> str:
    """Return what is to come, and whether this cell has to be made ready for it."""
    if upgrade is None:
        return ""
    line = (
        f"from epoch {show.number(upgrade['epoch'])} on, {show.safe(upgrade['release'])}: "
        f"rule set {upgrade['rule_set']}, wire version {upgrade['wire_version']}, transaction "
        f"version {upgrade['transaction_version']}"
    )
    if upgrade["missing"]:
        line += f"; not ready: {', '.join(show.safe(name) for name in upgrade['missing'])}"
    if not upgrade["is_known"]:
        line += "; THIS CELL STOPS BEFORE THAT: install the release first"
    return line


def _show_status(answer: Mapping[str, Any], services: Sequence[Mapping[str, Any]]) -> None:
    counts = [f"{name} {show.number(answer[f'round_{name}'])}" for name in _ROUNDS]
    members = f"{answer['members_reachable']} of {answer['members_total']} reachable"
    ordered = show.number(answer["transactions_ordered"])
    silent = ", ".join(show.safe(name) for name in answer["silent"])
    show.pairs(
        [
            ("cell", f"{show.safe(answer['name'])}  {show.safe(answer['cell_id'])}"),
            ("network", f"{show.safe(answer['network_name'])}  {show.brief(answer['network_id'])}"),
            ("role", show.safe(answer["role"])),
            ("phase", f"{show.safe(answer['phase'])}: {show.safe(answer['summary'])}"),
            ("faults", show.safe(answer["fault_budget"])),
            ("services", _services_line(services)),
            ("members", f"{members}, {answer['members_needed']} needed"),
            ("silent", silent),
            ("epoch", show.number(answer["epoch"])),
            ("upgrade", _upgrade_line(answer["upgrade"])),
            ("rounds", ", ".join(counts)),
            ("last round", _last_round(answer["round_time_ns"])),
            ("state root", show.safe(answer["state_root"])),
            (
                "events",
                f"{show.number(answer['events_total'])}, {show.number(answer['events_own'])} own",
            ),
            (
                "transactions",
                f"{ordered} ordered, {show.number(answer['transactions_pending'])} pending",
            ),
            *_metric_rows(answer["metrics"]),
            ("disk", _disk_line(answer)),
            ("addresses", "  ".join(show.safe(address) for address in answer["addresses"])),
            ("gateway", show.safe(answer["gateway_url"])),
            ("running for", show.duration(answer["uptime_s"])),
            ("version", show.safe(answer["version"])),
        ]
    )
    others = [member for member in answer["members"] if not member["is_self"]]
    if others:
        show.line()
        show.table(["member", "cell id", "weight", "reachable"], [_member_row(m) for m in others])


def _last_round(time_ns: int | None) -> str:
    if time_ns is None:
        return ""
    ago_s = max(0.0, (time.time_ns() - time_ns) / 1e9)
    return f"{show.moment(time_ns)}, {show.duration(ago_s)} ago"


def _disk_line(answer: Mapping[str, Any]) -> str:
    taken, free = answer["database_bytes"], answer["disk_free_bytes"]
    if taken is None or free is None:
        return ""
    return f"{show.size(taken)} in the store, {show.size(free)} free"


_ROUNDS = ("decided", "applied", "certified")


def _services_line(services: Sequence[Mapping[str, Any]]) -> str:
    """Return which services are not well, and why; or that all are."""
    ill = [item for item in services if item["status"] != "healthy"]
    if not ill:
        return f"all {len(services)} healthy"
    return "; ".join(
        f"{show.safe(item['name'])} {show.safe(item['status'])}: {show.safe(item['why'])}"
        for item in ill
    )


def _metric_rows(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the measures that tell whether a cell is well, in one line each."""
    size, number = show.size, show.number
    events = f"{number(metrics['events_in'])} events in, {number(metrics['events_out'])} out"
    repeated = f"{number(metrics['events_repeated'])} of them repeated"
    queues = [
        f"mempool {number(metrics['mempool'])}",
        f"consensus {number(metrics['consensus_queue'])}",
        f"execution {number(metrics['execution_queue'])}",
        f"orphans {number(metrics['orphans'])}",
        f"outbound {size(metrics['outbound_bytes'])}",
    ]
    silent = metrics["silent_because"] or ""
    ends = [f"{show.safe(code)} {number(times)}" for code, times in metrics["ends"].items()]
    return [
        ("no event now", _SILENT.get(silent, show.safe(silent))),
        ("own to order", _latency(metrics["created_to_ordered"])),
        ("other to order", _latency(metrics["received_to_ordered"])),
        ("commit", _latency(metrics["commit"])),
        ("verify", _latency(metrics["verify"])),
        ("traffic", f"{size(metrics['bytes_in'])} in, {size(metrics['bytes_out'])} out"),
        ("gossip", f"{events}, {repeated}"),
        ("queues", ", ".join(queues)),
        ("sessions ended", ", ".join(ends)),
    ]


def _latency(latency: Mapping[str, Any]) -> str:
    if latency["p50_ms"] is None:
        return ""
    return f"p50 {latency['p50_ms']:.1f} ms, p99 {latency['p99_ms']:.1f} ms"


def _member_row(member: Mapping[str, Any]) -> list[str]:
    return [
        show.safe(member["name"]),
        show.safe(member["cell_id"]),
        show.number(member["weight"]),
        "yes" if member["reachable"] else "no",
    ]


def _peer_row(peer: Mapping[str, Any]) -> list[str]:
    rtt_ms = peer["rtt_ms"]
    return [
        show.safe(peer["name"]),
        show.safe(peer["cell_id"]),
        "member" if peer["member"] else "other",
        show.safe(peer["direction"]) if peer["connected"] else "down",
        "–" if rtt_ms is None else f"{rtt_ms:.1f} ms",
        show.size(peer["bytes_in"]),
        show.size(peer["bytes_out"]),
        show.safe(peer["last_error"]),
    ]
