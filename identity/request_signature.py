"""Signed HTTP requests: what a key signs instead of showing a token, and how it is written down.

    Authorization: Myceld-1 KEY.TIME.NONCE.BODY.SIGNATURE

KEY is the Ed25519 public key, NONCE 16 random bytes, BODY the SHA-256 of the body (of nothing if
there is none), SIGNATURE that of the canonical msgpack array

    ["myceld/gateway-request/1", network id, cell id, method, target, BODY, TIME, NONCE]

all in lower-case hex but TIME, in milliseconds since 1970, in decimal. The target is what stands in
the request line, path and query. Network and cell make it good for one cell only.

Pure. Whether a signature is fresh, new and allowed anything is for whoever takes it to decide.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Self

from core.codec import encode
from core.ids import PublicKey
from identity.errors import BadRecord
from identity.keys import KeyPair, verify

SCHEME: Final = "Myceld-1"
NONCE_SIZE_BYTES: Final = 16
_DOMAIN: Final = "myceld/gateway-request/1"
_CREDENTIAL: Final = re.compile(
    r"([0-9a-f]{64})\.([1-9][0-9]{0,15})\.([0-9a-f]{32})\.([0-9a-f]{64})\.([0-9a-f]{128})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to one cell."""

    network_id: bytes
    cell_id: str
    method: str
    target: str
    """Path and query as in the request line."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What stands behind the scheme in the header `Authorization`."""

    public_key: PublicKey
    time_ms: int
    nonce: bytes
    body_hash: bytes
    signature: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what a header says, its scheme left out; raises BadRecord."""
        match = _CREDENTIAL.fullmatch(text)
        if match is None:
            raise BadRecord("expected KEY.TIME.NONCE.BODY.SIGNATURE after the scheme")
        key, time_ms, nonce, body_hash, signature = match.groups()
        return cls(
            PublicKey(bytes.fromhex(key)),
            int(time_ms),
            bytes.fromhex(nonce),
            bytes.fromhex(body_hash),
            bytes.fromhex(signature),
        )

    def header(self) -> str:
        """Return the value of the header `Authorization`."""
        parts = (
            *(self.public_key.hex(), str(self.time_ms), self.nonce.hex()),
            *(self.body_hash.hex(), self.signature.hex()),
        )
        return f"{SCHEME} {'.'.join(parts)}"

    def is_of(self, asked: Asked) -> bool:
        """Return whether the key signed this request."""
        message = _message(asked, self.body_hash, self.time_ms, self.nonce)
        return verify(self.public_key, message, self.signature)


def sign_request(
    key: KeyPair, asked: Asked, body: bytes, *, time_ms: int, nonce: bytes
) -> SignedRequest:
    """Return the signature of a request; `nonce` is 16 random bytes, new for each."""
    body_hash = hashlib.sha256(body).digest()
    signature = key.sign(_message(asked, body_hash, time_ms, nonce))
    return SignedRequest(key.public_key, time_ms, nonce, body_hash, signature)


def _message(asked: Asked, body_hash: bytes, time_ms: int, nonce: bytes) -> bytes:
    return encode(
        [
            *(_DOMAIN, asked.network_id, asked.cell_id, asked.method, asked.target),
            *(body_hash, time_ms, nonce),
        ]
    )
