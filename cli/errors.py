"""Errors of the command line, their one-line form, and the exit status of every error."""

from __future__ import annotations

import difflib
import json
import re
import sys
from typing import Final

import click

from core.errors import LocalMisuse, MyceldError, OperationalFault
from myceld.errors import CellRefused, CellTooLate, CellUnreachable

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNREACHABLE: Final = 3
EXIT_TIMEOUT: Final = 4
EXIT_REFUSED_BY_LEDGER: Final = 5
EXIT_INTERRUPTED: Final = 130
EXIT_BROKEN_PIPE: Final = 141
_NO_COMMAND: Final = re.compile(r"No such command '(.*)'\.")
"""What click says of a command that it does not know."""


class BadUsage(LocalMisuse):
    """Options or arguments that make no sense; `remedy` names the help to read."""

    code = "MYC-CLI-001"
    remedy = "See the --help of the command."


class NoBrowser(OperationalFault):
    """There is no browser on this machine that could be opened."""

    code = "MYC-CLI-255"
    remedy = (
        "Open the address that `myceld explorer --print` shows, on this machine or through "
        "`ssh -L`."
    )


class BadInput(LocalMisuse):
    """A file, standard input or argument does not hold what the command needs."""

    code = "MYC-CLI-002"
    remedy = "See the --help of the command for what it takes."


class WaitedInVain(OperationalFault):
    """What was waited for did not happen before the deadline."""

    code = "MYC-CLI-003"
    remedy = "`myceld status` says what the cell waits for; give a longer --timeout."
    retryable = True


class CannotStart(OperationalFault):
    """The daemon's program could not be started."""

    code = "MYC-CLI-004"
    remedy = "Reinstall myceld into this Python environment."


class AuditFailed(OperationalFault):
    """A journal is not what its signed head says."""

    code = "MYC-CLI-005"
    remedy = "Stop the cell, keep its files, check the disk, and copy the journal from other cells."


class TicketOver(OperationalFault):
    """Nobody used the ticket before it expired or was revoked."""

    code = "MYC-CLI-006"
    remedy = "Make a new one with `myceld invite`, with a longer --expires if need be."


class MessageFailed(OperationalFault):
    """A message could not be delivered."""

    code = "MYC-CLI-301"
    remedy = "`myceld message status ID` says why; send it again when that has changed."


class CommandFailed(OperationalFault):
    """What another cell was asked to run ended with a status other than 0."""

    code = "MYC-CLI-302"
    remedy = "Its output is shown above; -254: it could not be started, -255: it took too long."


class QueryUnanswered(OperationalFault):
    """Another cell could not prove its state."""

    code = "MYC-CLI-303"
    remedy = "Ask again in a moment, or another cell: the newest state has to be certified first."
    retryable = True


class NoSuchValue(LocalMisuse):
    """The agreed state has no value at a key, which is proven."""

    code = "MYC-CLI-201"
    remedy = "Check the key; the file that was written proves that nothing is there."


class BadSetting(LocalMisuse):
    """A value that a key of the configuration does not take, or a key that there is none."""

    code = "MYC-CLI-240"
    remedy = "`myceld config show --effective` lists all keys; the docs say what each takes."


class ConfigInvalid(LocalMisuse):
    """A configuration file with mistakes."""

    code = "MYC-CLI-241"
    remedy = "Mend the lines listed above."


class NoSuchCode(LocalMisuse):
    """No error and no finding has this code."""

    code = "MYC-CLI-210"
    remedy = "Copy it from the message; docs/errors.md lists all of them."


class BundleNotWritten(OperationalFault):
    """The support bundle could not be written."""

    code = "MYC-CLI-212"
    remedy = "Name a new file in a directory that you can write to."


class NothingToExplain(LocalMisuse):
    """There is no transaction, event, member or peer of this name."""

    code = "MYC-CLI-213"
    remedy = "Give the id of a transaction, the id or name of a cell, or `stall`."


class CellsMismatch(LocalMisuse):
    """The devnet directory holds another number of cells than was asked for."""

    code = "MYC-DEVNET-001"
    remedy = "Leave out --cells, or use another --dir."


class EpochsMismatch(LocalMisuse):
    """The devnet directory holds a network with epochs of another length than was asked for."""

    code = "MYC-DEVNET-010"
    remedy = "Leave out --epoch-rounds, or use another --dir."


class NoDevnet(LocalMisuse):
    """There is no devnet in the directory."""

    code = "MYC-DEVNET-002"
    remedy = "Start one with `myceld devnet up`, or name its directory with --dir."


class NoSuchCell(LocalMisuse):
    """The devnet has no cell of this number."""

    code = "MYC-DEVNET-003"
    remedy = "Cells are numbered from 1; `myceld devnet status` lists them."


class SetupFailed(OperationalFault):
    """A cell's directory could not be prepared."""

    code = "MYC-DEVNET-004"
    remedy = "Fix what the message says, then run `myceld devnet up` again: it goes on from here."


class NotReady(OperationalFault):
    """A started cell did not become ready."""

    code = "MYC-DEVNET-005"
    remedy = "Read the end of its daemon.log, shown above."


class CellNotRunning(LocalMisuse):
    """The cell is not in the state that the command needs."""

    code = "MYC-DEVNET-006"
    remedy = "`myceld devnet status` shows what each cell does; `restart N` starts one."


class DevnetBusy(OperationalFault):
    """Another devnet command works in the same directory."""

    code = "MYC-DEVNET-007"
    remedy = "Wait until it is done, or stop it."
    retryable = True


class DevnetUnreadable(LocalMisuse):
    """The devnet directory or its devnet.json can not be used."""

    code = "MYC-DEVNET-008"
    remedy = "Use another --dir, or remove this one once no cell of it runs."


class WillNotStop(OperationalFault):
    """A process survived SIGKILL for longer than we wait."""

    code = "MYC-DEVNET-009"
    remedy = "Look at the process with `ps`; it may wait for a disk."
    retryable = True


def exit_status(error: MyceldError) -> int:
    """Return the exit status that docs/cli.md promises for `error`."""
    if isinstance(error, BadUsage):
        return EXIT_USAGE
    if isinstance(error, CellUnreachable):
        return EXIT_UNREACHABLE
    if isinstance(error, CellTooLate | WaitedInVain | NotReady | TicketOver):
        return EXIT_TIMEOUT
    if isinstance(error, CellRefused) and error.status == 504:
        return EXIT_TIMEOUT
    return EXIT_FAILED


def usage_error(error: click.ClickException) -> BadUsage:
    """Return click's complaint as one of our errors."""
    context = getattr(error, "ctx", None)
    text = error.format_message()
    if isinstance(context, click.Context) and (match := _NO_COMMAND.match(text)) is not None:
        text += _near(match[1], context)
    usage = BadUsage(one_line(text))
    if isinstance(context, click.Context):
        usage.remedy = f"See `{context.command_path} --help`."  # type: ignore[misc]  # names the command
    return usage


def _near(name: str, context: click.Context) -> str:
    """Return which command may have been meant; empty if none is near."""
    known = (
        context.command.list_commands(context) if isinstance(context.command, click.Group) else []
    )
    near = difflib.get_close_matches(name, known, 1)
    return f" Did you mean '{near[0]}'?" if near else ""


def report(error: MyceldError, *, as_json: bool) -> int:
    """Tell the user about `error` and return the exit status.

    One line on standard error; with --json one object on standard output instead.
    """
    if as_json:
        body = {
            "message": error.detail,
            "code": error.code,
            "remedy": error.remedy,
            "retryable": error.retryable,
        }
        sys.stdout.write(json.dumps({"error": body}, ensure_ascii=False) + "\n")
    else:
        sys.stdout.flush()
        detail, remedy = one_line(error.detail), one_line(error.remedy)
        sys.stderr.write(f"error {error.code}: {detail} — {remedy}\n")
    return exit_status(error)


def one_line(text: str) -> str:
    """Return `text` safe for one line of a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
