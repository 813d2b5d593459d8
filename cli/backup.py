"""`myceld backup` and `myceld restore`: done by the daemon's own program, `python -m node`."""

from __future__ import annotations

import click

from cli.daemon import become_node
from cli.options import (
    expand,
    home_option,
    json_option,
    passphrase_arguments,
    passphrase_options,
    protecting_options,
)
from identity.passphrase import PassphraseSource


class _FileFirst(click.Group):
    """Takes what is no sub-command for the FILE of `make`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `make` in front of a FILE or an option of it."""
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["make", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_FileFirst, no_args_is_help=True)
def backup() -> None:
    """Back a cell up: `myceld backup FILE`, also while it runs.

    \b
    Examples:
      myceld backup cell.backup
      myceld backup cell.backup --encrypt
      myceld backup verify cell.backup
      myceld backup state cell.backup --at 1200 --out state.jsonl
    """


@backup.command(hidden=True)
@click.argument("file", metavar="FILE")
@click.option("--no-check", is_flag=True, help="Do not restore it to a scratch directory.")
@click.option("--move", is_flag=True, help="Of a stopped cell: it is not to run here again.")
@home_option
@protecting_options
@json_option
def make(
    file: str,
    home: str,
    *,
    no_check: bool,
    move: bool,
    passphrase: PassphraseSource,
    as_json: bool,
) -> None:
    """Write a backup of the cell to FILE: journals, state, key, configuration and genesis.

    The cell may run: it goes on meanwhile. FILE must not exist; it gets mode 0600 and holds the
    cell's key, so give --encrypt or a passphrase where others can read it. Unless --no-check is
    given the backup is then restored to a scratch directory beside it, and everything in it is
    checked: every block of every journal, the headers, and the root of the state.
    """
    arguments = ["backup", "--home", str(expand(home)), *passphrase_arguments(passphrase)]
    arguments += ["--no-check"] if no_check else []
    arguments += ["--move"] if move else []
    arguments += ["--json"] if as_json else []
    become_node([*arguments, str(expand(file))])


@backup.command()
@click.argument("file", metavar="FILE")
@passphrase_options
@json_option
def verify(file: str, *, passphrase: PassphraseSource, as_json: bool) -> None:
    """Check the backup in FILE: restore it to a scratch directory and check everything in it.

    Needs no running cell, and not the passphrase of the cell's key, only that of the backup.
    """
    arguments = ["backup-verify", *passphrase_arguments(passphrase)]
    arguments += ["--json"] if as_json else []
    become_node([*arguments, str(expand(file))])


@backup.command()
@click.argument("file", metavar="FILE")
@click.option("--at", type=click.IntRange(1), metavar="ROUND", required=True, help="Which round.")
@click.option("--out", metavar="FILE", required=True, help="Where to write the state.")
@passphrase_options
@json_option
def state(file: str, at: int, out: str, *, passphrase: PassphraseSource, as_json: bool) -> None:
    """Write the state as it was after ROUND, out of the backup in FILE: to read, not to run.

    A line of JSON about the round, then one for each key. The root computed from them is that of
    the round's header. A member can never go back to an earlier round: others know what it signed.
    """
    arguments = ["backup-state", *passphrase_arguments(passphrase)]
    arguments += ["--at", str(at), "--out", str(expand(out))]
    arguments += ["--json"] if as_json else []
    become_node([*arguments, str(expand(file))])


@click.command()
@click.argument("file", metavar="FILE")
@home_option
@passphrase_options
@json_option
def restore(file: str, home: str, *, passphrase: PassphraseSource, as_json: bool) -> None:
    """Put the cell of a backup into a new directory; then `myceld run` goes on as that cell.

    The directory must be empty or not there. Be sure that the cell runs nowhere else. It can
    not go back: it first gets all that it did after the backup from the other members and makes
    nothing before, so that it never says two things at one place.

    \b
    Example:
      myceld restore cell.backup --home ~/.myceld
    """
    arguments = ["restore", "--home", str(expand(home)), *passphrase_arguments(passphrase)]
    arguments += ["--json"] if as_json else []
    become_node([*arguments, str(expand(file))])
