"""The routes of tokens, and of keys that may sign: made, listed, revoked. Only for `admin`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, NoReturn

from gateway.errors import GrantsUnusable, NoSuchGrant, TooManyGrants
from gateway.grants import Grant, Grants, Terms
from gateway.kinds import Items, OneOf, PublicKey, Text, Whole, Wrong
from gateway.limits import GRANT_EXPIRES_S_MAX, GRANT_NAME_LENGTH_MAX, GRANT_RATE_MAX
from gateway.operations import Operation, get, post
from gateway.policy import GRANTABLE, Scope
from gateway.reading import Ask

_SCOPES: Final = tuple(scope.value for scope in GRANTABLE)


class _Name(Text):
    """What the audit journal may show: plain letters on one line."""

    def read(self, value: object) -> str:
        """See Kind."""
        text = super().read(value)
        if not text.isascii() or not text.isprintable():
            raise Wrong("expected plain letters, digits and signs")
        return text


class TokenAsk(Ask):
    """What a token is to be good for."""

    name: Annotated[str, _Name(1, GRANT_NAME_LENGTH_MAX)]
    """What it is for; the audit journal names it so."""
    scopes: Annotated[
        list[Annotated[Scope, OneOf(_SCOPES, Scope)]], Items(1, len(_SCOPES), "scopes")
    ]
    """What it opens: `admin` is everything."""
    expires_s: Annotated[int | None, Whole(1, GRANT_EXPIRES_S_MAX)] = None
    """How long it is good; without an end unless given."""
    rate_per_minute: Annotated[int | None, Whole(1, GRANT_RATE_MAX)] = None
    """Requests a minute; as configured unless given."""

    def terms(self, now_ms: int) -> Terms:
        """Return the terms from now on."""
        expires_ms = now_ms + self.expires_s * 1000 if self.expires_s else 0
        return Terms(self.name, tuple(self.scopes), expires_ms, self.rate_per_minute or 0)


class KeyTermsAsk(TokenAsk):
    """A key, and what requests that it signed are to be good for."""

    public_key: PublicKey
    """The key, in hex."""


class GrantAsk(Ask):
    """A token or key, by its id."""

    id: Annotated[str, Text(1, GRANT_NAME_LENGTH_MAX)]
    """As the list shows it."""


@dataclass(frozen=True, slots=True)
class GrantView:
    """A token, or a key that may sign requests. What it does not have is null."""

    id: str
    name: str
    scopes: list[str]
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None
    used_ms: int | None
    """When it was used last, about."""
    rate_per_minute: int | None
    public_key: str | None
    """Of a key; null for a token."""
    is_good: bool
    """Whether it still lets in."""


@dataclass(frozen=True, slots=True)
class GrantsView:
    """Tokens and keys, the newest first, the last ones that ended too."""

    items: list[GrantView]
    next: None = None
    """There is always one part."""


@dataclass(frozen=True, slots=True)
class NewTokenView:
    """A token that was made just now."""

    grant: GrantView
    token: str
    """Its text: told only here, and kept nowhere."""


class GrantRoutes:
    """Everything about grants. Without a place to keep them none can be made."""

    tag = "tokens"

    def __init__(self, grants: Grants | None, now_ms: Callable[[], int]) -> None:
        self._grants = grants
        self._now_ms = now_ms

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        return [
            get("/api/v1/tokens", self.tokens),
            post("/api/v1/tokens", self.make, NoSuchGrant, TooManyGrants, GrantsUnusable),
            post("/api/v1/tokens/keys", self.allow_key, NoSuchGrant, TooManyGrants, GrantsUnusable),
            post("/api/v1/tokens/{id}/revoke", self.revoke, NoSuchGrant, GrantsUnusable),
        ]

    async def tokens(self) -> GrantsView:
        """List tokens, and keys that may sign requests."""
        grants = [] if self._grants is None else self._grants.all()
        return GrantsView([self._view(grant) for grant in grants])

    async def make(self, body: TokenAsk) -> NewTokenView:
        """Make a token."""
        grant, text = await self._kept().make_token(body.terms(self._now_ms()))
        return NewTokenView(self._view(grant), text)

    async def allow_key(self, body: KeyTermsAsk) -> GrantView:
        """Let requests in that a key signed.

        What the key was allowed before ends.
        """
        terms = body.terms(self._now_ms())
        return self._view(await self._kept().allow_key(body.public_key, terms))

    async def revoke(self, path: GrantAsk) -> GrantView:
        """End a token, or what a key was allowed.

        It ends at once, and what it has open with it.
        """
        return self._view(await self._kept().revoke(path.id))

    def _kept(self) -> Grants:
        return self._grants if self._grants is not None else _none_kept()

    def _view(self, grant: Grant) -> GrantView:
        return GrantView(
            id=grant.id,
            name=grant.name,
            scopes=[scope.value for scope in grant.scopes],
            created_ms=grant.created_ms,
            expires_ms=grant.expires_ms or None,
            revoked_ms=grant.revoked_ms or None,
            used_ms=grant.used_ms or None,
            rate_per_minute=grant.rate_per_minute or None,
            public_key=grant.public_key.hex() or None,
            is_good=grant.is_good(self._now_ms()),
        )


def _none_kept() -> NoReturn:
    raise NoSuchGrant("this cell keeps no tokens")
