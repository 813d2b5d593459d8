"""The checkers of messages and of published heads in chaos runs find what they are for."""

from __future__ import annotations

from typing import Any, cast

import pytest
from chaos_cell import Cell
from chaos_errors import HEADS_CONTRADICT, MESSAGE_LOST, MESSAGES_OUT_OF_ORDER
from chaos_heads import HeadWatch
from chaos_talk import check_talk

from core.ids import Hash
from identity.keys import KeyPair
from journal.checkpoint import sign_checkpoint
from journal.merkle import Frontier, leaf_hash
from myceld import Client

KEY = KeyPair(b"\x05" * 32)
LEAVES = [leaf_hash(b"%d" % number) for number in range(9)]


@pytest.mark.parametrize(
    ("told", "arrived", "codes"),
    [
        ([1, 2, 4], [1, 2, 3, 4], []),  # 3 was journaled, and nobody was told
        ([], [], []),
        ([1, 2], [1], [MESSAGE_LOST]),
        ([1, 2], [2, 1], [MESSAGES_OUT_OF_ORDER]),
        ([1, 2], [1, 1, 2], [MESSAGES_OUT_OF_ORDER]),
        ([1, 2, 3], [2, 2], [MESSAGE_LOST, MESSAGES_OUT_OF_ORDER]),
    ],
)
def test_what_was_acknowledged_has_to_arrive_once_and_in_order(
    told: list[int], arrived: list[int], codes: list[str]
) -> None:
    assert [finding.code for finding in check_talk("cell-1", told, arrived)] == codes


class Shown:
    """A client of a cell whose one journal has so many of the blocks."""

    def __init__(self, size: int, *, other: bool = False) -> None:
        self.leaves = LEAVES[:size]
        if other:
            self.leaves[0] = leaf_hash(b"another")

    def journals(self) -> dict[str, Any]:
        copied = {"name": "follow-1", "checkpoint": ""}
        return {"items": [{"name": "message", "checkpoint": head(self.leaves)}, copied]}

    def journal_blocks(self, name: str, *, start: int, limit: int) -> dict[str, Any]:
        assert name == "message"
        part = self.leaves[start : start + limit]
        return {"items": [{"leaf_hash": one.hex()} for one in part]}


def head(leaves: list[Hash], fork: int = 0) -> str:
    tree = Frontier()
    tree.extend(leaves)
    origin = f"{KEY.cell_id}/message/{fork}"
    return sign_checkpoint(origin, tree.size, tree.root(), KEY.public_key, KEY.sign)


def watch_of(*heads: str) -> HeadWatch:
    watch = HeadWatch([])
    watch.stop()
    for text in heads:
        watch.note(1, "message", text)
    return watch


def found(watch: HeadWatch, shown: Shown) -> list[str]:
    cell, client = cast("Cell", type("One", (), {"number": 1, "name": "cell-1"})), shown
    findings = watch.findings + watch.check(cell, cast("Client", client))
    return [finding.code for finding in findings]


def test_heads_that_lead_to_what_is_there_have_nothing_to_find() -> None:
    watch = watch_of(head(LEAVES[:0]), head(LEAVES[:3]), head(LEAVES[:3]), head(LEAVES[:7]))
    assert found(watch, Shown(7)) == found(watch, Shown(9)) == []


def test_a_journal_that_is_shorter_or_another_one_than_was_published_is_found() -> None:
    published = head(LEAVES[:5])
    assert found(watch_of(published), Shown(4)) == [HEADS_CONTRADICT]
    assert found(watch_of(published), Shown(7, other=True)) == [HEADS_CONTRADICT]
    assert found(watch_of(published, head(LEAVES[:4])), Shown(7)) == [HEADS_CONTRADICT]
    again = head([LEAVES[1], *LEAVES[1:5]])
    assert found(watch_of(published, again), Shown(7)) == [HEADS_CONTRADICT]
    assert found(watch_of(published, head(LEAVES[:2], fork=1)), Shown(7)) == []
