"""Services start after what they need, journals are written by their grants, health says why."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from identity.audit import Outcome
from identity.messages.limits import WAITING_TOTAL_MAX
from identity.record import NUCLEUS_JOURNAL, Record, decode_record
from journal import Store
from node.errors import BadServices, JournalNotGranted
from node.limits import CERTIFIED_LAG_ROUNDS_MAX
from node.services import health
from node.services.audit import AuditTrail, Wanted
from node.services.nucleus import Grant, Nucleus
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
            nucleus, former = Nucleus(store, audit), Nucleus(store, audit)
            identity = nucleus.grant("identity")
            await nucleus.write(identity, [record])
            for grant in (
                replace(identity, journal="nucleus"),
                replace(identity, service="nucleus"),
                former.grant("identity"),
                Grant("identity", "identity", b""),
            ):
                with pytest.raises(JournalNotGranted):
                    await nucleus.write(grant, [record])
            with pytest.raises(JournalNotGranted):
                nucleus.grant("market")
            assert (await store.journal("identity")).length == 1
            await audit.close()
            rows, _ = await audit.page(Wanted(10, refused=True))
            assert {(act.action, act.code) for _, act in rows} == {
                ("journal-write", JournalNotGranted.code)
            }
            assert sum(act.count for _, act in rows) == 5
            assert all(act.outcome is Outcome.REFUSED for _, act in rows)

    asyncio.run(story())


def test_the_nucleus_keeps_the_record_of_the_cells_life(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "c.db"
        async with await Store.open(path, signer=OWN.sign, cell_id=OWN.cell_id) as store:
            nucleus = Nucleus(store, await AuditTrail.open(store, OWN.public_key))
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
def test_a_service_that_is_not_well_says_why(found: health.Health, status: str, why: str) -> None:
    assert found.status == status
    assert why in found.why
    assert bool(found.why) is (status != "healthy")
