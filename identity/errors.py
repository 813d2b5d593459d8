"""Declared errors of keys, key files, passphrases and shares."""

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
    remedy = (
        "Restore key.json from your backup, or with `myceld key recover` from its shares; a new "
        "key would be another cell."
    )


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


class WrongPassphrase(LocalMisuse):
    """The passphrase does not open the key file."""

    code = "MYC-IDENTITY-201"
    remedy = "Try again; without the passphrase only a copy, or its shares, bring the key back."
    retryable = True


class CostTooHigh(LocalMisuse):
    """A key file asks for more memory or passes than any key is worth."""

    code = "MYC-IDENTITY-202"
    remedy = "Nothing was computed. Somebody may have changed the file: restore it from a backup."


class CostOutOfBounds(LocalMisuse):
    """A passphrase would protect a new file too little, or nobody could open it."""

    code = "MYC-IDENTITY-203"
    remedy = "Use 2 to 16 passes over 64 to 1024 MiB, or leave the options out."


class UnknownKeyFileVersion(LocalMisuse):
    """A key file of a version, or with a way of protection, that is not known here."""

    code = "MYC-IDENTITY-204"
    remedy = "Use the version of myceld that wrote it, or a newer one."


class KeyFileNotOwned(LocalMisuse):
    """The key file belongs to another user, who can open it to anybody."""

    code = "MYC-IDENTITY-205"
    remedy = "Run the cell as the owner of its directory, or `chown` the file."


class PassphraseNeeded(LocalMisuse):
    """The key file is encrypted, and there is nobody to ask for the passphrase."""

    code = "MYC-IDENTITY-206"
    remedy = (
        "Give it with --passphrase-fd or --passphrase-file, name the file as `passphrase_file` in "
        "config.yaml, or run this on a terminal."
    )


class BadPassphrase(LocalMisuse):
    """Something that can not be a passphrase."""

    code = "MYC-IDENTITY-207"
    remedy = "A passphrase is one line of UTF-8 text, 8 characters or more, at most 1024 bytes."


class PassphraseUnreadable(LocalMisuse):
    """The file or descriptor that should give the passphrase does not."""

    code = "MYC-IDENTITY-208"
    remedy = "Check the path or the number, and that the cell's user may read it."


class PassphraseFileTooOpen(LocalMisuse):
    """Others on this machine could read or change the file with the passphrase."""

    code = "MYC-IDENTITY-209"
    remedy = "Run `chmod 600` on it; if others may have read it, change the passphrase."


class BadShares(LocalMisuse):
    """Shares that do not bring a key back."""

    code = "MYC-IDENTITY-210"
    remedy = "Check the words of each share, and that there are enough of one and the same split."


class BadSplit(LocalMisuse):
    """Numbers of shares that no key can be split into."""

    code = "MYC-IDENTITY-211"
    remedy = "Take 2 to 16 shares, and a threshold from 2 up to their number."


class KeyFileChanged(LocalMisuse):
    """Somebody put another key file in the place of the one that the cell runs with."""

    code = "MYC-IDENTITY-212"
    remedy = "Start the cell again, with the passphrase of the file that is there now."


class KeyFileExists(LocalMisuse):
    """A new key, or a share, would take the place of a file that is there."""

    code = "MYC-IDENTITY-213"
    remedy = "Nothing was written: none is ever overwritten. Name another place, or move it away."


class BadRecord(RemoteViolation):
    """Bytes that are no row of an audit journal, or of a service's."""

    code = "MYC-IDENTITY-401"
    remedy = "Check the journal with `myceld audit verify`; another version may have written it."


class BadChallenge(RemoteViolation):
    """Bytes that are no challenge, or no answer to one."""

    code = "MYC-IDENTITY-402"
    remedy = "Ask the cell again; if it goes on, it runs another version or is at fault."


class ChallengeNotOurs(RemoteViolation):
    """A challenge or an answer of another network, of other cells or of another connection."""

    code = "MYC-IDENTITY-403"
    remedy = "Nothing is proven: what another cell was asked was passed on. Do not trust the peer."


class ChallengeReplayed(RemoteViolation):
    """A nonce that was used before, or that nobody gave out."""

    code = "MYC-IDENTITY-404"
    remedy = "Nothing is proven: an old exchange was sent again. Do not trust the peer."


class ChallengeExpired(RemoteViolation):
    """The time for an answer is over."""

    code = "MYC-IDENTITY-405"
    remedy = "Ask again. If it goes on, compare the two cells' clocks."


class ChallengeUnproven(RemoteViolation):
    """The answer is not signed by the key that was to be proven."""

    code = "MYC-IDENTITY-406"
    remedy = "Nothing is proven: the peer does not hold that key."


class TooManyChallenges(OperationalFault):
    """More identities are being proven at once than a cell keeps in mind."""

    code = "MYC-IDENTITY-407"
    remedy = "Try again in a moment."
    retryable = True


class ChallengeRefused(OperationalFault):
    """The other cell does not answer the challenge; `detail` has its reason."""

    code = "MYC-IDENTITY-408"
    remedy = "Look the code up in docs/cli.md; its operator may have to let this cell ask."
    retryable = True
