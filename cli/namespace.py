"""`myceld state namespace`: who may write which keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from cli import show
from cli.options import LIMIT, STAGE, Common, common_options
from cli.receipt import finish, show_receipt

_ACCESS: Final = click.Choice(["owners", "writers", "members", "anyone"])


@click.group()
def namespace() -> None:
    """Claim namespaces, and say who may write there.

    The namespace club is all keys that begin with club/. Reading is never restricted.
    """


def _rules_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--wait", type=STAGE, default="applied", show_default=True,
                     help="Stage to wait for."),
        click.option("--writer", "writers", multiple=True, metavar="CELL",
                     help="May write, with --access writers."),
        click.option("--access", type=_ACCESS, default="owners", show_default=True,
                     help="Who may write beside the owners."),
        click.option("--owner", "owners", multiple=True, metavar="CELL",
                     help="An owner (cell id, or a member's name); without any, this cell."),
        click.argument("name"),
    ):  # fmt: skip
        command = option(command)
    return command


@namespace.command()
@_rules_options
@common_options
def claim(
    common: Common,
    name: str,
    owners: tuple[str, ...],
    access: str,
    writers: tuple[str, ...],
    wait: str,
) -> None:
    """Claim NAME: from then on only those write keys below NAME/ whom you let.

    A name is claimed once. A part of it, such as club/minutes, can have rules of its own.

    \b
    Example:
      myceld state namespace claim club --access members
    """
    with common.client() as cell:
        answer = cell.claim_namespace(
            name,
            owners=list(owners),
            access=access,
            writers=list(writers),
            wait=wait,
            timeout_s=common.timeout_s,
        )
    _show_receipt(common, answer)


@namespace.command(name="set")
@_rules_options
@common_options
def set_rules(
    common: Common,
    name: str,
    owners: tuple[str, ...],
    access: str,
    writers: tuple[str, ...],
    wait: str,
) -> None:
    """Give NAME other rules, all of them: what is left out has its default.

    With another --owner it is handed on.

    \b
    Example:
      myceld state namespace set club --owner ada --owner grace --access members
    """
    with common.client() as cell:
        answer = cell.set_namespace(
            name,
            owners=list(owners),
            access=access,
            writers=list(writers),
            wait=wait,
            timeout_s=common.timeout_s,
        )
    _show_receipt(common, answer)


@namespace.command()
@click.argument("name")
@click.option("--wait", type=STAGE, default="applied", show_default=True, help="Stage to wait for.")
@common_options
def release(common: Common, name: str, wait: str) -> None:
    """Give NAME up, as an owner: nobody has it any more, and anybody may claim it.

    What lies below NAME/ stays, and can be written by whoever may write to the namespace around it;
    without one by anybody. Parts that were claimed stay claimed. The network has to run by
    transaction version 3 or later: `myceld gov parameters` says by which it does.

    \b
    Example:
      myceld state namespace release club
    """
    with common.client() as cell:
        answer = cell.release_namespace(name, wait=wait, timeout_s=common.timeout_s)
    _show_receipt(common, answer)


@namespace.command(name="show")
@click.argument("key")
@common_options
def show_namespace(common: Common, key: str) -> None:
    """Show the smallest namespace around KEY, or the one of that name.

    \b
    Example:
      myceld state namespace show club/minutes/may
    """
    with common.client() as cell:
        answer = cell.namespace(key)
    if common.as_json:
        show.as_json(answer)
        return
    show.pairs(
        [
            ("namespace", show.safe(answer["name"])),
            *(("owner", show.safe(owner)) for owner in answer["owners"]),
            ("may write", show.safe(answer["access"])),
            *(("writer", show.safe(writer)) for writer in answer["writers"]),
            ("since", f"round {show.number(answer['round'])}"),
        ]
    )


@namespace.command(name="list")
@click.argument("prefix", default="")
@click.option("--after", default="", metavar="NAME", help="Go on behind a name.")
@click.option("--limit", type=LIMIT, default=100, show_default=True, help="Most to show.")
@common_options
def list_namespaces(common: Common, prefix: str, after: str, limit: int) -> None:
    """List the namespaces whose names begin with PREFIX.

    \b
    Example:
      myceld state namespace list
    """
    with common.client() as cell:
        answer = cell.namespaces(prefix, after=after, limit=limit)
    if common.as_json:
        show.as_json(answer)
        return
    rows = [
        [show.safe(item["name"]), item["access"], str(len(item["owners"])), str(item["round"])]
        for item in answer["items"]
    ]
    show.table(["namespace", "may write", "owners", "since round"], rows)


def _show_receipt(common: Common, answer: Mapping[str, Any]) -> None:
    if common.as_json:
        show.as_json(answer)
    else:
        show_receipt(answer)
    finish([answer])
