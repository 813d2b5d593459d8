"""What `myceld top` shows of two looks at a cell, and what its keys change; text in, text out.

Above is what the cell does and what is wrong with it, and always seen. Below are peers and
journals, which can be turned over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cli import show

HINT: Final = "q quit  p hold  s sort  r reverse  ↑ ↓ PgUp PgDn turn"
_FINDINGS_MAX: Final = 5
_BELOW_MIN: Final = 3
"""Lines that the lower part has on a small terminal too."""

_Peer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """What the cell said at one moment."""

    at_s: float
    status: Mapping[str, Any]
    peers: Sequence[_Peer]
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


def _trip(peer: _Peer) -> tuple[bool, float]:
    return peer["rtt_ms"] is None, peer["rtt_ms"] or 0.0


SORTS: Final[tuple[tuple[str, Callable[[_Peer], Any]], ...]] = (
    ("round trip", _trip),
    ("peer", lambda peer: (peer["name"] or "", peer["cell_id"])),
    ("in", lambda peer: -peer["bytes_in"]),
    ("out", lambda peer: -peer["bytes_out"]),
)
"""The columns that peers can be sorted by; by traffic the most comes first."""

_HEAD: Final = ("peer", "link", "round trip", "in", "out")


@dataclass(frozen=True, slots=True)
class View:
    """How it is shown."""

    sort: int = 0
    reverse: bool = False
    is_held: bool = False
    first: int = 0
    """The line of the lower part that is shown first."""

    def pressed(self, key: str, *, page: int) -> View:
        """Return the view after a key; `page` is how many lines the lower part has room for."""
        match key:
            case "p" | " ":
                return replace(self, is_held=not self.is_held)
            case "s":
                return replace(self, sort=(self.sort + 1) % len(SORTS))
            case "r":
                return replace(self, reverse=not self.reverse)
            case "home":
                return replace(self, first=0)
            case "end":
                return replace(self, first=1 << 30)
        step = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -page, "page down": page}
        return replace(self, first=max(0, self.first + step.get(key, 0)))


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


@dataclass(frozen=True, slots=True)
class Screen:
    """What is drawn."""

    lines: list[str]
    view: View
    """The view that it shows: not beyond the end."""
    page: int
    """Lines that there is room for in the lower part."""


def screen_of(
    now: Look, rates: Rates, view: View, size: tuple[int, int], trouble: str = ""
) -> Screen:
    """Return a screen of (width, height).

    `trouble` is why the cell could not be asked the last time.
    """
    width, height = size
    above, below = upper_lines(now, rates), lower_lines(now, view)
    if trouble:
        above = [trouble, "", *above]
    if len(above) > height - _BELOW_MIN - 1:  # a small terminal
        above = [line for line in above if line][: max(0, height - _BELOW_MIN - 1)]
    room = max(1, height - len(above) - 1)
    view = replace(view, first=max(0, min(view.first, len(below) - room)))
    shown = below[view.first : view.first + room]
    where = "" if len(below) <= room else f"{_where(view.first, shown, below)}   "
    foot = f"{'HELD   ' if view.is_held else ''}{where}{HINT}"
    shown += [""] * (room - len(shown))
    return Screen([line[:width] for line in (*above, *shown, foot)][-height:], view, room)


def upper_lines(now: Look, rates: Rates) -> list[str]:
    """Return what the cell does, and what is wrong with it."""
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
    findings = now.doctor["findings"]
    lines += [
        f"{one['severity']} {one['code']}: {show.safe(one['what'])}"
        for one in findings[:_FINDINGS_MAX]
    ]
    if len(findings) > _FINDINGS_MAX:
        lines.append(f"and {len(findings) - _FINDINGS_MAX} findings more: myceld doctor")
    return [*lines, ""] if findings else lines


def lower_lines(now: Look, view: View) -> list[str]:
    """Return the peers, in the order of the view, and the journals."""
    lines = [*_peer_lines(now.peers, view), "", f"{'journal':<14}{'blocks':>12}  service"]
    return lines + [
        f"{show.safe(one['journal']):<14}{show.number(one['blocks']):>12}  "
        f"{show.safe(one['status'])}"
        for one in now.services
    ]


def _peer_lines(peers: Sequence[_Peer], view: View) -> list[str]:
    if not peers:
        return ["no other cell is known"]
    by, key = SORTS[view.sort]
    head = {
        name: f"{name} {'▴' if view.reverse else '▾'}" if name == by else name for name in _HEAD
    }
    peer, link, *columns = head.values()
    lines = [f"{peer:<24}{link:<10}" + "".join(f"{one:>12}" for one in columns)]
    for one in sorted(peers, key=key, reverse=view.reverse):
        trip = "–" if one["rtt_ms"] is None else f"{one['rtt_ms']:.1f} ms"
        link = one["direction"] if one["connected"] else "down"
        name = show.safe(one["name"] or one["cell_id"][-12:])[:22]
        lines.append(
            f"{name:<24}{show.safe(link):<10}{trip:>12}{show.size(one['bytes_in']):>12}"
            f"{show.size(one['bytes_out']):>12}"
        )
    return lines


def _where(first: int, shown: Sequence[str], below: Sequence[str]) -> str:
    return f"lines {first + 1} to {first + len(shown)} of {len(below)}"
