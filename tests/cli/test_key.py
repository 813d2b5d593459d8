"""`myceld key`: each command on a key file, with passphrases from files and descriptors."""

from __future__ import annotations

import io
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from cli.main import run
from identity import keystore
from identity.keys import KeyPair

SEED: Final = bytes([7]) * 32
CELL: Final = KeyPair(SEED).cell_id
COST: Final = ("--ops", "2", "--memory-mib", "64")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    home = tmp_path / "cell"
    home.mkdir(mode=0o700)
    keystore.create(home / "key.json", SEED)
    return home


@pytest.fixture(name="call")
def _call(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MYCELD_HOME", str(home))

    def call(*arguments: object) -> tuple[int, str, str]:
        status = run(["key", *map(str, arguments)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture(name="old")
def _old(tmp_path: Path) -> Path:
    return _phrase(tmp_path / "old", "old passphrase")


@pytest.fixture(name="new")
def _new(tmp_path: Path) -> Path:
    return _phrase(tmp_path / "new", "new passphrase")


def _phrase(path: Path, text: str) -> Path:
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


def _type(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def _shown(call: Run, *arguments: object) -> dict[str, Any]:
    status, out, err = call(*arguments, "--json")
    assert (status, err) == (0, "")
    shown: dict[str, Any] = json.loads(out)
    return shown


def test_show_needs_no_passphrase_and_tells_nothing_secret(call: Run, new: Path) -> None:
    plain = _shown(call, "show")
    assert (plain["cell_id"], plain["version"], plain["kdf"]) == (CELL, 1, "none")
    call("change-passphrase", "--new-passphrase-file", new, *COST)
    locked = _shown(call, "show")
    assert (locked["cell_id"], locked["kdf"], locked["ops"]) == (CELL, "argon2id", 2)
    _, out, _ = call("show")
    assert "Argon2id" in out
    assert "seed" not in out


def test_a_new_key_is_made_once_and_protected_if_wished(
    call: Run, tmp_path: Path, new: Path
) -> None:
    place = tmp_path / "deep" / "other"
    shown = _shown(call, "new", "--home", place, "--passphrase-file", new, *COST)
    assert shown["kdf"] == "argon2id"
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "key.json").stat().st_mode) == 0o600
    status, _, err = call("new", "--home", place)
    assert status == 1
    assert "MYC-IDENTITY-213" in err
    assert _shown(call, "show", "--home", place)["cell_id"] == shown["cell_id"]


def test_a_passphrase_is_changed_and_removed(call: Run, home: Path, old: Path, new: Path) -> None:
    _shown(call, "change-passphrase", "--new-passphrase-file", old, *COST)
    both = ("--passphrase-file", old, "--new-passphrase-file", new)
    _shown(call, "change-passphrase", *both, *COST)
    status, out, err = call("change-passphrase", *both, *COST)
    assert (status, out) == (1, "")
    assert err.startswith("error MYC-IDENTITY-201")
    status, _, err = call("change-passphrase", "--passphrase-file", new, "--remove")
    assert status == 0
    assert "warning" in err
    assert keystore.load(home / "key.json").seed == SEED


def test_a_passphrase_comes_by_a_descriptor(call: Run, old: Path) -> None:
    _shown(call, "change-passphrase", "--new-passphrase-file", old, *COST)
    number = os.open(old, os.O_RDONLY)
    status, out, err = call("export", "--seed", "--passphrase-fd", number)
    assert (status, out.strip()) == (0, SEED.hex())
    assert "warning" in err
    status, _, err = call("export", "--seed", "--passphrase-fd", 9, "--passphrase-file", old)
    assert status == 1


def test_an_export_is_encrypted_and_imported_elsewhere(
    call: Run, tmp_path: Path, old: Path, new: Path
) -> None:
    copy, place = tmp_path / "copy.json", tmp_path / "elsewhere"
    _shown(call, "export", copy, "--new-passphrase-file", old, *COST)
    assert SEED.hex() not in copy.read_text()
    protected = ("--passphrase-file", old, "--new-passphrase-file", new)
    shown = _shown(call, "import", copy, "--home", place, *protected, *COST)
    assert (shown["cell_id"], shown["kdf"]) == (CELL, "argon2id")
    status, _, err = call("import", copy, *protected, *COST)
    assert status == 1  # this cell has its key
    assert "MYC-IDENTITY-213" in err


def test_a_secret_is_printed_only_where_it_is_asked_for_by_name(call: Run) -> None:
    for arguments in (("export",), ("split", "--shares", 3, "--threshold", 2), ("import",)):
        status, out, err = call(*arguments)
        assert (status, out) == (1, "")
        assert "MYC-CLI-002" in err


@pytest.mark.parametrize("text", ["", "xyz", "00" * 31, "00" * 33, "seed"])
def test_what_is_no_seed_is_not_imported(
    call: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    _type(monkeypatch, text + "\n")
    status, _, err = call("import", "--seed", "--home", tmp_path / "other")
    assert status == 1
    assert "MYC-IDENTITY-001" in err
    assert not (tmp_path / "other").exists()


def test_a_seed_is_imported_from_standard_input(
    call: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _type(monkeypatch, SEED.hex() + "\n")
    assert _shown(call, "import", "--seed", "--home", tmp_path / "other")["cell_id"] == CELL


def test_shares_in_files_bring_the_key_back(call: Run, tmp_path: Path, new: Path) -> None:
    shown = _shown(call, "split", "--shares", 5, "--threshold", 3, "--out", tmp_path / "shares")
    paths = [Path(path) for path in shown["paths"]]
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600] * 5
    status, _, err = call("recover", *paths[:2], "--home", tmp_path / "no")
    assert status == 1
    assert "MYC-IDENTITY-210" in err
    other = KeyPair(bytes(32)).cell_id
    assert call("recover", *paths[:3], "--cell", other, "--home", tmp_path / "no")[0] == 1
    assert not (tmp_path / "no").exists()
    back = _shown(
        call, "recover", *paths[1:4], "--cell", CELL, "--home", tmp_path / "back",
        "--new-passphrase-file", new, *COST,
    )  # fmt: skip
    assert (back["cell_id"], back["kdf"]) == (CELL, "argon2id")
    assert call("split", "--shares", 5, "--threshold", 3, "--out", tmp_path / "shares")[0] == 1


def test_printed_shares_recover_from_standard_input(
    call: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, err = call("split", "--shares", 3, "--threshold", 2, "--print")
    assert status == 0
    assert "warning" in err
    _type(monkeypatch, "".join(out.splitlines(keepends=True)[1:]))
    assert _shown(call, "recover", "--home", tmp_path / "back")["cell_id"] == CELL


@pytest.mark.parametrize(
    "options",
    [("--ops", 1), ("--ops", 17), ("--memory-mib", 63), ("--memory-mib", 65536)],
)
def test_a_cost_out_of_bounds_is_refused_before_anybody_types(
    call: Run, tmp_path: Path, options: tuple[object, ...]
) -> None:
    status, _, err = call("new", "--encrypt", "--home", tmp_path / "other", *options)
    assert status == 1
    assert "MYC-IDENTITY-203: " in err
