"""The audit journal: bounded rows, floods counted together, nothing waits, all of it verifiable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.audit import AUDIT_JOURNAL, Act, Outcome, decode_act, noted
from identity.service_limits import AUDIT_SIZE_BYTES_MAX
from journal import Store
from node.limits import (
    AUDIT_ALONE_MAX,
    AUDIT_SLICE,
    AUDIT_WAITING_MAX,
    AUDIT_WINDOW_MS,
    AUDIT_WINDOWS_MAX,
)
from node.services import audit as audit_module
from node.services.audit import AuditTrail, Wanted
from node.services.audit_windows import OTHERS, Windows
from tests.ledger.world import KEYS, NEWCOMERS
from tests.waiting import PATIENCE_S

OWN, PEER = KEYS[0], NEWCOMERS[0]
DONE = Act(1, "token", OWN.public_key, "POST /api/v1/state/put", "key=k", Outcome.DONE)
DENIED = Act(
    1, f"cell:{PEER.cell_id}", PEER.public_key, "exec", "", Outcome.REFUSED, "MYC-NODE-401", "no"
)
TEXTS = st.text(max_size=400)


@given(st.builds(Act, st.integers(0, 2**62), TEXTS, st.just(b""), TEXTS, TEXTS,
                 st.sampled_from(Outcome), TEXTS, TEXTS, st.integers(1, 2**62)))  # fmt: skip
@settings(deadline=None)
def test_whatever_is_noted_fits_in_a_row_and_reads_back(act: Act) -> None:
    row = noted(act)
    assert len(row.encode()) <= AUDIT_SIZE_BYTES_MAX
    assert decode_act(row.encode()) == row
    assert "".join(filter(str.isprintable, row.subject + row.reason)) == row.subject + row.reason


def test_acts_alike_are_rows_of_their_own_first_and_counted_together_then() -> None:
    windows = Windows()
    alone = [row for _ in range(1000) for row in windows.take(DONE, 5)]
    assert alone == [DONE] * AUDIT_ALONE_MAX
    assert windows.take(DENIED, 5) == [DENIED]
    for at in range(10_000):
        assert windows.take(replace(DENIED, subject=str(at)), 6) == []
    assert windows.wait_ms(5) == AUDIT_WINDOW_MS
    assert windows.ended(4 + AUDIT_WINDOW_MS) == []
    assert windows.ended(5 + AUDIT_WINDOW_MS) == [
        replace(DONE, count=1000 - AUDIT_ALONE_MAX),
        replace(DENIED, subject="9999", count=10_000),
    ]
    assert windows.take(DENIED, 6 + AUDIT_WINDOW_MS) == [DENIED]
    assert windows.wait_ms(6 + AUDIT_WINDOW_MS) is None


def test_a_window_that_is_over_gives_its_row_before_the_next_one_begins() -> None:
    windows = Windows()
    for _ in range(3):
        windows.take(DENIED, 0)
    assert windows.take(DENIED, AUDIT_WINDOW_MS) == [replace(DENIED, count=2), DENIED]


def test_a_flood_of_strangers_is_counted_together() -> None:
    windows = Windows()
    acts = [replace(DENIED, actor=f"cell:{at}") for at in range(5 * AUDIT_WINDOWS_MAX)]
    rows = [row for act in acts for row in windows.take(act, 0)]
    rows += windows.close()
    assert len(rows) == AUDIT_WINDOWS_MAX + 2
    assert sum(row.count for row in rows) == len(acts)
    assert {row.actor for row in rows[-2:]} == {OTHERS}


Talk = Callable[[Store, AuditTrail], Awaitable[None]]


@pytest.fixture(name="clock")
def _clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    clock = [0]
    monkeypatch.setattr(audit_module, "now_ms", lambda: clock[0])
    ticks = count(1_700_000_000_000)
    monkeypatch.setattr(audit_module, "wall_ns", lambda: next(ticks) * 1_000_000)
    return clock


def with_trail(tmp: Path, talk: Talk) -> None:
    async def run() -> None:
        async with await Store.open(tmp / "c.db", signer=OWN.sign, cell_id=OWN.cell_id) as store:
            await talk(store, await AuditTrail.open(store, OWN.public_key))

    asyncio.run(run())


def test_pages_go_from_the_newest_row_to_the_oldest(tmp_path: Path, clock: list[int]) -> None:
    async def talk(_store: Store, trail: AuditTrail) -> None:
        for at in range(3 * AUDIT_SLICE):
            clock[0] += AUDIT_WINDOW_MS
            trail.local("act", str(at))
            if at % 7 == 0:
                trail.refused(PEER.cell_id, "exec", str(at), code="MYC-NODE-401", reason="no")
            if at % 100 == 0:
                await trail.flush()
        seen: list[int] = []
        before: int | None = None
        while True:
            rows, before = await trail.page(Wanted(400, before))
            seen += [index for index, _ in rows]
            if before is None:
                break
        assert seen == list(range(len(seen)))[::-1]
        rows, _ = await trail.page(Wanted(1000, refused=True))
        assert [act.subject for _, act in rows] == [
            str(at) for at in range(3 * AUDIT_SLICE) if at % 7 == 0
        ][::-1]
        since_ms = rows[9][1].time_ms
        late, following = await trail.page(Wanted(1000, since_ms=since_ms, refused=True))
        assert (late, following) == (rows[:10], None)

    with_trail(tmp_path, talk)


def test_a_row_of_a_transaction_is_there_with_it_and_the_journal_verifies(
    tmp_path: Path, clock: list[int]
) -> None:
    async def talk(store: Store, trail: AuditTrail) -> None:
        await store.create_tables("CREATE TABLE IF NOT EXISTS thing (id INTEGER PRIMARY KEY)")
        row = trail.block("thing.make", "7")
        await trail.commit([row], [("INSERT INTO thing VALUES (?)", [(7,)])])
        ((_, act),), _ = await trail.page(Wanted(10))
        assert (act.actor, act.key, act.action) == ("local", OWN.public_key, "thing.make")
        (audit,) = await store.audit()
        assert audit.blocks == 1

    clock[0] = 1
    with_trail(tmp_path, talk)


def test_rows_without_room_to_wait_are_counted(tmp_path: Path, clock: list[int]) -> None:
    async def talk(_store: Store, trail: AuditTrail) -> None:
        for at in range(AUDIT_WAITING_MAX + 300):
            trail.local(f"act {at}")
        await trail.close()
        (newest, *_), _ = await trail.page(Wanted(1))
        assert (newest[1].action, newest[1].count) == ("audit.lost", 300)
        assert trail.lost_total == 300

    clock[0] = 1
    with_trail(tmp_path, talk)


def test_what_was_counted_together_is_written_when_its_window_is_over(
    tmp_path: Path, clock: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_module, "AUDIT_PAUSE_S", 0.01)

    async def talk(store: Store, trail: AuditTrail) -> None:
        journal = await store.journal(AUDIT_JOURNAL)
        running = asyncio.create_task(trail.run())
        for _ in range(5):
            trail.note(DENIED)
        async with asyncio.timeout(PATIENCE_S):
            while journal.length < 1:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)
            clock[0] += AUDIT_WINDOW_MS
            trail.local("wakes it")
            while journal.length < 3:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        running.cancel()
        rows, _ = await trail.page(Wanted(10, refused=True))
        assert [act.count for _, act in rows] == [4, 1]

    with_trail(tmp_path, talk)


def test_the_running_trail_writes_by_itself_and_old_rows_go(
    tmp_path: Path, clock: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_module, "AUDIT_KEPT_MAX", 20)
    monkeypatch.setattr(audit_module, "AUDIT_PRUNE_STEP", 5)
    monkeypatch.setattr(audit_module, "AUDIT_PAUSE_S", 0.01)

    async def talk(store: Store, trail: AuditTrail) -> None:
        journal = await store.journal(AUDIT_JOURNAL)
        running = asyncio.create_task(trail.run())
        for at in range(40):
            trail.local(f"act {at}")
        async with asyncio.timeout(PATIENCE_S):
            while journal.min_index < 20:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)
        running.cancel()
        rows, following = await trail.page(Wanted(100))
        assert ([index for index, _ in rows], following) == (list(range(39, 19, -1)), None)
        assert [audit.cleared for audit in await store.audit()] == [20]

    clock[0] = 1
    with_trail(tmp_path, talk)
