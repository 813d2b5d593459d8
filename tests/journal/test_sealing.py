"""An encrypted journal is read with its key, checked without it, and never reuses a nonce."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from journal.errors import (
    EncryptionKeyMissing,
    NotEncrypted,
    StatementRefused,
    StoreCorrupt,
    WrongEncryptionKey,
)
from journal.limits import SEAL_SIZE_BYTES
from journal.merkle import verify_inclusion
from journal.sealing import Seal
from tests.journal.world import CELL_ID, check_head, open_store, read_all, slow_leaf

_KEY = b"\x07" * 32
_KEYS = {"secret": _KEY}
# Of "a block" at index 5, without its salt. Another value is another format on disk.
_VECTOR = "5f4ffc430722614af66523d0de865f25758dd3f02f32bb"
_BLOCKS = [b"block %d" % n * (n % 30) for n in range(700)]


def test_blocks_are_read_with_the_key_and_nothing_of_them_is_in_the_file(tmp_path: Path) -> None:
    async def main() -> None:
        for turn in range(2):
            async with await open_store(tmp_path / "s.db", keys=_KEYS) as store:
                journal = await store.journal("secret")
                plain = await store.journal("plain")
                assert (journal.is_encrypted, plain.is_encrypted) == (True, False)
                await journal.append(_BLOCKS if turn == 0 else b"last")
                await plain.append(b"not hidden")
                assert (await read_all(journal))[:700] == _BLOCKS
                assert await journal.get(699) == _BLOCKS[699]
                raw = await journal.get_many(range(journal.length), raw=True)
                check_head(journal, raw)
                assert raw == [b async for b in journal.read(raw=True)]
                assert [len(b) - SEAL_SIZE_BYTES for b in raw[:700]] == list(map(len, _BLOCKS))
                assert journal.byte_length == sum(map(len, _BLOCKS)) + 4 * turn
                at = sum(map(len, _BLOCKS[:333]))
                assert await journal.seek(at + 5) == (333, 5)
                proof = await journal.prove_inclusion(5)
                verify_inclusion(slow_leaf(raw[5]), 5, journal.length, proof, journal.root())
                await store.audit()
                if turn:
                    await journal.clear(100, 200)
                    assert (await store.audit())[0].content_bytes == journal.byte_length
        content = (tmp_path / "s.db").read_bytes()
        assert b"block 1" not in content
        assert b"not hidden" in content

    asyncio.run(main())


def test_a_wrong_key_is_an_error_at_open_and_a_missing_one_when_it_is_needed(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with await open_store(tmp_path / "s.db", keys=_KEYS) as store:
            await (await store.journal("secret")).append(_BLOCKS)
            await (await store.journal("plain")).append(b"x")
        for wrong in (b"\x08" * 32, b"short", b""):
            with pytest.raises(WrongEncryptionKey):
                await open_store(tmp_path / "s.db", keys={"secret": wrong})
        with pytest.raises(NotEncrypted):
            await open_store(tmp_path / "s.db", keys={"plain": _KEY})
        async with await open_store(tmp_path / "s.db") as store:
            journal = await store.journal("secret")
            plain = await store.journal("plain")
            with pytest.raises(EncryptionKeyMissing):
                await journal.get(3)
            with pytest.raises(EncryptionKeyMissing):
                await read_all(journal)
            refused, fine = await asyncio.gather(
                journal.append(b"x"), plain.append(b"y"), return_exceptions=True
            )
            assert isinstance(refused, EncryptionKeyMissing)
            assert fine == (1, 2)
            assert len(await journal.get(3, raw=True)) == len(_BLOCKS[3]) + SEAL_SIZE_BYTES
            await journal.audit()
            assert await journal.truncate(10) == 1

    asyncio.run(main())


def test_no_salt_and_index_are_used_twice(tmp_path: Path) -> None:
    """After reopening, a copied-back file, a failed commit and a truncation there is a new salt."""

    async def main() -> None:
        path = tmp_path / "s.db"
        salts = []

        async def append() -> None:
            async with await open_store(path, keys=_KEYS) as store:
                journal = await store.journal("secret")
                await journal.append([b"same", b"same"])
                one, two = await journal.get_many([0, 1], raw=True)
                assert one[:16] == two[:16]
                assert one[16:] != two[16:]
                salts.append(one[:16])
                with pytest.raises(StatementRefused):
                    await store.transaction({"secret": [b"gone"]}, [("NO SQL", [()])])
                with pytest.raises(StatementRefused):
                    await store.transaction({"secret": [b"gone"]}, [("INSERT INTO no", [()])])
                await journal.append(b"after a failure")
                salts.append((await journal.get(2, raw=True))[:16])
                await journal.truncate(2)
                await journal.append(b"after a truncation")
                salts.append((await journal.get(2, raw=True))[:16])
                assert await journal.get(2) == b"after a truncation"

        async with await open_store(path, keys=_KEYS) as store:
            await store.journal("secret")
        shutil.copy(path, tmp_path / "copy")
        await append()
        shutil.copy(tmp_path / "copy", path)
        await append()
        assert len(set(salts)) == 6

    asyncio.run(main())


def test_a_block_opens_at_its_own_place_only() -> None:
    seal = Seal(_KEY, CELL_ID, "secret")
    (block,) = seal.seal_all(7, [b"content"])
    assert seal.open(7, block) == b"content"
    for other, index, body in (
        (seal, 8, block),
        (Seal(_KEY, CELL_ID, "other"), 7, block),
        (Seal(b"\x08" * 32, CELL_ID, "secret"), 7, block),
        (seal, 7, block[:-1]),
        (seal, 7, block[:20]),
        (seal, 7, bytes([block[0] ^ 1]) + block[1:]),
    ):
        with pytest.raises(StoreCorrupt):
            other.open(index, body)


def test_the_encryption_of_a_block_is_this_one_byte_for_byte() -> None:
    seal = Seal(bytes(range(32)), "cell", "name")
    salt = bytes(range(100, 116))
    sealed = bytes.fromhex(_VECTOR)
    assert seal.open(5, salt + sealed) == b"a block"
