"""Reading requests: a body or query as JSON object or fields, and from these a request model.

Everything that is not exactly what the document of the API says raises BadRequest with the name of
the field. Bodies are bounded one by one, all together, and in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, NoReturn, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import ClientDisconnect, Request

from core.json_text import NotJson, parse_json
from gateway.errors import BadRequest, BodyTooLarge, BodyTooSlow, GatewayBusy
from gateway.kinds import Wrong
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
_WORDS: Final = {
    "missing": "is needed",
    "extra_forbidden": "is unknown here",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "dict_type": "expected an object",
    "model_type": "expected an object",
    "model_attributes_type": "expected an object",
}
"""What is said of what pydantic finds wrong itself; all else is said by `gateway.kinds`."""


class Ask(BaseModel):
    """Base of request models: of a path, a query or a body.

    A field's type is an `Annotated` with one of `gateway.kinds`, and the text under it is its
    description. What a model does not declare is refused. Validators are built at first use: most
    routes are never asked, and each takes memory.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, defer_build=True, hide_input_in_errors=True
    )


AskT = TypeVar("AskT", bound=Ask)


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


def names_of(model: type[Ask] | None) -> frozenset[str]:
    """Return the names of the fields that a model takes, as they stand in requests."""
    if model is None:
        return frozenset()
    return frozenset(field.alias or name for name, field in model.model_fields.items())


def read_ask(model: type[AskT], fields: Fields) -> AskT:
    """Return what the fields say; raises BadRequest about the first that is wrong."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        refuse(*_complaint(first))


def subject_of(request: Request) -> str:
    """Return what a request is about, for the audit journal: a name in its path or body."""
    named = {**getattr(request.state, "named", {}), **request.path_params}
    return " ".join(f"{name}={value}" for name, value in sorted(named.items()))


def refuse(name: str, why: str) -> NoReturn:
    """Raise BadRequest about a field."""
    raise BadRequest(f"field `{_short(name)}`: {why}")


def _complaint(error: ErrorDetails) -> tuple[str, str]:
    """Return the place of the field, such as `writes[0].key`, and what is wrong with it."""
    place = ""
    more = error.get("ctx", {}).get("field")
    for part in (*error["loc"], *([more] if more else [])):
        if isinstance(part, int):
            place += f"[{part}]"
        else:
            place += f".{part}" if place else part
    if error["type"] == Wrong.TYPE:
        return place, error["msg"]
    return place, _WORDS.get(error["type"], error["msg"])


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
