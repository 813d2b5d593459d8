"""Services start after what they need, journals are written by their grants, health says why."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from identity.audit import Outcome
from identity.messages.limits import WAITING_TOTAL_MAX
from identity.record import NUCLEUS_JOURNAL, Record, decode_record
from journal import Store
from journal.errors import PenVoid
from node.errors import BadServices, JournalNotGranted
from node.limits import CERTIFIED_LAG_ROUNDS_MAX, HEALTH_ROW_S, HEALTH_ROWS_BURST
from node.services import health
from node.services.audit import AuditTrail, Wanted
from node.services.health_watch import Health, HealthChanges, HealthWatch
from node.services.nucleus import Nucleus, write_records
from node.services.table import SERVICES, Service, start_order
from tests.ledger.world import KEYS

OWN = KEYS[0]


def test_the_five_services_start_in_this_order() -> None:
    names = [service.name for service in start_order()]
    assert names == ["nucleus", "state", "consensus", "identity", "message"]
    assert [service.journal for service in SERVICES] == [
        "nucleus",
        "consensus",
        "state",
        "identity",
        "message",
    ]


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ((Service("a", "a", ("b",)), Service("b", "b", ("a",))), "a, b"),
        ((Service("x", "x"), Service("a", "a", ("a", "x"))), "each other: a"),
        ((Service("a", "a", ("z",)),), "needs z"),
        ((Service("a", "a"), Service("a", "b")), "one name"),
    ],
)
def test_a_circle_a_missing_need_and_a_name_twice_are_refused(
    services: tuple[Service, ...], said: str
) -> None:
    with pytest.raises(BadServices, match=said):
        start_order(services)


def test_only_a_grant_of_this_run_writes_a_journal_and_a_refusal_is_in_the_audit(
    tmp_path: Path,
) -> None:
    record = Record(1, "it.happened")

    async def story() -> None:
        path = tmp_path / "c.db"
        async with await Store.open(path, signer=OWN.sign, cell_id=OWN.cell_id) as store:
            audit = await AuditTrail.open(store, OWN.public_key)
            nucleus = Nucleus(store, audit)
            nucleus.begin()
            former = nucleus.grant("identity")
            await write_records(former, [record])
            nucleus.begin()
            with pytest.raises(PenVoid):
                await write_records(former, [record])
            await write_records(nucleus.grant("identity"), [record])
            for service, journal in (
                ("identity", None),
                ("identity", "nucleus"),
                ("nucleus", None),
                ("market", "identity"),
            ):
                with pytest.raises(JournalNotGranted):
                    nucleus.grant(service, journal)
            assert (await store.journal("identity")).length == 2
            nucleus.close()
            await store.transaction({"identity": [b"nobody holds it any more"]})
            await audit.close()
            rows, _ = await audit.page(Wanted(10, refused=True))
            assert {(act.action, act.code) for _, act in rows} == {
                ("journal-write", JournalNotGranted.code)
            }
            assert sum(act.count for _, act in rows) == 4
            assert all(act.outcome is Outcome.REFUSED for _, act in rows)

    asyncio.run(story())


def test_the_nucleus_keeps_the_record_of_the_cells_life(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "c.db"
        async with await Store.open(path, signer=OWN.sign, cell_id=OWN.cell_id) as store:
            nucleus = Nucleus(store, await AuditTrail.open(store, OWN.public_key))
            nucleus.begin()
            await nucleus.started("1.2.3", "ada")
            await nucleus.stopped("ada", "asked to stop")
            journal = await store.journal(NUCLEUS_JOURNAL)
            records = [decode_record(block) async for block in journal.read(0)]
            assert [(one.event, one.subject, one.detail) for one in records] == [
                ("nucleus.started", "ada", "version 1.2.3"),
                ("services.started", "ada", "nucleus, state, consensus, identity, message"),
                ("nucleus.stopped", "ada", "asked to stop"),
            ]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("found", "status", "why"),
    [
        (health.nucleus_health(0), "healthy", ""),
        (health.nucleus_health(3), "degraded", "3 rows"),
        (health.consensus_health(("idle", "nothing to do")), "healthy", ""),
        (health.consensus_health(("ordering", "ordering")), "healthy", ""),
        (health.consensus_health(("waiting", "1 of 4")), "degraded", "1 of 4"),
        (health.consensus_health(("forked", "a copy")), "unhealthy", "a copy"),
        (health.state_health(300, 300, is_full=False), "healthy", ""),
        (health.state_health(300, 300, is_full=True), "degraded", "wait to be applied"),
        (
            health.state_health(CERTIFIED_LAG_ROUNDS_MAX + 2, 1, is_full=False),
            "degraded",
            "1 the last certified",
        ),
        (health.identity_health(is_read=True), "healthy", ""),
        (health.identity_health(is_read=False), "degraded", "reading"),
        (health.message_health(0), "healthy", ""),
        (health.message_health(WAITING_TOTAL_MAX - 1), "degraded", "wait to be"),
        (health.message_health(WAITING_TOTAL_MAX), "unhealthy", "no more are taken"),
    ],
)
def test_a_service_that_is_not_well_says_why(found: Health, status: str, why: str) -> None:
    assert found.status == status
    assert why in found.why
    assert bool(found.why) is (status != "healthy")


WELL, ILL = Health(), Health("degraded", "1 of 4 members reachable")


def test_a_change_of_health_is_noted_once_with_from_to_and_why() -> None:
    changes = HealthChanges()

    def rows(found: Health, at_ms: int) -> list[str]:
        made = changes.take({"consensus": found}, now_ms=at_ms, time_ms=1_000_000 + at_ms)
        assert all((row.event, row.subject) == ("health.changed", "consensus") for row in made)
        return [row.detail for row in made]

    assert rows(WELL, 0) == [], "it begins healthy"
    assert rows(ILL, 5_000) == ["healthy -> degraded: 1 of 4 members reachable"]
    assert rows(ILL, 10_000) == []
    assert changes.since("consensus").time_ms == 1_005_000
    assert rows(Health("unhealthy", "forked"), 15_000) == ["degraded -> unhealthy: forked"]
    assert rows(WELL, 20_000) == ["unhealthy -> healthy"]
    assert (changes.since("consensus").status, changes.since("state").status) == (
        "healthy",
        "healthy",
    )


def test_what_flaps_writes_few_rows_and_the_last_one_is_true() -> None:
    changes, rows = HealthChanges(), []
    day_ms, at_ms = 86_400_000, 0
    while at_ms < day_ms:
        at_ms += 5_000
        found = {"consensus": ILL if at_ms // 5_000 % 2 else WELL}
        rows += changes.take(found, now_ms=at_ms, time_ms=at_ms)
    assert len(rows) <= HEALTH_ROWS_BURST + day_ms / 1000 / HEALTH_ROW_S + 1
    counted = [
        int(row.detail.partition("(")[2].partition(" ")[0]) for row in rows if "(" in row.detail
    ]
    assert sum(counted) + len(rows) - len(counted) == pytest.approx(day_ms / 5_000, abs=240)
    for _ in range(2):
        at_ms += int(HEALTH_ROW_S * 1000)
        last = changes.take({"consensus": ILL}, now_ms=at_ms, time_ms=at_ms)
        rows += last
    assert "-> degraded" in rows[-1].detail


def test_the_watch_writes_changes_to_the_nucleus_journal_and_the_audit_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.services.health_watch.HEALTH_CHECK_S", 0.01)

    async def story() -> None:
        path = tmp_path / "c.db"
        async with await Store.open(path, signer=OWN.sign, cell_id=OWN.cell_id) as store:
            audit = await AuditTrail.open(store, OWN.public_key)
            nucleus = Nucleus(store, audit)
            nucleus.begin()
            found = {"message": ILL}
            watching = asyncio.create_task(HealthWatch(nucleus, lambda: found).run())
            journal = await store.journal(NUCLEUS_JOURNAL)
            rows, _ = await audit.page(Wanted(10))
            while not rows:
                await asyncio.sleep(0.01)
                rows, _ = await audit.page(Wanted(10))
            watching.cancel()
            (record,) = [decode_record(block) async for block in journal.read(0)]
            assert (record.event, record.subject) == ("health.changed", "message")
            ((_, act),) = rows
            assert (act.action, act.subject) == ("health.changed", "message")
            assert act.reason == record.detail

    asyncio.run(story())
