"""The examination of a cell's directory: all checks in the order in which they make sense.

A check that finds nothing to look at is silent, and what one finds hides nothing of the others.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from core.errors import MyceldError
from core.findings import Finding, find
from node.doctor.database import check_database
from node.doctor.directory import check_config, check_directory
from node.doctor.front import check_front
from node.doctor.keys import check_key, check_tokens
from node.doctor.machine import check_log, check_process, check_room, check_speed
from node.doctor.patient import Patient
from node.doctor.ports import check_bootstrap, check_listening, check_reachable
from node.errors import NotInitialised


def examine(patient: Patient, *, now_ns: int | None = None) -> list[Finding]:
    """Return what is wrong with a cell, as far as its directory and this machine show it."""
    return list(_examine(patient, time.time_ns() if now_ns is None else now_ns))


def _examine(patient: Patient, now_ns: int) -> Iterator[Finding]:
    home = patient.home
    if not patient.exists:
        yield find("MYC-DOCTOR-001", f"there is no cell in {home.path}", home=home.path)
        return
    yield from check_directory(patient)
    yield from check_key(patient)
    yield from check_tokens(patient)
    yield from check_config(patient)
    yield from _genesis(patient)
    yield from check_room(home.path)
    yield from check_log(home.database)
    yield from check_process()
    if (config := patient.settled) is not None:
        yield from check_reachable(patient, config)
        yield from check_bootstrap(patient, config)
        yield from check_front(patient, config, now_ns)
        if not patient.runs:
            yield from check_listening(patient, config)
    if not patient.runs:
        yield from check_speed(home.path)
        yield from check_database(patient, now_ns)


def _genesis(patient: Patient) -> Iterator[Finding]:
    genesis = patient.genesis
    if isinstance(genesis, NotInitialised):
        yield find("MYC-DOCTOR-020", f"there is no {patient.home.genesis}")
    elif isinstance(genesis, MyceldError):
        yield find("MYC-DOCTOR-021", genesis.detail)
