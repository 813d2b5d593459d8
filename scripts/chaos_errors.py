"""Why a chaos run can not go on, and what it found: each with a code."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import LocalMisuse, OperationalFault


class BadManifest(LocalMisuse):
    """A manifest that can not be read, or asks for something impossible."""

    code = "MYC-CHAOS-001"
    remedy = "Write one with --save, and change that."


class NetworkNotUp(OperationalFault):
    """The network of the run did not come up, or nothing moves in it."""

    code = "MYC-CHAOS-002"
    remedy = "Look at the daemon.log of each cell in the directory that is named."


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of a promise."""

    code: str
    detail: str

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


NEVER_HIT = "MYC-CHAOS-003"
ORDERS_DIFFER = "MYC-CHAOS-010"
STATES_DIFFER = "MYC-CHAOS-011"
ACKNOWLEDGED_LOST = "MYC-CHAOS-012"
APPLIED_TWICE = "MYC-CHAOS-013"
TIMES_FALL = "MYC-CHAOS-014"
FORKED = "MYC-CHAOS-015"
JOURNAL_DAMAGED = "MYC-CHAOS-016"
NOT_BACK = "MYC-CHAOS-017"
STOOD_STILL = "MYC-CHAOS-018"
ENDED_BY_ITSELF = "MYC-CHAOS-019"
HEADS_CONTRADICT = "MYC-CHAOS-020"
MESSAGE_LOST = "MYC-CHAOS-021"
MESSAGES_OUT_OF_ORDER = "MYC-CHAOS-022"
