"""`myceld tx`: put, send, sign and list transactions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from cli import show
from cli.amount import PRANA
from cli.daemon import ask_node, become_node
from cli.errors import BadInput
from cli.limits import (
    BATCH_FILE_SIZE_BYTES_MAX,
    SIGNED_VALUE_SIZE_BYTES_MAX,
    TRANSACTIONS_PER_SUBMIT_MAX,
)
from cli.options import (
    STAGE,
    START,
    Common,
    common_options,
    expand,
    home_option,
    json_option,
    page_options,
    passphrase_arguments,
    passphrase_descriptors,
    passphrase_options,
    read_value,
)
from cli.receipt import finish, show_receipt
from core.json_text import NotJson, parse_json
from identity.passphrase import PassphraseSource

_WAIT_HELP = "Answer when this stage is reached."


@click.group()
def tx() -> None:
    """Put, send, sign and list transactions."""


@tx.command()
@click.argument("key")
@click.argument("value")
@click.option("--nonce", type=START, help="Number of the transaction; default: the next free one.")
@click.option("--wait", type=STAGE, default="stored", show_default=True, help=_WAIT_HELP)
@common_options
def put(common: Common, key: str, value: str, nonce: int | None, wait: str) -> None:
    """Put VALUE at KEY, signed by the cell's own key.

    VALUE is text, @FILE for the bytes of a file, or - for standard input. The answer comes when
    the transaction is safe on this cell's disk (stored), or at the stage that --wait names.

    \b
    Examples:
      myceld tx put hello world
      myceld tx put hello world --wait certified --timeout 60
      myceld tx put photo @cat.jpg
      date | myceld tx put now -
    """
    data = read_value(value)
    with common.client() as cell:
        answer = cell.put(key, data, nonce=nonce, wait=wait, timeout_s=common.timeout_s)
    if common.as_json:
        show.as_json(answer)
    else:
        show_receipt(answer)
    finish([answer])


@tx.command()
@click.argument("transactions", metavar="HEX|@FILE|-")
@click.option("--wait", type=STAGE, default="stored", show_default=True, help=_WAIT_HELP)
@common_options
def send(common: Common, transactions: str, wait: str) -> None:
    """Send transactions that are already signed and encoded.

    HEX, or a file or standard input with one transaction in hex per line. All of up to 1,000 are
    taken, or none.

    \b
    Examples:
      myceld tx send 86a1…
      myceld tx sign hello world --nonce 7 | myceld tx send -
    """
    batch = _parse_batch(read_value(transactions))
    with common.client() as cell:
        answer = cell.submit(batch, wait=wait, timeout_s=common.timeout_s)
    if common.as_json:
        show.as_json(answer)
    elif len(batch) == 1:
        show_receipt(answer["items"][0])
    else:
        for item in answer["items"]:
            show.line(f"{show.safe(item['id'])}  {show.safe(item['outcome'] or item['stage'])}")
    finish(answer["items"])


@tx.command()
@click.argument("key")
@click.argument("value")
@click.option("--nonce", type=START, required=True, help="Number of the transaction.")
@click.option("--fee", type=PRANA, default=0, help="The most to pay for it, in PRANA.")
@passphrase_options
@home_option
@json_option
def sign(
    home: str,
    key: str,
    value: str,
    *,
    nonce: int,
    fee: int,
    as_json: bool,
    passphrase: PassphraseSource,
) -> None:
    """Sign a put with the cell's key without sending it; works offline, prints hex.

    \b
    Example:
      myceld tx sign hello world --nonce 7 > signed.hex
    """
    data = read_value(value)
    if len(data) > SIGNED_VALUE_SIZE_BYTES_MAX:
        raise BadInput(f"the value has {len(data)} bytes, far more than the ledger takes")
    arguments = ["sign", "--home", str(expand(home)), "--nonce", str(nonce)]
    arguments += ["--fee", str(fee)] if fee else []
    arguments += [*passphrase_arguments(passphrase), "--", key, data.hex()]
    if not as_json:
        become_node(arguments)
    status, output = ask_node(arguments, passphrase_descriptors(passphrase))
    if status == 0:
        show.as_json({"transaction": output.strip()})
    raise click.exceptions.Exit(status)


@tx.command()
@click.argument("items", metavar="@FILE|-")
@click.option("--wait", type=STAGE, default="applied", show_default=True, help=_WAIT_HELP)
@common_options
def batch(common: Common, items: str, wait: str) -> None:
    """Submit several things that apply together or not at all, signed by the cell's own key.

    The file is a JSON list of {"kind": …, "arguments": {…}}, with the kinds and names of
    docs/transactions.md. Amounts are whole numbers of base units.

    \b
    Example:
      echo '[{"kind": "transfer", "arguments": {"to": "grace", "amount": 1500000000}},
             {"kind": "put", "arguments": {"key": "paid", "value": "May"}}]' | myceld tx batch -
    """
    data = read_value(items)
    if len(data) > BATCH_FILE_SIZE_BYTES_MAX:
        raise BadInput(f"the file has {len(data)} bytes, far more than a transaction takes")
    try:
        found = parse_json(data)
    except NotJson as error:
        raise BadInput(f"not JSON: {error.detail}") from error
    if not isinstance(found, list):
        raise BadInput("expected a list of items")
    with common.client() as cell:
        answer = cell.batch(found, wait=wait, timeout_s=common.timeout_s)
    if common.as_json:
        show.as_json(answer)
    else:
        show_receipt(answer)
    finish([answer])


@tx.command(name="list")
@page_options
@common_options
def list_(common: Common, start: int, limit: int) -> None:
    """List the agreed order of transactions, the same on every cell.

    \b
    Examples:
      myceld tx list --limit 20
      myceld tx list --start 1000 --json
    """
    with common.client() as cell:
        answer = cell.transactions(start=start, limit=limit)
    if common.as_json:
        show.as_json(answer)
        return
    if not answer["items"]:
        show.line("no transactions here yet")
        return
    rows = [_row(item) for item in answer["items"]]
    show.table(["position", "round", "ordered at", "kind", "nonce", "size", "outcome", "id"], rows)
    show_more(answer["next"])


def show_more(next_start: int | None) -> None:
    """Say how to see the rest of a list."""
    if next_start is not None:
        show.line(f"(there may be more: --start {next_start})")


def _row(item: Mapping[str, Any]) -> list[str]:
    return [
        str(item["position"]),
        str(item["round"]),
        show.moment(item["consensus_time_ns"]),
        show.safe(item["kind"]),
        show.safe(item["nonce"]),
        show.size(item["size_bytes"]),
        show.safe(item["outcome"]),
        show.safe(item["id"]),
    ]


def _parse_batch(data: bytes) -> list[bytes]:
    lines = data.split(None, TRANSACTIONS_PER_SUBMIT_MAX)
    if not lines:
        raise BadInput("there is no transaction in the input")
    if len(lines) > TRANSACTIONS_PER_SUBMIT_MAX:
        raise BadInput(f"at most {TRANSACTIONS_PER_SUBMIT_MAX} transactions are sent at once")
    batch = []
    for index, text in enumerate(lines, start=1):
        try:
            batch.append(bytes.fromhex(text.decode("ascii")))
        except ValueError as error:
            raise BadInput(f"transaction {index} is not hex") from error
    return batch
