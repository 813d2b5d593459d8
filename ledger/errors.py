"""Declared errors of the ledger: bad genesis files, bad transactions, broken certificates."""

from __future__ import annotations

from core.errors import InvariantBroken, LocalMisuse, RemoteViolation


class BadGenesis(LocalMisuse):
    """A genesis that no network can start from."""

    code = "MYC-LEDGER-001"
    remedy = "Get the genesis file again from whoever made the network, unchanged."


class BadRoster(LocalMisuse):
    """Members that can not vote together."""

    code = "MYC-LEDGER-002"
    remedy = "A roster has 1 to 128 members with distinct keys, weights of 1 to 2**32, and names."


class TransactionRefused(LocalMisuse):
    """Base of the reasons for which a transaction can not have an effect.

    The refusal is permanent: the same bytes are refused by every cell at every later time.
    """


class Malformed(TransactionRefused):
    """Bytes that are not a transaction."""

    code = "MYC-LEDGER-010"
    remedy = "Build it with `myceld tx sign`, or see ARCHITECTURE.md for the format."


class WrongSignature(TransactionRefused):
    """The signature is not the sender's signature of these bytes."""

    code = "MYC-LEDGER-011"
    remedy = "Sign the exact bytes again with the sender's key."


class WrongNetwork(TransactionRefused):
    """Signed for another network."""

    code = "MYC-LEDGER-012"
    remedy = "Sign it for this network; `myceld status` shows its id."


class Oversize(TransactionRefused):
    """A key, a value or the whole transaction is larger than the ledger takes."""

    code = "MYC-LEDGER-013"
    remedy = "Keys: 256 bytes of UTF-8, values: 32 KiB; split it or store a hash instead."


class NonceUsed(TransactionRefused):
    """The sender used this nonce already, or one so far above it that this one lapsed."""

    code = "MYC-LEDGER-014"
    remedy = "Leave --nonce out to take the next free one."


class UnknownKind(TransactionRefused):
    """No rule is registered for this kind of transaction."""

    code = "MYC-LEDGER-015"
    remedy = "Check the spelling of the kind, or upgrade this cell."


class Expired(TransactionRefused):
    """Ordered in a round after the one it was valid for."""

    code = "MYC-LEDGER-016"
    remedy = "Sign it again with a later expiry, or with none (0)."


class BadCertificate(RemoteViolation):
    """A certificate that does not prove what it claims."""

    code = "MYC-LEDGER-020"
    remedy = "Ask another cell; the one that sent this is broken or lies."


class Diverged(InvariantBroken):
    """The network certified another state than the one computed here."""

    code = "MYC-LEDGER-021"
    remedy = "This cell stopped to keep its state apart. Keep its directory and report this."


class BadRosterChain(RemoteViolation):
    """Rosters that do not lead from the genesis to where they claim."""

    code = "MYC-LEDGER-022"
    remedy = (
        "Check the genesis file, then ask another cell; the one that sent this is broken or lies."
    )
