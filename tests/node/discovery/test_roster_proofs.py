"""A cell's own records prove the present roster, or it says that they do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from identity.keys import verify_all
from journal import Store
from ledger.certificate import Certificate
from ledger.members import Action
from ledger.roster_proof import decode_proof, verify_proof
from node.discovery.roster_proofs import RosterProofs
from node.headers import Headers
from node.tables import HEADERS_JOURNAL, SCHEMA, certificate_statement
from tests.ledger.test_roster_proof import SHORT, History
from tests.ledger.world import ALL_KEYS, NEWCOMERS


def _with_store(tmp_path: Path, main: Callable[[Store], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        key = ALL_KEYS[0]
        store = await Store.open(
            tmp_path / "cell.db", signer=key.sign, cell_id=key.cell_id, durability="process"
        )
        try:
            await store.create_tables(SCHEMA)
            await main(store)
        finally:
            await store.close()

    asyncio.run(run())


async def _write(store: Store, history: History, certificates: list[Certificate]) -> None:
    """Write what is new in a history."""
    headers = await store.journal(HEADERS_JOURNAL)
    new = history.headers[headers.length :]
    epochs = [(roster.epoch, roster.encode(), 0) for roster in history.rosters[1:]]
    await store.transaction(
        {HEADERS_JOURNAL: [header.encode() for header in new]},
        [
            ("INSERT OR REPLACE INTO epoch VALUES (?, ?, ?)", epochs),
            *(certificate_statement(certificate) for certificate in certificates),
        ],
    )


def test_a_new_network_is_proven_by_its_genesis_alone(tmp_path: Path) -> None:
    async def main(store: Store) -> None:
        proven = await RosterProofs(store, await Headers.open(store), SHORT).proof()
        assert proven is not None
        proof, roster = proven
        assert roster == SHORT.roster
        assert verify_proof(SHORT, decode_proof(proof), verify_all=verify_all) == roster

    _with_store(tmp_path, main)


def test_the_proof_follows_the_members_over_epochs_and_while_the_cell_runs(tmp_path: Path) -> None:
    history = History()

    async def main(store: Store) -> None:
        proofs = RosterProofs(store, await Headers.open(store), SHORT)
        for number, key in enumerate((*NEWCOMERS[:2], *ALL_KEYS[1:4])):
            history.seal()
            history.change(Action.ADD if number < 2 else Action.REMOVE, key)
            await _write(store, history, [step.certificate for step in history.steps])
            for source in (proofs, RosterProofs(store, await Headers.open(store), SHORT)):
                proven = await source.proof()
                assert proven is not None
                proof, roster = proven
                assert roster == history.rosters[-1]
                steps = decode_proof(proof)
                assert verify_proof(SHORT, steps, verify_all=verify_all) == roster
                assert len(steps) <= number + 1

    _with_store(tmp_path, main)


def test_a_cell_that_lacks_the_certificates_of_old_epochs_proves_nothing(tmp_path: Path) -> None:
    history = History()
    for key in NEWCOMERS[:2]:
        history.change(Action.ADD, key)
    for key in ALL_KEYS[1:4]:
        history.change(Action.REMOVE, key)

    async def main(store: Store) -> None:
        await _write(store, history, [history.steps[-1].certificate])
        assert await RosterProofs(store, await Headers.open(store), SHORT).proof() is None

    _with_store(tmp_path, main)


def test_an_epoch_whose_seal_is_not_acknowledged_yet_is_left_for_the_next_time(
    tmp_path: Path,
) -> None:
    """The tables are read from the disk, where the writer may be ahead of what it told."""
    history = History()

    async def main(store: Store) -> None:
        proofs = RosterProofs(store, await Headers.open(store), SHORT)
        history.seal()
        history.change(Action.ADD, NEWCOMERS[0])
        epochs = [(roster.epoch, roster.encode(), 0) for roster in history.rosters[1:]]
        await store.transaction({}, [("INSERT OR REPLACE INTO epoch VALUES (?, ?, ?)", epochs)])
        early = await proofs.proof()
        assert early is not None
        assert early[1] == SHORT.roster
        await _write(store, history, [step.certificate for step in history.steps])
        late = await proofs.proof()
        assert late is not None
        assert late[1] == history.rosters[-1]

    _with_store(tmp_path, main)
