"""What is asked of a hypha: fields of requests, read one by one.

A cell's gateway reads the same by models of pydantic, which would be a fifth of a hypha's memory.
"""

from __future__ import annotations

from typing import Final, cast

from starlette.requests import Request

from core.limits import HASH_SIZE_BYTES, PUBLIC_KEY_SIZE_BYTES
from gateway.bodies import Fields, read_field, refuse
from gateway.kinds import STAGES, Digits, Hex, Items, OneOf, Seconds, Switch, Text, Whole, Wrong
from gateway.limits import (
    LIST_LIMIT_DEFAULT,
    LIST_LIMIT_MAX,
    TRANSACTIONS_PER_SUBMIT_MAX,
    WAIT_TIMEOUT_S_DEFAULT,
)
from gateway.views import Stage

_STAGE: Final = OneOf(tuple(STAGES), STAGES.__getitem__)
_TRANSACTIONS: Final = Items(1, TRANSACTIONS_PER_SUBMIT_MAX, "hex texts")


def stage(fields: Fields) -> Stage | None:
    """Return the field `wait` if it is given."""
    return cast("Stage | None", read_field(fields, "wait", _STAGE, None))


def timeout_s(fields: Fields) -> float:
    """Return the field `timeout_s`."""
    return cast("float", read_field(fields, "timeout_s", Seconds(), WAIT_TIMEOUT_S_DEFAULT))


def transactions(fields: Fields) -> list[bytes]:
    """Return the field `transactions`, decoded from hex."""
    try:
        items = cast("list[object]", _TRANSACTIONS.check(fields.get("transactions")))
    except Wrong as wrong:
        refuse("transactions", wrong.why)
    return [
        read_field({name: item}, name, Hex())
        for name, item in ((f"transactions[{at}]", item) for at, item in enumerate(items))
    ]


def key(fields: Fields) -> str:
    """Return the field `key`."""
    return cast("str", read_field(fields, "key", Text()))


def text(fields: Fields, name: str) -> str:
    """Return a text that may be empty, or left out."""
    return cast("str", read_field(fields, name, Text(0), ""))


def limit(fields: Fields) -> int:
    """Return the field `limit`."""
    return cast("int", read_field(fields, "limit", Digits(1, LIST_LIMIT_MAX), LIST_LIMIT_DEFAULT))


def value_bytes(fields: Fields) -> bytes:
    """Return the field `value` (text) or `value_hex`, whichever is given."""
    if ("value" in fields) == ("value_hex" in fields):
        refuse("value", "expected exactly one of `value` and `value_hex`")
    if "value_hex" in fields:
        return cast("bytes", read_field(fields, "value_hex", Hex()))
    return cast("str", read_field(fields, "value", Text(0))).encode()


def nonce(fields: Fields) -> int | None:
    """Return the field `nonce` if it is given."""
    return cast("int | None", read_field(fields, "nonce", Whole(), None))


def round_number(fields: Fields) -> int | None:
    """Return the query parameter `round` if it is given."""
    return cast("int | None", read_field(fields, "round", Digits(1), None))


def wants_roster(fields: Fields) -> bool:
    """Return the query parameter `roster`."""
    return cast("bool", read_field(fields, "roster", Switch(), default=False))


def transaction_id(request: Request) -> bytes:
    """Return the transaction id in the path."""
    return cast("bytes", read_field(request.path_params, "id", Hex(HASH_SIZE_BYTES)))


def public_key(request: Request) -> bytes:
    """Return the public key in the path."""
    kind = Hex(PUBLIC_KEY_SIZE_BYTES)
    return cast("bytes", read_field(request.path_params, "public_key", kind))
