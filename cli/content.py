"""`myceld post` and `content`: the global data set, content by its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import click

from cli import show
from cli.errors import BadInput
from cli.options import LIMIT, STAGE, START, Common, common_options, read_value
from cli.receipt import finish

_wait = click.option(
    "--wait", type=STAGE, default="applied", show_default=True, help="Wait until then."
)
_hash = click.argument("content_hash", metavar="HASH")


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--title", help="What it is called.  [default: the name of the file]")
@click.option("--expires", "expires_round", type=click.IntRange(0, 2**63 - 1), default=0,
              show_default=True, help="Last round in which it stands; 0 for no end.")  # fmt: skip
@_wait
@common_options
def post(common: Common, file: str, title: str | None, expires_round: int, wait: str) -> None:
    """Post the content of FILE (- is standard input) into the global data set; members only.

    Its hash, size and title are ordered as a transaction, and every full copy fetches it. It stands
    until its last round is over, or until `myceld content withdraw`.

    \b
    Example:
      myceld post minutes.pdf --title 'Minutes of May'
    """
    body = read_value("-" if file == "-" else f"@{file}")
    if not body:
        raise BadInput(f"{file} is empty")
    identity = hashlib.sha256(body).hexdigest()
    name = title or ("content" if file == "-" else Path(file).name)
    with common.client() as cell:
        receipt = cell.post_content(
            name, body, expires_round=expires_round, wait=wait, timeout_s=common.timeout_s
        )
    if common.as_json:
        show.as_json({"hash": identity, "receipt": receipt})
    else:
        show.line(f"{identity}  {receipt['stage']}")
    finish([receipt])


@click.group()
def content() -> None:
    """What was posted into the global data set."""


@content.command(name="list")
@click.option("--limit", type=LIMIT, default=100, show_default=True, help="Most to show.")
@click.option("--offset", type=START, default=0, show_default=True, help="Leave out the first.")
@common_options
def list_contents(common: Common, limit: int, offset: int) -> None:
    """List contents, in the order of their hashes."""
    with common.client() as cell:
        page = cell.contents(offset=offset, limit=limit)
    if common.as_json:
        show.as_json(page)
        return
    rows = [
        [
            item["hash"],
            show.size(item["size_bytes"]),
            _kept(item),
            show.safe(item["status"]),
            show.safe(item["title"]),
        ]
        for item in page["items"]
    ]
    show.table(["hash", "size", "here", "status", "title"], rows, empty="no content")


@content.command(name="show")
@_hash
@common_options
def show_content(common: Common, content_hash: str) -> None:
    """Say what is known of the content of HASH: who posted it, whether it stands, what is here."""
    with common.client() as cell:
        item = cell.content(content_hash)
    _show(common, {**item, "body_hex": None})


@content.command()
@_hash
@common_options
def pin(common: Common, content_hash: str) -> None:
    """Keep the content of HASH here for good, and fetch it if it is not here."""
    _keep(common, content_hash, "pin")


@content.command()
@_hash
@common_options
def unpin(common: Common, content_hash: str) -> None:
    """Keep the content of HASH no longer than other copies, which go when there is no room."""
    _keep(common, content_hash, "unpin")


@content.command()
@_hash
@common_options
def remove(common: Common, content_hash: str) -> None:
    """Remove the content of HASH from this cell, which fetches it no more unless it is pinned.

    What was posted stays posted: `myceld content withdraw` takes that back.
    """
    _keep(common, content_hash, "remove")


@content.command()
@_hash
@_wait
@common_options
def withdraw(common: Common, content_hash: str, wait: str) -> None:
    """Take back the content of HASH, which this cell posted: no cell fetches or serves it any more.

    That is ordered for all. Whoever has it by then can keep it; nobody can be made to forget.

    \b
    Example:
      myceld content withdraw b2c4…
    """
    with common.client() as cell:
        receipt = cell.withdraw_content(content_hash, wait=wait, timeout_s=common.timeout_s)
    if common.as_json:
        show.as_json(receipt)
    else:
        show.line(f"{content_hash}  {receipt['stage']}")
    finish([receipt])


@content.command()
@_hash
@click.option("--out", metavar="FILE", help="Write it there, not to standard output.")
@common_options
def get(common: Common, content_hash: str, out: str | None) -> None:
    """Print the content of HASH, or write it to a file, once its hash was checked."""
    with common.client() as cell:
        item = cell.content(content_hash)
    if common.as_json:
        show.as_json(item)
        return
    if item["body_hex"] is None:
        raise BadInput("this cell has not fetched that content yet")
    body = bytes.fromhex(item["body_hex"])
    if hashlib.sha256(body).hexdigest() != content_hash:
        raise BadInput("the content does not have that hash")
    if out is None:
        show.raw(body)
    else:
        try:
            show.to_file(Path(out), body)
        except OSError as error:
            raise BadInput(f"can not write {out}: {error.strerror}") from error


def _keep(common: Common, content_hash: str, how: Literal["pin", "unpin", "remove"]) -> None:
    with common.client() as cell:
        item = cell.keep_content(content_hash, how)
    _show(common, item)


def _show(common: Common, item: Mapping[str, Any]) -> None:
    if common.as_json:
        show.as_json(item)
        return
    ends = {
        "posted": f", up to round {item['expires_round']}" if item["expires_round"] else "",
        "expired": f" with round {item['expires_round']}",
        "withdrawn": f" in round {item['withdrawn_round']}",
    }
    show.pairs(
        [
            ("hash", show.safe(item["hash"])),
            ("title", show.safe(item["title"])),
            ("size", show.size(item["size_bytes"])),
            ("posted by", f"{show.safe(item['cell'])} in round {item['round']}"),
            ("status", show.safe(item["status"]) + ends.get(item["status"], "")),
            ("here", _kept(item)),
        ]
    )


def _kept(item: Mapping[str, Any]) -> str:
    words = [word for word, field in (("pinned", "pinned"), ("own", "posted_here")) if item[field]]
    here = "yes" if item["here"] else "no"
    return f"{here} ({', '.join(words)})" if words else here
