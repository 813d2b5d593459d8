"""The OpenAPI document, made by FastAPI from the families of operations.

FastAPI gets from each operation a route with the signature that its own conventions ask for. Added
are the errors of each operation with their codes, the scope that it needs, and the texts under the
fields of views and request models as descriptions. Never made by a cell that runs: it serves the
file `gateway/reference/openapi.json`, which a test compares with what is made here.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from functools import cache
from http import HTTPStatus
from inspect import Parameter, Signature
from itertools import pairwise
from typing import Annotated, Any, Final, TypeAlias, get_args

from fastapi import Body, Path, Query
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic.warnings import UnsupportedFieldAttributeWarning

from core.limits import INT_MAX
from gateway import errors
from gateway.answers import ErrorAnswer, status_of
from gateway.examples import answers, exemplify
from gateway.operations import JSON, ErrorTypes, Family, Operation
from gateway.policy import ROWS, Scope
from gateway.reading import Ask

Document: TypeAlias = dict[str, Any]
"""JSON."""

_ALWAYS: Final = (
    errors.ForeignHost,
    errors.ForeignOrigin,
    errors.TooManyRequests,
    errors.BadRequest,
    errors.GatewayBusy,
    errors.GatewayStopping,
    errors.AnswerTooLate,
    errors.Unexpected,
)
_WITH_TOKEN: Final = (
    errors.Unauthorized,
    errors.TokenOfAnotherCell,
    errors.TokenEnded,
    errors.BadSignature,
    errors.NotFresh,
    errors.Replayed,
    errors.NotTheSignedBody,
    errors.KeyNotAllowed,
    errors.Forbidden,
)
_WITH_BODY: Final = (errors.BodyTooLarge, errors.BodyTooSlow, errors.BadRequest)
_TOKEN: Final = "token"  # noqa: S105 - the name of a security scheme
_SCOPES: Final = {(row.method, row.path): row.scope for row in ROWS}
_SCHEMAS: Final = "#/components/schemas/"
_PART: Final = re.compile(r"\{(\w+)(?::\w+)?\}")


class Nothing(Ask):
    """An empty object."""


def document(families: Sequence[Family], *, title: str, version: str) -> Document:
    """Return the document."""
    operations = [(family.tag, each) for family in families for each in family.operations()]
    with warnings.catch_warnings():
        # FastAPI names parameters to pydantic by aliases that pydantic has no use for.
        warnings.simplefilter("ignore", UnsupportedFieldAttributeWarning)
        routes = [_documented(operation, tag) for tag, operation in operations]
        made: Document = _exact(get_openapi(title=title, version=version, routes=routes))
    schemas = made["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    error = TypeAdapter(ErrorAnswer).json_schema(ref_template=_SCHEMAS + "{model}")
    schemas.update(error.pop("$defs"), ErrorAnswer=error)
    known = answers()
    for _, operation in operations:
        each = made["paths"][_plain(operation.path)][operation.method.lower()]
        _complete(each, operation)
        exemplify(each, known)
    _describe(schemas, operations)
    made["components"]["examples"] = {name: {"value": one} for name, one in known.items()}
    made["components"]["responses"] = _shared_refusals(made["paths"])
    made["components"]["securitySchemes"] = {_TOKEN: {"type": "http", "scheme": "bearer"}}
    return made


def document_text(made: Document) -> str:
    """Return a document as the text of a file, the same for the same document."""
    return json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def operation_id(operation: Operation) -> str:
    """Return a name that programs can use, such as `get_receipts_by_id`."""
    parts = operation.path.removeprefix("/api/").removeprefix("v1/").split("/")
    words = [_PART.sub(r"by_\1", part) for part in parts]
    return re.sub(r"\W", "_", "_".join([operation.method.lower(), *words]))


def _documented(operation: Operation, tag: str) -> APIRoute:
    text = inspect.cleandoc(operation.endpoint.__doc__ or "")
    summary, _, description = text.partition("\n\n")
    return APIRoute(
        operation.path,
        _stand_in(operation),
        methods=[operation.method],
        tags=[tag],
        summary=" ".join(summary.split()).removesuffix("."),
        description=description or " ",
        operation_id=operation_id(operation),
        response_model=operation.answer_type() if operation.media_type == JSON else None,
        response_description="What was asked for.",
    )


def _stand_in(operation: Operation) -> Any:  # noqa: ANN401 - a function of any signature
    """Return an endpoint whose signature says to FastAPI what the operation asks for."""
    asks, parameters = operation.asks(), []
    if "path" in asks:
        for name, field in asks["path"].model_fields.items():
            parameters.append(_parameter(name, Annotated[(_type_of(field), Path())]))
    if "query" in asks:
        model = asks["query"]
        parameters.append(_parameter("query", Annotated[model, Query()]))
    if operation.method != "GET":
        model = asks.get("body", Nothing)
        parameters.append(_parameter("body", Annotated[model, Body()]))

    def endpoint() -> None:
        """Is never called."""

    endpoint.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # inspect reads it
    return endpoint


def _parameter(name: str, annotation: object) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation)


def _type_of(field: FieldInfo) -> Any:  # noqa: ANN401 - a type
    return Annotated[(field.annotation, *field.metadata)]


def _complete(made: Document, operation: Operation) -> None:
    """Add to an operation what FastAPI does not know of."""
    if not made.get("description", "").strip():
        made.pop("description", None)
    query = operation.asks().get("query")
    texts = _texts_of(query) if query else {}
    for parameter in made.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])
        if parameter["name"] in texts:
            parameter["description"] = texts[parameter["name"]]
    answer = made["responses"]["200"]
    if operation.media_type != JSON:
        answer["content"] = {operation.media_type: {"schema": {"type": "string"}}}
    made["responses"] = {"200": answer, **_refusals(operation)}
    scope = _SCOPES.get((operation.method, operation.path), Scope.ADMIN)
    made["x-scope"] = scope.value
    made["security"] = [] if scope is Scope.PUBLIC else [{_TOKEN: []}]


def _refusals(operation: Operation) -> Document:
    """Return the answers to requests that fail, by status."""
    classes: ErrorTypes = (*_ALWAYS, *_WITH_TOKEN, *operation.errors)
    if operation.method != "GET":
        classes = (*classes, *_WITH_BODY)
    found: dict[int, list[str]] = {}
    for each in classes:
        found.setdefault(status_of(each("")), []).append(each.code)
    content = {JSON: {"schema": {"$ref": f"{_SCHEMAS}ErrorAnswer"}}}
    return {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "content": content,
            "x-codes": sorted(set(codes)),
        }
        for status, codes in sorted(found.items())
    }


def _shared_refusals(paths: Document) -> Document:
    """Put refusals that are the same for many operations in one place; return them by name."""
    shared: dict[str, Document] = {}
    names: dict[str, str] = {}
    for methods in paths.values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if status == "200":
                    continue
                text = json.dumps(answer, sort_keys=True)
                if text not in names:
                    count = sum(name.startswith(f"Refused{status}") for name in shared)
                    names[text] = f"Refused{status}{chr(ord('A') + count)}"
                    shared[names[text]] = answer
                ref = f"#/components/responses/{names[text]}"
                operation["responses"][status] = {"$ref": ref}
    return shared


def _without_null(schema: Document) -> Document:
    """Return the schema of a parameter, which is there or not, but never null."""
    found = {name: value for name, value in schema.items() if name != "title"}
    default = found.pop("default", None)
    if isinstance(default, bool):
        default = int(default)  # in a query a switch is 0 or 1
    return found if default in (None, "") else {**found, "default": default}


def _exact(value: Any) -> Any:  # noqa: ANN401 - JSON of any form
    """Return JSON with the bounds of numbers as they were, before FastAPI made them floats."""
    if isinstance(value, dict):
        return {name: _exact(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_exact(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return min(int(value), INT_MAX)
    return value


def _describe(schemas: Document, operations: Sequence[tuple[str, Operation]]) -> None:
    """Add the texts under fields, and drop the titles that only repeat names."""
    texts: dict[str, Mapping[str, str]] = {"ErrorAnswer": {}}
    for _, operation in operations:
        for root in (*operation.asks().values(), operation.answer_type(), ErrorAnswer):
            texts.update((each.__name__, _texts_of(each)) for each in _models_in(root))
    for name, schema in schemas.items():
        schema.pop("title", None)
        for field, of_field in schema.get("properties", {}).items():
            of_field.pop("title", None)
            if of_field.get("default") == "" or (of_field.get("type"), of_field.get("default")) == (
                "string",
                0,
            ):
                del of_field["default"]  # stands for a field that is not there
            text = texts.get(name.partition("_")[0], {}).get(field)
            if text:
                of_field["description"] = text


def _models_in(found: Any) -> Iterator[type]:  # noqa: ANN401 - a type of any form
    """Yield every view and request model that a type is made of."""
    for part in get_args(found):
        yield from _models_in(part)
    origin = getattr(found, "__origin__", found)
    if not isinstance(origin, type):
        return
    if is_dataclass(origin) or issubclass(origin, BaseModel):
        yield origin
        for hint in inspect.get_annotations(origin, eval_str=True).values():
            yield from _models_in(hint)


def _texts_of(model: type) -> dict[str, str]:
    """Return the texts under the fields of a class, those of its bases included."""
    texts: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if each.__module__.partition(".")[0] != "gateway":
            continue
        for field, text in pairwise(_classes_of(each.__module__)[each.__name__].body):
            match field, text:
                case (
                    ast.AnnAssign(target=ast.Name(name)),
                    ast.Expr(value=ast.Constant(str(words))),
                ):
                    texts[name] = " ".join(words.split())
    return texts


@cache
def _classes_of(module: str) -> dict[str, ast.ClassDef]:
    """Return the source of the classes of a module by their names."""
    parts = ast.parse(inspect.getsource(sys.modules[module])).body
    return {part.name: part for part in parts if isinstance(part, ast.ClassDef)}


def _plain(path: str) -> str:
    return _PART.sub(r"{\1}", path)
