"""Signing requests with a key instead of showing a token; see docs/security.md.

headers["Authorization"] = authorization(key, asked, body, time_ms=…, nonce=os.urandom(16))
"""

from __future__ import annotations

from identity.keys import KeyPair
from identity.request_signature import Asked, sign_request


def authorization(key: KeyPair, asked: Asked, body: bytes, *, time_ms: int, nonce: bytes) -> str:
    """Return the value of the header `Authorization` for one request.

    `asked` holds the network and cell id as `/api/public/info` tells them, the method, and the
    target exactly as it is sent. `time_ms` is since 1970, `nonce` 16 random bytes, new each time.
    """
    return sign_request(key, asked, body, time_ms=time_ms, nonce=nonce).header()
