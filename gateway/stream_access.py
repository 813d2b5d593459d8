"""What a subscriber may see, and whether it still may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Scope

from core.errors import MyceldError


@dataclass(frozen=True, slots=True)
class StreamAccess:
    """Of one connection."""

    caller: str
    may_read_messages: bool
    refusal: Callable[[], MyceldError | None]
    """Why it may not go on, if so."""


def access_of(_scope: Scope) -> StreamAccess:
    """Return what the door found out about a request."""
    return StreamAccess("token", may_read_messages=True, refusal=lambda: None)
