"""What a cell is doing and what it waits for, in numbers and in plain words."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from core.ids import CellId
from gateway.views import MemberView, PeerView, StatusView
from gossip.creator import Refusal
from ledger.roster import Member
from ledger.trie import EMPTY_ROOT
from myceld import VERSION
from node.errors import KeyInUseElsewhere, StateDiverged
from node.exposition import metrics_view
from node.fault_budget import FaultBudget, fault_budget
from node.governance_answers import upgrade_view
from node.member_answers import fork_views
from node.parts import Parts
from node.progress import progress_words
from node.stages.consensus import Consensus

_FORKED: Final = (
    "another process signs events with this cell's key, so this one makes none in this epoch, "
    "and the network removes the key"
)


def status_view(parts: Parts) -> StatusView:
    """Return one screen of what the cell is doing."""
    members = _members(parts)
    header = parts.execution.ledger.header
    phase, words = _phase(parts, members)
    return StatusView(
        version=VERSION,
        cell_id=parts.cell_id,
        name=parts.name,
        role=role_of(parts.consensus),
        network_id=parts.genesis.network_id.hex(),
        network_name=parts.genesis.name,
        uptime_s=round((time.monotonic_ns() - parts.started_ns) / 1e9, 3),
        phase=phase,
        summary=words,
        members_total=len(members),
        members_reachable=sum(member.reachable for member in members),
        members_needed=needed(parts.consensus.roster.weights),
        silent=[member.name for member in members if not member.reachable],
        members=members,
        epoch=parts.consensus.epoch,
        round_decided=parts.consensus.engine.last_decided_round,
        round_applied=parts.execution.ledger.applied_round,
        round_certified=parts.execution.certified_round,
        state_root=(EMPTY_ROOT if header is None else header.state_root).hex(),
        events_total=len(parts.consensus.index),
        events_own=parts.consensus.own_count(),
        transactions_ordered=0 if header is None else header.transactions_total,
        transactions_pending=len(parts.mempool),
        addresses=list(parts.peers.host.addresses),
        gateway_url=parts.gateway_url,
        metrics=metrics_view(parts),
        upgrade=upgrade_view(parts),
        fault_budget=_budget(members).words,
        faults_left=_budget(members).more,
        round_time_ns=None if header is None else header.consensus_time_ns,
        database_bytes=_size_of(parts.database),
        disk_free_bytes=_free_at(parts.directory),
    )


def fault_budget_of(parts: Parts) -> FaultBudget:
    """Return how many members may fail or lie."""
    return _budget(_members(parts))


def role_of(consensus: Consensus) -> str:
    """Return what a cell is to its network, in the network's words."""
    return "rhizomorph" if consensus.me is None else "sclerotium"


def phase_of(parts: Parts) -> tuple[str, str]:
    """Return what the cell does in a word, and in plain words."""
    return _phase(parts, _members(parts))


def summary(parts: Parts) -> str:
    """Return in plain words what the cell does or waits for."""
    return phase_of(parts)[1]


def peer_views(parts: Parts) -> list[PeerView]:
    """Return the peers, members first."""
    names: dict[CellId, Member] = {
        member.cell_id: member for member in parts.consensus.roster.members
    }
    told = dict(parts.peers.book.all())
    cells = {*names, *told, *parts.peers.infos, *parts.peers.connected()} - {parts.cell_id}
    views = []
    for cell_id in sorted(cells, key=lambda cell: (cell not in names, cell)):
        session = parts.peers.session(cell_id)
        info = parts.peers.infos.get(cell_id)
        counters = None if info is None else info.counters
        told_us = parts.peers.host.introduction(cell_id)
        direction = None
        if session is not None:
            direction = "outbound" if session.initiator else "inbound"
        views.append(
            PeerView(
                cell_id=cell_id,
                name=names[cell_id].name if cell_id in names else "",
                member=cell_id in names,
                connected=session is not None,
                direction=direction,
                addresses=list(told.get(cell_id, ())),
                rtt_ms=None
                if session is None or session.rtt_ms is None
                else round(session.rtt_ms, 3),
                bytes_in=0 if counters is None else counters.bytes_in,
                bytes_out=0 if counters is None else counters.bytes_out,
                events_in=0 if counters is None else counters.events_in,
                events_out=0 if counters is None else counters.events_out,
                last_error=None if session is not None or info is None else info.last_error,
                agent="" if told_us is None else told_us.agent_version,
                protocol_version="" if told_us is None else told_us.protocol_version,
            )
        )
    return views


def needed(weights: Sequence[int]) -> int:
    """Return how many of the heaviest members make more than 2/3 of the weight."""
    total, weight = sum(weights), 0
    for count, one in enumerate(sorted(weights, reverse=True), 1):
        weight += one
        if 3 * weight > 2 * total:
            return count
    return len(weights)


def _members(parts: Parts) -> list[MemberView]:
    connected = set(parts.peers.connected())
    return [
        MemberView(
            cell_id=member.cell_id,
            name=member.name,
            weight=member.weight,
            is_self=member.cell_id == parts.cell_id,
            reachable=member.cell_id == parts.cell_id or member.cell_id in connected,
        )
        for member in parts.consensus.roster.members
    ]


def _budget(members: Sequence[MemberView]) -> FaultBudget:
    return fault_budget(
        [member.weight for member in members if member.reachable],
        [member.weight for member in members if not member.reachable],
    )


def _size_of(database: Path) -> int | None:
    """Return the bytes of a store and its log; None for one that is no file."""
    log = database.with_name(database.name + "-wal")
    try:
        return database.stat().st_size + (log.stat().st_size if log.exists() else 0)
    except OSError:
        return None


def _free_at(directory: Path) -> int | None:
    try:
        return shutil.disk_usage(directory).free
    except OSError:
        return None


def _phase(parts: Parts, members: Sequence[MemberView]) -> tuple[str, str]:
    """Return the phase and what it means, in words."""
    if parts.consensus.has_forked:
        return "forked", f"{KeyInUseElsewhere.code}: {_FORKED}. {KeyInUseElsewhere.remedy}"
    transfer = parts.fetching.state
    finding = parts.divergence.finding
    if parts.execution.divergence is not None and not parts.fetching.is_repair:
        words = "looking where" if finding is None else finding.words
        return "diverged", f"{StateDiverged.code}: {words}"
    if transfer is not None and transfer.progress is not None:  # a peer's word alone shows nothing
        return "catching-up", progress_words(transfer)
    weight = sum(member.weight for member in members if member.reachable)
    total = sum(member.weight for member in members)
    if 3 * weight <= 2 * total:
        words = _waiting_words(members, weight, total)
        if parts.consensus.is_observing:
            words += "; reads only until then, as others may know newer events of this cell"
        return "waiting", words
    if parts.consensus.is_observing:
        return "observing", "asking the others for our own newest events before making new ones"
    reachable = sum(member.reachable for member in members)
    words = f"{reachable} of {len(members)} members reachable{_without_vote(parts)}"
    if parts.consensus.has_work:
        if parts.consensus.why_silent is Refusal.NO_QUORUM:
            return "ordering", f"waiting for events of more members; {words}"
        return "ordering", f"ordering transactions; {words}"
    return "idle", f"nothing to do; {words}"


def _without_vote(parts: Parts) -> str:
    """Return why this cell has no vote, if that is because of its key; else nothing."""
    if parts.consensus.me is not None:
        return ""
    if parts.execution.gave_up_key:
        return "; no vote: this key was given up for one that is not in the cell's key file"
    own = [fork for fork in fork_views(parts) if fork.cell_id == parts.cell_id]
    if not own:
        return ""
    return f"; no vote: a fork of this cell's key in epoch {own[0].epoch} was proven"


def _waiting_words(members: Sequence[MemberView], weight: int, total: int) -> str:
    reachable = sum(member.reachable for member in members)
    silent = ", ".join(member.name for member in members if not member.reachable)
    words = (
        f"{reachable} of {len(members)} members reachable, "
        f"{needed([member.weight for member in members])} needed; silent: {silent}"
    )
    if len({member.weight for member in members}) > 1:
        words += f" (weight {weight} of {total}, more than {2 * total // 3} needed)"
    return words
