"""What the doctor does by itself when told to: only what is safe whatever the reason was.

Modes of the owner's own files are closed for others, and what processes left that are gone is
removed. Nothing is done to keys, tokens, journals or the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.findings import Finding
from node.doctor.directory import leftovers
from node.doctor.patient import Patient, mode_of

_PRIVATE: Final = 0o600
_PRIVATE_DIRECTORY: Final = 0o700


@dataclass(frozen=True, slots=True)
class Fix:
    """Something that was done, or would be."""

    code: str
    what: str
    is_done: bool
    reason: str = ""
    """Why it could not be done."""


def mend(patient: Patient, findings: Sequence[Finding], *, dry_run: bool) -> list[Fix]:
    """Mend what is safe to mend; with `dry_run` only say what that would be."""
    fixes: list[Fix] = []
    for code in dict.fromkeys(finding.code for finding in findings if finding.is_fixable):
        for what, act in _FIXES[code](patient):
            if dry_run:
                fixes.append(Fix(code, what, is_done=False))
                continue
            try:
                act()
            except OSError as error:
                reason = error.strerror or str(error)
                fixes.append(Fix(code, what, is_done=False, reason=reason))
            else:
                fixes.append(Fix(code, what, is_done=True))
    return fixes


_Steps = list[tuple[str, Callable[[], object]]]


def _closing(path: Path, mode: int) -> _Steps:
    if mode_of(path) in (None, mode):
        return []
    return [(f"chmod {mode:o} {path}", lambda: path.chmod(mode))]


def _removing(path: Path) -> _Steps:
    return [(f"remove {path}", lambda: path.unlink(missing_ok=True))]


def _close_directory(patient: Patient) -> _Steps:
    return _closing(patient.home.path, _PRIVATE_DIRECTORY)


def _remove_run_file(patient: Patient) -> _Steps:
    # Looked at again: a cell may have been started since.
    return [] if patient.home.holder is not None else _removing(patient.home.run_file)


def _remove_leftovers(patient: Patient) -> _Steps:
    return [step for path in leftovers(patient) for step in _removing(path)]


def _close_key(patient: Patient) -> _Steps:
    return _closing(patient.home.key, _PRIVATE)


def _close_passphrase(patient: Patient) -> _Steps:
    config = patient.settled
    if config is None or not config.cell.passphrase_file:
        return []
    return _closing(patient.home.path / config.cell.passphrase_file, _PRIVATE)


def _close_tokens(patient: Patient) -> _Steps:
    tokens = (patient.home.token, patient.home.light_token)
    return [step for path in tokens for step in _closing(path, _PRIVATE)]


_FIXES: Final[Mapping[str, Callable[[Patient], _Steps]]] = {
    "MYC-DOCTOR-003": _close_directory,
    "MYC-DOCTOR-004": _remove_run_file,
    "MYC-DOCTOR-005": _remove_leftovers,
    "MYC-DOCTOR-010": _close_key,
    "MYC-DOCTOR-014": _close_passphrase,
    "MYC-DOCTOR-070": _close_tokens,
}
