"""The view of trust reads outwards from its cell, keeps in step, and goes in slices."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from core.ids import PublicKey, Round
from identity.keys import KeyPair
from identity.trust import Decision
from identity.trust.limits import DAMPING, HALF_LIFE_PERIODS, PERIOD_S, SHARES_MIN
from journal import Store
from ledger.machine import Applied
from ledger.trust import TrustAttest, TrustRevoke
from node import trust_view
from node.keyring import reader_of
from node.lines import Lines
from node.tables import SCHEMA, applied_statements, attestations_of
from node.trust_view import TrustView
from tests.ledger.world import KEYS, NEWCOMERS, START_NS, Cell, candidates, rotation, signed
from tests.waiting import PATIENCE_S

A, B, C, D = KEYS
E, F = NEWCOMERS[:2]
ONE_STEP = DAMPING / SHARES_MIN
Act = tuple[KeyPair, KeyPair, float | None]
"""(issuer, subject, score); None revokes."""


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the day of the fixed transactions."""
    monkeypatch.setattr(trust_view, "wall_ns", lambda: START_NS)


class Bench:
    """A ledger, its state in a real store, and the view of the first cell."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.cell = Cell()
        self.view = self.fresh()

    def fresh(self) -> TrustView:
        lines = Lines(reader_of(self.store))
        applied_round = lambda: self.cell.ledger.applied_round  # noqa: E731 - it fits the line
        return TrustView(self.store, A.public_key, applied_round, lines=lines)

    async def act(self, *acts: Act, expires: int = 0) -> Applied:
        """Apply a round of attestations durably, then tell the view."""
        roster = self.cell.ledger.roster
        used = {pair.public_key: self.cell.ledger.account(pair.public_key) for pair, _, _ in acts}
        raws = []
        for pair, subject, score in acts:
            nonce = used[pair.public_key].highest + 1
            used[pair.public_key] = used[pair.public_key].with_used(nonce)
            arguments: TrustAttest | TrustRevoke = TrustRevoke(subject.public_key, "general")
            if score is not None:
                millionths = round(score * 1_000_000)
                arguments = TrustAttest(subject.public_key, "general", millionths, Round(expires))
            raws.append(signed(pair, nonce, arguments))
        applied = self.cell.apply(candidates(raws))
        await self.store.transaction({}, applied_statements(applied, roster, 0), durable=False)
        self.view.lines.applied(applied)
        self.view.applied(applied)
        return applied

    async def rotate(self, old: KeyPair, new: KeyPair) -> None:
        """Apply a round in which a cell takes its next key."""
        roster = self.cell.ledger.roster
        nonce = self.cell.ledger.account(old.public_key).highest + 1
        applied = self.cell.apply(candidates([signed(old, nonce, rotation(old, new))]))
        await self.store.transaction({}, applied_statements(applied, roster, 0), durable=False)
        self.view.lines.applied(applied)
        self.view.applied(applied)

    async def score(self, subject: KeyPair, view: TrustView | None = None) -> float:
        async with asyncio.timeout(PATIENCE_S):
            graph = await (view or self.view).settled()
        return graph.score(subject.public_key)


def with_bench(tmp_path: Path, story: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        store = await Store.open(tmp_path / "cell.db", signer=A.sign, cell_id=A.cell_id)
        try:
            await store.create_tables(SCHEMA)
            bench = Bench(store)
            task = asyncio.create_task(bench.view.run())
            try:
                await story(bench)
            finally:
                task.cancel()
        finally:
            await store.close()

    asyncio.run(run())


def test_each_round_is_taken_in_and_a_new_view_of_the_same_state_is_the_same(
    tmp_path: Path,
) -> None:
    async def story(bench: Bench) -> None:
        await bench.act((A, B, 0.8), (B, C, 1.0))
        assert await bench.score(B) == pytest.approx(0.8)
        assert await bench.score(C) == pytest.approx(0.8 * ONE_STEP)
        await bench.act((A, B, 0.5), (C, D, 1.0))
        seen = [await bench.score(one) for one in (B, C, D)]
        assert seen == pytest.approx([0.5, 0.5 * ONE_STEP, 0.5 * ONE_STEP**2], abs=1e-5)
        again = bench.fresh()
        task = asyncio.create_task(again.run())
        assert [await bench.score(one, again) for one in (B, C, D)] == pytest.approx(seen, abs=1e-5)
        task.cancel()
        await bench.act((A, B, None))
        assert [await bench.score(one) for one in (B, C, D)] == pytest.approx([0, 0, 0], abs=1e-5)

    with_bench(tmp_path, story)


def test_who_can_not_be_reached_is_not_read_until_somebody_lets_it_in(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        await bench.act((E, F, 1.0), (F, E, 1.0), (A, B, 1.0))
        await bench.score(B)
        assert set(bench.view.graph.known()) == {A.public_key, B.public_key}
        await bench.act((B, E, 1.0))
        assert await bench.score(E) == pytest.approx(ONE_STEP, rel=0.05)
        assert await bench.score(F) == pytest.approx(ONE_STEP**2, rel=0.05)

    with_bench(tmp_path, story)


def test_attestations_end_with_their_round(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        await bench.act((A, B, 1.0), expires=2)
        await bench.act()
        assert await bench.score(B) == pytest.approx(1.0)
        await bench.act()
        assert await bench.score(B) == 0.0
        again = bench.fresh()
        task = asyncio.create_task(again.run())
        assert await bench.score(B, again) == 0.0
        task.cancel()

    with_bench(tmp_path, story)


def test_more_than_fits_a_slice_is_read_in_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust_view, "TRUST_ROWS_PER_SLICE", 2)
    monkeypatch.setattr(trust_view, "TRUST_STEPS_PER_SLICE", 1)

    async def story(bench: Bench) -> None:
        others = [B, C, D, E, F]
        await bench.act(*((A, one, 0.5) for one in others), *((B, one, 1.0) for one in others[1:]))
        again = bench.fresh()
        task = asyncio.create_task(again.run())
        assert [await bench.score(one, again) for one in others] == pytest.approx([0.5] * 5)
        assert again.graph.edges == 9
        task.cancel()

    with_bench(tmp_path, story)


def test_rows_of_an_issuer_are_its_own_whatever_the_keys_are(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        last = PublicKey(b"\xff" * 32)
        store = bench.store
        keys = [
            b"attestation/" + issuer + subject + "ü".encode()
            for issuer in (bytes(32), last, b"\xff" * 31 + b"\xfe")
            for subject in (bytes(32), b"\xff" * 32)
        ]
        rows = [(key, b"v") for key in keys]
        await store.transaction({}, [("INSERT INTO state VALUES (?, ?)", rows)])
        found = attestations_of(store, last, limit=10)
        assert [key for key, _ in found] == keys[2:4]
        assert attestations_of(store, last, after=keys[2], limit=10) == found[1:]
        assert attestations_of(store, last, subject=bytes(32), limit=10) == found[:1]

    with_bench(tmp_path, story)


def test_words_fade_while_nothing_is_ordered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(bench: Bench) -> None:
        await bench.act((A, B, 1.0))
        assert await bench.score(B) == pytest.approx(1.0)
        later_ns = START_NS + HALF_LIFE_PERIODS * PERIOD_S * 10**9
        monkeypatch.setattr(trust_view, "wall_ns", lambda: later_ns)
        assert await bench.score(B) == pytest.approx(0.5)

    with_bench(tmp_path, story)


def test_a_score_is_that_of_the_cell_whichever_key_it_has(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        await bench.act((A, B, 0.8), (B, C, 1.0))
        before = [await bench.score(one) for one in (B, C)]
        await bench.rotate(B, E)
        await bench.rotate(A, F)
        await bench.view.settled()
        scores = [bench.view.score(one.public_key) for one in (B, E, C)]
        assert scores == pytest.approx([before[0], before[0], before[1]], abs=1e-5)
        # The next key speaks for the cell, and what it says takes the place of what was said.
        await bench.act((E, C, 0.0), (F, E, 0.4))
        await bench.view.settled()
        assert bench.view.score(B.public_key) == pytest.approx(0.4)
        assert bench.view.score(C.public_key) == pytest.approx(0.0, abs=1e-5)
        again = TrustView(
            bench.store, F.public_key, lambda: Round(9), lines=Lines(reader_of(bench.store))
        )
        task = asyncio.create_task(again.run())
        await again.settled()
        assert again.score(E.public_key) == pytest.approx(0.4)
        assert again.score(F.public_key) == again.score(A.public_key) == 1.0
        task.cancel()

    with_bench(tmp_path, story)


def test_a_request_is_decided_by_the_score_as_it_is_now(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        def decide(request: str, cell: KeyPair) -> Decision:
            view = bench.view
            score = view.graph.score(cell.public_key)
            return view.policy.decide(request, score, is_proven=True)

        assert not decide("chat", B).allowed
        await bench.act((A, B, 0.5))
        await bench.score(B)
        assert decide("chat", B).allowed
        refused = decide("exec", B)
        assert (refused.allowed, refused.level.word) == (False, "limited")
        assert decide("exec", A).allowed
        await bench.act((A, B, None))
        await bench.score(B)
        assert not decide("chat", B).allowed

    with_bench(tmp_path, story)
