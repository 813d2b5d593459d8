"""`myceld state`: read and write the agreed key-value state."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

import click

from cli import show
from cli.errors import BadUsage, NoSuchValue
from cli.namespace import namespace
from cli.options import LIMIT, STAGE, Common, common_options, read_value
from cli.receipt import finish, show_receipt
from myceld.state_calls import write

_ROUND: Final = click.IntRange(min=0)
_VALUE_LENGTH_SHOWN: Final = 60
_wait = click.option(
    "--wait", type=STAGE, default="applied", show_default=True, help="Stage to wait for."
)
_limit = click.option("--limit", type=LIMIT, default=100, show_default=True, help="Most to show.")


@click.group()
def state() -> None:
    """Read and write the agreed state.

    Every full copy holds all of it: whatever is written can be read by everybody who runs one.
    """


state.add_command(namespace)


@state.command()
@click.argument("key")
@click.option("--at", type=_ROUND, metavar="ROUND", help="What it was after a round.")
@click.option("--hex", "as_hex", is_flag=True, help="Print the value in hex.")
@click.option("--raw", is_flag=True, help="Print exactly the bytes of the value.")
@click.option("--proof", metavar="FILE", help="Write a proof of the value, or of none, to FILE.")
@common_options
def get(  # its options
    common: Common, key: str, at: int | None, proof: str | None, *, as_hex: bool, raw: bool
) -> None:
    """Print the value of KEY after the last applied round, or another one.

    A value that is not text is printed in hex. --json also tells who put it, in which round, and
    the state root. --proof gives the value after the newest certified round, or says that there is
    none, and writes a file that `myceld verify` checks anywhere.

    \b
    Examples:
      myceld state get hello
      myceld state get hello --at 1200
      myceld state get photo --raw > cat.jpg
      myceld state get hello --proof hello.proof
    """
    if as_hex + raw + common.as_json > 1:
        raise BadUsage("--hex, --raw and --json exclude each other")
    if proof is not None:
        if at is not None:
            raise BadUsage("--proof is of the newest certified round: --at excludes it")
        answer = _proven(common, key, proof)
    else:
        with common.client() as cell:
            answer = cell.state_value(key, at=at)
    if common.as_json:
        show.as_json(answer)
    elif raw:
        show.raw(bytes.fromhex(answer["value_hex"]))
    elif as_hex or answer["value"] is None:
        show.line(answer["value_hex"])
    else:
        text: str = answer["value"]
        show.line(_safe_lines(text) if sys.stdout.isatty() else text)


@state.command()
@click.argument("key")
@click.argument("value")
@click.option("--if-absent", is_flag=True, help="Only if the key has no value.")
@click.option("--if-round", type=_ROUND, help="Only if its value was set in this round.")
@click.option("--if-hash", metavar="SHA256", help="Only if its value has this hash, in hex.")
@_wait
@common_options
def put(
    common: Common,
    key: str,
    value: str,
    *,
    if_absent: bool,
    if_round: int | None,
    if_hash: str | None,
    wait: str,
) -> None:
    """Set KEY to VALUE (text, @FILE, or - for standard input), if a condition holds.

    Status 5 if it does not: somebody was faster.

    \b
    Examples:
      myceld state put lock/build me --if-absent
      myceld state put counter 8 --if-round "$(myceld state get counter --json | jq .updated_round)"
    """
    made = write(key, read_value(value), **_condition(if_absent, if_round, if_hash))
    with common.client() as cell:
        answer = cell.write_state([made], wait=wait, timeout_s=common.timeout_s)
    _show_receipt(common, answer)


@state.command()
@click.argument("keys", metavar="KEY…", nargs=-1, required=True)
@click.option("--if-round", type=_ROUND, help="Only if the value was set in this round.")
@_wait
@common_options
def delete(common: Common, keys: tuple[str, ...], if_round: int | None, wait: str) -> None:
    """Take the values of keys away, of all or of none.

    \b
    Example:
      myceld state delete lock/build
    """
    writes = [write(key, None, if_round=if_round) for key in keys]
    with common.client() as cell:
        answer = cell.write_state(writes, wait=wait, timeout_s=common.timeout_s)
    _show_receipt(common, answer)


@state.command(name="list")
@click.argument("prefix", default="")
@click.option("--after", default="", metavar="KEY", help="Go on behind a key.")
@click.option("--at", type=_ROUND, metavar="ROUND", help="What it was after a round.")
@_limit
@common_options
def list_values(common: Common, prefix: str, after: str, at: int | None, limit: int) -> None:
    """List the keys that begin with PREFIX, and their values, now or after an earlier round.

    \b
    Examples:
      myceld state list club/ --json | jq -r '.items[].key'
      myceld state list club/ --at 1200
    """
    with common.client() as cell:
        answer = cell.state_values(prefix, after=after, limit=limit, at=at)
    if common.as_json:
        show.as_json(answer)
        return
    rows = [_row(item) for item in answer["items"]]
    show.table(["key", "round", "value"], rows, empty="no keys")
    if answer["next"] is not None:
        show.line(f"more: --after {show.safe(answer['next'])}")


@state.command()
@click.argument("prefix", default="")
@click.option("--after", "after_round", type=_ROUND, metavar="ROUND",
              help="From behind a round on; from now on without this.")  # fmt: skip
@click.option("--count", type=click.IntRange(min=1), help="End after so many changes.")
@common_options
def watch(common: Common, prefix: str, after_round: int | None, count: int | None) -> None:
    """Show each change of keys that begin with PREFIX, as it comes, until Ctrl-C.

    With --json one object a line. Who was away goes on with --after and the last round it saw.

    \b
    Example:
      myceld state watch club/ --json | jq -r .key
    """
    with common.client() as cell:
        for number, item in enumerate(cell.watch(prefix, after_round=after_round), 1):
            if common.as_json:
                show.as_json(item)
            else:
                show.line("  ".join(_row(item)))
            show.flush()
            if number == count:
                return


@state.command()
@click.argument("key")
@click.option("--before", type=click.IntRange(min=1), metavar="ROUND", help="Only earlier rounds.")
@_limit
@common_options
def history(common: Common, key: str, before: int | None, limit: int) -> None:
    """Show what rounds made of KEY, the newest first.

    \b
    Example:
      myceld state history hello
    """
    with common.client() as cell:
        answer = cell.state_history(key, before=before, limit=limit)
    if common.as_json:
        show.as_json(answer)
        return
    rows = [_row(item)[1:] for item in answer["items"]]
    show.table(["round", "value"], rows, empty="no history")
    if answer["next"] is not None:
        show.line(f"more: --before {answer['next']}")
    elif answer["kept_from"]:
        show.line(f"kept from round {show.number(answer['kept_from'])} on")


@state.command()
@click.argument("first", type=_ROUND, metavar="ROUND")
@click.argument("last", type=_ROUND, metavar="ROUND")
@click.option("--prefix", default="", help="Only keys that begin so.")
@click.option("--after", default="", metavar="KEY", help="Go on behind a key.")
@_limit
@common_options
def diff(common: Common, first: int, last: int, prefix: str, after: str, limit: int) -> None:
    """Show which keys differ after two rounds.

    \b
    Example:
      myceld state diff 1200 1300 --prefix club/
    """
    with common.client() as cell:
        answer = cell.state_diff(first, last, prefix=prefix, after=after, limit=limit)
    if common.as_json:
        show.as_json(answer)
        return
    rows = [
        [show.safe(item["key"]), _side(item["before"]), _side(item["after"])]
        for item in answer["items"]
    ]
    show.table(["key", f"after {first}", f"after {last}"], rows, empty="no differences")
    if answer["next"] is not None:
        show.line(f"more: --after {show.safe(answer['next'])}")


@state.command()
@click.argument("key", required=False)
@click.option("--prefix", help="All keys that begin so, at most 64 that differ.")
@click.option("--to", "to_round", type=_ROUND, required=True, metavar="ROUND",
              help="What they were after this round.")  # fmt: skip
@_wait
@common_options
def rollback(common: Common, key: str | None, prefix: str | None, to_round: int, wait: str) -> None:
    """Put KEY, or all keys with a prefix, back to what they were after a round.

    It is a new write: nothing is taken out of the history. All are put back or none; if any of them
    changes meanwhile, none is (status 5).

    \b
    Examples:
      myceld state rollback hello --to 1200
      myceld state rollback --prefix club/ --to 1200
    """
    if (key is None) == (prefix is None):
        raise BadUsage("give either a KEY or --prefix")
    with common.client() as cell:
        answer = cell.roll_back(
            to_round, key=key, prefix=prefix, wait=wait, timeout_s=common.timeout_s
        )
    _show_receipt(common, answer)


def _condition(if_absent: bool, if_round: int | None, if_hash: str | None) -> Mapping[str, Any]:  # noqa: FBT001 - options
    given = [if_absent, if_round is not None, if_hash is not None]
    if sum(given) > 1:
        raise BadUsage("--if-absent, --if-round and --if-hash exclude each other")
    return {"if_absent": if_absent, "if_round": if_round, "if_hash": if_hash}


def _row(item: Mapping[str, Any]) -> list[str]:
    return [show.safe(item["key"]), show.number(item["round"]), _shown(item)]


def _side(item: Mapping[str, Any] | None) -> str:
    return "no value" if item is None else _shown(item)


def _shown(item: Mapping[str, Any]) -> str:
    """Return a value in one short line."""
    if item["value_hex"] is None:
        return "taken away"
    text = item["value_hex"] if item["value"] is None else show.safe(item["value"])
    return text if len(text) <= _VALUE_LENGTH_SHOWN else f"{text[: _VALUE_LENGTH_SHOWN - 1]}…"


def _show_receipt(common: Common, answer: Mapping[str, Any]) -> None:
    if common.as_json:
        show.as_json(answer)
    else:
        show_receipt(answer)
    finish([answer])


def _proven(common: Common, key: str, path: str) -> Mapping[str, Any]:
    """Write the proof of a value, and return what it proves; raises NoSuchValue for no value."""
    from cli.proof_file import value_of, write_proof  # noqa: PLC0415 - loads the whole ledger
    from ledger.proof import StateClaim  # noqa: PLC0415 - as above

    with common.client() as cell:
        verified = write_proof(path, cell.state_proof(key), common.home)
    claim = verified.claim
    value = value_of(claim) if isinstance(claim, StateClaim) else None
    if value is None:
        raise NoSuchValue(
            f"no value at {key!r} after round {verified.header.round}: see the proof in {path}"
        )
    return {
        "key": key,
        "value": _text_or_none(value),
        "value_hex": value.hex(),
        "round": verified.header.round,
        "state_root": verified.header.state_root.hex(),
        "certified_round": verified.certified.round,
    }


def _text_or_none(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _safe_lines(text: str) -> str:
    """Keep line breaks, and take everything else that could steer a terminal out."""
    return "\n".join(show.safe(part) for part in text.split("\n"))
