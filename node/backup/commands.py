"""What `myceld backup` and `myceld restore` have this program do, and what they print."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from core.ids import Round
from identity.passphrase import PassphraseSource
from node.backup.checking import Checked
from node.backup.making import make_backup, mark_moved, restore, verify_backup
from node.backup.manifest import Manifest
from node.backup.states import export_state
from node.errors import CellStillRuns
from node.home import Home


def back_up(
    home: Home,
    target: Path,
    passphrase: PassphraseSource,
    *,
    checks: bool,
    moves: bool,
    as_json: bool,
) -> None:
    """Make a backup and print what is in it. With `moves` the cell must not run here any more."""
    if moves and home.holder is not None:
        raise CellStillRuns(f"{home.path} is in use by {home.holder}")
    secret = passphrase.read_new() if passphrase.protects_new else None
    made = make_backup(home, target, secret, _tell, checks=checks)
    if moves:
        mark_moved(home, target)
    manifest = made.manifest
    if as_json:
        click.echo(
            json.dumps(
                {
                    **_content(manifest),
                    "path": str(target),
                    "size_bytes": made.size_bytes,
                    "encrypted": secret is not None,
                    "checked": made.is_checked,
                    "moved": moves,
                }
            )
        )
        return
    click.echo(f"{target}  {made.size_bytes} bytes, {'encrypted' if secret else 'not encrypted'}")
    _print(manifest)
    click.echo("checked   restored to a scratch directory, and sound" if checks else "not checked")
    if secret is None:
        click.echo("It holds the cell's key: keep it as you keep that.")
    if moves:
        click.echo(f"{home.path} is marked as moved: the cell does not start there any more.")


def verify(source: Path, passphrase: PassphraseSource, *, as_json: bool) -> None:
    """Check a backup and print what is in it."""
    manifest, checked = verify_backup(source, passphrase.read, _tell)
    if as_json:
        click.echo(json.dumps({"valid": True, **_content(manifest), **_checked(checked)}))
        return
    click.echo(f"valid     {checked.blocks} blocks and {checked.keys} keys lead to their roots")
    _print(manifest)


def restore_to(home: Home, source: Path, passphrase: PassphraseSource, *, as_json: bool) -> None:
    """Restore a cell and print what to know before it runs."""
    manifest, checked = restore(source, home, passphrase.read, _tell)
    if as_json:
        content = {**_content(manifest), **_checked(checked), "home": str(home.path)}
        click.echo(json.dumps(content))
        return
    click.echo(f"restored  {home.path}")
    _print(manifest)
    command = f"myceld run --home {shlex.quote(str(home.path))}"
    click.echo(f"Run it only if the cell of this backup runs nowhere else: `{command}`.")
    if checked.is_alone:
        click.echo("It decides alone: what it did after the backup is lost, if nobody copied it.")
    else:
        click.echo("It first gets what it did after the backup from the others, then goes on.")


def export_to(
    source: Path, at: int, target: Path, passphrase: PassphraseSource, *, as_json: bool
) -> None:
    """Write the state after a round to a file and print what it is."""
    made = export_state(source, Round(at), target, passphrase.read, _tell)
    if as_json:
        content = {
            "path": str(target),
            "network_id": made.manifest.network_id,
            "round": made.header.round,
            "time_ns": made.header.consensus_time_ns,
            "state_root": made.header.state_root.hex(),
            "keys": made.keys,
        }
        click.echo(json.dumps(content))
        return
    click.echo(f"{target}  {made.keys} keys after round {made.header.round}, to be read only")


def _content(manifest: Manifest) -> dict[str, object]:
    return {
        "cell_id": manifest.cell_id,
        "network_id": manifest.network_id,
        "network_name": manifest.network_name,
        "made_ns": manifest.made_ns,
        "version": manifest.version,
        "round_applied": manifest.round_applied,
        "round_certified": manifest.round_certified,
        "header_hash": manifest.header_hash,
        "state_root": manifest.state_root,
    }


def _checked(checked: Checked) -> dict[str, object]:
    return {"blocks": checked.blocks, "keys": checked.keys, "is_alone": checked.is_alone}


def _print(manifest: Manifest) -> None:
    made = datetime.fromtimestamp(manifest.made_ns // 10**9, UTC)
    click.echo(f"cell      {manifest.cell_id}")
    click.echo(f"network   {_safe(manifest.network_name)} {manifest.network_id}")
    click.echo(f"made      {made:%Y-%m-%d %H:%M:%S} UTC, by version {_safe(manifest.version)}")
    click.echo(f"round     {manifest.round_applied}, certified {manifest.round_certified}")


def _safe(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _tell(what: str, done: int, of: int) -> None:
    """Show how far it is, on a terminal only."""
    if sys.stderr.isatty():
        percent = 100 if of == 0 else 100 * done // of
        sys.stderr.write(f"\r\x1b[K{what} {percent} %" + ("\n" if done == of else ""))
        sys.stderr.flush()
