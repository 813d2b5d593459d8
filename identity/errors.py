"""Declared errors of keys and key files."""

from __future__ import annotations

from core.errors import LocalMisuse, OperationalFault, RemoteViolation


class NotAKey(LocalMisuse):
    """Bytes that are not an Ed25519 key."""

    code = "MYC-IDENTITY-001"
    remedy = "An Ed25519 seed or public key has exactly 32 bytes."


class NoKeyFile(LocalMisuse):
    """The cell's key file is missing."""

    code = "MYC-IDENTITY-002"
    remedy = "Make the cell with `myceld init`, or name its directory with --home."


class UnreadableKeyFile(LocalMisuse):
    """The key file is damaged, or is not one."""

    code = "MYC-IDENTITY-003"
    remedy = "Restore key.json from your backup; a new key would be another cell."


class KeyFileTooOpen(LocalMisuse):
    """Others on this machine could read or change the key file."""

    code = "MYC-IDENTITY-004"
    remedy = "Run `chmod 600` on it; if others may have read it, treat the key as stolen."


class KeyFileNotWritten(OperationalFault):
    """The key file could not be written durably."""

    code = "MYC-IDENTITY-005"
    remedy = "Check free space and permissions of the cell's directory, then repeat."
    retryable = True


class BadPolicy(LocalMisuse):
    """A table of levels and needs that can not be applied."""

    code = "MYC-IDENTITY-101"
    remedy = (
        "Name levels and kinds of requests as docs/configuration.md does; scores rise with them."
    )


class BadInteraction(RemoteViolation):
    """Bytes that are no interaction which both cells signed."""

    code = "MYC-IDENTITY-102"
    remedy = "Ask the other cell to sign the interaction again; this one proves nothing."
