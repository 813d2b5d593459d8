"""Passphrases come from where nobody else sees them, and are shown nowhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from identity.errors import (
    BadPassphrase,
    PassphraseFileTooOpen,
    PassphraseNeeded,
    PassphraseUnreadable,
)
from identity.passphrase import Passphrase, PassphraseSource

ROOT: Final = Path(__file__).resolve().parents[2]


def _pipe(data: bytes) -> int:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as file:
        file.write(data)
    return reading


def _file(tmp_path: Path, data: bytes, mode: int = 0o600) -> Path:
    path = tmp_path / "phrase"
    path.write_bytes(data)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\nmore\n"])
def test_the_first_line_counts_without_its_end(tmp_path: Path, end: bytes) -> None:
    data = b" two words " + end
    assert PassphraseSource(descriptor=_pipe(data)).read().secret == b" two words "
    assert PassphraseSource(file=_file(tmp_path, data)).read().secret == b" two words "


def test_the_descriptor_is_closed_so_that_no_child_inherits_it() -> None:
    number = _pipe(b"passphrase")
    PassphraseSource(descriptor=number).read()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    with pytest.raises(PassphraseUnreadable):
        PassphraseSource(descriptor=number).read()


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(PassphraseUnreadable, match="No such file"):
        PassphraseSource(file=tmp_path / "nowhere").read()


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o610, 0o602])
def test_a_file_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(PassphraseFileTooOpen, match=f"{mode:04o}"):
        PassphraseSource(file=_file(tmp_path, b"passphrase", mode)).read()


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o640])
def test_a_file_that_the_group_may_read_is_taken(tmp_path: Path, mode: int) -> None:
    assert PassphraseSource(file=_file(tmp_path, b"passphrase", mode)).read().secret


@pytest.mark.parametrize("data", [b"", b"\n", b"\xff\xfe\n", b"x" * 1025, b"x" * 9000])
def test_what_can_not_be_a_passphrase_is_told(data: bytes) -> None:
    with pytest.raises(BadPassphrase):
        PassphraseSource(descriptor=_pipe(data)).read()


def test_the_longest_passphrase_is_taken() -> None:
    assert len(PassphraseSource(descriptor=_pipe(b"x" * 1024 + b"\n")).read().secret) == 1024


def test_two_ways_to_write_an_umlaut_are_one_passphrase() -> None:
    assert Passphrase("Schlüssel").secret == Passphrase("Schlu\u0308ssel").secret


def test_a_new_one_has_eight_characters_however_many_bytes_they_take() -> None:
    Passphrase("äöüäöüäö").check_new()
    with pytest.raises(BadPassphrase):
        Passphrase("äöüäöüä").check_new()


def test_it_does_not_show() -> None:
    passphrase = Passphrase("correct horse")
    shown = f"{passphrase} {passphrase!r} {PassphraseSource(prompt='x')!r}"
    assert "correct" not in shown


_ASK: Final = """
from identity.passphrase import PassphraseSource
print(len(PassphraseSource().read_new().secret))
"""


def test_without_a_terminal_nobody_is_asked() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ASK],
        cwd=ROOT,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert PassphraseNeeded.code.encode() in done.stderr or b"PassphraseNeeded" in done.stderr


@pytest.mark.parametrize(("again", "ends_well"), [("correct horse", True), ("another one", False)])
def test_on_a_terminal_a_new_one_is_asked_for_twice_and_not_echoed(
    again: str,
    ends_well: bool,  # noqa: FBT001 - a case
) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-c", _ASK])  # noqa: S606 - our own interpreter
    shown = b""
    try:
        for prompt, text in ((b"Passphrase: ", "correct horse"), (b"The same again: ", again)):
            while not shown.endswith(prompt):
                shown += os.read(terminal, 1024)
            os.write(terminal, text.encode() + b"\n")
        while data := _read(terminal):
            shown += data
    finally:
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
    assert (status == 0) is ends_well
    assert b"horse" not in shown
    assert (b"BadPassphrase" in shown) is not ends_well


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # what Linux says when the other end is closed
        return b""
