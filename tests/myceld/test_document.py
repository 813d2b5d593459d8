"""The clients, the types of their answers and the OpenAPI document say the same."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
from client_views import modules_of, type_of

from myceld import AsyncClient, Client
from myceld.basis import CellClient
from myceld.question import Call, Question

ROOT: Final = Path(__file__).parents[2]

NO_CALL: Final = {
    ("GET", "/api/v1/events"): "subscriptions use the WebSocket, which has everything it has",
    ("GET", "/api/light/head"): "for hyphae, which check what they get: hypha/line.py asks",
    ("GET", "/api/light/round"): "as above",
    ("GET", "/api/light/range"): "as above",
    ("GET", "/api/light/state"): "as above",
    ("GET", "/api/light/receipts/{id}"): "as above",
    ("POST", "/api/light/transactions"): "as above",
}
"""Operations without a method, and why."""

GIVEN: Final[dict[str, list[Any]]] = {
    "str": ["x"],
    "str | None": ["x", None],
    "int": [1],
    "int | None": [1, None],
    "float": [1.0],
    "bool": [False, True],
    "bytes": [b"x"],
    "Sequence[str]": [["x"]],
    "Sequence[bytes]": [[b"x"]],
    "Sequence[JsonObject]": [[]],
    "Sequence[Mapping[str, object]]": [[]],
    "Mapping[str, object]": [{}],
    "Literal['pin', 'unpin', 'remove']": ["pin", "unpin", "remove"],
}
"""What to give for a parameter of each type."""


@dataclass(frozen=True)
class Asked:
    """A call, and one question that it asks."""

    name: str
    returns: str
    question: Question[Any]

    @property
    def path(self) -> str:
        return urlsplit(self.question.target).path

    @property
    def fields(self) -> set[str]:
        query = parse_qs(urlsplit(self.question.target).query, keep_blank_values=True)
        return set(query) | set(json.loads(self.question.body or b"{}"))


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    text = (ROOT / "gateway" / "reference" / "openapi.json").read_text()
    made: dict[str, Any] = json.loads(text)
    return made


@pytest.fixture(scope="module")
def asked() -> list[Asked]:
    return [one for name in _calls(CellClient) for one in _questions(name)]


def test_every_operation_has_a_call_and_every_call_an_operation(
    document: dict[str, Any], asked: list[Asked]
) -> None:
    called = {_operation_of(one, document) for one in asked}
    operations = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    assert operations - called == set(NO_CALL)


def test_calls_send_only_fields_of_their_operation(
    document: dict[str, Any], asked: list[Asked]
) -> None:
    for one in asked:
        method, path = _operation_of(one, document)
        operation = document["paths"][path][method.lower()]
        known = {each["name"] for each in operation.get("parameters", ())}
        if "requestBody" in operation:
            ref = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            schema = document["components"]["schemas"][ref.rpartition("/")[2]]
            known |= set(schema.get("properties", ()))
        assert one.fields <= known, one.name


def test_calls_return_what_the_document_says(document: dict[str, Any], asked: list[Asked]) -> None:
    for one in asked:
        method, path = _operation_of(one, document)
        content = document["paths"][path][method.lower()]["responses"]["200"]["content"]
        answer = content.get("application/json")
        if not one.name.startswith("verified_"):
            assert one.returns == (type_of(answer["schema"]) if answer else "str"), one.name
            assert one.question.is_text == (answer is None), one.name


def test_both_clients_have_the_same_methods() -> None:
    assert _calls(Client) == _calls(AsyncClient) == _calls(CellClient)
    sync, awaited = ({n for n in dir(one) if n[0] != "_"} for one in (Client, AsyncClient))
    assert sync == awaited


def test_the_types_of_answers_are_those_of_the_document(document: dict[str, Any]) -> None:
    folder, made = ROOT / "myceld" / "views", modules_of(document)
    assert made.keys() == {path.name for path in folder.glob("*.py")}, "run scripts/docs-client"
    for name, text in made.items():
        assert (folder / name).read_text() == text, f"run scripts/docs-client: {name} differs"


def _calls(client: type[CellClient]) -> list[str]:
    return sorted(name for name in dir(client) if isinstance(getattr(client, name), Call))


def _questions(name: str) -> Iterator[Asked]:
    """Yield what a call asks with every parameter given, each value of one at least once."""
    call, client = getattr(CellClient, name), Client("http://127.0.0.1:1", genesis=bytes(32))
    signature = inspect.signature(call.describe)
    choices = {
        each.name: GIVEN[str(each.annotation).replace('"', "'")]
        for each in list(signature.parameters.values())[1:]
        if each.kind is not each.VAR_KEYWORD
    }
    returns = str(signature.return_annotation).removeprefix("Question[").removesuffix("]")
    for number in range(max(map(len, choices.values()), default=1)):
        values = {each: some[number % len(some)] for each, some in choices.items()}
        yield Asked(name, returns, call.describe(client, **values))


def _operation_of(one: Asked, document: dict[str, Any]) -> tuple[str, str]:
    """Return method and path of the one operation that answers a call; fixed paths go first."""
    method, path = one.question.method, one.path
    for known in sorted(document["paths"], key=lambda each: each.count("{")):
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(known))
        if re.fullmatch(pattern, path) and method.lower() in document["paths"][known]:
            return method, str(known)
    raise AssertionError(f"{one.name}: {method} {path} is not in the document")
