"""Why a transaction, a cell or the whole network is where it is: read off the parts, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from core.findings import find
from core.ids import CellId, TransactionId, public_key_of
from gateway.doctor_routes import ReasonView, WhyView
from gateway.views import InviteUseView, ReceiptView, Stage
from identity.trust.policy import NEEDS, Level
from node.clock import wall_ns
from node.doctor.limits import CLOCK_APART_MS
from node.doctor.running import clock_views
from node.governance_answers import upgrade_view
from node.invite_tables import is_guest
from node.parts import Parts
from node.session import now_ms
from node.status import fault_budget_of, phase_of, status_view

_NS_A_SECOND: Final = 1_000_000_000
_WAITS_FOR: Final = {
    "accepted": "for the cell's next event, which carries it",
    "stored": "for members with more than 2/3 of the weight to see its event, and theirs",
    "ordered": "to be applied with its round",
    "applied": "for signatures of members with more than 2/3 of the weight",
}
_STAGES: Final = {
    "accepted": "checked, and queued in memory",
    "stored": "in a signed event on this disk",
    "ordered": "has its place in the order",
    "applied": "in the state of this cell",
    "certified": "in a state that more than 2/3 of the weight signed",
}
_CAME_TO: Final = {
    "joined": "no vote was asked for",
    "waiting": "it is proposed as a member once it is connected in the present epoch",
    "proposed": "proposed as a member; the members vote (`myceld gov list`)",
    "accepted": "accepted as a member, from the next epoch on",
    "expired": "too few members voted for it in time",
    "refused": "refused as a member",
    "voting": "a member",
}
_ENDED: Final = frozenset({"expired", "refused"})


def why_transaction(parts: Parts, receipt: ReceiptView) -> WhyView:
    """Return why a transaction is where it is."""
    stage = Stage[receipt.stage.upper()]
    reasons = [_stage(receipt, one, stage) for one in Stage]
    remedy = ""
    if receipt.refusal is not None:
        answer = f"refused when it was applied: {receipt.refusal.message}"
        reasons.append(ReasonView("refused", ok=False, detail=receipt.refusal.code))
        remedy = f"`myceld explain {receipt.refusal.code}` says what that means."
    elif stage is Stage.CERTIFIED:
        answer = "done: applied, and certified by more than 2/3 of the weight"
    else:
        answer = f"{receipt.stage}; it waits {_WAITS_FOR[receipt.stage]}"
        stall = why_stall(parts)
        reasons += stall.reasons
        remedy = stall.remedy
        if not all(one.ok is not False for one in stall.reasons):
            answer += f". {stall.answer}"
        if TransactionId(bytes.fromhex(receipt.id)) in parts.mempool:
            reasons.append(ReasonView("mempool", ok=None, detail="it is in no event yet"))
    return WhyView("transaction", receipt.id, answer, reasons, remedy)


def why_cell(parts: Parts, cell: CellId, used: Callable[[], list[InviteUseView]]) -> WhyView:
    """Return why a cell is connected and trusted, or not; `used` says who came by a ticket."""
    reasons = [*_about_link(parts, cell, used), *_about_trust(parts, cell)]
    session = parts.peers.session(cell)
    banned_ms = parts.peers.conduct.standings.banned_ms(cell, now_ms())
    remedy = ""
    if cell == parts.cell_id:
        answer = "this is the cell itself"
    elif session is not None:
        answer = "connected"
    elif banned_ms > 0:
        answer = f"banned for {banned_ms / 1000:,.0f} s yet: it sent what breaks the protocol"
        remedy = find("MYC-DOCTOR-104", "").remedy
    elif not parts.peers.book.addresses(cell):
        answer = "not connected: no address of it is known"
        remedy = "Name its address in config.yaml under `bootstrap`, or wait until it calls."
    else:
        answer = "not connected: none of its addresses answers"
        remedy = "See that it runs (`myceld status` there), and that nothing is between the two."
    level = parts.trust.policy.level(parts.access.score(cell))
    answer += f"; access {level.word}"
    return WhyView("cell", cell, answer, reasons, remedy)


def why_stall(parts: Parts) -> WhyView:
    """Return why nothing new is ordered, or that the network goes on."""
    budget, status = fault_budget_of(parts), status_view(parts)
    phase, words = phase_of(parts)
    has_quorum = budget.needed == 0
    reasons = [
        ReasonView("quorum", ok=has_quorum, detail=f"{_weights(parts)}. {budget.words}"),
        *_about_members(parts),
        *_about_clocks(parts),
        ReasonView(
            "state",
            ok=parts.execution.divergence is None,
            detail="as certified" if parts.execution.divergence is None else words,
        ),
        ReasonView("last round", ok=None, detail=_last_round(parts)),
    ]
    upgrade = upgrade_view(parts)
    if upgrade is not None:
        detail = f"{upgrade.release} from epoch {upgrade.epoch} on"
        missing = f"; not ready: {', '.join(upgrade.missing)}" if upgrade.missing else ""
        reasons.append(ReasonView("upgrade", ok=upgrade.is_known, detail=detail + missing))
    if phase == "forked":
        finding = find("MYC-DOCTOR-103", "")
        return WhyView("stall", parts.cell_id, words, reasons, finding.remedy)
    if phase == "diverged":
        finding = find("MYC-DOCTOR-102", "", home=parts.directory)
        return WhyView("stall", parts.cell_id, words, reasons, finding.command)
    if not has_quorum:
        answer = f"the network waits: {budget.words} ({', '.join(status.silent)})"
        remedy = find("MYC-DOCTOR-100", "").remedy
        return WhyView("stall", parts.cell_id, answer, reasons, remedy)
    if phase in ("catching-up", "observing", "waiting"):
        return WhyView("stall", parts.cell_id, f"this cell is not ready: {words}", reasons, "")
    return WhyView("stall", parts.cell_id, f"nothing stalls: {words}", reasons, "")


def _stage(receipt: ReceiptView, one: Stage, reached: Stage) -> ReasonView:
    when = receipt.stages_ns.get(one.word)
    is_past = one <= reached
    at = "" if when is None else f", {_ago(when)}"
    detail = f"{_STAGES[one.word]}{at}" if is_past else "not yet"
    return ReasonView(one.word, ok=is_past or None, detail=detail)


def _ago(time_ns: int) -> str:
    return f"{max(0, wall_ns() - time_ns) / _NS_A_SECOND:,.1f} s ago"


def _about_link(
    parts: Parts, cell: CellId, used: Callable[[], list[InviteUseView]]
) -> Iterator[ReasonView]:
    members = {member.cell_id: member for member in parts.consensus.roster.members}
    member, book = members.get(cell), parts.peers.book
    role = "no member" if member is None else f"member {member.name}, weight {member.weight}"
    yield ReasonView("role", ok=None, detail=role)
    if member is None:
        yield from _about_tickets(cell, used())
    session = parts.peers.session(cell)
    if session is not None:
        way = "called by us" if session.initiator else "called us"
        trip = "" if session.rtt_ms is None else f", round trip {session.rtt_ms:.1f} ms"
        yield ReasonView("link", ok=True, detail=f"{way}{trip}")
    elif cell != parts.cell_id:
        info = parts.peers.infos.get(cell)
        why = "never tried" if info is None or not info.last_error else info.last_error
        yield ReasonView("link", ok=False, detail=why)
    entry = book.entry(cell)
    seen_ns = 0 if entry is None else entry.reached_ns
    yield ReasonView("last contact", ok=None, detail=_ago(seen_ns) if seen_ns else "never")
    addresses = book.addresses(cell)
    yield ReasonView(
        "addresses", ok=bool(addresses) or None, detail=", ".join(addresses[:4]) or "none known"
    )
    conduct, now = parts.peers.conduct, now_ms()
    banned_ms = conduct.standings.banned_ms(cell, now)
    points = conduct.standings.points(cell, now)
    detail = f"{points:.0f} points"
    if banned_ms:
        detail = f"banned for {banned_ms / 1000:,.0f} s yet"
    elif conduct.is_throttled(cell):
        detail += ", served after the others"
    yield ReasonView("conduct", ok=banned_ms == 0, detail=detail)


def _about_tickets(cell: CellId, used: Sequence[InviteUseView]) -> Iterator[ReasonView]:
    for use in used:
        if use.cell_id != cell:
            continue
        name = f", to be called {use.name}" if use.name else ""
        detail = f"came by one of this cell {_ago(use.joined_ns)}{name}: {_CAME_TO[use.state]}"
        if use.problem is not None:
            detail += f" ({use.problem})"
        is_fine = None if use.state not in _ENDED else False
        yield ReasonView("ticket", ok=is_fine, detail=detail)


def _about_trust(parts: Parts, cell: CellId) -> Iterator[ReasonView]:
    policy, score = parts.trust.policy, parts.access.score(cell)
    level = policy.level(score)
    is_member = parts.consensus.roster.index_of(public_key_of(cell)) is not None
    by = "its own view, or the network's if that is better" if is_member else "its own view"
    if any(is_guest(parts.store, one) for one in parts.trust.lines.ids(cell)):
        by += ", and a ticket of this cell"
    yield ReasonView("score", ok=None, detail=f"{score:.3f}, by {by}")
    refused = sorted(kind for kind, need in NEEDS.items() if policy.needs.get(kind, need) > level)
    least = next((one for one in Level if one > level), None)
    detail = "may ask everything"
    if refused:
        more = "" if least is None else f"; {least.word} begins at {policy.scores[least]:g}"
        detail = f"{level.word}: may not ask {', '.join(refused)}{more}"
    yield ReasonView("access", ok=None, detail=detail)


def _about_members(parts: Parts) -> Iterator[ReasonView]:
    for member in status_view(parts).members:
        if member.reachable:
            continue
        info = parts.peers.infos.get(CellId(member.cell_id))
        entry = parts.peers.book.entry(CellId(member.cell_id))
        seen = "never seen" if entry is None or not entry.reached_ns else _ago(entry.reached_ns)
        why = "" if info is None or not info.last_error else f": {info.last_error}"
        yield ReasonView(f"member {member.name}", ok=False, detail=f"missing, {seen}{why}")


def _about_clocks(parts: Parts) -> Iterator[ReasonView]:
    for clock in clock_views(parts):
        if clock.ahead_ms is not None and abs(clock.ahead_ms) > CLOCK_APART_MS:
            detail = f"{clock.ahead_ms / 1000:+,.0f} s from ours"
            yield ReasonView(f"clock of {clock.name}", ok=False, detail=detail)


def _weights(parts: Parts) -> str:
    members = status_view(parts).members
    here = sum(member.weight for member in members if member.reachable)
    total = sum(member.weight for member in members)
    return f"weight {here} of {total} is connected, more than {2 * total // 3} is needed"


def _last_round(parts: Parts) -> str:
    header = parts.execution.ledger.header
    if header is None:
        return "none yet"
    certified = parts.execution.certified_round
    ago = _ago(header.consensus_time_ns)
    return f"round {header.round} applied, of {ago}; certified up to {certified}"
