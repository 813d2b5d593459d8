"""Whatever another cell can ask of this one is in the table of requests, and nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import get_args

import pytest

from gossip import wire as gossip_wire
from gossip.host.host import DHT_PROTOCOL
from identity.audit import AUDIT_JOURNAL
from identity.exchange import AskKind
from identity.messages import wire as message_wire
from identity.messages.policy import Kind
from identity.record import decode_record
from identity.trust.policy import FRESH, NEEDS, PROVABLE
from journal import Store
from journal.errors import JournalHeld
from journal.replication import wire as journal_wire
from ledger import diagnosis
from ledger.transfer import wire as transfer_wire
from node.access import MESSAGE_REQUESTS
from node.assembly import Setup
from node.cell import RunningCell
from node.errors import JournalNotGranted
from node.parts import Parts
from node.requests import REQUESTS, short_name
from node.services.audit import Wanted
from node.services.table import SERVICES
from node.supervisor import Supervisor
from node.surroundings import Surroundings
from settings import CellConfig, Config, DiscoveryConfig
from tests.ledger.world import GENESIS, KEYS

pytestmark = pytest.mark.usefixtures("patient")

ROOT = Path(__file__).resolve().parents[2]
Look = Callable[[RunningCell, Parts], Awaitable[None]]


class _Front:
    """Looks at a cell once it is up, and has it stopped."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self.stop: Callable[[], None]
        self.error: BaseException | None = None

    async def open(self, cell: RunningCell, parts: Parts) -> None:
        try:
            await self._look(cell, parts)
        finally:
            self.stop()

    async def close(self) -> None:
        return None


def whole_cell(tmp: Path, look: Look, *metadata: str) -> None:
    """Run a whole cell on a real host until it was looked at."""

    async def story() -> None:
        key = KEYS[0]
        discovery = DiscoveryConfig(mdns=False, dht=True)
        config = Config(CellConfig(metadata=metadata), discovery=discovery)
        setup = Setup(key, GENESIS, lambda: config)
        front = _Front(look)
        supervisor = Supervisor(setup, front, Surroundings(tmp), lambda _: None)
        front.stop = supervisor.stop
        path = tmp / "cell.db"
        async with await Store.open(path, signer=key.sign, cell_id=key.cell_id) as store:
            await supervisor.run(store)

    asyncio.run(story())


def test_each_protocol_that_a_cell_answers_is_in_the_table(tmp_path: Path) -> None:
    answered: set[str] = set()

    async def look(_: RunningCell, parts: Parts) -> None:
        engine = parts.peers.host._bridge.engine()  # type: ignore[union-attr]  # it is up
        answered.update(engine._protocols)

    whole_cell(tmp_path, look)
    assert {short_name(protocol) for protocol in answered} == {one.protocol for one in REQUESTS}
    assert DHT_PROTOCOL in answered
    assert len(answered) == len({one.protocol for one in REQUESTS})


@pytest.mark.parametrize(
    ("protocol", "frames"),
    [
        ("gossip", get_args(gossip_wire.Frame)),
        ("message", get_args(message_wire.Frame)),
        ("journal", get_args(journal_wire.Frame)),
        ("transfer", get_args(transfer_wire.Ask)),
        ("diagnosis", get_args(diagnosis.Question)),
    ],
)
def test_each_frame_of_a_protocol_is_in_the_table(protocol: str, frames: tuple[type, ...]) -> None:
    known = {
        one.ask.partition(":")[0].partition(" (")[0] for one in REQUESTS if one.protocol == protocol
    }
    assert known == {frame.__name__ for frame in frames}


def test_each_question_of_the_identity_protocol_and_each_kind_of_message_is_in_the_table() -> None:
    asked = {one.ask: one.row for one in REQUESTS if one.protocol == "identity"}
    assert asked.keys() == {kind.value for kind in AskKind}
    assert set(MESSAGE_REQUESTS) == set(Kind)
    rows = {one.row for one in REQUESTS if one.protocol == "message"} - {""}
    assert rows == set(MESSAGE_REQUESTS.values())


def test_each_row_of_the_policy_is_asked_and_each_request_asks_or_says_why_not() -> None:
    assert {one.row for one in REQUESTS} - {""} == set(NEEDS)
    assert FRESH <= PROVABLE <= set(NEEDS)
    for one in REQUESTS:
        assert bool(one.row) is not bool(one.open_because), one.ask
    assert len({(one.protocol, one.ask) for one in REQUESTS}) == len(REQUESTS)


def test_the_configurations_documentation_has_each_row() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert [row for row in NEEDS if f"`{row}`" not in text] == []


def test_no_part_writes_a_journal_without_its_grant_and_the_audit_says_who_tried(
    tmp_path: Path,
) -> None:
    async def look(_: RunningCell, parts: Parts) -> None:
        for name in [*(one.journal for one in SERVICES), "interactions", AUDIT_JOURNAL]:
            journal = await parts.store.journal(name)
            length = journal.length
            for attempt in (
                parts.store.transaction({name: [b"not mine"]}),
                parts.store.transaction({"other": [b"mine"], name: [b"not mine"]}),
                journal.append(b"not mine"),
                journal.truncate(0),
            ):
                with pytest.raises(JournalHeld):
                    await attempt
            with pytest.raises(JournalHeld):
                parts.store.pen(name)
            assert journal.length >= length
        assert "other" not in parts.store.journals(), "all or nothing"
        asked: tuple[tuple[str, str | None], ...] = (
            ("market", None),
            ("message", None),
            ("message", "consensus"),
            ("state", "audit"),
        )
        for service, wanted in asked:
            with pytest.raises(JournalNotGranted):
                parts.nucleus.grant(service, wanted)
        rows, _next = await parts.audit.page(Wanted(100, refused=True))
        await parts.audit.close()
        rows, _next = await parts.audit.page(Wanted(100, refused=True))
        assert {(act.action, act.code) for _, act in rows} == {
            ("journal-write", JournalNotGranted.code)
        }
        assert sum(act.count for _, act in rows) == 7 * 5 + 4

    whole_cell(tmp_path, look)


def test_a_cells_metadata_is_kept_and_its_changes_are_journaled(tmp_path: Path) -> None:
    lives: list[tuple[int, dict[str, str]]] = []
    events: list[str] = []

    async def look(cell: RunningCell, parts: Parts) -> None:
        found = cell.services().cell
        assert (found.name, found.role) == (parts.name, "sclerotium")
        assert found.services[0] == "nucleus"
        assert (await cell.describe(parts.cell_id)) == found
        lives.append((found.stopped_ms, found.metadata))
        journal = await parts.store.journal("nucleus")
        rows = [decode_record(block) async for block in journal.read(0)]
        events[:] = [f"{one.event} {one.subject}" for one in rows if "metadata" in one.event]

    whole_cell(tmp_path, look, "place=attic", "owner=ada")
    whole_cell(tmp_path, look, "place=attic", "owner=ada")
    whole_cell(tmp_path, look, "place=cellar")
    assert [told for _, told in lives] == [
        {"owner": "ada", "place": "attic"},
        {"owner": "ada", "place": "attic"},
        {"place": "cellar"},
    ]
    assert lives[0][0] == 0
    assert 0 < lives[1][0] <= lives[2][0]
    assert events == [
        "metadata.set owner",
        "metadata.set place",
        "metadata.set place",
        "metadata.removed owner",
    ]
