"""One process at a time owns a cell's directory, and its files appear whole and private."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from node.errors import DirectoryLocked, DirectoryUnusable
from node.home import Home, write_file

ROOT = Path(__file__).resolve().parents[2]

_HOLD = """
import sys
from pathlib import Path
from node.home import Home
with Home(Path(sys.argv[1])).locked():
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "deep" / "cell")
    home.make()
    return home


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_directory_is_the_owners_alone_and_made_once(home: Home) -> None:
    assert _mode(home.path) == 0o700
    home.make()


def test_a_place_that_can_hold_no_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "cell"):
        with pytest.raises(DirectoryUnusable, match=str(path)):
            Home(path).make()
    with pytest.raises(DirectoryUnusable), Home(tmp_path / "nowhere").locked():
        pass


def test_a_second_process_hears_who_holds_the_lock_and_since_when(home: Home) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(home.path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(DirectoryLocked) as refusal, home.locked():
            pass
    finally:
        holder.communicate()
    pattern = rf"{re.escape(str(home.path))} is in use by pid {holder.pid} since \d{{4}}-\d\d-\d\d "
    assert re.match(pattern, refusal.value.detail)
    assert refusal.value.retryable
    with home.locked():
        assert f"pid {os.getpid()} " in home.lock.read_text()


def test_the_lock_is_let_go_after_an_error_and_keeps_no_old_holder(home: Home) -> None:
    home.lock.write_text("pid 1 since a very long time ago, and more and more and more\n")
    with pytest.raises(KeyError), home.locked():
        raise KeyError
    with home.locked():
        text = home.lock.read_text()
        assert text.startswith(f"pid {os.getpid()} since ")
        assert text.count("\n") == 1
        with pytest.raises(DirectoryLocked), home.locked():
            pass


@pytest.mark.parametrize(("name", "module"), [("flock", fcntl), ("pwrite", os)])
def test_a_disk_that_takes_no_lock_is_told(
    home: Home, monkeypatch: pytest.MonkeyPatch, name: str, module: object
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(module, name, fail)
    with pytest.raises(DirectoryUnusable, match="No locks available"), home.locked():
        pass


def test_a_file_appears_whole_and_private(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home.path / "f"
    write_file(path, "one é\n")
    assert (path.read_text("utf-8"), _mode(path)) == ("one é\n", 0o600)
    path.chmod(0o644)
    write_file(path, "two")
    assert (path.read_text(), _mode(path)) == ("two", 0o600)

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(descriptor))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DirectoryUnusable, match="No space left"):
        write_file(path, "three")
    assert path.read_text() == "two"


def test_the_token_is_made_once_and_never_empty(home: Home) -> None:
    token = home.read_or_make_token()
    assert len(token) >= 32
    assert home.read_or_make_token() == token
    assert _mode(home.token) == 0o600
    home.token.write_text(" \n")
    again = home.read_or_make_token()
    assert len(again) >= 32
    assert again != token
    home.token.write_bytes(b"\xff\xfe")
    with pytest.raises(DirectoryUnusable):
        home.read_or_make_token()


def test_the_run_file_is_json(home: Home) -> None:
    home.write_run_file({"pid": 7})
    assert json.loads(home.run_file.read_text()) == {"pid": 7}


def test_every_file_has_a_name_of_its_own(home: Home) -> None:
    paths = [
        home.config, home.key, home.genesis, home.database, home.token, home.run_file, home.lock
    ]  # fmt: skip
    assert len({path.name for path in paths}) == len(paths)
    assert all(path.parent == home.path for path in paths)
