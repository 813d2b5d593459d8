"""Entry point of the `myceld` command.

Sub-commands are imported when they are called, so that --help and every short command start fast.
All errors end here: one line, and an exit status from docs/cli.md.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final, NoReturn

import click
from click.shell_completion import CompletionItem

from cli.errors import (
    EXIT_BROKEN_PIPE,
    EXIT_INTERRUPTED,
    EXIT_OK,
    report,
    usage_error,
)
from core.errors import MyceldError

_COMMANDS: Final = {
    "init": ("cli.daemon:init", "Make a cell: key, configuration, network."),
    "join": ("cli.join:join", "Join a network by a ticket."),
    "run": ("cli.daemon:run", "Run a cell until it is stopped."),
    "config": ("cli.config:config", "Show, check and change what the cell is told."),
    "logs": ("cli.logs:logs", "Show the log of the cell, and change how much it logs."),
    "genesis": ("cli.daemon:genesis", "Describe a network of several cells."),
    "status": ("cli.cell:status", "Say what the cell does and what it waits for."),
    "peers": ("cli.cell:peers", "List the cells this one is connected to."),
    "tx": ("cli.tx:tx", "Put, send, sign and list transactions."),
    "prana": ("cli.prana:prana", "See what accounts have, and pay."),
    "state": ("cli.state:state", "Read the agreed state."),
    "watch": ("cli.watch:watch", "Show what happens, as it happens."),
    "receipt": ("cli.receipt:receipt", "Show how far a transaction has come."),
    "verify": ("cli.verify:verify", "Check a proof, without a cell or a network."),
    "round": ("cli.history:rounds", "List decided rounds."),
    "key": ("cli.key:key", "Make, show, move, protect and split the cell's key."),
    "token": ("cli.token:token", "Say who else may use this cell over HTTP."),
    "invite": ("cli.invite:invite", "Make a ticket for somebody to join by."),
    "member": ("cli.member:member", "Show and change who votes."),
    "gov": ("cli.governance:gov", "Propose, vote, and see what the members decided."),
    "trust": ("cli.trust:trust", "Say whom to trust, and see how far others are."),
    "send": ("cli.message:send", "Send an encrypted message to a cell or a room."),
    "inbox": ("cli.message:inbox", "Show the messages that came."),
    "chat": ("cli.chat:chat", "Talk with a cell or in a room."),
    "message": ("cli.message:message", "List messages, and say how far each has come."),
    "room": ("cli.message:room", "Make and change rooms, to talk with several cells."),
    "post": ("cli.content:post", "Put content into the global data set."),
    "content": ("cli.content:content", "List and fetch posted content."),
    "query": ("cli.query:query", "Ask another cell for a value, with its proof."),
    "exec": ("cli.execute:execute", "Have another cell run what it has declared."),
    "spore": ("cli.spore:spore", "Show, export and check records of where cells are."),
    "audit": ("cli.audit:audit", "Show who did what, and what was refused."),
    "explorer": ("cli.explorer:explorer", "Open the cell's web explorer in a browser."),
    "services": ("cli.service:services", "List the cell's services, and how each is."),
    "challenge": ("cli.service:challenge", "Have another cell prove its key."),
    "repair": ("cli.repair:repair", "Take over the certified state, where the own one differs."),
    "backup": ("cli.backup:backup", "Back a cell up, also while it runs."),
    "restore": ("cli.backup:restore", "Put the cell of a backup into a new directory."),
    "journal": ("cli.journal:journal", "Read, check, export and follow journals."),
    "dag": ("cli.dag:dag", "Show the hashgraph, say why events are where they are, export it."),
    "devnet": ("cli.devnet.commands:devnet", "Run a local network of several cells."),
    "sim": ("cli.sim:sim", "Run whole networks on virtual time, and break them."),
    "doctor": ("cli.doctor:doctor", "Look for what is wrong, and say what to do."),
    "why": ("cli.why:why", "Say why a transaction, a cell or the network is where it is."),
    "top": ("cli.top:top", "Watch what the cell does."),
    "space": ("cli.space:space", "Say what takes room on the disk, and what can go."),
    "support-bundle": (
        "cli.support_bundle:support_bundle",
        "Write what somebody needs who helps you.",
    ),
    "completion": ("cli.completion:completion", "Have a shell complete commands and values."),
    "explain": ("cli.explain:explain", "Say what a code means, and what to do."),
    "version": ("cli.cell:version", "Show the version of the program and of the cell."),
}

_HELP: Final = """myceld: a ledger that several people keep together, each with a cell of their own.

\b
Examples:
  myceld init && myceld run          a network of one cell
  myceld invite                      let somebody else join it
  myceld devnet up                   a local network of four
  myceld tx put hello world          put a value
  myceld state get hello             read it back
"""

_EPILOG: Final = """\b
Exit status:
  0  ok                              3  no cell is running, or it can not be reached
  1  refused or failed               4  waited in vain (timeout)
  2  wrong usage                     5  the ledger refused the transaction
130  stopped with Ctrl-C

Every command takes --home DIR (or MYCELD_HOME; default ~/.myceld) and --json. The shapes of the
JSON are in docs/cli.md.
"""


_COMPLETE: Final = "_MYCELD_COMPLETE"
"""Variable by which a shell asks for completions."""


class LazyGroup(click.Group):
    """A group that knows its commands by `module:name` and imports one when it is called."""

    def __init__(self, lazy: Mapping[str, tuple[str, str]], **settings: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(**settings)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import and return one command."""
        if cmd_name not in self._lazy:
            return None
        module, _, name = self._lazy[cmd_name][0].partition(":")
        command = getattr(import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{name} is not a command")
        if _COMPLETE in os.environ:
            from cli.completing import complete_paths  # noqa: PLC0415 - only a shell needs it

            complete_paths(command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names from the table, without importing the commands."""
        names = [
            CompletionItem(name, help=text)
            for name, (_, text) in self._lazy.items()
            if name.startswith(incomplete)
        ]
        return names if incomplete or names else click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._lazy.items()])


root = LazyGroup(
    _COMMANDS,
    name="myceld",
    help=_HELP,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    if _COMPLETE in os.environ:
        root.main(prog_name="myceld")  # a shell asks for completions
    status = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        status = _quiet_pipe()
    sys.exit(status)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    as_json = "--json" in arguments
    try:
        # click's own `main` would turn a broken pipe into exit status 1.
        with root.make_context("myceld", list(arguments)) as context:
            root.invoke(context)
    except click.exceptions.Exit as request:
        return request.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return EXIT_OK
    except click.ClickException as error:
        return report(usage_error(error), as_json=as_json)
    except MyceldError as error:
        return report(error, as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return _quiet_pipe()
    return EXIT_OK


def _quiet_pipe() -> int:
    """Leave standard output to nowhere, so that the interpreter's last flush fails quietly."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_BROKEN_PIPE


if __name__ == "__main__":
    main()
