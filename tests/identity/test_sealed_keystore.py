"""A key under a passphrase: what opens it, what does not, and that each fault has its own error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import nacl.pwhash
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.failpoint import FAILPOINTS
from core.ids import PublicKey
from identity import keystore
from identity.errors import (
    BadPassphrase,
    CostOutOfBounds,
    CostTooHigh,
    KeyFileExists,
    UnknownKeyFileVersion,
    UnreadableKeyFile,
    WrongPassphrase,
)
from identity.keys import KeyPair
from identity.keystore import Lock, LockedKey, OpenKeys
from identity.passphrase import Passphrase
from identity.sealed_seed import Cost, SealedSeed, checksum

ROOT: Final = Path(__file__).resolve().parents[2]
VECTOR: Final = json.loads((ROOT / "tests" / "vectors" / "keystore.json").read_text())
SEED: Final = bytes([1]) * 32
KEYS: Final = OpenKeys(KeyPair(SEED))
CHEAP: Final = Cost(2, 64 << 10)
OLD: Final = Passphrase("old passphrase")
NEW: Final = Passphrase("new passphrase")


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a key file as it was created: that takes 80 ms."""
    path = tmp_path_factory.mktemp("created") / "key.json"
    keystore.create(path, SEED, Lock(OLD, CHEAP))
    return path.read_bytes()


@pytest.fixture(name="path")
def _path(tmp_path: Path, created: bytes) -> Path:
    path = tmp_path / "key.json"
    path.write_bytes(created)
    path.chmod(0o600)
    return path


def _content(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _forge(path: Path, **changes: object) -> None:
    """Change fields, and the checksum with them, as somebody who means ill would."""
    content = _content(path) | changes
    sealed = SealedSeed(
        Cost(content["ops"], content["memory_kib"]),
        bytes.fromhex(content["salt"]),
        PublicKey(bytes.fromhex(content["public_key"])),
        bytes.fromhex(content["nonce"]),
        bytes.fromhex(content["sealed"]),
    )
    path.write_text(json.dumps(content | {"checksum": checksum([sealed]).hex()}))


def _never() -> Passphrase:
    raise AssertionError("asked for the passphrase")


def test_what_was_created_is_opened_by_its_passphrase_alone(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    keystore.create(path, SEED, Lock(OLD, CHEAP))
    assert keystore.load(path, lambda: OLD).seed == SEED
    with pytest.raises(WrongPassphrase):
        keystore.load(path, lambda: NEW)
    assert SEED.hex() not in path.read_text()


def test_two_files_of_one_key_have_nothing_secret_in_common(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    keystore.create(other, SEED, Lock(OLD, CHEAP))
    one, two = _content(path), _content(other)
    assert {name for name in one if one[name] == two[name]} == {
        "version",
        "kdf",
        "ops",
        "memory_kib",
        "public_key",
    }


def test_the_cell_id_is_read_without_the_passphrase(path: Path) -> None:
    stored = keystore.inspect(path)
    assert isinstance(stored, LockedKey)
    assert keystore.cell_id_in(stored) == KeyPair(SEED).cell_id


@pytest.mark.parametrize("file", VECTOR["files"], ids=lambda file: file["name"])
def test_the_files_of_every_version_open_for_ever(tmp_path: Path, file: dict[str, Any]) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(file["file"]))
    path.chmod(0o600)
    pair = keystore.load(path, lambda: Passphrase(VECTOR["passphrase"]))
    assert (pair.seed.hex(), pair.cell_id) == (VECTOR["seed"], VECTOR["cell_id"])


@pytest.mark.parametrize(
    "change", [{"memory_kib": 64 << 20}, {"ops": 10**9}, {"memory_kib": (1 << 20) + 1}, {"ops": 17}]
)
@pytest.mark.parametrize("is_forged", [False, True])
def test_a_cost_beyond_the_cap_is_refused_before_anything_is_computed_or_asked(
    path: Path,
    change: dict[str, int],
    is_forged: bool,  # noqa: FBT001 - a case
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def derive(*_: object, **__: object) -> bytes:
        raise AssertionError("memory was taken")

    if is_forged:
        _forge(path, **change)
    else:
        path.write_text(json.dumps(_content(path) | change))
    monkeypatch.setattr(nacl.pwhash.argon2id, "kdf", derive)
    with pytest.raises(CostTooHigh):
        keystore.load(path, _never)


@pytest.mark.parametrize(
    "cost",
    [Cost(1, 64 << 10), Cost(2, (64 << 10) - 1), Cost(17, 64 << 10), Cost(2, 2 << 20)],
    ids=str,
)
def test_no_file_is_written_with_a_cost_out_of_bounds(tmp_path: Path, cost: Cost) -> None:
    with pytest.raises(CostOutOfBounds):
        keystore.create(tmp_path / "key.json", SEED, Lock(OLD, cost))
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_written_with_a_short_passphrase(tmp_path: Path) -> None:
    with pytest.raises(BadPassphrase):
        keystore.create(tmp_path / "key.json", SEED, Lock(Passphrase("seven c"), CHEAP))
    assert list(tmp_path.iterdir()) == []


def _flipped(text: str) -> str:
    return ("1" if text[0] == "0" else "0") + text[1:]


@pytest.mark.parametrize("field", ["salt", "public_key", "nonce", "sealed", "checksum"])
def test_a_damaged_field_is_told_apart_from_a_wrong_passphrase(path: Path, field: str) -> None:
    content = _content(path)
    path.write_text(json.dumps(content | {field: _flipped(content[field])}))
    with pytest.raises(UnreadableKeyFile):
        keystore.load(path, _never)


@pytest.mark.parametrize("field", ["salt", "public_key", "nonce", "sealed"])
def test_a_field_changed_with_its_checksum_opens_nothing(path: Path, field: str) -> None:
    _forge(path, **{field: _flipped(_content(path)[field])})
    with pytest.raises(WrongPassphrase):
        keystore.load(path, lambda: OLD)


def test_a_lower_cost_put_into_the_header_opens_nothing(path: Path) -> None:
    _forge(path, ops=1)
    with pytest.raises(WrongPassphrase):
        keystore.load(path, lambda: OLD)


@given(st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_truncated_file_is_damaged_and_never_asks(path: Path, data: st.DataObject) -> None:
    whole = path.read_bytes()
    short = path.with_name("short.json")
    short.write_bytes(whole[: data.draw(st.integers(0, len(whole.rstrip()) - 1))])
    short.chmod(0o600)
    with pytest.raises(UnreadableKeyFile):
        keystore.load(short, _never)


@given(st.data())
@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_changed_byte_never_gives_another_key(path: Path, data: st.DataObject) -> None:
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    changed = path.with_name("changed.json")
    changed.write_bytes(content)
    changed.chmod(0o600)
    try:
        pair = keystore.load(changed, lambda: OLD)
    except (UnreadableKeyFile, UnknownKeyFileVersion, CostTooHigh):
        return
    assert pair.seed == SEED


def test_an_existing_key_gives_way_to_a_rewrite_only(path: Path) -> None:
    with pytest.raises(KeyFileExists):
        keystore.create(path, SEED, Lock(NEW, CHEAP))
    keystore.rewrite(path, KEYS, Lock(NEW, CHEAP))
    assert keystore.load(path, lambda: NEW).seed == SEED
    keystore.rewrite(path, KEYS)
    assert keystore.load(path, _never).seed == SEED


_REWRITE: Final = """
import os, sys
from pathlib import Path
from core.failpoint import arm
from identity import keystore
from identity.keys import KeyPair
from identity.passphrase import Passphrase
from identity.sealed_seed import Cost
place = sys.argv[2]
arm(lambda name: os._exit(9) if name == place else None)
lock = keystore.Lock(Passphrase("new passphrase"), Cost(2, 64 << 10))
keystore.rewrite(Path(sys.argv[1]), keystore.OpenKeys(KeyPair(bytes([1]) * 32)), lock)
"""


@pytest.mark.parametrize("place", [name for name in FAILPOINTS if name.startswith("file.")])
def test_a_change_of_passphrase_killed_anywhere_leaves_the_key_under_one_of_the_two(
    path: Path, place: str
) -> None:
    done = subprocess.run([sys.executable, "-c", _REWRITE, str(path), place], cwd=ROOT, check=False)
    assert done.returncode == 9
    is_new = place in {"file.rename.after", "file.directory.before", "file.directory.after"}
    assert keystore.load(path, lambda: NEW if is_new else OLD).seed == SEED
    keystore.rewrite(path, KEYS, Lock(NEW, CHEAP))
    assert keystore.load(path, lambda: NEW).seed == SEED
    assert [entry.name for entry in path.parent.iterdir()] == ["key.json"]
