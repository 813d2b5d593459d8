"""Checks of the key file, its passphrase, and the tokens of the gateway."""

from __future__ import annotations

import getpass
from collections.abc import Iterator

from core.errors import MyceldError
from core.findings import Finding, find
from identity import keystore
from identity.errors import (
    KeyFileNotOwned,
    KeyFileTooOpen,
    NoKeyFile,
    PassphraseFileTooOpen,
    WrongPassphrase,
)
from identity.keystore import LockedKey
from identity.passphrase import PassphraseSource
from node.doctor.patient import Patient, mode_of


def check_key(patient: Patient) -> Iterator[Finding]:
    """Yield what is wrong with the key file and its passphrase."""
    path, key = patient.home.key, patient.key
    if isinstance(key, KeyFileTooOpen):
        yield find("MYC-DOCTOR-010", key.detail, is_fixable=True, path=path)
    elif isinstance(key, KeyFileNotOwned):
        yield find("MYC-DOCTOR-012", key.detail, path=path, user=getpass.getuser())
    elif isinstance(key, NoKeyFile):
        yield find("MYC-DOCTOR-011", f"{path} is missing, and the rest of the cell is there")
    elif isinstance(key, MyceldError):
        yield find("MYC-DOCTOR-011", key.detail)
    elif isinstance(key, LockedKey):
        yield from _passphrase(patient)


def check_tokens(patient: Patient) -> Iterator[Finding]:
    """Yield what is wrong with the files of tokens."""
    for path in (patient.home.token, patient.home.light_token):
        mode = mode_of(path)
        if mode is None:
            continue
        if mode & 0o077:
            yield find(
                "MYC-DOCTOR-070", f"{path} has mode {mode:03o}", is_fixable=True, path=path
            )  # fmt: skip
        try:
            text = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            text = ""
        if not text or not text.isprintable():
            yield find("MYC-DOCTOR-071", f"{path} holds no token", path=path)


def _passphrase(patient: Patient) -> Iterator[Finding]:
    """Try the passphrase, if it can be had without asking somebody."""
    source, config = patient.passphrase, patient.settled
    if not source.is_given:
        if config is None or not config.cell.passphrase_file:
            yield find("MYC-DOCTOR-015", f"{patient.home.key} is protected by a passphrase")
            return
        source = PassphraseSource(file=patient.home.path / config.cell.passphrase_file)
    try:
        passphrase = source.read()
    except PassphraseFileTooOpen as error:
        yield find("MYC-DOCTOR-014", error.detail, is_fixable=True, path=source.file)
        return
    except MyceldError as error:
        yield find("MYC-DOCTOR-014", error.detail, path=source.file)
        return
    try:
        keystore.open_keys(patient.home.key, lambda: passphrase)
    except WrongPassphrase as error:
        yield find("MYC-DOCTOR-013", error.detail)
    except MyceldError as error:
        yield find("MYC-DOCTOR-011", error.detail)
