"""What the journal's tests share: one cell's key, and trees computed the slow, obvious way."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey

from core.ids import PublicKey, cell_id_of, public_key_of
from journal import Durability, Journal, Snapshot, Store
from journal.checkpoint import verify_checkpoint

KEY = SigningKey(b"\x01" * 32)
PUBLIC_KEY = PublicKey(bytes(KEY.verify_key))
CELL_ID = cell_id_of(PUBLIC_KEY)
OTHER_KEY = SigningKey(b"\x02" * 32)


def sign(message: bytes) -> bytes:
    """Sign with the cell's key."""
    return bytes(KEY.sign(message).signature)


def sign_as_other(message: bytes) -> bytes:
    """Sign with a key that is not the cell's."""
    return bytes(OTHER_KEY.sign(message).signature)


async def open_store(
    path: Path, durability: Durability = "process", keys: dict[str, bytes] | None = None
) -> Store:
    """Open a store of the test's cell."""
    return await Store.open(
        path, signer=sign, cell_id=CELL_ID, durability=durability, encryption_keys=keys
    )


async def read_all(journal: Journal) -> list[bytes]:
    """Return every block of a journal, each checked by the store."""
    return [block async for block in journal.read()]


def check_head(journal: Journal | Snapshot, blocks: Sequence[bytes]) -> None:
    """Check that a journal's head is signed, and is over exactly these blocks."""
    head = verify_checkpoint(
        journal.checkpoint(), f"{CELL_ID}/{journal.name}/{journal.fork}", public_key_of(CELL_ID)
    )
    assert (head.size, head.root) == (len(blocks), slow_root([slow_leaf(b) for b in blocks]))
    assert journal.length == len(blocks)


def slow_leaf(block: bytes) -> bytes:
    """RFC 6962, section 2.1, word by word."""
    return hashlib.sha256(b"\x00" + block).digest()


def slow_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + slow_root(leaves[:k]) + slow_root(leaves[k:])).digest()


def fsyncs_of(store: Store, slow: Callable[[], None] = lambda: None) -> list[int]:
    """Return a list that gets the number of commits each fsync covers; `slow` goes first."""
    committer, covered = store._committer, list[int]()
    fsync = committer._syncer._call_fsync

    def call_fsync() -> None:
        commits = committer._commits
        slow()
        fsync()
        covered.append(commits)

    committer._syncer._call_fsync = call_fsync  # type: ignore[method-assign]  # a disk to watch
    return covered


@contextlib.contextmanager
def ahead(store: Store) -> Iterator[None]:
    """Let the writer's thread be quick and the event loop slow.

    What the thread does is on disk at once, and known here some turns of the loop later.
    """
    thread = store._thread

    async def run(function: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - whatever it gives
        result = thread.run_here(function)
        for _ in range(10):
            await asyncio.sleep(0)
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thread, "run", run)
        yield


@contextlib.contextmanager
def stopped_clock() -> Iterator[Callable[[float], None]]:
    """Stop the clock of the running event loop; yields what moves it on by some seconds."""
    loop = asyncio.get_running_loop()
    now_s = loop.time()

    def later(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "time", lambda: now_s)
        yield later
