"""What a cell tells hyphae: news, made once for all; and its own header where theirs differs."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.ids import Epoch, Round
from gateway.light_views import KnownHead, LightProofView
from ledger.header import RoundHeader
from ledger.proof import HeaderClaim, Proof
from ledger.verify import verify_text
from node.light_answers import LightAnswers
from node.limits import LIGHT_HEADS_KEPT_MAX
from tests.hypha.fake_gateway import story, tail
from tests.ledger.proof_world import Network
from tests.ledger.test_roster_proof import SHORT


class Records:
    """Stands for the cell's proofs; counts how often one is made."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.made = 0

    @property
    def certified_round(self) -> Round:
        return self.network.headers[-1].round

    async def header_of(self, round_number: Round) -> RoundHeader | None:
        return next((one for one in self.network.headers if one.round == round_number), None)

    async def of_round(
        self, round_number: Round | None, *, roster: bool, start: Epoch = Epoch(0)
    ) -> Proof:
        assert not roster
        self.made += 1
        header = None if round_number is None else await self.header_of(round_number)
        return tail(self.network, HeaderClaim(), self.begins_at(start), header)

    def begins_at(self, start: Epoch, _proof: Proof | None = None) -> Epoch:
        return start if start <= self.network.headers[-1].epoch else Epoch(0)


def _told(records: Records, *known: KnownHead) -> list[LightProofView]:
    answers = LightAnswers(cast("Any", SimpleNamespace(proofs=records)), cast("Any", None))

    async def ask() -> list[LightProofView]:
        return [await answers.light_head(one) for one in known]

    return asyncio.run(ask())


def test_the_newest_head_is_proven_once_for_all_who_begin_alike() -> None:
    records = Records(story(3, epochs=1))
    nobody = KnownHead(0, 0, b"")
    views = _told(records, *[nobody] * 5, KnownHead(1, 0, b""))
    assert records.made == 2
    assert [view.begins_at for view in views] == [0] * 5 + [1]
    text = views[0].proof
    assert text is not None
    assert verify_text(text, SHORT.network_id).certified == records.network.headers[-1]


def test_what_is_kept_is_bounded_and_given_up_for_what_is_newer() -> None:
    records = Records(story(1))
    answers = LightAnswers(cast("Any", SimpleNamespace(proofs=records)), cast("Any", None))

    async def ask() -> None:
        for epoch in range(LIGHT_HEADS_KEPT_MAX + 5):
            await answers.light_head(KnownHead(epoch, 0, b""))
        assert answers._kept is not None
        assert len(answers._kept[2]) == LIGHT_HEADS_KEPT_MAX
        before = records.made
        records.network = story(2)
        view = await answers.light_head(KnownHead(0, 0, b""))
        assert view.certified_round == records.certified_round
        assert records.made == before + 1

    asyncio.run(ask())


def test_who_knows_the_newest_head_is_told_that_nothing_is_newer() -> None:
    records = Records(story(2))
    newest = records.network.headers[-1]
    (view,) = _told(records, KnownHead(0, newest.round, newest.hash))
    assert (view.certified_round, view.proof) == (newest.round, None)
    assert records.made == 0
    (ahead,) = _told(records, KnownHead(0, newest.round + 5, bytes(32)))
    assert ahead.proof is None


@pytest.mark.parametrize("later", [0, 3])
def test_who_knows_another_header_is_shown_ours_of_that_round(later: int) -> None:
    other = story(2, other_from=0).headers[-1]
    records = Records(story(2 + later))
    (view,) = _told(records, KnownHead(0, other.round, other.hash))
    assert view.proof is not None
    shown = verify_text(view.proof, SHORT.network_id).header
    assert shown.round == other.round
    assert shown.hash != other.hash
