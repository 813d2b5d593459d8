"""`myceld doctor`: what is wrong with a cell, why that matters, and what to do about it.

The daemon's own program looks at the directory; a running cell is asked for what only it knows.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from cli import show
from cli.daemon import ask_node
from cli.errors import EXIT_FAILED, CannotStart
from cli.options import (
    Common,
    common_options,
    passphrase_arguments,
    passphrase_descriptors,
    passphrase_options,
)
from core.errors import MyceldError
from core.findings import find
from identity.passphrase import PassphraseSource

_ORDER: Final = ("error", "warning", "note")
_STARTING: Final = "MYC-DOCTOR-009"


@click.command()
@passphrase_options
@common_options
@click.option("--fix", is_flag=True, help="Mend what is safe to mend: modes, and dead files.")
@click.option("--dry-run", is_flag=True, help="With --fix: only say what would be done.")
def doctor(common: Common, *, fix: bool, dry_run: bool, passphrase: PassphraseSource) -> None:
    """Look for what is wrong with the cell, and say what to do about it.

    Looks at keys, configuration, genesis, database, disk, ports, addresses, clock and limits; of a
    running cell also at its members, versions, clocks and services. Exits with 1 if anything is an
    error. `myceld explain CODE` says more of each.

    \b
    Examples:
      myceld doctor
      myceld doctor --fix --dry-run
      myceld doctor --json | jq '.findings[].command'
    """
    found = examined(common, passphrase, fix=fix, dry_run=dry_run)
    if common.as_json:
        show.as_json(found)
    else:
        _show(found, dry_run=dry_run)
    if any(one["severity"] == "error" for one in found["findings"]):
        raise click.exceptions.Exit(EXIT_FAILED)


def examined(
    common: Common, passphrase: PassphraseSource, *, fix: bool = False, dry_run: bool = False
) -> dict[str, Any]:
    """Return what the daemon's program and the running cell, if it answers, found."""
    found = _of_directory(common.home, passphrase, fix=fix, dry_run=dry_run)
    findings = found["findings"]
    if found["runs"] and all(one["code"] != _STARTING for one in findings):
        try:
            with common.client() as cell:
                found["running"] = cell.doctor()
            findings += found["running"].pop("findings")
        except MyceldError as error:
            findings.append(asdict(find("MYC-DOCTOR-072", error.detail)))
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for one in findings:
        seen.setdefault((one["code"], one["what"]), one)
    found["findings"] = sorted(seen.values(), key=lambda one: _ORDER.index(one["severity"]))
    return found


def _of_directory(
    home: Path, passphrase: PassphraseSource, *, fix: bool, dry_run: bool
) -> dict[str, Any]:
    arguments = ["doctor", "--home", str(home), *passphrase_arguments(passphrase)]
    arguments += ["--fix"] if fix else []
    arguments += ["--dry-run"] if dry_run else []
    status, output = ask_node(arguments, passphrase_descriptors(passphrase))
    if status != 0:
        raise CannotStart("the daemon's program could not look at the cell")
    found: dict[str, Any] = json.loads(output)
    return found


def _show(found: dict[str, Any], *, dry_run: bool) -> None:
    for fix in found["fixes"]:
        verb = "would" if dry_run else "done" if fix["is_done"] else f"not done ({fix['reason']})"
        show.line(f"{verb}: {show.safe(fix['what'])}")
    findings = found["findings"]
    for one in findings:
        show.line(f"{one['severity']:<8} {one['code']}  {one['area']}: {show.safe(one['what'])}")
        show.line(f"         {show.safe(one['why'])}")
        show.line(f"         → {show.safe(one['remedy'])}")
        if one["command"]:
            show.line(f"           {show.safe(one['command'])}")
    counts = {word: sum(one["severity"] == word for one in findings) for word in _ORDER}
    told = ", ".join(
        f"{count} {word}{'s' if count > 1 else ''}" for word, count in counts.items() if count
    )
    state = "the cell runs" if found["runs"] else "no cell runs here"
    show.line(f"{told or 'nothing is wrong'}; {state}")
    if any(one["is_fixable"] for one in findings):
        show.line("`myceld doctor --fix` mends some of it; --dry-run says what.")
