"""From what a client wishes, by names, to the arguments of a transaction, by the kind's schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from core.codec import Value, WrongShape
from core.limits import HASH_SIZE_BYTES
from gateway.errors import BadRequest
from ledger.accounts import TREASURY
from ledger.kinds import Arguments, Kind, kinds, parse_arguments
from ledger.limits import BATCH_ITEMS_MAX
from ledger.schema import Field, Type

Resolve = Callable[[str], bytes]
"""Cell id, member's name or key in hex -> public key; raises NoSuchCell."""

_BATCH: Final = "batch"
_NAMED: Final = frozenset({"to", "spender", "owner", "subject"})
"""Arguments that are a key, which people give as a cell's id or name."""
_KINDS: Final = {row.name: row for row in kinds() if row.in_batch or row.name == _BATCH}


def wished_arguments(kind: str, wished: Mapping[str, object], resolve: Resolve) -> Arguments:
    """Return the checked arguments.

    Raises BadRequest, NoSuchCell, or the TransactionRefused of the kind's family.
    """
    values = _batch(wished, resolve) if kind == _BATCH else _values(_row(kind), wished, resolve)
    try:
        return parse_arguments(kind, values)
    except WrongShape as error:
        raise BadRequest(f"arguments of {kind[:32]}: {error.detail}") from error


def account_of(text: str, resolve: Resolve) -> bytes:
    """Return the id of an account: 32 bytes in hex, `treasury`, or a cell's; raises NoSuchCell."""
    if text == TREASURY.decode():
        return TREASURY
    return _hex(text) or resolve(text)


def _batch(wished: Mapping[str, object], resolve: Resolve) -> list[Value]:
    items = wished.get("items")
    if not isinstance(items, list) or len(items) > BATCH_ITEMS_MAX:
        _refuse(_BATCH, "items", f"expected a list of at most {BATCH_ITEMS_MAX}")
    values: list[Value] = []
    for number, item in enumerate(items):
        if not isinstance(item, Mapping) or not item.keys() <= {"kind", "arguments"}:
            _refuse(_BATCH, f"items[{number}]", 'expected {"kind", "arguments"}')
        kind, arguments = item.get("kind"), item.get("arguments", {})
        if not isinstance(kind, str) or kind == _BATCH or not isinstance(arguments, Mapping):
            _refuse(_BATCH, f"items[{number}]", "expected a kind, no batch, and its arguments")
        values.append([kind, _values(_row(kind), arguments, resolve)])
    return values


def _row(kind: str) -> Kind[Any]:
    row = _KINDS.get(kind)
    if row is None:
        raise BadRequest(f"{kind[:32]!r} is no kind to ask for here; {', '.join(_KINDS)} are")
    return row


def _values(row: Kind[Any], wished: Mapping[str, object], resolve: Resolve) -> list[Value]:
    unknown = wished.keys() - {field.name for field in row.schema}
    if unknown:
        _refuse(row.name, min(unknown)[:64], "there is no such argument")
    return [_value(row.name, field, wished.get(field.name), resolve) for field in row.schema]


def _value(kind: str, field: Field, wished: object, resolve: Resolve) -> Value:
    if wished is None and field.low == 0 and field.type is not Type.BYTES:
        return 0 if field.type is Type.INTEGER else ""
    if field.type is Type.INTEGER:
        # Text, too: numbers beyond 2**53 are not safe in every language's JSON.
        if isinstance(wished, str) and wished.isascii() and wished.isdigit() and len(wished) < 20:
            return int(wished)
        if isinstance(wished, int) and not isinstance(wished, bool):
            return wished
        _refuse(kind, field.name, "expected a whole number, or its digits as text")
    if field.type is Type.LIST and isinstance(wished, list):
        return sorted(account_of(_text(kind, field, one), resolve) for one in wished)
    if field.type is Type.BYTES:
        return _bytes(kind, field, wished, resolve)
    return _text(kind, field, wished)


def _bytes(kind: str, field: Field, wished: object, resolve: Resolve) -> bytes:
    if isinstance(wished, Mapping) and wished.keys() == {"hex"}:
        try:
            return bytes.fromhex(_text(kind, field, wished["hex"]))
        except ValueError:
            _refuse(kind, field.name, "expected hex")
    text = _text(kind, field, wished)
    if field.name in _NAMED:
        return account_of(text, resolve)
    if field.low == field.high:
        return _hex(text) or _refuse(kind, field.name, f"expected {field.low} bytes in hex")
    return text.encode()


def _hex(text: str) -> bytes:
    """Return the 32 bytes that a text is the hex of, nothing if it is not."""
    if len(text) != 2 * HASH_SIZE_BYTES:
        return b""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _text(kind: str, field: Field, wished: object) -> str:
    if not isinstance(wished, str):
        _refuse(kind, field.name, "expected text" if wished is not None else "is missing")
    try:
        wished.encode()
    except UnicodeEncodeError:
        _refuse(kind, field.name, "expected valid Unicode text")
    return wished


def _refuse(kind: str, name: str, why: str) -> NoReturn:
    raise BadRequest(f"argument `{name}` of {kind}: {why}")
