"""All proposals that ever were can be listed, part by part, the newest first."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.ids import Round, TransactionId
from gateway.errors import NoProposal
from gateway.views import ReceiptView, Stage
from identity.keys import KeyPair
from journal import Store
from ledger.actions import Resolution
from ledger.governance import Outcome, Proposal, proposal_key
from ledger.kinds import Arguments
from node.governance_answers import GovernanceAnswers
from node.state_tables import STATE_SCHEMA
from tests.ledger.world import GENESIS, KEYS

KEY = KeyPair(bytes(range(32)))
COUNT = 1_300
NEWEST = Round(400)


class Answers(GovernanceAnswers):
    """Submits nothing."""

    async def _submit_own(
        self, arguments: Arguments, nonce: int | None, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        raise NotImplementedError


def _proposals() -> dict[bytes, Proposal]:
    random = Random(3)  # noqa: S311 - chance of a test
    found = {}
    for at in range(COUNT):
        began = Round(random.randrange(1, NEWEST))
        outcome = random.choice(list(Outcome))
        closed = Round(0) if outcome is Outcome.OPEN else Round(began + 1)
        found[random.randbytes(32)] = Proposal(
            f"number {at}",
            (Resolution(),),
            KEYS[0].public_key,
            began,
            Round(began + 100),
            outcome=outcome,
            closed_round=closed,
        )
    return found


async def _all(answers: Answers, state: str | None, limit: int) -> list[str]:
    ids: list[str] = []
    after: bytes | None = None
    while True:
        page = await answers.proposals(state, after, limit)
        assert len(page.items) <= limit
        ids += [one.id for one in page.items]
        if page.next is None:
            return ids
        after = bytes.fromhex(page.next)


def test_parts_add_up_to_all_of_them_the_newest_first(tmp_path: Path) -> None:
    made = _proposals()

    async def run() -> None:
        store = await Store.open(tmp_path / "store.db", signer=KEY.sign, cell_id=KEY.cell_id)
        try:
            await store.create_tables(STATE_SCHEMA)
            rows = [(proposal_key(TransactionId(i)), one.encode()) for i, one in made.items()]
            put = ("INSERT INTO state VALUES (?, ?)", rows)
            await store.transaction({}, [put], durable=False)
            ledger = SimpleNamespace(roster=GENESIS.roster, applied_round=NEWEST)
            parts = SimpleNamespace(store=store, execution=SimpleNamespace(ledger=ledger))
            answers = Answers(cast("Any", parts), cast("Any", None))
            in_order = sorted(made, key=lambda identity: (-made[identity].round, identity))
            for limit in (1_000, 499):
                assert await _all(answers, None, limit) == [one.hex() for one in in_order]
            refused = [one.hex() for one in in_order if made[one].outcome is Outcome.REFUSED]
            assert await _all(answers, "refused", 50) == refused
            still = [
                one.hex()
                for one in in_order
                if made[one].outcome is Outcome.OPEN and made[one].expires_round >= NEWEST
            ]
            assert await _all(answers, "open", 40) == still
            with pytest.raises(NoProposal):
                await answers.proposals(None, bytes(32), 5)
        finally:
            await store.close()

    asyncio.run(run())
