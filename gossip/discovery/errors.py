"""Declared errors of tickets, and of the exchange by which a newcomer uses one."""

from __future__ import annotations

from core.errors import LocalMisuse, OperationalFault, RemoteViolation


class NotATicket(LocalMisuse):
    """Text that is no ticket: cut off, mistyped, or something else altogether."""

    code = "MYC-TICKET-001"
    remedy = "Copy the whole line that `myceld invite` printed; it begins with myceld1."


class TicketOfOtherVersion(LocalMisuse):
    """A ticket in a format that this version does not know."""

    code = "MYC-TICKET-002"
    remedy = "Bring both cells to the same version of myceld, then ask for a new ticket."


class TicketExpired(OperationalFault):
    """The ticket's time is over."""

    code = "MYC-TICKET-003"
    remedy = "Ask for a new ticket, and check the clocks of both machines if it is fresh."


class TicketRevoked(OperationalFault):
    """The inviter took the ticket back."""

    code = "MYC-TICKET-004"
    remedy = "Ask the inviter for a new ticket."


class TicketUsed(OperationalFault):
    """Other cells have used the ticket as often as it may be used."""

    code = "MYC-TICKET-005"
    remedy = "Ask for a new ticket; if nobody you know used this one, tell the inviter at once."


class TicketUnknown(OperationalFault):
    """The inviter has no such ticket."""

    code = "MYC-TICKET-006"
    remedy = "Ask for a new ticket: this one was changed on its way, or was deleted long ago."


class TicketOfOtherNetwork(LocalMisuse):
    """The cell that was asked belongs to another network than the ticket."""

    code = "MYC-TICKET-007"
    remedy = "Ask for a new ticket of the network you want to join."


class ProofWrong(RemoteViolation):
    """A newcomer does not know the secret of the ticket that it names."""

    code = "MYC-TICKET-008"
    remedy = "Ask for a new ticket; if it repeats, both sides run versions that do not fit."


class InviterNotProven(RemoteViolation):
    """Who answered is not the cell that made the ticket."""

    code = "MYC-TICKET-009"
    remedy = "Nothing was joined: ask the inviter, by other means, which cell uses this address."


class InviterBusy(OperationalFault):
    """Too many cells, or too many wrong tries, at the same time."""

    code = "MYC-TICKET-010"
    remedy = "Wait a minute, then run the same command again."
    retryable = True


class InviteBroken(RemoteViolation):
    """The other side does not keep to the protocol by which tickets are used."""

    code = "MYC-TICKET-011"
    remedy = "Bring both cells to the same version of myceld; report it if it repeats."


class InviterUnreachable(OperationalFault):
    """None of the ticket's addresses answered."""

    code = "MYC-TICKET-012"
    remedy = (
        "Check that the inviting cell runs and can be reached from here; the ticket is still good."
    )
    retryable = True
