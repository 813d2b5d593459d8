"""The routes of tokens, and of keys that may sign: made, listed, revoked. Only for `admin`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from core.limits import INT_MAX, PUBLIC_KEY_SIZE_BYTES
from gateway import asks
from gateway.answers import JsonAnswer, listing
from gateway.errors import NoSuchGrant
from gateway.grants import Grant, Grants, Terms
from gateway.limits import GRANT_EXPIRES_S_MAX, GRANT_NAME_LENGTH_MAX
from gateway.policy import GRANTABLE, Scope

Row: TypeAlias = tuple[str, str, Callable[[Request], Awaitable[Response]]]

_NOTHING: Final[frozenset[str]] = frozenset()
_TERMS: Final = frozenset({"name", "scopes", "expires_s", "rate_per_minute"})


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
class NewTokenView:
    """A token that was made just now."""

    grant: GrantView
    token: str
    """Its text: told only here, and kept nowhere."""


class GrantRoutes:
    """Everything about grants. Without a place to keep them there are none to be made."""

    def __init__(
        self, grants: Grants | None, now_ms: Callable[[], int], budget: asks.BodyBudget
    ) -> None:
        self._grants = grants
        self._now_ms = now_ms
        self._budget = budget

    def table(self) -> list[Row]:
        """Return (method, path, endpoint) of each."""
        return [
            ("GET", "/api/v1/tokens", self.tokens),
            ("POST", "/api/v1/tokens", self.make),
            ("POST", "/api/v1/tokens/keys", self.allow_key),
            ("POST", "/api/v1/tokens/{id}/revoke", self.revoke),
        ]

    async def tokens(self, request: Request) -> Response:
        """GET /api/v1/tokens."""
        asks.query_fields(request, _NOTHING)
        grants = [] if self._grants is None else self._grants.all()
        return listing([self._view(grant) for grant in grants])

    async def make(self, request: Request) -> Response:
        """POST /api/v1/tokens."""
        terms = self._terms(await asks.read_fields(request, _TERMS, self._budget))
        grant, text = await self._kept().make_token(terms)
        return JsonAnswer(NewTokenView(self._view(grant), text))

    async def allow_key(self, request: Request) -> Response:
        """POST /api/v1/tokens/keys."""
        fields = await asks.read_fields(request, _TERMS | {"public_key"}, self._budget)
        key = asks.from_hex(fields.get("public_key"), "public_key")
        if len(key) != PUBLIC_KEY_SIZE_BYTES:
            asks.refuse("public_key", f"expected {2 * PUBLIC_KEY_SIZE_BYTES} hex digits")
        return JsonAnswer(self._view(await self._kept().allow_key(key, self._terms(fields))))

    async def revoke(self, request: Request) -> Response:
        """POST /api/v1/tokens/{id}/revoke."""
        await asks.read_fields(request, _NOTHING, self._budget)
        return JsonAnswer(self._view(await self._kept().revoke(request.path_params["id"])))

    def _kept(self) -> Grants:
        return self._grants if self._grants is not None else _none_kept()

    def _terms(self, fields: asks.Fields) -> Terms:
        name, scopes = fields.get("name"), fields.get("scopes")
        if not isinstance(name, str) or not 0 < len(name) <= GRANT_NAME_LENGTH_MAX:
            asks.refuse("name", f"expected text of at most {GRANT_NAME_LENGTH_MAX} characters")
        if not name.isprintable() or not name.isascii():
            asks.refuse("name", "expected plain letters, digits and signs")
        known = [scope.value for scope in GRANTABLE]
        if not isinstance(scopes, list) or not scopes or any(one not in known for one in scopes):
            asks.refuse("scopes", f"expected a list of {', '.join(known)}")
        expires_s = _number(fields, "expires_s", GRANT_EXPIRES_S_MAX)
        return Terms(
            name,
            tuple(Scope(scope) for scope in scopes),
            self._now_ms() + expires_s * 1000 if expires_s else 0,
            _number(fields, "rate_per_minute", INT_MAX),
        )

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


def _number(fields: asks.Fields, name: str, most: int) -> int:
    """Return a number that may be left out: then it is 0."""
    value = fields.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        asks.refuse(name, f"expected an integer of 1 to {most}")
    if name in fields and value == 0:
        asks.refuse(name, f"expected an integer of 1 to {most}")
    return value


def _none_kept() -> NoReturn:
    raise NoSuchGrant("this cell keeps no tokens")
