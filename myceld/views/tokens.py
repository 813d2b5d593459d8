"""Answers about tokens. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class GrantView(TypedDict):
    """A token, or a key that may sign requests. What it does not have is null."""

    created_ms: int
    expires_ms: int | None
    id: str
    is_good: bool
    """Whether it still lets in."""
    name: str
    public_key: str | None
    """Of a key; null for a token."""
    rate_per_minute: int | None
    revoked_ms: int | None
    scopes: list[str]
    used_ms: int | None
    """When it was used last, about."""


class GrantsView(TypedDict):
    """Tokens and keys, the newest first, the last ones that ended too."""

    items: list[GrantView]
    next: NotRequired[None]
    """There is always one part."""


class NewTokenView(TypedDict):
    """A token that was made just now."""

    grant: GrantView
    token: str
    """Its text: told only here, and kept nowhere."""
