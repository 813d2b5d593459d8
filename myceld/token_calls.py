"""The client's calls about tokens, and keys that may sign requests."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from myceld.calls import Calls, JsonObject


class TokenCalls(Calls):
    """The part of `Client` that is about who else gets in."""

    def access_tokens(self) -> JsonObject:
        """Return the list of GrantViews, the newest first, ended ones too."""
        return self._get("/api/v1/tokens")

    def create_token(
        self, name: str, scopes: Sequence[str], *, expires_s: int = 0, rate_per_minute: int = 0
    ) -> JsonObject:
        """Make a token; return its NewTokenView, the only place where its text is told.

        Without `expires_s` it does not end by itself, without `rate_per_minute` the limit is the
        configured one.
        """
        fields = _terms(name, scopes, expires_s, rate_per_minute)
        return self._send("/api/v1/tokens", fields)

    def allow_key(
        self,
        public_key: str,
        name: str,
        scopes: Sequence[str],
        *,
        expires_s: int = 0,
        rate_per_minute: int = 0,
    ) -> JsonObject:
        """Let requests in that a key (hex) signed, on these terms; return the GrantView."""
        fields = _terms(name, scopes, expires_s, rate_per_minute)
        return self._send("/api/v1/tokens/keys", {"public_key": public_key, **fields})

    def revoke_token(self, grant_id: str) -> JsonObject:
        """End a token, or what a key was allowed; return the GrantView."""
        return self._send(f"/api/v1/tokens/{quote(grant_id, safe='')}/revoke", {})


def _terms(name: str, scopes: Sequence[str], expires_s: int, rate_per_minute: int) -> JsonObject:
    numbers = {"expires_s": expires_s, "rate_per_minute": rate_per_minute}
    return {"name": name, "scopes": list(scopes), **{key: n for key, n in numbers.items() if n}}
