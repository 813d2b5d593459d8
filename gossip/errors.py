"""Declared errors of the sync protocol."""

from __future__ import annotations

from core.errors import RemoteViolation


class FrameTooLong(RemoteViolation):
    """A frame announces more bytes than any frame may have."""

    code = "MYC-GOSSIP-001"
    remedy = "The peer is broken or hostile; it was disconnected."


class BadFrame(RemoteViolation):
    """A frame that is not one of the protocol's messages."""

    code = "MYC-GOSSIP-002"
    remedy = "Check that both cells run compatible versions."


class HandshakeMismatch(RemoteViolation):
    """The other side speaks another version, rule set, network or epoch."""

    code = "MYC-GOSSIP-003"
    remedy = "Compare `myceld status` on both cells: network id and version must be the same."


class HandshakeRefused(RemoteViolation):
    """The other side refused us, and said why."""

    code = "MYC-GOSSIP-004"
    remedy = "Compare `myceld status` on both cells: network id and version must be the same."


class BadEventSignature(RemoteViolation):
    """An event that its creator did not sign."""

    code = "MYC-GOSSIP-005"
    remedy = "The peer passed on a forged event; it was disconnected."


class UnexpectedFrame(RemoteViolation):
    """A valid frame at a moment when the protocol does not allow it."""

    code = "MYC-GOSSIP-006"
    remedy = "Check that both cells run compatible versions."


class TimeStandsStill(RemoteViolation):
    """An event that is not later than its creator's event before."""

    code = "MYC-GOSSIP-007"
    remedy = "The event is dropped; its creator does not follow the protocol."


class Equivocated(RemoteViolation):
    """The peer signed two events with one sequence number."""

    code = "MYC-GOSSIP-020"
    remedy = "The peer lies, or its key is used twice; both events are kept as evidence."


class BuildsOnForker(RemoteViolation):
    """An event with an other-parent by a creator of whom its own ancestry shows a fork."""

    code = "MYC-GOSSIP-008"
    remedy = "The event is dropped; its creator does not follow the protocol."
