"""Operations: one method at one path each, declared by the method of a family that answers it.

The signature of that method says what is asked: `path`, `query` and `body` are request models, each
left out where there is nothing to say. Its return annotation is the view that is answered, its
docstring the summary and description. FastAPI documents all of it; requests are read by
`gateway.reading`, in bounds that FastAPI has not, and answers are rendered without a second check.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar, get_type_hints

from starlette.requests import Request
from starlette.responses import Response

from core.errors import MyceldError
from gateway.answers import JsonAnswer
from gateway.bodies import BodyBudget, query_fields, read_fields
from gateway.errors import NotReachedInTime
from gateway.reading import Ask, names_of, read_ask
from ledger.errors import (
    Expired,
    Malformed,
    NonceUsed,
    Oversize,
    UnknownKind,
    WrongNetwork,
    WrongSignature,
)

T = TypeVar("T")
ErrorTypes: TypeAlias = tuple[type[MyceldError], ...]

JSON: Final = "application/json"
INTAKE: Final[ErrorTypes] = (
    Malformed,
    WrongSignature,
    WrongNetwork,
    Oversize,
    NonceUsed,
    UnknownKind,
    Expired,
    NotReachedInTime,
)
"""What every operation can raise that submits a transaction; what only the state forbids has a
code of the ledger too, and is listed there."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list."""

    items: Sequence[T]
    next: int | None = None
    """`start` of the next part; null at the end."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What can be asked at one path with one method."""

    method: str
    path: str
    endpoint: Callable[..., Awaitable[object]]
    """Answers a view, or a Response if it is no JSON."""
    errors: ErrorTypes = ()
    """What it can raise beside what every operation can."""
    media_type: str = JSON
    """Of the answer."""
    reads_itself: type[Ask] | None = None
    """What the query can be of an endpoint that takes the `request` and reads that itself."""

    def asks(self) -> dict[str, type[Ask]]:
        """Return the request models by where they come from: `path`, `query`, `body`."""
        hints = get_type_hints(self.endpoint, include_extras=True)
        if self.reads_itself is not None:
            return {"query": self.reads_itself}
        return {name: model for name, model in hints.items() if name != "return"}

    def answer_type(self) -> Any:  # noqa: ANN401 - a type, which may be a generic alias
        """Return the view that is answered."""
        return get_type_hints(self.endpoint, include_extras=True)["return"]


class Family(Protocol):
    """Operations about one subject."""

    tag: str
    """The subject, as a heading in the document of the API."""

    def operations(self) -> Sequence[Operation]:
        """Return all of them."""
        ...


def get(
    path: str,
    endpoint: Callable[..., Awaitable[object]],
    *errors: type[MyceldError],
    media_type: str = JSON,
    reads_itself: type[Ask] | None = None,
) -> Operation:
    """Declare an operation that changes nothing."""
    return Operation("GET", path, endpoint, errors, media_type, reads_itself)


def post(
    path: str, endpoint: Callable[..., Awaitable[object]], *errors: type[MyceldError]
) -> Operation:
    """Declare an operation that acts. It has a JSON object as body, if only `{}`."""
    return Operation("POST", path, endpoint, errors)


def handler_of(
    operation: Operation, budget: BodyBudget
) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers requests of an operation; it raises what the operation does."""
    if operation.reads_itself is not None:
        return partial(_handle_itself, operation)
    asks = operation.asks()
    return partial(_handle, operation, asks, names_of(asks.get("query")), budget)


async def _handle(
    operation: Operation,
    asks: dict[str, type[Ask]],
    query_names: frozenset[str],
    budget: BodyBudget,
    request: Request,
) -> Response:
    given: dict[str, Ask] = {}
    if (model := asks.get("path")) is not None:
        given["path"] = read_ask(model, request.path_params)
    fields = query_fields(request, query_names)
    if (model := asks.get("query")) is not None:
        given["query"] = read_ask(model, fields)
    if operation.method != "GET":
        model = asks.get("body")
        fields = await read_fields(request, names_of(model), budget)
        if model is not None:
            given["body"] = read_ask(model, fields)
    answer = await operation.endpoint(**given)
    return answer if isinstance(answer, Response) else JsonAnswer(answer)


async def _handle_itself(operation: Operation, request: Request) -> Response:
    answer = await operation.endpoint(request)
    return answer if isinstance(answer, Response) else JsonAnswer(answer)
