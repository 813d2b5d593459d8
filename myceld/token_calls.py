"""The clients' calls about tokens, and keys that may sign requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from myceld.question import JsonObject, Question, at, call, get, send

if TYPE_CHECKING:
    from myceld.views import GrantsView, GrantView, NewTokenView


class TokenCalls:
    """The part of both clients that is about who else gets in."""

    @call
    def access_tokens(self) -> Question[GrantsView]:
        """Return the list of GrantViews, the newest first, ended ones too."""
        return get("/api/v1/tokens")

    @call
    def create_token(
        self, name: str, scopes: Sequence[str], *, expires_s: int = 0, rate_per_minute: int = 0
    ) -> Question[NewTokenView]:
        """Make a token; return its NewTokenView, the only place where its text is told.

        Without `expires_s` it does not end by itself, without `rate_per_minute` the limit is the
        configured one.
        """
        fields = _terms(name, scopes, expires_s, rate_per_minute)
        return send("/api/v1/tokens", fields)

    @call
    def allow_key(
        self,
        public_key: str,
        name: str,
        scopes: Sequence[str],
        *,
        expires_s: int = 0,
        rate_per_minute: int = 0,
    ) -> Question[GrantView]:
        """Let requests in that a key (hex) signed, on these terms; return the GrantView."""
        fields = _terms(name, scopes, expires_s, rate_per_minute)
        return send("/api/v1/tokens/keys", {"public_key": public_key, **fields})

    @call
    def revoke_token(self, grant_id: str) -> Question[GrantView]:
        """End a token, or what a key was allowed; return the GrantView."""
        return send(at("/api/v1/tokens/{id}/revoke", id=grant_id))


def _terms(name: str, scopes: Sequence[str], expires_s: int, rate_per_minute: int) -> JsonObject:
    numbers = {"expires_s": expires_s, "rate_per_minute": rate_per_minute}
    return {"name": name, "scopes": list(scopes), **{key: n for key, n in numbers.items() if n}}
