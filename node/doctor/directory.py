"""Checks of the directory itself: there, writable, closed to others, and nothing dead in it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from core.errors import MyceldError
from core.findings import Finding, find
from node.doctor.limits import LEFTOVERS_MAX, STARTING_S_MAX
from node.doctor.patient import Patient, is_running, mode_of
from node.faults import FAULTS_VARIABLE

_FAILPOINTS_VARIABLE: Final = "MYCELD_FAILPOINTS"
_NETWORK_SYSTEMS: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs"})
_MOUNTS: Final = Path("/proc/mounts")


def check_directory(patient: Patient) -> Iterator[Finding]:
    """Yield what is wrong with the directory of a cell."""
    path = patient.home.path
    yield from _modes(path)
    if patient.home.moved.exists():
        yield find("MYC-DOCTOR-007", f"{patient.home.moved} says that the cell was moved")
    yield from _dead(patient)
    yield from _held(patient)
    if (system := _file_system(path)) in _NETWORK_SYSTEMS:
        yield find("MYC-DOCTOR-008", f"{path} is on {system}")
    for variable in (FAULTS_VARIABLE, _FAILPOINTS_VARIABLE):
        if patient.environment.get(variable):
            yield find("MYC-DOCTOR-032", f"{variable} is set", variable=variable)


def leftovers(patient: Patient) -> list[Path]:
    """Return what processes left that were ended while they wrote a file."""
    found = (
        left
        for left in sorted(patient.home.path.glob(".*.*"))
        if (number := left.name.rpartition(".")[2]).isascii()
        and number.isdecimal()
        and left.is_file()
        and not is_running(int(number))
    )
    return list(islice(found, LEFTOVERS_MAX))


def _modes(path: Path) -> Iterator[Finding]:
    mode = mode_of(path) or 0
    if mode & 0o077:
        yield find(
            "MYC-DOCTOR-003", f"{path} has mode {mode:03o}", is_fixable=True, path=path
        )  # fmt: skip
    # The superuser may write anywhere, and does not stay the one who runs the cell.
    reason = "its mode forbids it" if mode & 0o300 != 0o300 else _can_not_write(path)
    if reason:
        yield find("MYC-DOCTOR-002", f"{path}: {reason}", path=path)


def _can_not_write(path: Path) -> str:
    try:
        with tempfile.TemporaryFile(dir=path):
            return ""
    except OSError as error:
        return error.strerror or "not writable"


def _dead(patient: Patient) -> Iterator[Finding]:
    run_file = patient.home.run_file
    if run_file.exists() and not patient.runs:
        pid = None if patient.run is None else patient.run.get("pid")
        yield find(
            "MYC-DOCTOR-004", f"{run_file} names process {pid}, and nobody runs here",
            is_fixable=True, path=run_file,
        )  # fmt: skip
    for left in leftovers(patient):
        yield find("MYC-DOCTOR-005", f"{left} is half a file", is_fixable=True, path=left)


def _held(patient: Patient) -> Iterator[Finding]:
    if not patient.runs or patient.run is not None:
        return
    what = f"{patient.holder} holds {patient.home.lock}, and no run.json says where it listens"
    if time.time() - patient.home.lock.stat().st_mtime < STARTING_S_MAX:
        yield find("MYC-DOCTOR-009", what)
    else:
        yield find("MYC-DOCTOR-006", what, holder=patient.holder)


def _file_system(path: Path) -> str:
    """Return the type of the file system that a path is on; empty where that can not be told."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    wanted, best, system = os.path.realpath(path), "", ""
    for line in lines:
        fields = line.split()
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        is_above = wanted == point or wanted.startswith(point.rstrip("/") + "/")
        if is_above and len(point) >= len(best):
            best, system = point, fields[2]
    return system


def check_config(patient: Patient) -> Iterator[Finding]:
    """Yield what is wrong with config.yaml."""
    home = patient.home
    if not home.config.exists():
        yield find("MYC-DOCTOR-031", f"there is no {home.config}", home=home.path)
    elif isinstance(patient.config, MyceldError):
        yield find("MYC-DOCTOR-030", patient.config.detail)
