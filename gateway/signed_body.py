"""The body of a signed request: read as ever, and given to nobody unless it is what was signed."""

from __future__ import annotations

import hashlib
import hmac

from starlette.types import Message, Receive

from gateway.errors import NotTheSignedBody


class SignedBody:
    """Takes the place of `receive`. A wrong body ends like a client that went away."""

    def __init__(self, receive: Receive, body_hash: bytes) -> None:
        self._receive = receive
        self._expected = body_hash
        self._hash = hashlib.sha256()
        self.refusal: NotTheSignedBody | None = None
        """Set when the whole body was read and is another one; whoever read it must not answer."""

    async def __call__(self) -> Message:
        """Return the next part of the body; the last one only if all of it was signed."""
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        self._hash.update(message.get("body", b""))
        is_last = not message.get("more_body", False)
        if is_last and not hmac.compare_digest(self._hash.digest(), self._expected):
            self.refusal = NotTheSignedBody("the body is not the one that was signed")
            return {"type": "http.disconnect"}
        return message
