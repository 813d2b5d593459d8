"""Answers about content. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class ContentView(TypedDict):
    """One content of the global data set."""

    body_hex: str | None
    """The content, where one was asked for and it is here."""
    cell: str
    """Cell id of who posted it."""
    expires_round: int
    """The last round in which the post stands; 0 for no end."""
    hash: str
    here: bool
    """Whether this cell has the content itself."""
    pinned: bool
    """Whether this cell keeps it until it is unpinned."""
    posted_here: bool
    """Whether it was posted at this cell, which keeps it until it is removed."""
    round: int
    """In which it was posted; 0 before this cell has applied that."""
    size_bytes: int
    status: str
    """`posted`, `expired` or `withdrawn`. What has ended is fetched and served no more."""
    title: str
    withdrawn_round: int
    """In which its poster took it back; 0 while that is not so."""
