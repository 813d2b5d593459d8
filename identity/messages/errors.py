"""Declared errors of messages. Their codes are told to senders, so they stay what they are."""

from __future__ import annotations

from core.errors import LocalMisuse, OperationalFault, RemoteViolation


class BadMessage(RemoteViolation):
    """Bytes that are no message, or a frame that is none."""

    code = "MYC-IDENTITY-301"
    remedy = "Both cells must run the same version of myceld."


class WrongMessageSignature(RemoteViolation):
    """The signature is not the sender's signature of this message."""

    code = "MYC-IDENTITY-302"
    remedy = "The message was changed on its way, or somebody else wrote it; drop it."


class MessageNotProven(RemoteViolation):
    """The message is not in the sender's journal under the head that came with it."""

    code = "MYC-IDENTITY-303"
    remedy = "The proof was changed on its way, or is not of this message; drop it."


class MessageNotForUs(RemoteViolation):
    """The message is of another network, or for another cell."""

    code = "MYC-IDENTITY-304"
    remedy = "Check the cell id it was sent to."


class SealBroken(RemoteViolation):
    """The sealed body does not open with this cell's key."""

    code = "MYC-IDENTITY-305"
    remedy = "It was sealed for another key of the receiver: send it again."


class NumberUsed(RemoteViolation):
    """The receiver has another message of this sender under this number."""

    code = "MYC-IDENTITY-306"
    remedy = "The sender's directory is an older copy; send the message again."


class MessageDenied(RemoteViolation):
    """The receiver's policy does not take such messages of this sender."""

    code = "MYC-IDENTITY-307"
    remedy = "Ask the receiver to let you in, as by membership."


class MessageExpired(OperationalFault):
    """The receiver did not confirm the message before it expired."""

    code = "MYC-IDENTITY-308"
    remedy = "See `myceld peers` for whether the receiver is ever there; send it again."


class BodyTooLong(LocalMisuse):
    """The body is over the limit."""

    code = "MYC-IDENTITY-309"
    remedy = "Cut it in several messages, or post it as content."


class OutboxFull(OperationalFault):
    """Too many messages wait to be delivered."""

    code = "MYC-IDENTITY-310"
    remedy = "Wait until the receiver has taken some: `myceld message list --status queued`."
    retryable = True


class RelayFull(OperationalFault):
    """A relay keeps as many messages already as it may."""

    code = "MYC-IDENTITY-311"
    remedy = "It is tried again, and at other relays; nothing is lost."
    retryable = True


class BadRoom(LocalMisuse):
    """A room with too many members, without this cell, or with a name that no room has."""

    code = "MYC-IDENTITY-312"
    remedy = "A room has 2 to 64 members, itself included, and a name of 1 to 64 characters."


class ProofWanted(OperationalFault):
    """The receiver takes such a message only from a cell that has just proven its key to it."""

    code = "MYC-IDENTITY-314"
    remedy = "This cell has to reach the receiver directly; what members keep does not count."
    retryable = True


class NothingToRun(RemoteViolation):
    """The receiver does not do what the message asks for."""

    code = "MYC-IDENTITY-313"
    remedy = "Ask whoever runs that cell to declare it: `commands` in its config.yaml."
