"""Values that a shell completes: what a running cell, or the program itself, can tell quickly.

Whatever goes wrong completes nothing: a shell is no place for an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import Final

import click
from click.shell_completion import CompletionItem

from cli.limits import COMPLETION_TIMEOUT_S
from core.errors import MyceldError
from myceld.client import Client
from myceld.home import HOME_DEFAULT

_PATHS: Final = {"FILE": "file", "[FILE]...": "file", "DIR": "dir"}
"""What is completed for a parameter of that name."""

_PLAIN: Final = re.compile(r"[\w.@:+-]{1,100}", re.ASCII)


def complete_members(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """Return names of members that begin so, and `stall` for `why`."""
    more = ["stall"] if context.info_name == "why" else []
    return _beginning(begun, [*more, *_asked(context, _members)])


def complete_journals(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """Return names of journals that begin so."""
    return _beginning(
        begun, _asked(context, lambda cell: [item["name"] for item in cell.journals()["items"]])
    )


def complete_codes(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    """Return codes of errors and findings that begin so."""
    from cli.error_table import meanings  # noqa: PLC0415 - parses all sources

    return _beginning(begun.upper(), meanings())


def complete_paths(command: click.Command) -> None:
    """Have a shell complete paths where a command, or one below it, takes a file or a directory."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            complete_paths(below)
    for parameter in command.params:
        kind = _PATHS.get(parameter.metavar or "")
        if kind is not None:
            parameter.type = _Path(kind)


class _Path(click.ParamType[str]):
    """Text that is a path: what it says of itself is that a shell knows best what there is."""

    name = "path"

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002 - as above
        incomplete: str,
    ) -> list[CompletionItem]:
        """Return what has the shell complete paths by itself."""
        return [CompletionItem(incomplete, type=self._kind)]


def _members(cell: Client) -> list[str]:
    return [member["name"] for member in cell.status().get("members", [])]


def _asked(context: click.Context, ask: Callable[[Client], list[str]]) -> list[str]:
    home = context.params.get("home") or os.environ.get("MYCELD_HOME") or HOME_DEFAULT
    try:
        with Client.from_home(
            os.path.expanduser(home),  # noqa: PTH111 - the type of an option is text
            timeout_s=COMPLETION_TIMEOUT_S,
        ) as cell:
            return ask(cell)
    except (MyceldError, KeyError, TypeError):
        return []


def _beginning(begun: str, words: Iterable[str]) -> list[str]:
    """Return the words that a shell can be given as they are: names come from other cells."""
    return [word for word in words if word.startswith(begun) and _PLAIN.fullmatch(word)]
