"""Interactions that a cell shows are taken with their proofs, and a page with one wrong one not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from core.errors import MyceldError
from core.ids import Hash, NetworkId
from core.limits import INT_MAX
from identity.errors import BadInteraction
from identity.keys import KeyPair
from identity.trust.interaction import exchange_digest, interaction, proof_of
from identity.trust.limits import (
    INTERACTION_SIZE_BYTES_MAX,
    INTERACTIONS_ASK_SIZE_BYTES_MAX,
    INTERACTIONS_OF_PAGE_MAX,
    INTERACTIONS_PAGE_SIZE_BYTES_MAX,
)
from identity.trust.shown import (
    Asked,
    Included,
    Page,
    decode_asked,
    decode_page,
    page_of,
    refusal,
    verify_page,
    verify_shown,
)
from journal.checkpoint import sign_checkpoint
from journal.limits import HEAD_TEXT_SIZE_BYTES_MAX, PROOF_HASHES_MAX
from journal.merkle import full_root, leaf_hash, node_hash, subtree_inclusion_proof
from journal.proof_file import format_proof

A, B, C = (KeyPair(bytes([number]) * 32) for number in (1, 2, 3))
NETWORK, OTHER_NETWORK = NetworkId(b"n" * 32), NetworkId(b"o" * 32)
ASKED = Asked(B.public_key, INT_MAX)
VECTOR = json.loads(
    (Path(__file__).resolve().parents[2] / "vectors" / "trust.json").read_text(encoding="utf-8")
)["shown"]


def met(one: KeyPair, other: KeyPair, number: int, network_id: NetworkId = NETWORK) -> bytes:
    """Return what two cells signed together."""
    digest = exchange_digest(b"question", bytes([number]))
    found = interaction(network_id, one.public_key, other.public_key, time_ns=number, digest=digest)
    return proof_of(
        found, {pair.public_key: pair.sign(found.body) for pair in (one, other)}
    ).encode()


def shown(
    blocks: list[bytes], indexes: list[int], by: KeyPair = A, journal: str = "interactions"
) -> Page:
    """Return the page of a journal of four blocks that shows some of them."""
    assert len(blocks) == 4
    leaves = [leaf_hash(block) for block in blocks]

    def node(level: int, number: int) -> bytes:
        return leaves[number] if level == 0 else node_hash(*leaves[2 * number : 2 * number + 2])

    head = sign_checkpoint(
        f"{by.cell_id}/{journal}/0", 4, Hash(full_root(leaves)), by.public_key, by.sign
    )
    return page_of(
        head,
        [
            Included(index, blocks[index], tuple(subtree_inclusion_proof(index, 0, 4, node)))
            for index in indexes
        ],
    )


BLOCKS = [met(A, B, 0), met(A, C, 1), met(A, B, 2), met(A, B, 3)]
PAGE = shown(BLOCKS, [3, 2, 0])


def test_their_bytes_stay_what_they_are() -> None:
    assert {"question": ASKED.encode().hex(), "page": PAGE.encode().hex()} == VECTOR
    assert decode_asked(ASKED.encode()) == ASKED
    assert decode_page(PAGE.encode()) == PAGE
    assert decode_page(refusal("MYC-NODE-401").encode()) == Page("MYC-NODE-401", "", ())


def test_a_page_gives_the_interactions_with_files_that_anybody_can_check() -> None:
    found = verify_page(PAGE, ASKED, A.cell_id, NETWORK)
    assert [one.index for one in found] == [3, 2, 0]
    assert [one.proof.encode() for one in found] == [BLOCKS[3], BLOCKS[2], BLOCKS[0]]
    for one in found:
        assert verify_shown(one.file, A.cell_id, NETWORK) == one
        assert verify_shown(one.file) == one
    assert verify_page(page_of("", ()), ASKED, A.cell_id, NETWORK) == []


def _forged() -> bytes:
    """Return an interaction that only one end signed."""
    block = met(A, B, 3)
    return block[:-64] + A.sign(b"something else")


def _of_a_block(block: bytes) -> Page:
    return shown([*BLOCKS[:3], block], [3])


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(_of_a_block(_forged()), id="the other end did not sign"),
        pytest.param(_of_a_block(met(A, B, 3, OTHER_NETWORK)), id="another network"),
        pytest.param(_of_a_block(met(B, C, 3)), id="who shows it had no part"),
        pytest.param(_of_a_block(met(A, C, 3)), id="with another one"),
        pytest.param(_of_a_block(b"no interaction"), id="no interaction"),
        pytest.param(shown(BLOCKS, [3], by=B), id="signed by another cell"),
        pytest.param(shown(BLOCKS, [3], journal="message"), id="another journal"),
        pytest.param(shown(BLOCKS, [2, 3]), id="ascending"),
        pytest.param(shown(BLOCKS, [3, 3]), id="twice"),
        pytest.param(
            dataclasses.replace(
                PAGE, items=(dataclasses.replace(PAGE.items[0], block=met(A, B, 9)),)
            ),
            id="not in the journal",
        ),
        pytest.param(
            dataclasses.replace(PAGE, items=(dataclasses.replace(PAGE.items[1], index=1),)),
            id="another index",
        ),
        pytest.param(dataclasses.replace(PAGE, head=PAGE.head[:-3] + "A=\n"), id="head"),
        pytest.param(
            dataclasses.replace(PAGE, items=(*PAGE.items[:2], shown(BLOCKS, [1]).items[0])),
            id="one of several",
        ),
    ],
)
def test_one_wrong_proof_has_the_whole_page_refused(page: Page) -> None:
    with pytest.raises(MyceldError):
        verify_page(page, ASKED, A.cell_id, NETWORK)


def test_blocks_that_were_not_asked_for_are_refused() -> None:
    with pytest.raises(BadInteraction):
        verify_page(PAGE, Asked(B.public_key, 3), A.cell_id, NETWORK)


def test_a_file_of_another_cell_or_network_is_refused() -> None:
    item = PAGE.items[0]
    file = format_proof(item.index, item.block, item.hashes, PAGE.head)
    with pytest.raises(MyceldError):
        verify_shown(file, B.cell_id)
    with pytest.raises(BadInteraction):
        verify_shown(file, A.cell_id, OTHER_NETWORK)


def test_the_largest_question_and_page_fit_their_bounds_and_larger_ones_are_refused() -> None:
    assert len(ASKED.encode()) <= INTERACTIONS_ASK_SIZE_BYTES_MAX
    item = Included(INT_MAX, bytes(INTERACTION_SIZE_BYTES_MAX), (bytes(32),) * PROOF_HASHES_MAX)
    head = "h" * HEAD_TEXT_SIZE_BYTES_MAX
    largest = page_of(head, [item] * INTERACTIONS_OF_PAGE_MAX)
    assert len(largest.encode()) <= INTERACTIONS_PAGE_SIZE_BYTES_MAX
    assert decode_page(largest.encode()) == largest
    for larger in (
        page_of(head, [item] * (INTERACTIONS_OF_PAGE_MAX + 1)),
        page_of("", [dataclasses.replace(item, block=item.block + b"x")]),
        page_of("", [dataclasses.replace(item, hashes=(*item.hashes, bytes(32)))]),
    ):
        with pytest.raises(BadInteraction):
            decode_page(larger.encode())
