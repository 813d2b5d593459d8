"""`myceld token`: who else may use this cell over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from cli import show
from cli.errors import BadUsage
from cli.options import Common, common_options
from cli.times import seconds
from core.ids import public_key_of
from core.limits import PUBLIC_KEY_SIZE_BYTES

_SCOPES: Final = click.Choice(["read", "submit", "message", "admin"])


def _terms(command: Callable[..., None]) -> Callable[..., None]:
    """Add --name, --scope, --expires and --rate."""
    named = click.option("--name", required=True, help="What it is for; the audit journal says it.")
    scoped = click.option(
        "--scope",
        "scopes",
        type=_SCOPES,
        multiple=True,
        required=True,
        help="What it is good for; repeat for several. admin is everything.",
    )
    expires = click.option(
        "--expires",
        "expires_s",
        callback=seconds,
        default="30d",
        show_default=True,
        metavar="TIME",
        help="How long it is good: 90s, 15m, 1h, 30d; `never` has no end.",
    )
    rate = click.option(
        "--rate",
        "rate_per_minute",
        type=click.IntRange(1, 10**9),
        metavar="N",
        help="Requests a minute; default: gateway.rate_token of the cell.",
    )
    return named(scoped(expires(rate(command))))


@click.group()
def token() -> None:
    """Make, list and revoke tokens, and allow keys to sign requests.

    The owner's token is in gateway.token in the cell's directory, and is good for everything.
    Others get one of their own, good for no more than they need: read, submit (the cell signs and
    hands in transactions), message, admin.
    """


@token.command()
@_terms
@common_options
def create(common: Common, /, **terms: Any) -> None:  # noqa: ANN401 - the options above
    """Make a token. It is shown this once: the cell keeps only its hash.

    \b
    Examples:
      myceld token create --name grafana --scope read
      myceld token create --name shop --scope read --scope submit --expires 90d --rate 600
    """
    with common.client() as cell:
        answer = cell.create_token(**_chosen(terms))
    if common.as_json:
        show.as_json(answer)
        return
    show.line(answer["token"])
    show.line(f"id {answer['grant']['id']}; keep the token like a password, it is not shown again")


@token.command(name="allow-key")
@click.argument("public_key")
@_terms
@common_options
def allow_key(common: Common, /, public_key: str, **terms: Any) -> None:  # noqa: ANN401 - the options above
    """Let requests in that PUBLIC_KEY signed: 64 hex digits, or the id of a cell.

    For a key that is allowed something already, the new terms take the place of the old ones.

    \b
    Example:
      myceld token allow-key 12D3KooW… --name ada --scope read
    """
    with common.client() as cell:
        answer = cell.allow_key(_key(public_key), **_chosen(terms))
    if common.as_json:
        show.as_json(answer)
        return
    show.line(f"id {answer['id']}; docs/security.md says how requests are signed")


@token.command(name="list")
@common_options
def list_tokens(common: Common) -> None:
    """List tokens and keys, the newest first, with when each was used last.

    \b
    Example:
      myceld token list --json | jq '.items[] | select(.is_good)'
    """
    with common.client() as cell:
        answer = cell.access_tokens()
    if common.as_json:
        show.as_json(answer)
        return
    if not answer["items"]:
        show.line("no tokens but the owner's; make one with `myceld token create`")
        return
    rows = [
        [
            item["id"],
            "key" if item["public_key"] else "token",
            show.safe(item["name"]),
            " ".join(item["scopes"]),
            _state(item),
            _moment(item["expires_ms"]),
            _moment(item["used_ms"]),
        ]
        for item in answer["items"]
    ]
    show.table(
        ["id", "kind", "name", "scopes", "state", "until", "last used"],
        rows,
        empty="no tokens but the owner's",
    )


@token.command()
@click.argument("grant_id", metavar="ID")
@common_options
def revoke(common: Common, grant_id: str) -> None:
    """End a token, or what a key was allowed: at once, and with what it has open.

    \b
    Example:
      myceld token revoke 3fa2b5c01d9e8f77
    """
    with common.client() as cell:
        answer = cell.revoke_token(grant_id)
    if common.as_json:
        show.as_json(answer)
        return
    show.line(f"revoked {answer['id']} ({show.safe(answer['name'])})")


def _chosen(terms: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in terms.items() if value is not None}


def _key(text: str) -> str:
    """Return a public key in hex; a cell's id tells its key."""
    if len(text) == 2 * PUBLIC_KEY_SIZE_BYTES:
        return text.lower()
    if text.startswith("12D3"):
        return public_key_of(text).hex()
    raise BadUsage("a key has 64 hex digits, or is the id of a cell")


def _state(item: Mapping[str, Any]) -> str:
    if item["revoked_ms"]:
        return "revoked"
    return "good" if item["is_good"] else "over"


def _moment(time_ms: int | None) -> str:
    return (
        "–" if time_ms is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(time_ms / 1000))
    )
