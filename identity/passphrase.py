"""Passphrases: where they come from, and a type that never shows them.

They are read from a descriptor, a file, or a terminal; never from the command line, which `ps`
shows, nor from the environment, which children inherit. The first line counts, without its end.
Text is normalised (Unicode NFC), so that two keyboards give the same bytes.
"""

from __future__ import annotations

import getpass
import os
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from identity.errors import (
    BadPassphrase,
    PassphraseFileTooOpen,
    PassphraseNeeded,
    PassphraseUnreadable,
)
from identity.limits import PASSPHRASE_LENGTH_MIN, PASSPHRASE_SIZE_BYTES_MAX

_TERMINAL: Final = "/dev/tty"
_OPEN_TO_OTHERS: Final = 0o037
"""Mode bits that a file with a passphrase may not have. The group may read: systemd hands out
credentials like that."""


class Passphrase:
    """A passphrase. Never shown, never compared."""

    __slots__ = ("_secret",)

    def __init__(self, text: str) -> None:
        """Raise BadPassphrase unless `text` is one line of 1 to 1024 bytes."""
        try:
            secret = unicodedata.normalize("NFC", text).encode()
        except UnicodeEncodeError:
            raise BadPassphrase("the passphrase is not valid Unicode text") from None
        if not secret:
            raise BadPassphrase("the passphrase is empty")
        if len(secret) > PASSPHRASE_SIZE_BYTES_MAX:
            raise BadPassphrase(f"the passphrase has more than {PASSPHRASE_SIZE_BYTES_MAX} bytes")
        self._secret = secret

    @property
    def secret(self) -> bytes:
        """The bytes that a key is derived from."""
        return self._secret

    def check_new(self) -> None:
        """Raise BadPassphrase if a key should not be protected with this one."""
        if len(self._secret.decode()) < PASSPHRASE_LENGTH_MIN:
            raise BadPassphrase(f"the passphrase has less than {PASSPHRASE_LENGTH_MIN} characters")

    def __repr__(self) -> str:
        return "Passphrase(…)"


@dataclass(frozen=True, slots=True)
class PassphraseSource:
    """Where the passphrase of a key file is to be found: the first that is given.

    Without both it is asked for on the terminal, if the process has one.
    """

    descriptor: int | None = None
    file: Path | None = None
    prompt: str = "Passphrase"
    is_wanted: bool = False
    """Whether a new key is to have a passphrase, also if it has to be asked for."""

    @property
    def protects_new(self) -> bool:
        """Whether a new key is to have a passphrase."""
        return self.is_wanted or self.is_given

    @property
    def is_given(self) -> bool:
        """Whether somebody named a descriptor or a file."""
        return self.descriptor is not None or self.file is not None

    def read(self) -> Passphrase:
        """Return the passphrase.

        Raises PassphraseUnreadable, PassphraseFileTooOpen, PassphraseNeeded, BadPassphrase.
        """
        if self.descriptor is not None:
            return _from_descriptor(self.descriptor)
        if self.file is not None:
            return _from_file(self.file)
        return _from_terminal(self.prompt)

    def read_new(self) -> Passphrase:
        """Return a passphrase to protect a key with; on a terminal it is asked for twice."""
        passphrase = self.read()
        passphrase.check_new()
        if not self.is_given and _from_terminal("The same again").secret != passphrase.secret:
            raise BadPassphrase("the two are not the same")
        return passphrase


def _from_descriptor(number: int) -> Passphrase:
    """Read a descriptor to the end of its first line, and close it: no child inherits it."""
    try:
        with os.fdopen(number, "rb") as file:
            data = file.readline(PASSPHRASE_SIZE_BYTES_MAX + 2)
    except (OSError, OverflowError) as error:
        raise PassphraseUnreadable(f"descriptor {number} is not open for reading") from error
    return _from_bytes(data)


def _from_file(path: Path) -> Passphrase:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            mode = stat.S_IMODE(status.st_mode)
            if stat.S_ISREG(status.st_mode) and mode & _OPEN_TO_OTHERS:
                raise PassphraseFileTooOpen(f"{path} has mode {mode:04o}, it should be 0600")
            data = file.readline(PASSPHRASE_SIZE_BYTES_MAX + 2)
    except OSError as error:
        raise PassphraseUnreadable(f"{path}: {error.strerror}") from error
    return _from_bytes(data)


def _from_terminal(prompt: str) -> Passphrase:
    try:
        os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError as error:
        raise PassphraseNeeded("the key file is encrypted") from error
    try:
        return Passphrase(getpass.getpass(f"{prompt}: "))
    except EOFError as error:
        raise PassphraseNeeded("nothing was typed") from error


def _from_bytes(data: bytes) -> Passphrase:
    line = data.removesuffix(b"\n").removesuffix(b"\r")
    try:
        return Passphrase(line.decode())
    except UnicodeDecodeError:
        raise BadPassphrase("it is not UTF-8") from None
