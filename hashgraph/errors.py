"""Declared errors of the hashgraph, by whose fault they are.

Bytes that are not an event and events that contradict the rules are the creator's fault
(RemoteViolation); feeding the engine out of order is ours (LocalMisuse); a journal that does not
hold what it held is an OperationalFault.
"""

from __future__ import annotations

from core.errors import LocalMisuse, OperationalFault, RemoteViolation


class MalformedEvent(RemoteViolation):
    """Bytes that are not the canonical encoding of an event."""

    code = "MYC-HASHGRAPH-001"
    remedy = "The sender must use the event encoding of hashgraph/event.py."


class EventOutOfBounds(RemoteViolation):
    """An event that breaks a named bound or a rule of its own fields."""

    code = "MYC-HASHGRAPH-002"
    remedy = "The creator must keep the bounds of hashgraph/limits.py."


class WrongNetwork(RemoteViolation):
    """An event made for another network."""

    code = "MYC-HASHGRAPH-003"
    remedy = "Both cells must come from one genesis; compare `myceld status` on both."


class WrongEpoch(RemoteViolation):
    """An event made for another epoch."""

    code = "MYC-HASHGRAPH-004"
    remedy = "The event is dropped; its creator puts its transactions again in the current epoch."


class UnknownMember(RemoteViolation):
    """An event whose creator is not in the roster of the epoch."""

    code = "MYC-HASHGRAPH-005"
    remedy = "The event is dropped; only members of the epoch create events."


class BrokenChain(RemoteViolation):
    """An event whose self-parent is by someone else or has not the sequence number before it."""

    code = "MYC-HASHGRAPH-006"
    remedy = "The event is dropped; its creator does not follow the protocol."


class UnfitEvent(LocalMisuse):
    """Our own fields do not make an event that others accept."""

    code = "MYC-HASHGRAPH-010"
    remedy = "Put less into one event; the bounds are in hashgraph/limits.py."


class UnknownParent(LocalMisuse):
    """An event was added before one of its parents."""

    code = "MYC-HASHGRAPH-011"
    remedy = "Hold the event back until its parents are added."
    retryable = True


class DuplicateEvent(LocalMisuse):
    """An event was added twice."""

    code = "MYC-HASHGRAPH-012"
    remedy = "Ask `event_id in engine` first."


class UnknownEvent(LocalMisuse):
    """A question about an event that was never added."""

    code = "MYC-HASHGRAPH-013"
    remedy = "Ask `event_id in engine` first."


class UnfitRules(LocalMisuse):
    """Weights, coin period or another parameter the engine cannot work with."""

    code = "MYC-HASHGRAPH-014"
    remedy = (
        "Weights are integers of at least 0 with a sum above 0; the coin period is at least 2, "
        "an epoch has at least one round; rule sets are 1 and 2."
    )


class MalformedVector(LocalMisuse):
    """A file that is not hashgraph-vector/1."""

    code = "MYC-HASHGRAPH-015"
    remedy = "The format is described in hashgraph/vector.py."


class EpochSealed(LocalMisuse):
    """An event was added to an epoch that is sealed."""

    code = "MYC-HASHGRAPH-016"
    remedy = "The event is dropped; its creator puts its transactions again in the next epoch."


class MalformedEvidence(RemoteViolation):
    """Bytes that are not the canonical encoding of fork evidence."""

    code = "MYC-HASHGRAPH-017"
    remedy = "The sender must use the encoding of hashgraph/evidence.py."


class NoFork(RemoteViolation):
    """Two events that do not prove a fork."""

    code = "MYC-HASHGRAPH-018"
    remedy = "The evidence is dropped: it proves nothing against anyone."


class ForgedEvidence(RemoteViolation):
    """Evidence with an event that its creator did not sign."""

    code = "MYC-HASHGRAPH-019"
    remedy = "The evidence is dropped: it proves nothing against anyone."


class NothingToExplain(LocalMisuse):
    """A name that is no event of the graph."""

    code = "MYC-HASHGRAPH-020"
    remedy = "Use the `id` of one of the events in the file."


class OldEventFormat(RemoteViolation):
    """An event in the encoding of version 0.1 before compact parents."""

    code = "MYC-HASHGRAPH-021"
    remedy = (
        "Peers must be updated. A home directory of that time can not be read any more: start with "
        "a new one (`myceld init`); the network's other cells bring it up to date."
    )


class UnresolvableEvent(OperationalFault):
    """A stored event whose parents are not the ones stored before it."""

    code = "MYC-HASHGRAPH-022"
    remedy = "The journal is damaged: audit it, or start with a new home directory."
