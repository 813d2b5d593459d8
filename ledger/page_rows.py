"""What is stored of pages of the authenticated map, and what a batch of changes does to that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from core.ids import Epoch


class PageHead(NamedTuple):
    """What is known of a page without its body."""

    id: int
    born: Epoch
    """The epoch that wrote it."""
    died: Epoch | None
    """The epoch that wrote what is there instead; None for a page of the present state."""
    first: bytes
    """Its lowest key."""
    leaves: int
    digest: bytes
    patch: bytes = b""
    """What was logged of it since its row was saved (`ledger.patches`); `digest` is with it."""


class PageRow(NamedTuple):
    """A page to be written; a tuple, as it goes into a table."""

    id: int
    born: int
    first: bytes
    leaves: int
    digest: bytes
    body: bytes
    saved: int
    """By which update."""


class PageFold(NamedTuple):
    """A page to be written whole, of which patches were logged before."""

    digest: bytes
    body: bytes
    saved: int
    id: int


@dataclass(frozen=True, slots=True)
class PageWrites:
    """What a batch changes on the disk: written together with what it is of."""

    put: tuple[PageRow, ...] = ()
    died: tuple[tuple[int, Epoch], ...] = ()
    """(id, epoch): no part of the present state any more, but of the ends of epochs before."""
    gone: tuple[int, ...] = ()
    """Part of no end of an epoch either."""
    folded: tuple[PageFold, ...] = ()
    number: int = 0
    """Of the update that this is of."""
    log: bytes = b""
    """What it changed of pages that are not written now; nothing if there is none."""
    log_done: int = 0
    """What was logged by updates up to this one may go."""
