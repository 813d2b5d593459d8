"""What a running cell finds wrong with itself, which only it knows. Reads off its parts.

The same kinds of findings as of its directory; whoever asks puts the two together.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from typing import Final

import psutil

from core.findings import Finding, find
from core.ids import CellId
from gateway.doctor_routes import ClockView, DoctorView
from myceld.version import AGENT
from node.doctor.limits import CLOCK_APART_MS, FSYNC_MS_SLOW
from node.doctor.machine import check_log, check_process, check_room
from node.governance_answers import upgrade_view
from node.parts import Parts
from node.services.health import health_of
from node.services.health_watch import DEGRADED
from node.session import now_ms
from node.status import fault_budget_of, status_view

_MS_A_SECOND: Final = 1000


def doctor_view(parts: Parts) -> DoctorView:
    """Return the findings of a running cell, and what they were read off."""
    process = psutil.Process()
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    audits = {name: parts.audits.view(name) for name in parts.store.journals()}
    return DoctorView(
        findings=list(_findings(parts)),
        clocks=clock_views(parts),
        files_open=process.num_fds(),
        files_max=soft,
        memory_bytes=process.memory_info().rss,
        cpu_s=round(sum(process.cpu_times()[:2]), 3),
        journals_audited=[name for name, seen in audits.items() if seen and seen.state == "ok"],
    )


def clock_views(parts: Parts) -> list[ClockView]:
    """Return how far the clocks of the other members are from this cell's."""
    clocks = parts.metrics.clocks
    return [
        ClockView(member.cell_id, member.name, None if ms is None else round(ms, 3))
        for number, member in enumerate(parts.consensus.roster.members)
        if member.cell_id != parts.cell_id
        for ms in (clocks.offset_ms(number),)
    ]


def _findings(parts: Parts) -> Iterator[Finding]:
    yield from _network(parts)
    yield from _clocks(parts)
    yield from _versions(parts)
    yield from _banned(parts)
    yield from _journals(parts)
    yield from _services(parts)
    yield from check_room(parts.directory)
    yield from check_log(parts.database)
    yield from check_process()
    commit_ms = parts.metrics.commit.quantile_ms(0.5)
    if commit_ms is not None and commit_ms > FSYNC_MS_SLOW:
        yield find("MYC-DOCTOR-052", f"a commit of an own event takes {commit_ms:.0f} ms")


def _network(parts: Parts) -> Iterator[Finding]:
    status, budget = status_view(parts), fault_budget_of(parts)
    missing = ", ".join(status.silent)
    if status.phase == "forked":
        yield find("MYC-DOCTOR-103", status.summary)
    if parts.execution.divergence is not None:
        yield find("MYC-DOCTOR-102", status.summary, home=parts.directory)
    if budget.needed:
        yield find("MYC-DOCTOR-100", f"{budget.words}; missing: {missing}")
    elif budget.missing:
        yield find("MYC-DOCTOR-101", f"{budget.words}; missing: {missing}")


def _clocks(parts: Parts) -> Iterator[Finding]:
    usual_ms = parts.metrics.clocks.usual_offset_ms()
    if usual_ms is not None and abs(usual_ms) > CLOCK_APART_MS:
        way = "behind" if usual_ms > 0 else "ahead of"
        seconds = abs(usual_ms) / _MS_A_SECOND
        yield find("MYC-DOCTOR-081", f"this clock is {seconds:,.0f} s {way} the others'")
        return
    for clock in clock_views(parts):
        if clock.ahead_ms is not None and abs(clock.ahead_ms) > CLOCK_APART_MS:
            way = "ahead" if clock.ahead_ms > 0 else "behind"
            seconds = abs(clock.ahead_ms) / _MS_A_SECOND
            yield find("MYC-DOCTOR-081", f"the clock of {clock.name} is {seconds:,.0f} s {way}")


def _versions(parts: Parts) -> Iterator[Finding]:
    upgrade = upgrade_view(parts)
    if upgrade is not None and not upgrade.is_known:
        yield find("MYC-DOCTOR-106", f"{upgrade.release}, from epoch {upgrade.epoch} on")
    others = {
        told.agent_version
        for cell in parts.peers.connected()
        if (told := parts.peers.host.introduction(cell)) is not None and told.agent_version
    }
    if others - {AGENT}:
        named = ", ".join(sorted(others - {AGENT}))
        yield find("MYC-DOCTOR-105", f"this is {AGENT}; there are {named}")


def _banned(parts: Parts) -> Iterator[Finding]:
    standings, now = parts.peers.conduct.standings, now_ms()
    for cell in sorted(standings.banned_cells(now)):
        left_s = standings.banned_ms(CellId(cell), now) / _MS_A_SECOND
        yield find("MYC-DOCTOR-104", f"{cell} for {left_s:,.0f} s yet")


def _journals(parts: Parts) -> Iterator[Finding]:
    for name in parts.store.journals():
        audit = parts.audits.view(name)
        if audit is not None and audit.state == "failed":
            yield find("MYC-DOCTOR-107", f"{name}: {audit.error}")


def _services(parts: Parts) -> Iterator[Finding]:
    told_of = {"consensus"}  # by the findings about the network
    for name, health in health_of(parts).items():
        if health.status != "healthy" and name not in told_of:
            word = "slow" if health.status == DEGRADED else health.status
            yield find("MYC-DOCTOR-108", f"{name} is {word}: {health.why}")
