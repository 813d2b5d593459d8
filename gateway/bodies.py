"""Taking in requests: bodies and queries as fields, of which each has a kind.

Everything that is not exactly what the document of the API says raises BadRequest with the name of
the field. Bodies are bounded one by one, all together, and in time. Loads no pydantic: a hypha
reads fields one by one, the gateway of a cell by the models of `gateway.reading`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, NoReturn, TypeAlias

from starlette.requests import ClientDisconnect, Request

from core.json_text import NotJson, parse_json
from gateway.errors import BadRequest, BodyTooLarge, BodyTooSlow, GatewayBusy
from gateway.kinds import Kind, Wrong
from gateway.limits import (
    BODIES_SIZE_BYTES_MAX,
    BODY_SIZE_BYTES_MAX,
    BODY_TIMEOUT_S,
    QUERY_SIZE_BYTES_MAX,
)

Fields: TypeAlias = Mapping[str, object]
"""A parsed JSON object, or query parameters."""

_NAMES: Final = ("action", "cell", "journal", "key", "room", "scope", "to")
"""Fields that say what a request is about, and may be written down."""
_DIGITS_MAX: Final = 19


class BodyBudget:
    """How many bytes of request bodies are held; refuses beyond BODIES_SIZE_BYTES_MAX."""

    def __init__(self, size_bytes_max: int = BODIES_SIZE_BYTES_MAX) -> None:
        self._free_bytes = size_bytes_max

    def take(self, size_bytes: int) -> None:
        """Count bytes in; raises GatewayBusy."""
        if size_bytes > self._free_bytes:
            raise GatewayBusy("too many bytes of other requests are at work")
        self._free_bytes -= size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Count bytes out."""
        self._free_bytes += size_bytes


async def read_fields(request: Request, allowed: frozenset[str], budget: BodyBudget) -> Fields:
    """Return the JSON object in the body, whose fields are all in `allowed`.

    Raises BodyTooLarge, BodyTooSlow, BadRequest, GatewayBusy.
    """
    taken_bytes = 0
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            _check_announced(request)
            async for part in request.stream():
                if taken_bytes + len(part) > BODY_SIZE_BYTES_MAX:
                    raise BodyTooLarge(f"the body is over {BODY_SIZE_BYTES_MAX} bytes")
                budget.take(len(part))
                taken_bytes += len(part)
                parts.append(part)
        return _named(request, _parse_object(b"".join(parts), allowed))
    except TimeoutError as error:
        raise BodyTooSlow(f"the body took longer than {BODY_TIMEOUT_S:.0f} s") from error
    except ClientDisconnect as error:
        raise BadRequest("the client went away before the body was complete") from error
    finally:
        budget.give_back(taken_bytes)


def query_fields(request: Request, allowed: frozenset[str]) -> Fields:
    """Return the query parameters, each at most once and in `allowed`; raises BadRequest."""
    query = request.scope["query_string"]
    if not query:
        return {}
    if len(query) > QUERY_SIZE_BYTES_MAX:
        raise BadRequest(f"the query is over {QUERY_SIZE_BYTES_MAX} bytes")
    found: dict[str, object] = {}
    for name, value in request.query_params.multi_items():
        if name not in allowed:
            refuse(name, _unknown(allowed))
        if name in found:
            refuse(name, "given twice")
        found[name] = value
    return found


def read_field(fields: Fields, name: str, kind: Kind, default: object = ...) -> Any:  # noqa: ANN401 - what the kind reads
    """Return one field, `default` if it may be left out; raises BadRequest."""
    if name not in fields:
        if default is ...:
            refuse(name, "is needed")
        return default
    try:
        return kind.read(fields[name])
    except Wrong as wrong:
        refuse(name, wrong.why)


def subject_of(request: Request) -> str:
    """Return what a request is about, for the audit journal: a name in its path or body."""
    named = {**getattr(request.state, "named", {}), **request.path_params}
    return " ".join(f"{name}={value}" for name, value in sorted(named.items()))


def refuse(name: str, why: str) -> NoReturn:
    """Raise BadRequest about a field."""
    raise BadRequest(f"field `{_short(name)}`: {why}")


def _named(request: Request, fields: Fields) -> Fields:
    """Note for `subject_of` what a body is about; return it."""
    texts = {name: fields.get(name) for name in _NAMES}
    request.state.named = {name: text for name, text in texts.items() if isinstance(text, str)}
    return fields


def _check_announced(request: Request) -> None:
    announced = request.headers.get("content-length", "0")
    if not (announced.isascii() and announced.isdigit()):
        return  # HTTP has refused it already
    if len(announced) > _DIGITS_MAX or int(announced) > BODY_SIZE_BYTES_MAX:
        raise BodyTooLarge(
            f"the body has {announced[:_DIGITS_MAX]} bytes, at most {BODY_SIZE_BYTES_MAX}"
        )


def _parse_object(body: bytes, allowed: frozenset[str]) -> Fields:
    try:
        parsed = parse_json(body, pairs=_unique, constant=_no_constant)
    except NotJson as error:
        raise BadRequest(f"the body is {_short(error.detail)}") from error
    if not isinstance(parsed, dict):
        raise BadRequest("the body must be a JSON object")
    for name in parsed:
        if name not in allowed:
            refuse(name, _unknown(allowed))
    return parsed


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        name = next(name for name, _ in pairs if sum(other == name for other, _ in pairs) > 1)
        refuse(name, "given twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise BadRequest(f"the body is not JSON ({name} is not a number)")


def _unknown(allowed: frozenset[str]) -> str:
    return f"unknown; this path takes {', '.join(sorted(allowed)) or 'none'}"


def _short(text: str) -> str:
    """Cut what a client sent, and make it safe to show in one line."""
    shown = text if len(text) <= 80 else text[:79] + "…"
    return "".join(letter if letter.isprintable() else "?" for letter in shown)
