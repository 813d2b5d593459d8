"""The OpenAPI document says what the application does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from gateway.examples import BODIES
from gateway.openapi import document_text
from gateway.policy import ROWS
from gateway.routes import Routes
from tests.gateway.fake_cell import FakeCell
from tests.gateway.test_gateway import Wire, serve

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    made: dict[str, Any] = Routes(FakeCell()).app.openapi()
    return made


def test_the_file_that_cells_serve_is_the_document(document: dict[str, Any]) -> None:
    text = (ROOT / "gateway" / "reference" / "openapi.json").read_text(encoding="utf-8")
    assert text == document_text(document), "write it anew: scripts/docs-openapi"


def test_every_operation_is_in_the_guide(document: dict[str, Any]) -> None:
    guide = re.sub(r"\{\w+\}", "{}", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"))
    missing = [path for path in document["paths"] if re.sub(r"\{\w+\}", "{}", path) not in guide]
    assert missing == []


def test_names_of_views_are_unique(document: dict[str, Any]) -> None:
    assert [name for name in document["components"]["schemas"] if "__" in name] == []


def test_each_operation_tells_the_scope_of_its_row(document: dict[str, Any]) -> None:
    scopes = {(row.method, row.path): row.scope.value for row in ROWS}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["x-scope"] == scopes[method.upper(), path]


def test_the_reference_needs_no_token_and_nothing_from_outside() -> None:
    async def talk(wire: Wire, _cell: FakeCell) -> None:
        for path, text in (
            ("/api/docs", "reference.js"),
            ("/api/docs/reference.js", "openapi.json"),
            ("/api/docs/reference.css", "body"),
            ("/api/v1/openapi.json", "openapi"),
        ):
            status, headers, answer = await wire.ask("GET", path, token=None)
            assert status == 200, path
            assert text in (answer if isinstance(answer, str) else json.dumps(answer))
            assert "default-src 'self'" in headers["content-security-policy"]
            assert not re.search("https?://(?!example.org)", str(answer)), path
        assert (await wire.ask("GET", "/api/docs/other", token=None))[0] == 404

    serve(talk)


def test_what_can_be_asked_is_listed_for_everybody() -> None:
    async def talk(wire: Wire, _cell: FakeCell) -> None:
        status, _, answer = await wire.ask("GET", "/api/public/endpoints", token=None)
        assert status == 200
        put = next(each for each in answer["items"] if each["path"] == "/api/v1/state/put")
        assert (put["method"], put["scope"]) == ("POST", "submit")
        status, _, answer = await wire.ask("GET", "/api/public/status", token=None)
        assert (status, "silent" in answer, "cell_id" in answer) == (200, False, False)

    serve(talk)


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_every_operation_says_what_it_is_for_and_what_can_go_wrong(
    document: dict[str, Any],
) -> None:
    names = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            names.append(operation["operationId"])
            assert operation["summary"], (method, path)
            assert {"200", "400", "500"} <= set(operation["responses"]), (method, path)
    assert len(names) == len(set(names))


def test_fields_of_requests_are_never_null_and_bounds_are_exact(document: dict[str, Any]) -> None:
    item = document["components"]["schemas"]["WriteItem"]
    assert item["properties"]["if_round"] == {
        "type": "integer",
        "minimum": 0,
        "maximum": 2**63 - 1,
        "description": "Only if it was last written in this round.",
    }
    assert item["additionalProperties"] is False


def test_every_operation_shows_what_it_is_sent_and_answers(document: dict[str, Any]) -> None:
    lacking = {
        operation["operationId"]
        for operation, content in _contents(document)
        if not content.get("examples")
    }
    assert lacking == set(), "scripts/docs-examples, then scripts/docs-openapi"
    assert set(BODIES) <= {operation["operationId"] for operation, _ in _contents(document)}
    shared = set(document["components"]["examples"])
    assert shared <= set(document["components"]["schemas"]), "scripts/docs-examples"


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    checked = 0
    for operation, content in _contents(document):
        for example in content.get("examples", {}).values():
            shared = example.get("$ref", "").rpartition("/")[2]
            value = document["components"]["examples"][shared] if shared else example
            schema = {**content["schema"], "components": document["components"]}
            problems = [
                f"{error.json_path}: {error.message[:200]}"
                for error in Draft202012Validator(schema).iter_errors(value["value"])
            ]
            assert problems == [], (operation["operationId"], "gateway/examples.py, or as above")
            checked += 1
    assert checked > 100


def _contents(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each operation with its body and with its answer, as far as those are JSON."""
    for methods in document["paths"].values():
        for operation in methods.values():
            for part in (operation.get("requestBody", {}), operation["responses"]["200"]):
                if "application/json" in part.get("content", {}):
                    yield operation, part["content"]["application/json"]
