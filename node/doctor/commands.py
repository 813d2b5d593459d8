"""`python -m node doctor` and `space`: what `myceld` asks of a cell's directory. Prints JSON."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import click

from identity.passphrase import PassphraseSource
from node.doctor.examination import examine
from node.doctor.fixes import mend
from node.doctor.patient import Patient
from node.doctor.space import space_of
from node.errors import NotInitialised
from node.home import Home


def look(home: Home, passphrase: PassphraseSource, *, fix: bool, dry_run: bool) -> None:
    """Print the findings, mending first what is safe to mend if that is wanted."""
    patient = Patient(home, os.environ, passphrase)
    findings = examine(patient)
    fixes = mend(patient, findings, dry_run=dry_run) if fix or dry_run else []
    if any(one.is_done for one in fixes):
        patient = Patient(home, os.environ, passphrase)
        findings = examine(patient)
    content = {
        "runs": patient.runs,
        "findings": [asdict(one) for one in findings],
        "fixes": [asdict(one) for one in fixes],
    }
    click.echo(json.dumps(content))


def measure(home: Home) -> None:
    """Print what takes room in the directory."""
    if not home.path.is_dir():
        raise NotInitialised(f"there is no directory {home.path}")
    click.echo(json.dumps(asdict(space_of(home))))
