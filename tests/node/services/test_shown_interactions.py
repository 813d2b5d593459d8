"""A cell shows what it and another one signed together; who asked believes proofs, and no score."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from core.errors import MyceldError
from core.ids import CellId, Hash, public_key_of
from core.limits import INT_MAX
from identity.trust.limits import INTERACTIONS_OF_PAGE_MAX
from identity.trust.policy import NEEDS
from identity.trust.shown import Asked, Page, page_of
from node.errors import InteractionsNotShown
from tests.ledger.world import KEYS, NEWCOMERS
from tests.node.services.bodies import Body, started

pytestmark = pytest.mark.usefixtures("patient")

_ANYBODY = dict.fromkeys(NEEDS, "none")


def _asked(cell_id: CellId, before: int = INT_MAX) -> Asked:
    return Asked(public_key_of(cell_id), before)


async def _meet(guard: Body, other: Body, number: int) -> None:
    digest = Hash(bytes([number]) * 32)
    guard.interactions.took_part(other.cell_id, digest)
    await other.interactions.sign_with(guard.cell_id, digest)


def test_a_third_cell_is_shown_interactions_page_by_page_and_makes_no_score_of_them(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        bodies = [Body(tmp_path, key, _ANYBODY) for key in (KEYS[0], KEYS[1], NEWCOMERS[0])]
        guard, other, third = bodies
        async with started(*bodies):
            count = INTERACTIONS_OF_PAGE_MAX + 2
            for number in range(count):
                await _meet(guard, other, number)
            await _meet(guard, third, 99)
            page = await third.shown.ask(guard.cell_id, _asked(other.cell_id))
            assert [one.index for one in page] == list(range(count - 1, 1, -1))
            rest = await third.shown.ask(guard.cell_id, _asked(other.cell_id, page[-1].index))
            assert [one.index for one in rest] == [1, 0]
            found = {one.proof.interaction.digest for one in (*page, *rest)}
            assert found == {Hash(bytes([number]) * 32) for number in range(count)}
            assert {one.shown_by for one in page} == {guard.cell_id}
            (own,) = await third.shown.ask(guard.cell_id, _asked(third.cell_id))
            assert own.index == count
            assert await third.shown.ask(guard.cell_id, _asked(KEYS[2].cell_id)) == []
            graph = third.trust.graph
            graph.settle()
            assert graph.score(other.key.public_key) == 0.0
            assert graph.score(guard.key.public_key) > 0.0, "its own interaction counts"

    asyncio.run(story())


def test_what_a_cell_signed_is_shown_after_a_restart_too(tmp_path: Path) -> None:
    async def story() -> None:
        guard, other = (Body(tmp_path, key, _ANYBODY) for key in KEYS[:2])
        async with started(guard, other):
            await _meet(guard, other, 1)
        guard, other = (Body(tmp_path, key, _ANYBODY) for key in KEYS[:2])
        async with started(guard, other):
            assert guard.interactions.kept(None, INT_MAX, 9) == []
            await guard.interactions.load()
            assert guard.interactions.kept(None, INT_MAX, 9) == [0]
            ((index, met),) = await guard.interactions.read([0])
            (shown,) = await other.shown.ask(guard.cell_id, _asked(other.cell_id))
            assert (shown.index, shown.proof) == (index, met)

    asyncio.run(story())


def test_what_a_lying_cell_shows_is_refused_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        bodies = [Body(tmp_path, key, _ANYBODY) for key in (KEYS[0], KEYS[1], NEWCOMERS[0])]
        guard, other, third = bodies
        async with started(*bodies):
            await _meet(guard, other, 1)
            await _meet(guard, other, 2)
            await _meet(guard, third, 3)
            honest = guard.shown._page

            async def of_another(_: Asked) -> Page:
                return await honest(_asked(third.cell_id))

            async def moved(asked: Asked) -> Page:
                page = await honest(asked)
                return page_of(page.head, page.items[::-1])

            for lie in (of_another, moved):
                monkeypatch.setattr(guard.shown, "_page", lie)
                with pytest.raises(MyceldError) as caught:
                    await third.shown.ask(guard.cell_id, _asked(other.cell_id))
                assert caught.value.code == "MYC-IDENTITY-102"

    asyncio.run(story())


def test_a_cell_that_does_not_answer_is_waited_for_no_longer_than_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        guard, other = (Body(tmp_path, key, _ANYBODY) for key in KEYS[:2])
        async with started(guard, other):

            async def silent(_: Asked) -> Page:
                await asyncio.Event().wait()
                raise AssertionError

            monkeypatch.setattr(guard.shown, "_page", silent)
            monkeypatch.setattr("node.shown_interactions.INTERACTIONS_ASK_S", 0.5)
            with pytest.raises(InteractionsNotShown):
                await other.shown.ask(guard.cell_id, _asked(other.cell_id))
            with pytest.raises(InteractionsNotShown):
                await guard.shown.ask(KEYS[3].cell_id, _asked(other.cell_id))

    asyncio.run(story())
