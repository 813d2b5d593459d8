"""Sealing of bodies, so that only the receiver can read them: HPKE (RFC 9180), padded and bound.

Base mode of DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305, by `cryptography`, to the
X25519 form of the receiver's Ed25519 key (libsodium's conversion). Who wrote it is proven by the
signature of the message, which covers the sealed bytes; and the header is bound into the seal, so
nobody can put the sealed bytes under a header of his own. What goes in is

    four bytes of length ‖ body ‖ zeros up to the next bucket

The library draws the ephemeral key itself. What this gives and what not: docs/adr/0024.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from nacl.bindings import crypto_sign_ed25519_pk_to_curve25519, crypto_sign_ed25519_sk_to_curve25519
from nacl.exceptions import CryptoError

from core.codec import encode
from core.errors import check
from core.ids import PublicKey
from identity.keys import KeyPair
from identity.messages.envelope import Header
from identity.messages.errors import BodyTooLong, SealBroken
from identity.messages.limits import (
    BODY_SIZE_BYTES_MAX,
    BUCKET_SIZE_BYTES_MAX,
    BUCKET_SIZE_BYTES_MIN,
)

_DOMAIN: Final = "myceld/message-seal/2"
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_LENGTH_SIZE_BYTES: Final = 4
_KEYS_CACHED_MAX: Final = 256


class Opener:
    """Opens what was sealed for one key pair; holds the secret in its X25519 form."""

    def __init__(self, pair: KeyPair) -> None:
        self._public_key = pair.public_key
        secret = crypto_sign_ed25519_sk_to_curve25519(pair.seed + pair.public_key)
        self._secret = X25519PrivateKey.from_private_bytes(secret)

    @property
    def public_key(self) -> PublicKey:
        """Return the key for which it opens."""
        return self._public_key

    def __repr__(self) -> str:
        return f"Opener({self._public_key.hex()[:16]}…)"

    def open(self, header: Header, sealed: bytes) -> bytes:
        """Return the body that was sealed under this header; raises SealBroken."""
        try:
            padded = _SUITE.decrypt(sealed, self._secret, _info(header))
        except (InvalidTag, ValueError) as error:
            raise SealBroken("the body was not sealed for this key and this header") from error
        return _unpadded(padded)


def seal(header: Header, body: bytes) -> bytes:
    """Return `body` sealed for the key of the receiver in this header, and under it.

    Raises BodyTooLong, or SealBroken for a key that is no point of the curve.
    """
    return _SUITE.encrypt(_padded(body), _exchange_key(header.receiver), _info(header))


def bucket_of(size_bytes: int) -> int:
    """Return to how many bytes so many are padded."""
    bucket = BUCKET_SIZE_BYTES_MIN
    while bucket < size_bytes:
        bucket *= 2
    return bucket


def _padded(body: bytes) -> bytes:
    if len(body) > BODY_SIZE_BYTES_MAX:
        raise BodyTooLong(f"a body of {len(body)} bytes, at most {BODY_SIZE_BYTES_MAX} are sealed")
    data = len(body).to_bytes(_LENGTH_SIZE_BYTES, "big") + body
    bucket = bucket_of(len(data))
    check(bucket <= BUCKET_SIZE_BYTES_MAX, "the largest body fits the largest bucket")
    return data.ljust(bucket, b"\x00")


def _unpadded(padded: bytes) -> bytes:
    size = int.from_bytes(padded[:_LENGTH_SIZE_BYTES], "big")
    body = padded[_LENGTH_SIZE_BYTES : _LENGTH_SIZE_BYTES + size]
    if size > BODY_SIZE_BYTES_MAX or _padded(body) != padded:
        raise SealBroken("the sealed body is not padded as it has to be")
    return body


def _info(header: Header) -> bytes:
    """Return what the seal is bound to: all of the header."""
    return encode(
        [
            _DOMAIN,
            header.network_id,
            header.timestamp_ms,
            header.sender,
            header.sender_since,
            header.receiver,
            header.receiver_since,
            int(header.type),
            header.number,
            header.replay_id,
        ]
    )


@lru_cache(_KEYS_CACHED_MAX)
def _exchange_key(key: PublicKey) -> X25519PublicKey:
    try:
        return X25519PublicKey.from_public_bytes(crypto_sign_ed25519_pk_to_curve25519(key))
    except (CryptoError, ValueError, TypeError) as error:
        raise SealBroken("the receiver's key is not a key that can be sealed for") from error
