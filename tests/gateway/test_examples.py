"""The examples in the OpenAPI document are what its schemas say, and no operation lacks one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator

from gateway.examples import BODIES

DOCUMENT: Final = json.loads(
    (Path(__file__).resolve().parents[2] / "gateway/reference/openapi.json").read_text()
)
NOT_SHOWN: Final = {
    "post_key_rotate": "a devnet goes on with its keys",
}
"""Operations without an example of their answer, and why."""


def test_every_operation_shows_what_it_is_sent_and_answers() -> None:
    lacking = set()
    for operation, content in _contents():
        if not content.get("examples"):
            lacking.add(operation["operationId"])
    assert lacking == set(NOT_SHOWN), "scripts/docs-examples, then scripts/docs-openapi"


def test_every_example_fits_its_schema() -> None:
    checked = 0
    for operation, content in _contents():
        for example in content.get("examples", {}).values():
            shared = example.get("$ref", "").rpartition("/")[2]
            value = DOCUMENT["components"]["examples"][shared] if shared else example
            schema = {**content["schema"], "components": DOCUMENT["components"]}
            problems = [
                f"{error.json_path}: {error.message[:200]}"
                for error in Draft202012Validator(schema).iter_errors(value["value"])
            ]
            assert problems == [], operation["operationId"]
            checked += 1
    assert checked > 100


def test_every_body_is_of_an_operation() -> None:
    known = {operation["operationId"] for operation, _ in _contents()}
    assert set(BODIES) <= known


def _contents() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each operation with its body and with its answer, as far as those are JSON."""
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            answer = operation["responses"]["200"]
            for part in (operation.get("requestBody", {}), answer):
                if "application/json" in part.get("content", {}):
                    yield operation, part["content"]["application/json"]
