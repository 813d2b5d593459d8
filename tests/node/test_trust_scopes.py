"""Views of trust by scope: made when they are used, kept in step, and few."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from core.ids import Hash, Round
from identity.keys import KeyPair
from identity.trust import interaction, policy_of, proof_of
from identity.trust.limits import DAMPING, SHARES_MIN
from journal import Store
from ledger.trust import TrustAttest
from node import trust_view
from node.access import Access
from node.invite_tables import INVITE_SCHEMA
from node.keyring import reader_of
from node.limits import TRUST_SCOPES_VIEWED_MAX
from node.lines import Lines
from node.services.audit import AuditTrail
from node.tables import SCHEMA, applied_statements
from node.trust_scopes import TrustScopes
from tests.ledger.world import GENESIS, KEYS, NEWCOMERS, START_NS, Cell, candidates, signed
from tests.waiting import PATIENCE_S

A, B = KEYS[:2]
FRIEND, OTHER = NEWCOMERS[:2]
ONE_STEP = DAMPING / SHARES_MIN


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the day of the fixed transactions."""
    monkeypatch.setattr(trust_view, "wall_ns", lambda: START_NS)


class Bench:
    """A ledger, its state in a real store, and the views of the first cell."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.cell = Cell()
        self.view = self.fresh()

    def fresh(self) -> TrustScopes:
        policy = policy_of(scopes={"exec": "operations"}, proofs={"exec": "none"})
        ledger = self.cell.ledger
        lines = Lines(reader_of(self.store))
        return TrustScopes(
            self.store, A.public_key, lambda: ledger.applied_round, policy, lines=lines
        )

    async def attest(self, issuer: KeyPair, subject: KeyPair, scope: str, score: float) -> None:
        roster = self.cell.ledger.roster
        nonce = self.cell.ledger.account(issuer.public_key).highest + 1
        millionths = round(score * 1_000_000)
        said = TrustAttest(subject.public_key, scope, millionths, Round(0))
        applied = self.cell.apply(candidates([signed(issuer, nonce, said)]))
        await self.store.transaction({}, applied_statements(applied, roster, 0), durable=False)
        self.view.applied(applied)

    async def score(self, scope: str, subject: KeyPair) -> float:
        async with asyncio.timeout(PATIENCE_S):
            return (await self.view.settled_in(scope)).score(subject.public_key)


def with_bench(tmp_path: Path, story: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        path = tmp_path / "cell.db"
        async with await Store.open(path, signer=A.sign, cell_id=A.cell_id) as store:
            await store.create_tables(SCHEMA)
            bench = Bench(store)
            task = asyncio.create_task(bench.view.run())
            try:
                await story(bench)
            finally:
                task.cancel()
                await asyncio.wait([task])

    asyncio.run(run())


def test_what_is_said_in_a_scope_counts_there_and_what_is_said_in_general_everywhere(
    tmp_path: Path,
) -> None:
    async def story(bench: Bench) -> None:
        await bench.attest(A, FRIEND, "operations", 0.9)
        await bench.attest(A, OTHER, "general", 0.8)
        await bench.attest(FRIEND, B, "operations", 1.0)
        for scope, friend, other, of_friend in (
            ("operations", 0.9, 0.8, 0.9 * ONE_STEP),
            ("general", 0.0, 0.8, 0.0),
            ("writing", 0.0, 0.8, 0.0),  # made now, and read
        ):
            assert await bench.score(scope, FRIEND) == pytest.approx(friend)
            assert await bench.score(scope, OTHER) == pytest.approx(other)
            assert await bench.score(scope, B) == pytest.approx(of_friend)
        await bench.attest(A, OTHER, "writing", 0.3)
        assert await bench.score("writing", OTHER) == pytest.approx(0.3), "kept in step"
        assert await bench.score("general", OTHER) == pytest.approx(0.8)

    with_bench(tmp_path, story)


def test_an_interaction_counts_in_every_scope_also_in_one_that_is_made_later(
    tmp_path: Path,
) -> None:
    async def story(bench: Bench) -> None:
        met = interaction(
            GENESIS.network_id,
            A.public_key,
            FRIEND.public_key,
            time_ns=START_NS,
            digest=Hash(b"d" * 32),
        )
        signatures = {key.public_key: key.sign(met.body) for key in (A, FRIEND)}
        bench.view.interacted(proof_of(met, signatures))
        scores = [await bench.score(one, FRIEND) for one in ("general", "operations", "later")]
        assert scores[0] > 0
        assert scores == [scores[0]] * 3

    with_bench(tmp_path, story)


def test_the_views_are_few_and_those_of_the_policy_stay(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        await bench.attest(A, FRIEND, "operations", 0.9)
        for at in range(2 * TRUST_SCOPES_VIEWED_MAX):
            assert await bench.score(f"scope {at}", FRIEND) == 0
            await bench.score("scope 0", FRIEND)  # used all the time
        known = bench.view.scopes()
        assert len(known) == TRUST_SCOPES_VIEWED_MAX
        assert {"operations", "scope 0", f"scope {2 * TRUST_SCOPES_VIEWED_MAX - 1}"} <= set(known)
        assert len(bench.view._tasks) == TRUST_SCOPES_VIEWED_MAX
        assert await bench.score("operations", FRIEND) == pytest.approx(0.9)

    with_bench(tmp_path, story)


def test_access_goes_by_the_scope_that_the_policy_names(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        audit = await AuditTrail.open(bench.store, A.public_key)
        await bench.store.create_tables(INVITE_SCHEMA)
        await bench.attest(A, FRIEND, "operations", 0.95)
        await bench.attest(A, OTHER, "general", 0.95)
        await bench.attest(A, OTHER, "operations", 0.1)
        await bench.score("operations", FRIEND)
        await bench.score("general", FRIEND)
        access = Access(bench.store, bench.view, lambda: GENESIS.roster, audit, lambda *_: False)
        access_of = {
            (key.cell_id, request): access.judge(request, key.cell_id).allowed
            for key in (FRIEND, OTHER)
            for request in ("exec", "post")
        }
        assert access_of == {
            (FRIEND.cell_id, "exec"): True,
            (FRIEND.cell_id, "post"): False,
            (OTHER.cell_id, "exec"): False,
            (OTHER.cell_id, "post"): True,
        }

    with_bench(tmp_path, story)
