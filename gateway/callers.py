"""Who asks: the owner, a hypha, somebody with a token, a key that signed, or nobody in particular.

1. `Authorization: Bearer TOKEN`: the owner's token (gateway.token), the one for hyphae
   (light.token), or one of the cell's grants. A WebSocket of a browser can not set headers: it
   offers the subprotocol `bearer.TOKEN` instead.
2. `Authorization: Myceld-1 …` (`identity.request_signature`): a key that the owner allowed, or
   any cell's if cells are let in by trust. The signature is fresh, is over exactly this request to
   exactly this cell, and its nonce was not used before. Whether the body is the one that was signed
   is seen when it is read (`gateway.signed_body`).

One credential a request: two are refused. All secrets are compared by hash, in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from starlette.types import Scope as AsgiScope

from gateway.errors import (
    BadSignature,
    GatewayBusy,
    KeyNotAllowed,
    NotFresh,
    Replayed,
    Unauthorized,
)
from gateway.grants import Grant, Grants
from gateway.limits import NONCES_MAX, SIGNED_AGE_S_MAX, SIGNED_AHEAD_S_MAX
from gateway.policy import Row, Scope
from identity.errors import BadRecord
from identity.request_signature import SCHEME, Asked, SignedRequest

OWNER: Final = "token"
"""The actor of what the owner's token asks for; that of others is `token:NAME` or `key:NAME`."""
BEARER_PROTOCOL: Final = "bearer."
"""Before the token among the subprotocols that a WebSocket offers; never to be chosen."""

WhoWeAre: TypeAlias = Callable[[], tuple[bytes, str]]
"""Network id and cell id of this cell."""
Trusts: TypeAlias = Callable[[bytes, str], bool]
"""A cell's public key and a row of the trust policy: whether it may ask that."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what that opens."""

    actor: str
    """As the audit journal calls it."""
    scopes: frozenset[Scope]
    rate_per_minute: int | None = None
    """None: as configured for its kind; 0 for the owner: no limit."""
    grant_id: str = ""
    expires_ms: int = 0
    """0: never."""
    cell_key: bytes = b""
    """Of a key without a grant: what it may is a matter of trust."""
    body_hash: bytes | None = None
    """The SHA-256 that was signed for the body; None if nothing was signed."""

    @property
    def is_owner(self) -> bool:
        """Whether it has the token in the cell's directory."""
        return self.actor == OWNER

    def may(self, row: Row, trusts: Trusts | None) -> bool:
        """Return whether a route is open to it."""
        if row.scope is Scope.PUBLIC or Scope.ADMIN in self.scopes or row.scope in self.scopes:
            return True
        return bool(self.cell_key and row.trust and trusts and trusts(self.cell_key, row.trust))


class Callers:
    """Finds out who asks. `now_ms` is the wall clock."""

    def __init__(
        self,
        owner_token: str,
        light_token: str | None = None,
        grants: Grants | None = None,
        *,
        who_we_are: WhoWeAre | None = None,
        trusts: Trusts | None = None,
        now_ms: Callable[[], int],
    ) -> None:
        """Without `who_we_are` no signed requests are taken."""
        self._owner_hash = _hash_of(owner_token.encode())
        self._light_hash = None if light_token is None else _hash_of(light_token.encode())
        self._grants = grants
        self._who_we_are = who_we_are
        self.trusts = trusts
        self._now_ms = now_ms
        self._nonces = Nonces(now_ms())

    def of(self, scope: AsgiScope) -> Caller | None:
        """Return who asks, None if the request does not say; raises Unauthorized, GatewayBusy."""
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if scope["type"] == "websocket":
            offered = [name for name in scope["subprotocols"] if name.startswith(BEARER_PROTOCOL)]
            given += [b"Bearer " + name[len(BEARER_PROTOCOL) :].encode() for name in offered]
        if not given:
            return None
        if len(given) > 1:
            raise Unauthorized("the request shows more than one token")
        scheme, _, rest = given[0].partition(b" ")
        if scheme.lower() == b"bearer":
            return self.of_token(rest.strip())
        if scheme.lower() == SCHEME.lower().encode():
            return self._of_signature(rest.strip(), scope)
        raise Unauthorized("the token is wrong")

    def of_token(self, token: bytes) -> Caller:
        """Return who shows a token; raises Unauthorized, TokenOfAnotherCell, TokenEnded."""
        digest = _hash_of(token)
        if hmac.compare_digest(digest, self._owner_hash):
            return Caller(OWNER, frozenset({Scope.ADMIN}), rate_per_minute=0)
        if self._light_hash is not None and hmac.compare_digest(digest, self._light_hash):
            return Caller("token:light", frozenset({Scope.LIGHT}))
        if self._grants is None:
            raise Unauthorized("the token is wrong")
        return _granted(self._grants.of_token(token), "token")

    def _of_signature(self, text: bytes, scope: AsgiScope) -> Caller:
        if self._who_we_are is None:
            raise BadSignature("signed requests are not taken here")
        try:
            signed = SignedRequest.parse(text.decode("ascii"))
        except (BadRecord, UnicodeDecodeError) as error:
            raise BadSignature("the signature is not KEY.TIME.NONCE.BODY.SIGNATURE") from error
        caller = self._of_key(signed)
        self._nonces.check_fresh(signed.time_ms, self._now_ms())
        network_id, cell_id = self._who_we_are()
        target = scope["raw_path"].decode("latin-1")
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")
        method = "GET" if scope["type"] == "websocket" else scope["method"]
        if not signed.is_of(Asked(network_id, cell_id, method, target)):
            raise BadSignature("the signature is not that of this request to this cell")
        self._nonces.use(signed.public_key + signed.nonce, signed.time_ms, self._now_ms())
        return caller

    def _of_key(self, signed: SignedRequest) -> Caller:
        if self._grants is not None:
            try:
                return _granted(self._grants.of_key(signed.public_key), "key", signed.body_hash)
            except KeyNotAllowed:
                if self.trusts is None:
                    raise
        if self.trusts is None:
            raise KeyNotAllowed("no key is allowed anything here")
        actor, key = f"key:{signed.public_key.hex()[:16]}", signed.public_key
        return Caller(actor, frozenset(), cell_key=key, body_hash=signed.body_hash)


class Nonces:
    """Which nonces were used while a request that used them could still be fresh."""

    def __init__(self, started_ms: int) -> None:
        self._started_ms = started_ms
        self._used: OrderedDict[bytes, int] = OrderedDict()
        """Until when each must be remembered, in the order of use."""

    def check_fresh(self, time_ms: int, now_ms: int) -> None:
        """Raise NotFresh for a request that was signed at a wrong time."""
        if time_ms > now_ms + SIGNED_AHEAD_S_MAX * 1000:
            raise NotFresh("it was signed in the future")
        if time_ms < now_ms - SIGNED_AGE_S_MAX * 1000:
            raise NotFresh(f"it was signed more than {SIGNED_AGE_S_MAX:.0f} s ago")
        if time_ms <= self._started_ms + SIGNED_AHEAD_S_MAX * 1000:
            raise NotFresh("the cell has started since, or only just")

    def use(self, nonce: bytes, time_ms: int, now_ms: int) -> None:
        """Note a nonce; raises Replayed, or GatewayBusy if no more can be noted."""
        keep_ms = int((SIGNED_AGE_S_MAX + SIGNED_AHEAD_S_MAX) * 1000)
        while self._used and next(iter(self._used.values())) < now_ms:
            self._used.popitem(last=False)
        if nonce in self._used:
            raise Replayed("its nonce was used before")
        if len(self._used) >= NONCES_MAX:
            raise GatewayBusy("too many signed requests in a short time")
        self._used[nonce] = max(now_ms, time_ms) + keep_ms


def _granted(grant: Grant, kind: str, body_hash: bytes | None = None) -> Caller:
    return Caller(
        f"{kind}:{grant.name}",
        frozenset(grant.scopes),
        grant.rate_per_minute or None,
        grant.id,
        grant.expires_ms,
        body_hash=body_hash,
    )


def _hash_of(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
