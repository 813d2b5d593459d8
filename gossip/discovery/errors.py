"""Declared errors of tickets and their use, and of addresses, announcements and spores."""

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


class BadAddress(RemoteViolation):
    """Text that is not the address of a cell, or not one that another cell could dial."""

    code = "MYC-SPORE-001"
    remedy = "An address looks like /ip4/192.0.2.7/tcp/4710/p2p/CELL_ID, with the cell's real host."


class BadAnnouncement(RemoteViolation):
    """An announcement that no honest cell would sign."""

    code = "MYC-SPORE-002"
    remedy = "It was dropped; check that both cells run compatible versions."


class BadSpore(RemoteViolation):
    """A spore that contradicts itself, breaks a bound, or is not one."""

    code = "MYC-SPORE-003"
    remedy = "It was dropped; get it anew from where it came, and compare versions."


class SporeForged(RemoteViolation):
    """A signature in a spore or of an announcement is not the named cell's."""

    code = "MYC-SPORE-004"
    remedy = "It was changed after it was signed and was dropped; do not use where it came from."


class SporeOfOtherNetwork(RemoteViolation):
    """A spore or an announcement that was made for another network."""

    code = "MYC-SPORE-005"
    remedy = "Nothing of it was taken; use one of this network, `myceld status` shows its id."


class SporeTimeImpossible(OperationalFault):
    """A time in a spore is in the future, or before its network was made."""

    code = "MYC-SPORE-006"
    remedy = "Check the clocks of this machine and of the one that made it."


class SporeNotPrimary(RemoteViolation):
    """A spore claims to speak for the network, but its proof does not show it."""

    code = "MYC-SPORE-007"
    remedy = "It was dropped; only members of the present roster can make primary spores."


class BadSporeFile(LocalMisuse):
    """A file that is not a spore as `myceld spore export` writes it."""

    code = "MYC-SPORE-008"
    remedy = "Export it again with `myceld spore export FILE`, and copy it unchanged."
