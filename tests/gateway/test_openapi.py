"""The OpenAPI document says what the application does."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import validate

from gateway.routes import Routes
from tests.gateway.fake_cell import FakeCell


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    made: dict[str, Any] = Routes(FakeCell()).app.openapi()
    return made


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
