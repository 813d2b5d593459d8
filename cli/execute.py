"""`myceld exec`: have another cell run what it has declared, and print its signed result."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from cli import show
from cli.errors import CommandFailed, WaitedInVain
from cli.message import check_sent
from cli.options import Common, common_options, read_value
from core.errors import MyceldError
from identity.messages.work import Result, Run, decode_work, encode_work
from myceld.client import Client

_STEP_S = 2.0
"""How often it is looked whether the request was refused, while its result is waited for."""


@click.command()
@click.argument("to", metavar="CELL")
@click.argument("name")
@click.option("--input", "given", default="", help="Standard input: text, @FILE, or -.")
@common_options
def execute(common: Common, to: str, name: str, given: str) -> None:
    """Have CELL (its id, or a member's name) run what it calls NAME, and print the output.

    What a cell runs for members is declared there, as `commands` in its config.yaml.

    \b
    Example:
      myceld exec grace uptime
    """
    until_s = time.monotonic() + common.timeout_s
    with common.client() as cell:
        body = encode_work(Run(name, read_value(given) if given else b""))
        answer = cell.send_message(to=to, type="EXEC", body_hex=body.hex())
        item, result = _result(cell, answer["messages"][0], until_s)
    if common.as_json:
        show.as_json(
            {
                "status": result.status,
                "output_hex": result.output.hex(),
                "is_cut": result.is_cut,
                "message": item["id"],
            }
        )
    elif sys.stdout.isatty():
        for text in result.output.decode(errors="replace").splitlines():
            show.line(show.safe(text))
    else:
        sys.stdout.buffer.write(result.output)
        sys.stdout.buffer.flush()
    if result.status:
        raise CommandFailed(f"{name} ended with status {result.status} there")


def _result(cell: Client, request: dict[str, Any], until_s: float) -> tuple[dict[str, Any], Result]:
    """Return the message with the result of a request, and what it says."""
    after = request["id"]
    while (left_s := until_s - time.monotonic()) > 0:
        page = cell.next_messages(
            after=after, timeout_s=min(left_s, _STEP_S), cell=request["cell"], way="received"
        )
        for item in page["messages"]:
            after = item["id"]
            result = _result_in(item)
            if result is not None and result.number == request["number"]:
                return item, result
        check_sent([cell.message(request["id"])])
    raise WaitedInVain("no result came in time; it may come later, see `myceld message list`")


def _result_in(item: dict[str, Any]) -> Result | None:
    try:
        work = decode_work(bytes.fromhex(item["body_hex"] or ""))
    except MyceldError:
        return None
    return work if isinstance(work, Result) and item["type"] == "EXEC" else None
