"""A part of a list of anything."""

from __future__ import annotations

from typing import Generic, TypedDict, TypeVar

T = TypeVar("T")


class Page(TypedDict, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: int | None
    """`start` of the next part; None at the end."""
