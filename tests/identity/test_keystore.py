"""A key file is written once, whole, for the owner only; a damaged or open one is not used."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity import keystore
from identity.errors import (
    KeyFileExists,
    KeyFileNotOwned,
    KeyFileNotWritten,
    KeyFileTooOpen,
    NoKeyFile,
    UnknownKeyFileVersion,
    UnreadableKeyFile,
)
from identity.keys import KeyPair

SEED = bytes([1]) * 32


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "key.json"


def _write(path: Path, text: str | bytes) -> None:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o600)


def test_what_was_created_is_loaded(path: Path) -> None:
    created = keystore.create(path, SEED)
    loaded = keystore.load(path)
    assert (loaded.seed, loaded.cell_id) == (SEED, created.cell_id)


def test_only_the_owner_has_access_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        keystore.create(path, SEED)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["key.json"]


def test_an_existing_key_is_never_overwritten(path: Path) -> None:
    keystore.create(path, SEED)
    with pytest.raises(KeyFileExists):
        keystore.create(path, bytes([2]) * 32)
    assert keystore.load(path).seed == SEED
    assert [entry.name for entry in path.parent.iterdir()] == ["key.json"]


def test_a_failed_write_leaves_neither_a_key_nor_a_copy_of_the_seed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(descriptor))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeyFileNotWritten, match="No space left"):
        keystore.create(path, SEED)
    assert list(path.parent.iterdir()) == []


def test_a_missing_directory_is_told(path: Path) -> None:
    with pytest.raises(KeyFileNotWritten):
        keystore.create(path.parent / "nowhere" / "key.json", SEED)


def test_a_missing_file_is_told(path: Path) -> None:
    with pytest.raises(NoKeyFile):
        keystore.load(path)


def test_a_directory_in_its_place_is_told(path: Path) -> None:
    path.mkdir()
    with pytest.raises(UnreadableKeyFile):
        keystore.load(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_file_that_others_can_touch_is_refused(path: Path, mode: int) -> None:
    keystore.create(path, SEED)
    path.chmod(mode)
    with pytest.raises(KeyFileTooOpen, match=f"{mode:04o}"):
        keystore.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": "02" * 32},
        {"public_key": "00" * 32},
        {"seed": "01" * 31},
        {"seed": "zz" * 32},
        {"seed": 7},
        {"seed": None},
    ],
)
def test_a_changed_field_is_noticed(path: Path, change: dict[str, object]) -> None:
    keystore.create(path, SEED)
    _write(path, json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UnreadableKeyFile) as refusal:
        keystore.load(path)
    assert SEED.hex() not in str(refusal.value)


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"version": 3}, {"version": "1"}, {"kdf": "argon2id"}, {"kdf": None}]
)
def test_a_version_that_is_not_known_has_its_own_error(
    path: Path, change: dict[str, object]
) -> None:
    keystore.create(path, SEED)
    _write(path, json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UnknownKeyFileVersion):
        keystore.load(path)


def test_a_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keystore.create(path, SEED)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(KeyFileNotOwned, match=f"belongs to user {owner}"):
        keystore.load(path)


def test_a_pipe_in_its_place_does_not_hang_the_start(path: Path) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(UnreadableKeyFile):
        keystore.load(path)


def test_what_a_killed_writer_left_is_removed_but_not_a_living_ones(path: Path) -> None:
    dead, alive, other = (path.with_name(f".key.json.{end}") for end in ("4194304", "1", "old"))
    for left in (dead, alive, other):
        left.write_text("secret")
    keystore.create(path, SEED)
    assert {entry.name for entry in path.parent.iterdir()} == {path.name, alive.name, other.name}


@pytest.mark.parametrize("field", ["version", "kdf", "public_key", "seed"])
def test_a_missing_field_is_noticed(path: Path, field: str) -> None:
    keystore.create(path, SEED)
    content = json.loads(path.read_text())
    del content[field]
    _write(path, json.dumps(content))
    with pytest.raises(UnreadableKeyFile):
        keystore.load(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '"seed"', "null", b"\xff\xfe", "[" * 4000])
def test_what_is_no_key_file_is_told(path: Path, text: str | bytes) -> None:
    _write(path, text)
    with pytest.raises(UnreadableKeyFile):
        keystore.load(path)


@pytest.mark.parametrize(
    ("size", "what"), [(0, "is empty"), (1, "cut off"), (40, "cut off"), (-2, "cut off")]
)
def test_a_file_that_was_cut_off_is_said_to_be(path: Path, size: int, what: str) -> None:
    keystore.create(path, SEED)
    _write(path, path.read_bytes()[:size])
    with pytest.raises(UnreadableKeyFile, match=what):
        keystore.load(path)


@given(st.data())
@settings(deadline=None)
def test_a_truncated_or_changed_file_never_gives_another_key(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("key") / "key.json"
    keystore.create(path, SEED)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[at:]
    else:
        content[at] = data.draw(st.integers(0, 255))
    _write(path, bytes(content))
    with contextlib.suppress(UnreadableKeyFile, UnknownKeyFileVersion):
        assert keystore.load(path).cell_id == KeyPair(SEED).cell_id
