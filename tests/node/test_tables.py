"""What the daemon's tables keep, and for how long."""

from __future__ import annotations

import asyncio
from pathlib import Path

from journal import Store
from ledger.transaction import opaque_transaction, transaction_id
from node.tables import SCHEMA, unplaced, unplaced_statements
from tests.ledger.world import KEYS

ONE, TWO, THREE = (opaque_transaction(text) for text in (b"one", b"two", b"three"))


def test_unplaced_transactions_are_kept_in_their_order_until_they_are_ordered(
    tmp_path: Path,
) -> None:
    asyncio.run(_keep_and_order(tmp_path / "cell.db"))


async def _keep_and_order(path: Path) -> None:
    key = KEYS[0]
    store = await Store.open(path, signer=key.sign, cell_id=key.cell_id)
    try:
        await store.create_tables(SCHEMA)
        await store.transaction({}, unplaced_statements([TWO, ONE]))
        await store.transaction({}, unplaced_statements([ONE, THREE]))
        assert unplaced(store) == [TWO, ONE, THREE]
        row = (0, transaction_id(ONE), 1, b"e", key.public_key, 1, "k", None, None, "o", None, 1)
        marks = ", ".join("?" * len(row))
        await store.transaction({}, [(f"INSERT INTO ordered VALUES ({marks})", [row])])  # noqa: S608 - only question marks
        assert unplaced(store) == [TWO, THREE]
        await store.transaction({}, unplaced_statements([]))
        assert store.query("SELECT count(*) FROM unplaced") == [(2,)]
    finally:
        await store.close()
