"""A store goes over to its cell's next key whole or not at all, and its journals go on."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import pytest

from core.ids import PublicKey, cell_id_of
from journal import Store
from journal.checkpoint import verify_checkpoint
from journal.errors import WrongCell
from tests.journal.world import (
    CELL_ID,
    OTHER_KEY,
    PUBLIC_KEY,
    open_store,
    read_all,
    sign,
    sign_as_other,
)

NEXT_PUBLIC_KEY: Final = PublicKey(bytes(OTHER_KEY.verify_key))
NEXT: Final = cell_id_of(NEXT_PUBLIC_KEY)
ROOT: Final = Path(__file__).resolve().parents[2]
BLOCKS: Final = [b"%d" % number for number in range(300)]


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an asynchronous test in a loop of its own."""

    @functools.wraps(test)
    def run(**fixtures: object) -> None:
        asyncio.run(test(**fixtures))

    return run


async def _taken_over(path: Path) -> Store:
    return await Store.open(path, signer=sign_as_other, cell_id=NEXT, former=CELL_ID)


async def _filled(path: Path) -> None:
    async with await open_store(path) as store:
        notes = await store.journal("notes")
        await store.transaction({"notes": BLOCKS, "other": [b"x"]})
        await store.journal("empty")
        await notes.truncate(250)


@in_loop
async def test_every_journal_has_a_head_of_the_new_key_over_the_same_blocks(tmp_path: Path) -> None:
    path = tmp_path / "cell.db"
    await _filled(path)
    async with await open_store(path) as store:
        old = {name: (await store.journal(name)).checkpoint() for name in store.journals()}
    async with await _taken_over(path) as store:
        assert store.journals() == list(old)
        for name, head in old.items():
            journal = await store.journal(name)
            before = verify_checkpoint(head, f"{CELL_ID}/{name}/{journal.fork}", PUBLIC_KEY)
            after = verify_checkpoint(
                journal.checkpoint(), f"{NEXT}/{name}/{journal.fork}", NEXT_PUBLIC_KEY
            )
            assert (after.size, after.root) == (before.size, before.root)
        notes = await store.journal("notes")
        await notes.append(b"more")
    async with await Store.open(path, signer=sign_as_other, cell_id=NEXT) as store:
        notes = await store.journal("notes")
        assert await read_all(notes) == [*BLOCKS[:250], b"more"]
        assert all(audit.blocks >= 0 for audit in await store.audit())


@in_loop
async def test_the_old_key_opens_it_no_longer_and_the_new_one_again(tmp_path: Path) -> None:
    path = tmp_path / "cell.db"
    await _filled(path)
    await (await _taken_over(path)).close()
    with pytest.raises(WrongCell):
        await open_store(path)
    async with await _taken_over(path) as store:  # a former id that is gone does not matter
        assert "notes" in store.journals()


@in_loop
async def test_a_store_of_a_third_cell_is_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "cell.db"
    await _filled(path)
    with pytest.raises(WrongCell):
        await Store.open(path, signer=sign_as_other, cell_id=NEXT, former=NEXT)
    with pytest.raises(WrongCell):
        await Store.open(path, signer=sign_as_other, cell_id=NEXT)


@in_loop
async def test_encrypted_journals_stay_with_their_key(tmp_path: Path) -> None:
    path = tmp_path / "cell.db"
    async with await open_store(path, keys={"secret": bytes(32)}) as store:
        await (await store.journal("secret")).append(b"x")
    with pytest.raises(WrongCell):
        await _taken_over(path)
    async with await open_store(path, keys={"secret": bytes(32)}) as store:
        assert await read_all(await store.journal("secret")) == [b"x"]


_TAKE: Final = """
import asyncio, os, sys
from pathlib import Path
from core.failpoint import arm
from journal import Store
from tests.journal.world import CELL_ID, OTHER_KEY, sign_as_other
from core.ids import PublicKey, cell_id_of
arm(lambda name: os._exit(9) if name == sys.argv[2] else None)
new = cell_id_of(PublicKey(bytes(OTHER_KEY.verify_key)))
asyncio.run(Store.open(Path(sys.argv[1]), signer=sign_as_other, cell_id=new, former=CELL_ID))
"""


@pytest.mark.parametrize(
    ("place", "is_new"), [("journal.takeover.before", False), ("journal.takeover.after", True)]
)
@in_loop
async def test_killed_in_between_it_belongs_to_one_of_the_two(
    tmp_path: Path,
    place: str,
    is_new: bool,  # noqa: FBT001 - a case
) -> None:
    path = tmp_path / "cell.db"
    await _filled(path)
    done = subprocess.run([sys.executable, "-c", _TAKE, str(path), place], cwd=ROOT, check=False)  # noqa: ASYNC221 - nothing else runs
    assert done.returncode == 9
    signer, owner = (sign_as_other, NEXT) if is_new else (sign, CELL_ID)
    async with await Store.open(path, signer=signer, cell_id=owner) as store:
        assert await read_all(await store.journal("notes")) == BLOCKS[:250]
    await (await _taken_over(path)).close()
