"""Transactions: what clients ask the replicated state to do.

Two forms travel in events, both canonical msgpack (core.codec):

- signed: `[body, signature]`, body = `["myceld/transaction/2", network id, sender, nonce,
  expires round, fee, kind, arguments]`; the signature is the sender's, over the body. `expires
  round` 0 means never; `fee` is the most that the sender pays, in base units of PRANA. The kinds
  and their arguments are the table in `ledger.kinds`.
- opaque: `["myceld/opaque/1", bytes]`: ordered and listed, never interpreted; it is vouched for by
  the member whose event carries it.

The id of a transaction is SHA-256 over all its bytes. `parse` checks everything that needs no
state, so its verdict is the same at every cell, whichever kinds its build knows beside those of the
epoch's transaction version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from core.codec import NotCanonical, WrongShape, as_array, as_bytes, as_int, as_text
from core.codec import decode as decode_value
from core.codec import encode as encode_value
from core.ids import Amount, NetworkId, PublicKey, Round, Signature, TransactionId
from core.limits import HASH_SIZE_BYTES, PUBLIC_KEY_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from ledger.errors import Malformed, Oversize, WrongNetwork
from ledger.kinds import NEWEST, Arguments, build_arguments, kind_of, parse_arguments
from ledger.limits import KIND_LENGTH_MAX, SUPPLY_MAX, TRANSACTION_SIZE_BYTES_MAX
from ledger.succession import SignatureCheck

_SIGNED_DOMAIN: Final = "myceld/transaction/2"
_OPAQUE_DOMAIN: Final = "myceld/opaque/1"
OPAQUE_KIND: Final = "opaque"
"""The kind shown for opaque transactions."""


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A parsed signed transaction. Its signatures are not checked yet: see `signature_checks`."""

    id: TransactionId
    sender: PublicKey
    nonce: int
    expires_round: Round
    fee: Amount
    """The most that the sender pays for it."""
    cost: int
    """In units whose price is the network's `fee_per_cost`."""
    kind: str
    arguments: Arguments
    body: bytes
    signature: Signature
    proofs: tuple[SignatureCheck, ...]
    """Signatures inside of the arguments."""
    size_bytes: int

    @property
    def signature_checks(self) -> tuple[SignatureCheck, ...]:
        """All signatures that must be right, the sender's first."""
        return ((self.sender, self.body, self.signature), *self.proofs)


@dataclass(frozen=True, slots=True)
class OpaqueTransaction:
    """Bytes that are ordered but mean nothing to the ledger."""

    id: TransactionId
    data: bytes
    size_bytes: int


Transaction: TypeAlias = SignedTransaction | OpaqueTransaction


def transaction_id(raw: bytes) -> TransactionId:
    """Return the id of a transaction's bytes."""
    return TransactionId(hashlib.sha256(raw).digest())


def sign_transaction(
    *,
    network_id: NetworkId,
    sender: PublicKey,
    nonce: int,
    arguments: Arguments,
    sign: Callable[[bytes], Signature],
    expires_round: Round = Round(0),
    fee: int = 0,
) -> bytes:
    """Return the bytes of a signed transaction.

    `sign` signs with the sender's key. Raises a TransactionRefused for arguments out of bounds.
    """
    kind, encoded = build_arguments(arguments)
    body = encode_value(
        [_SIGNED_DOMAIN, network_id, sender, nonce, expires_round, fee, kind, list(encoded)]
    )
    return encode_value([body, sign(body)])


def opaque_transaction(data: bytes) -> bytes:
    """Return the bytes of an opaque transaction."""
    return encode_value([_OPAQUE_DOMAIN, data])


def parse(raw: bytes, network_id: NetworkId, version: int = NEWEST) -> Transaction:
    """Return the transaction in `raw`, as it is in an epoch of a transaction version.

    Raises Oversize, Malformed, WrongNetwork, UnknownKind, or the TransactionRefused of the kind's
    family; never anything else.
    """
    if len(raw) > TRANSACTION_SIZE_BYTES_MAX:
        raise Oversize(
            f"the transaction has {len(raw)} bytes, at most {TRANSACTION_SIZE_BYTES_MAX} are taken"
        )
    try:
        first, second = as_array(decode_value(raw), length=2)
        if first == _OPAQUE_DOMAIN:
            return OpaqueTransaction(transaction_id(raw), as_bytes(second), len(raw))
        body = as_bytes(first)
        signature = Signature(as_bytes(second, size=SIGNATURE_SIZE_BYTES))
        return _parse_signed(raw, body, signature, network_id, version)
    except (NotCanonical, WrongShape) as error:
        raise Malformed(f"not a transaction: {error.detail}") from error


def _parse_signed(
    raw: bytes, body: bytes, signature: Signature, network_id: NetworkId, version: int
) -> SignedTransaction:
    items = as_array(decode_value(body))
    if not items or items[0] != _SIGNED_DOMAIN:
        raise Malformed("not a transaction of a version known here")
    _, network, sender, nonce, expires, fee, kind, arguments = as_array(items, length=8)
    if as_bytes(network, size=HASH_SIZE_BYTES) != network_id:
        raise WrongNetwork("the transaction was signed for another network")
    kind_name = as_text(kind, length_max=KIND_LENGTH_MAX)
    sender_key = PublicKey(as_bytes(sender, size=PUBLIC_KEY_SIZE_BYTES))
    parsed = parse_arguments(kind_name, as_array(arguments), version)
    row = kind_of(parsed)
    return SignedTransaction(
        id=transaction_id(raw),
        sender=sender_key,
        nonce=as_int(nonce),
        expires_round=Round(as_int(expires)),
        fee=Amount(as_int(fee, high=SUPPLY_MAX)),
        cost=row.cost(parsed),
        kind=kind_name,
        arguments=parsed,
        body=body,
        signature=signature,
        proofs=row.proofs(parsed, network_id, sender_key),
        size_bytes=len(raw),
    )
