"""What must hold at the end of a chaos run, over all that every cell has written.

order       all cells list the same transactions: order, times, outcomes, events
once        none is applied twice
times       consensus times strictly rise from round to round
kept        what was acknowledged is applied
states      equal rounds have equal headers and state roots
no fork     no two events of one member in one epoch have one sequence number, in any journal
journals    each cell's audit of each of its journals is clean
heads       no head that a cell published contradicts what it has (`chaos_heads`)
messages    what was acknowledged arrived, once and in order (`chaos_talk`)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, TypeAlias

from chaos_cell import PAGE, READ_S, Cell, wait_until
from chaos_errors import (
    ACKNOWLEDGED_LOST,
    APPLIED_TWICE,
    ENDED_BY_ITSELF,
    FORKED,
    JOURNAL_DAMAGED,
    ORDERS_DIFFER,
    STATES_DIFFER,
    TIMES_FALL,
    Finding,
    NetworkNotUp,
)
from chaos_heads import HeadWatch, own_journals
from chaos_talk import Talk, check_talks

from hashgraph.event import decode_any_event
from ledger.genesis import from_json
from myceld import CellRefused, Client

AUDIT_S: Final = 120.0
_FETCHED: Final = "unknown"
_FETCHED_LINE: Final = ("position", "id", "round", "consensus_time_ns", "event", "outcome")
_BAD_WORDS: Final = ("Traceback (most recent call last)", "MYC-CORE-001", "MYC-LEDGER-021")

Line: TypeAlias = Mapping[str, Any]


def check_all(
    cells: Sequence[Cell],
    acknowledged: Sequence[str],
    watch: HeadWatch,
    talks: Sequence[Talk],
) -> list[Finding]:
    """Return every breach; the cells run and are at rest."""
    findings = check_talks(talks) + watch.findings
    places: dict[tuple[int, int, int], bytes] = {}
    known: dict[int, Line] = {}
    rounds: dict[int, Line] = {}
    ends: dict[str, int] = {}
    for cell in cells:
        with Client.from_home(cell.home, timeout_s=READ_S) as client:
            order = list(_lines(client.transactions))
            ends[cell.name] = order[-1]["position"] + 1 if order else 0
            findings += check_same_order(cell.name, order, known)
            findings += check_rounds(cell.name, _lines(client.rounds), rounds)
            findings += _check_events(cell, client, places)
            findings += _audited(cell, client)
            findings += watch.check(cell, client)
        findings += check_log(cell.name, cell.said(0))
    if len(set(ends.values())) > 1:
        findings.append(Finding(ORDERS_DIFFER, f"orders of different lengths: {ends}"))
    return findings + check_order([known[at] for at in sorted(known)], acknowledged)


def check_order(order: Sequence[Line], acknowledged: Sequence[str]) -> list[Finding]:
    """Check the order that all cells have, put together of what each of them has."""
    applied = Counter(line["id"] for line in order if line["outcome"] == "applied")
    twice = [one for one, count in applied.items() if count > 1]
    lost = [one for one in acknowledged if one not in applied]
    falls = _falls(order)
    findings = []
    if [line["position"] for line in order] != list(range(len(order))):
        findings.append(Finding(ORDERS_DIFFER, "there are positions that no cell has"))
    if twice:
        findings.append(Finding(APPLIED_TWICE, f"{len(twice)} transactions, {twice[0]}"))
    if lost:
        detail = f"{len(lost)} of {len(acknowledged)} acknowledged, {lost[0]}"
        findings.append(Finding(ACKNOWLEDGED_LOST, detail))
    if falls:
        findings.append(Finding(TIMES_FALL, f"{falls} times are not later than those before"))
    return findings


def check_same_order(name: str, order: Sequence[Line], known: dict[int, Line]) -> list[Finding]:
    """Check that a cell's order is that of others, and note it.

    A cell that went on from a checkpoint lacks what was before; of the checkpoint's own lines it
    has only what receipts say.
    """
    for line in order:
        other = known.setdefault(line["position"], line)
        mine = line
        if other["kind"] == _FETCHED:
            known[line["position"]] = line
        if _FETCHED in (mine["kind"], other["kind"]):
            mine = {key: mine[key] for key in _FETCHED_LINE}
            other = {key: other[key] for key in _FETCHED_LINE}
        if mine != other:
            return [Finding(ORDERS_DIFFER, f"{name}: {mine} is elsewhere {other}")]
    return []


def check_rounds(name: str, rounds: Iterator[Line], known: dict[int, Line]) -> list[Finding]:
    """Check that a cell's rounds are those that others had, and note them."""
    for line in rounds:
        same = {key: value for key, value in line.items() if key != "certified"}
        if known.setdefault(line["round"], same) != same:
            detail = f"{name}: round {line['round']} has header {line['header_hash']}"
            return [Finding(STATES_DIFFER, detail)]
    return []


def check_log(name: str, text: str) -> list[Finding]:
    """Check that a cell never ended by an error that nobody declared, or a broken invariant."""
    found = [word for word in _BAD_WORDS if word in text]
    return [Finding(ENDED_BY_ITSELF, f"{name}: its log has {word}") for word in found]


def _falls(order: Sequence[Line]) -> int:
    """Return how often a time is no later than one of a round before, or two events have one.

    Inside a round the transactions of one sender are in the order of their nonces.
    """
    times: dict[int, list[int]] = {}
    events: dict[int, set[str]] = {}
    for line in order:
        times.setdefault(line["round"], []).append(line["consensus_time_ns"])
        events.setdefault(line["consensus_time_ns"], set()).add(line["event"])
    shared = sum(len(those) > 1 for those in events.values())
    return shared + sum(max(one) >= min(two) for one, two in pairwise(times.values()))


def _check_events(
    cell: Cell, client: Client, places: dict[tuple[int, int, int], bytes]
) -> list[Finding]:
    genesis = from_json((cell.home / "genesis.json").read_bytes())

    def page(*, start: int, limit: int) -> Line:
        return client.journal_blocks("consensus", start=start, limit=limit)

    for block in _lines(page):
        event, _ = decode_any_event(bytes.fromhex(block["data_hex"]), genesis.network_id)
        place = (event.epoch, event.creator, event.sequence)
        if places.setdefault(place, event.id) != event.id:
            member = genesis.members[event.creator].name
            detail = f"{cell.name}: two events {event.sequence} of {member} in epoch {event.epoch}"
            return [Finding(FORKED, detail)]
    return []


def _audited(cell: Cell, client: Client) -> list[Finding]:
    findings = []
    for name in [item["name"] for item in own_journals(client)]:
        client.audit_journal(name)

        def view(name: str = name) -> Line:
            return client.audit_of_journal(name)

        try:
            wait_until(lambda view=view: view()["state"] != "running", AUDIT_S, "the audit runs")  # type: ignore[misc]  # a bound default
        except NetworkNotUp as error:
            findings.append(Finding(JOURNAL_DAMAGED, f"{cell.name}, journal {name}: {error}"))
            continue
        if view()["state"] != "ok":
            findings.append(Finding(JOURNAL_DAMAGED, f"{cell.name}, journal {name}: {view()}"))
    return findings


def _lines(page: Callable[..., Line]) -> Iterator[Line]:
    """Yield all items of a paged list that the cell has; a checkpoint may have left some out."""
    start: int | None = 0
    while start is not None:
        try:
            answer = page(start=start, limit=PAGE)
        except CellRefused as refused:
            goes_on = re.search(r"goes on at (\d+)", refused.detail)
            if goes_on is None or int(goes_on[1]) <= start:
                raise
            start = int(goes_on[1])
            continue
        yield from answer["items"]
        start = answer["next"]
