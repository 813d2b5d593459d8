"""Declared errors of the transfer of checkpoints."""

from __future__ import annotations

from core.errors import InvariantBroken, OperationalFault, RemoteViolation


class BadTransferFrame(RemoteViolation):
    """Bytes that are no frame of the transfer protocol."""

    code = "MYC-TRANSFER-001"
    remedy = "Another cell is asked; the one that sent this is broken, lies, or is of another age."


class BadPiece(RemoteViolation):
    """A piece of the state that does not lead to the certified root."""

    code = "MYC-TRANSFER-002"
    remedy = "Another cell is asked; the one that sent this is broken or lies."


class BadWindow(RemoteViolation):
    """Headers or receipts that do not lead to the certified header."""

    code = "MYC-TRANSFER-003"
    remedy = "Another cell is asked; the one that sent this is broken or lies."


class UnexpectedAnswer(RemoteViolation):
    """An answer that nobody asked for, or of another kind than was asked for."""

    code = "MYC-TRANSFER-004"
    remedy = "Another cell is asked; the one that sent this is broken or lies."


class StagedLost(InvariantBroken):
    """A piece that was verified and kept is not there, or no longer what it was."""

    code = "MYC-TRANSFER-005"
    remedy = "Start the cell again: it fetches what is missing. Check the disk if that repeats."


class TransferDenied(OperationalFault):
    """A cell does not serve checkpoints to this one; `detail` has the code of its reason."""

    code = "MYC-TRANSFER-006"
    remedy = "Others are asked; the operator of that cell can let this one in."
    retryable = True
