"""The file of a backup gives back what was written, or says that it is not whole."""

from __future__ import annotations

import io
from collections.abc import Callable
from random import Random

import pytest

from core.errors import MyceldError
from identity.errors import PassphraseNeeded, WrongPassphrase
from identity.passphrase import Passphrase
from identity.sealed_seed import Cost
from node.backup.archive import CHUNK_SIZE_BYTES, BackupReader, BackupWriter
from node.backup.manifest import FILES, Manifest, StoredFile, decode_manifest
from node.errors import BackupUnreadable

pytestmark = pytest.mark.usefixtures("cheap")

SECRET = Passphrase("correct horse")
QUICK = Cost(2, 64)
CONTENT = bytes(range(256)) * 40
MANIFEST = Manifest(
    version="0.1",
    cell_id="12D3KooW",
    network_id="ab" * 32,
    network_name="club",
    made_ns=1,
    home="/home/ada/.myceld",
    host="ada",
    round_applied=7,
    round_certified=6,
    header_hash="cd" * 32,
    state_root="ef" * 32,
    heads={"consensus": "head"},
    files=tuple(StoredFile(name, 5, "00" * 32) for name in FILES),
)


def written(content: bytes, passphrase: Passphrase | None) -> bytes:
    out = io.BytesIO()
    writer = BackupWriter(out, passphrase, QUICK)
    for at in range(0, len(content), 70_000):
        writer.write(content[at : at + 70_000])
    writer.end()
    return out.getvalue()


def read(data: bytes, size_bytes: int, ask: Callable[[], Passphrase] | None) -> bytes:
    reader = BackupReader(io.BytesIO(data), ask)
    content = reader.read(size_bytes)
    reader.end()
    return content


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE_BYTES, 2 * CHUNK_SIZE_BYTES + 5])
@pytest.mark.parametrize("passphrase", [None, SECRET])
def test_what_was_written_is_read_again(size: int, passphrase: Passphrase | None) -> None:
    content = Random(size).randbytes(size)  # noqa: S311 - any bytes
    data = written(content, passphrase)
    assert read(data, size, None if passphrase is None else lambda: SECRET) == content
    if passphrase is not None and size > 1:
        assert content[:64] not in data


@pytest.mark.parametrize("passphrase", [None, SECRET])
def test_what_was_changed_or_cut_off_is_refused(passphrase: Passphrase | None) -> None:
    data, chance = written(CONTENT, passphrase), Random(1)  # noqa: S311 - the same changes each time
    tries = 300
    cuts = [data[: chance.randrange(len(data))] for _ in range(tries // 3)]
    flips = []
    for _ in range(tries):
        changed = bytearray(data)
        changed[chance.randrange(data.index(b"\n") + 1, len(data))] ^= 1 << chance.randrange(8)
        flips.append(bytes(changed))
    for wrong in [*cuts, *flips, data + b"\0", b"", b"{}\n", b"\0" * 5000]:
        with pytest.raises((BackupUnreadable, WrongPassphrase)):
            read(wrong, len(CONTENT), lambda: SECRET)


def test_the_first_line_of_an_encrypted_backup_can_not_be_changed() -> None:
    data = written(CONTENT, SECRET)
    line = data[: data.index(b"\n")]
    for wrong in (
        line.replace(b'"ops": 2', b'"ops": 3'),
        line.replace(b"argon2id", b"argon2i\x64"[:8]) + b" ",
        line.replace(b'"kdf": "argon2id"', b'"kdf": "none"'),
    ):
        assert wrong != line
        with pytest.raises((BackupUnreadable, WrongPassphrase)):
            read(wrong + data[len(line) :], len(CONTENT), lambda: SECRET)
    dear = line.replace(b'"memory_kib": 64', b'"memory_kib": 99999999')
    with pytest.raises(MyceldError, match="99999999"):
        read(dear + data[len(line) :], len(CONTENT), lambda: SECRET)


def test_an_encrypted_backup_wants_its_passphrase() -> None:
    data = written(CONTENT, SECRET)
    with pytest.raises(PassphraseNeeded):
        read(data, len(CONTENT), None)
    with pytest.raises(WrongPassphrase):
        read(data, len(CONTENT), lambda: Passphrase("wrong horse"))


def test_a_manifest_survives_and_nonsense_is_refused() -> None:
    data = MANIFEST.encode()
    assert decode_manifest(data) == MANIFEST
    for wrong in (
        b"",
        b"[]",
        b"{}",
        data.replace(b"myceld-backup/1", b"myceld-backup/2"),
        data.replace(b"cell.db", b"../x.db"),
        data.replace(b'"round_applied": 7', b'"round_applied": -7'),
        data.replace(b'"round_applied": 7', b'"round_applied": "7"'),
        data.replace(b'{"consensus": "head"}', b'["consensus"]'),
        data.replace(b'"host"', b'"guest"'),
        data.replace(b"ab" * 32, b"xy" * 32),
    ):
        assert wrong != data
        with pytest.raises(BackupUnreadable):
            decode_manifest(wrong)
