"""Interactions as a cell shows them to others: a question, a page of proofs, and what is accepted.

    question    ["myceld/interactions/1", key of the other end, index]
    page        [code, head, [[index, block, [hash, …]], …]]

A page has the newest interactions with that cell whose blocks are before the index, newest first,
each with the proof that it is in the journal of the cell that shows it, under one signed head. Or
it has a code that says why there is none.

What is shown is evidence to look at, and no score: both ends say that it took place, and anybody
can make two keys that say so. It does not count in the view of a third cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.codec import (
    NotCanonical,
    Value,
    WrongShape,
    as_array,
    as_bytes,
    as_int,
    as_text,
    decode,
    encode,
)
from core.ids import CellId, NetworkId, PublicKey, cell_id_of
from core.limits import HASH_SIZE_BYTES, PUBLIC_KEY_SIZE_BYTES
from identity.errors import BadInteraction
from identity.service_limits import CODE_LENGTH_MAX
from identity.trust.interaction import (
    INTERACTIONS_JOURNAL,
    InteractionProof,
    decode_interaction,
)
from identity.trust.limits import (
    INTERACTION_SIZE_BYTES_MAX,
    INTERACTIONS_ASK_SIZE_BYTES_MAX,
    INTERACTIONS_OF_PAGE_MAX,
    INTERACTIONS_PAGE_SIZE_BYTES_MAX,
)
from journal.limits import HEAD_TEXT_SIZE_BYTES_MAX, PROOF_HASHES_MAX
from journal.proof_file import format_proof, verify_proof

_DOMAIN: Final = "myceld/interactions/1"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which interactions are asked for."""

    other: PublicKey
    """Whom the asked cell dealt with."""
    before: int
    """Blocks from this one on are left out."""

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        return encode([_DOMAIN, self.other, self.before])


@dataclass(frozen=True, slots=True)
class Included:
    """One block with its inclusion proof, not checked."""

    index: int
    block: bytes
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """An answer, not checked."""

    code: str
    """Why there is nothing; empty if there may be something."""
    head: str
    items: tuple[Included, ...]

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        items: list[Value] = [[one.index, one.block, list(one.hashes)] for one in self.items]
        return encode([self.code, self.head, items])


@dataclass(frozen=True, slots=True)
class Shown:
    """An interaction that is proven to be in the journal of one of its ends."""

    proof: InteractionProof
    shown_by: CellId
    index: int
    file: str
    """The text of a proof file, which says all of this to anybody."""


def decode_asked(data: bytes) -> Asked:
    """Return the question; raises BadInteraction."""
    try:
        return _parse_asked(decode(data, size_bytes_max=INTERACTIONS_ASK_SIZE_BYTES_MAX))
    except (NotCanonical, WrongShape) as error:
        raise BadInteraction(error.detail) from error


def decode_page(data: bytes) -> Page:
    """Return what an answer says, not checked; raises BadInteraction."""
    try:
        return _parse_page(decode(data, size_bytes_max=INTERACTIONS_PAGE_SIZE_BYTES_MAX))
    except (NotCanonical, WrongShape) as error:
        raise BadInteraction(error.detail) from error


def verify_shown(
    text: str, cell_id: CellId | None = None, network_id: NetworkId | None = None
) -> Shown:
    """Return what a proof file shows, without any network; None stands for any cell, or network.

    Accepted only if (1) the file is canonical, and its block is in a journal under a head that is
    signed by the cell, (2) that is its journal of interactions, (3) the block is an interaction of
    the network that both ends signed, and (4) the cell is one of both. Raises BadInteraction or
    what `verify_proof` does.
    """
    proven = verify_proof(text, cell_id)
    head = proven.head
    if head.journal != INTERACTIONS_JOURNAL:
        raise BadInteraction(f"it is in the journal {head.journal}, where no interactions are kept")
    proof = decode_interaction(proven.block, network_id)
    ends = (proof.interaction.one, proof.interaction.other)
    for shown_by in map(cell_id_of, ends):
        if shown_by == head.cell_id:
            return Shown(proof, shown_by, proven.index, text)
    raise BadInteraction("it is in the journal of a cell that had no part in it")


def verify_page(page: Page, asked: Asked, cell_id: CellId, network_id: NetworkId) -> list[Shown]:
    """Return the interactions of a page, or raise for the whole of it.

    Accepted only if (1) each is what `verify_shown` accepts of that cell and network, (2) its other
    end is the one that was asked about, and (3) they are in descending order, before the index that
    was asked for. Raises BadInteraction or what `verify_shown` does.
    """
    before, found = asked.before, []
    for item in page.items:
        if item.index >= before:
            raise BadInteraction("they are not in the order that was asked for")
        before = item.index
        file = format_proof(item.index, item.block, item.hashes, page.head)
        shown = verify_shown(file, cell_id, network_id)
        if asked.other not in (shown.proof.interaction.one, shown.proof.interaction.other):
            raise BadInteraction("it is with another cell than was asked about")
        found.append(shown)
    return found


def page_of(head: str, items: Sequence[Included]) -> Page:
    """Return a page that shows interactions."""
    return Page("", head, tuple(items))


def refusal(code: str) -> Page:
    """Return a page that says why there is nothing."""
    return Page(code, "", ())


def _parse_asked(value: Value) -> Asked:
    domain, other, before = as_array(value, length=3)
    if domain != _DOMAIN:
        raise WrongShape("not a question of this version")
    return Asked(PublicKey(as_bytes(other, size=PUBLIC_KEY_SIZE_BYTES)), as_int(before))


def _parse_page(value: Value) -> Page:
    code, head, items = as_array(value, length=3)
    found = as_array(items)
    if len(found) > INTERACTIONS_OF_PAGE_MAX:
        raise WrongShape(f"{len(found)} interactions are too many for a page")
    return Page(
        as_text(code, length_max=CODE_LENGTH_MAX),
        as_text(head, length_max=HEAD_TEXT_SIZE_BYTES_MAX),
        tuple(map(_included, found)),
    )


def _included(value: Value) -> Included:
    index, block, items = as_array(value, length=3)
    hashes = as_array(items)
    if len(hashes) > PROOF_HASHES_MAX:
        raise WrongShape("the proof is longer than any tree needs")
    data = as_bytes(block)
    if len(data) > INTERACTION_SIZE_BYTES_MAX:
        raise WrongShape("the block is larger than an interaction can be")
    return Included(
        as_int(index), data, tuple(as_bytes(item, size=HASH_SIZE_BYTES) for item in hashes)
    )
