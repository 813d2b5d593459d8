"""`myceld post` and `content`: the global data set, content by its hash."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import click

from cli import show
from cli.errors import BadInput
from cli.options import LIMIT, STAGE, START, Common, common_options, read_value
from cli.receipt import finish


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--title", help="What it is called.  [default: the name of the file]")
@click.option("--wait", type=STAGE, default="applied", show_default=True, help="Wait until then.")
@common_options
def post(common: Common, file: str, title: str | None, wait: str) -> None:
    """Post the content of FILE (- is standard input) into the global data set; members only.

    Its hash, size and title are ordered as a transaction, and every full copy fetches it.

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
        receipt = cell.post_content(name, body, wait=wait, timeout_s=common.timeout_s)
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
            "yes" if item["here"] else "no",
            show.safe(item["title"]),
        ]
        for item in page["items"]
    ]
    show.table(["hash", "size", "here", "title"], rows)


@content.command()
@click.argument("content_hash", metavar="HASH")
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
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
    else:
        try:
            Path(out).write_bytes(body)
        except OSError as error:
            raise BadInput(f"can not write {out}: {error.strerror}") from error
