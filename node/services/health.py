"""How each service of a cell is, and why: read off its parts, nothing is kept or measured here."""

from __future__ import annotations

from typing import Final, TypeAlias

from identity.messages.limits import WAITING_TOTAL_MAX
from node.limits import CERTIFIED_LAG_ROUNDS_MAX, MESSAGES_WAITING_SHARE
from node.parts import Parts
from node.services.health_watch import DEGRADED, UNHEALTHY, Health
from node.status import phase_of

Phase: TypeAlias = tuple[str, str]
_WORKING: Final = ("idle", "ordering")


def health_of(parts: Parts) -> dict[str, Health]:
    """Return the health of each service by its name."""
    return {
        "nucleus": nucleus_health(parts.audit.lost_total),
        "consensus": consensus_health(phase_of(parts)),
        "state": state_health(
            parts.execution.ledger.applied_round,
            parts.execution.certified_round,
            is_full=parts.execution_inbox.full(),
            has_diverged=parts.execution.divergence is not None,
        ),
        "identity": identity_health(is_read=parts.trust.is_read),
        "message": message_health(parts.messages.desk.waiting_total()),
    }


def nucleus_health(lost: int) -> Health:
    """Judge by the rows of the audit journal that were only counted."""
    if not lost:
        return Health()
    return Health(DEGRADED, f"{lost} rows of the audit journal were counted only: too many came")


def consensus_health(phase: Phase) -> Health:
    """Judge by what the cell does."""
    word, why = phase
    if word in _WORKING:
        return Health()
    return Health(UNHEALTHY if word in ("forked", "diverged") else DEGRADED, why)


def state_health(
    applied: int, certified: int, *, is_full: bool, has_diverged: bool = False
) -> Health:
    """Judge by how far applying and certifying are behind."""
    if has_diverged:
        return Health(UNHEALTHY, "the network certified another state than this cell computed")
    if is_full:
        return Health(DEGRADED, "decided rounds wait to be applied")
    if applied - certified > CERTIFIED_LAG_ROUNDS_MAX:
        return Health(DEGRADED, f"round {applied} is applied, {certified} the last certified one")
    return Health()


def identity_health(*, is_read: bool) -> Health:
    """Judge by whether the attestations in the state were read since the start."""
    return Health() if is_read else Health(DEGRADED, "reading whom this cell trusts")


def message_health(waiting: int) -> Health:
    """Judge by the messages that wait to be delivered."""
    if waiting >= WAITING_TOTAL_MAX:
        return Health(UNHEALTHY, f"{waiting} messages wait to be delivered: no more are taken")
    if waiting >= MESSAGES_WAITING_SHARE * WAITING_TOTAL_MAX:
        return Health(DEGRADED, f"{waiting} messages wait to be delivered")
    return Health()
