"""`myceld exec`: have another cell run what it has declared, and print its signed result."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
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
        item = answer_to(cell, answer["messages"][0], until_s, _number_in)
    result = decode_work(bytes.fromhex(item["body_hex"]))
    if not isinstance(result, Result):
        raise WaitedInVain("no result came")
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
        show.raw(result.output)
    if result.status:
        raise CommandFailed(f"{name} ended with status {result.status} there")


def answer_to(
    cell: Client,
    request: Mapping[str, Any],
    until_s: float,
    number_in: Callable[[Mapping[str, Any]], int | None],
) -> Mapping[str, Any]:
    """Return the message that answers a request, by its number; raises WaitedInVain.

    `number_in` tells which request a message answers, if any.
    """
    after = request["id"]
    while (left_s := until_s - time.monotonic()) > 0:
        page = cell.next_messages(
            after=after, timeout_s=min(left_s, _STEP_S), cell=request["cell"], way="received"
        )
        for item in page["messages"]:
            after = item["id"]
            if item["type"] == request["type"] and number_in(item) == request["number"]:
                answer: Mapping[str, Any] = item
                return answer
        check_sent([cell.message(request["id"])])
    raise WaitedInVain("no answer came in time; it may come later, see `myceld message list`")


def _number_in(item: Mapping[str, Any]) -> int | None:
    result = _result_in(item)
    return None if result is None else result.number


def _result_in(item: Mapping[str, Any]) -> Result | None:
    try:
        work = decode_work(bytes.fromhex(item["body_hex"] or ""))
    except MyceldError:
        return None
    return work if isinstance(work, Result) else None
