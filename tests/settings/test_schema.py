"""The JSON Schema takes and refuses what the table of keys does."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from settings import Config, LightConfig
from settings.documents import assemble, layer_of
from settings.keys import Place, all_places
from settings.schema import breaches, schema_of
from settings.writing import flow

PLACES = list(all_places(Config))
VALUES = st.one_of(
    st.booleans(),
    st.integers(-2, 70_000),
    st.sampled_from(["all", "info", "json", "console", "text", ""]),
    st.lists(st.sampled_from(["x", "a=b"]), max_size=3).map(tuple),
)
VALIDATOR = Draft202012Validator(schema_of(Config))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema_of(Config))
    assert breaches(Config, {"version": 1, "cell": {"nam": 1}}, "c") != []


@given(st.sampled_from(PLACES), VALUES)
@settings(deadline=None)
def test_both_agree_on_any_value_but_for_what_is_inside_of_it(place: Place, value: object) -> None:
    plain = list(value) if isinstance(value, tuple) else value
    content = {"version": 1, place.section: {place.name: plain}}
    assert isinstance(value, bool | int | str | tuple)
    text = f"version: 1\n{place.section}:\n  {place.name}: {flow(value)}\n"
    problems = assemble(Config, [layer_of(Config, text.encode(), "c", {})], {}).problems
    refused = not VALIDATOR.is_valid(content)
    is_inside = place.key.check is not None and isinstance(value, tuple | str)
    assert refused == bool(problems) or (is_inside and not refused)


@pytest.mark.parametrize(
    ("gateway", "is_good"),
    [
        ("http://127.0.0.1:1", True),
        ({"url": "http://127.0.0.1:1", "token_file": "a"}, True),
        ({"url": "http://127.0.0.1:1", "token": "a"}, False),
        ({"token_file": "a"}, False),
        ({"url": "http://127.0.0.1:1,token=a"}, False),
        (7, False),
    ],
)
def test_an_item_of_several_fields_is_one_in_both(gateway: object, is_good: bool) -> None:  # noqa: FBT001 - of the table above
    content = {"version": 1, "hypha": {"gateways": [gateway]}}
    assert (breaches(LightConfig, content, "c") == []) == is_good
    layer = layer_of(LightConfig, json.dumps(content).encode(), "c", {})
    assert bool(assemble(LightConfig, [layer], {}).problems) != is_good


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cell:\n  id: x", "not a key of ours: a cell's id is its key"),
        ("cell:\n  circuitBreaker: {enabled: true}", "no calls between services"),
        ("cell:\n  logging:\n    level: loud", "line 4: logging.level: expected one of debug"),
        ("cell:\n  log_level: loud", "logging.level: expected one of debug"),
    ],
)
def test_fields_that_another_system_has_are_taken_or_refused_with_a_reason(
    text: str, words: str
) -> None:
    layer = layer_of(Config, f"version: 1\n{text}\n".encode(), "c", {})
    (problem,) = assemble(Config, [layer], {}).problems
    assert words in str(problem)


def test_fields_that_mean_the_same_are_taken() -> None:
    text = b"version: 1\ncell:\n  metadata: {site: roof}\n  logging: {level: debug}\n"
    variables = {"CELLULER_CELL_NAME": "ada", "CELLULER_LOGGING_FORMAT": "json"}
    made = assemble(Config, [layer_of(Config, text, "c", {})], variables).must()
    assert (made.cell.metadata, made.cell.name) == (("site=roof",), "ada")
    assert (made.logging.level, made.logging.format) == ("debug", "json")
    ours = {"CELLULER_CELL_NAME": "ada", "MYCELD_CELL__NAME": "bob"}
    assert assemble(Config, [], ours).must().cell.name == "bob"
    (problem,) = assemble(Config, [], {"CELLULER_CELL_NAMESPACE": "x"}).problems
    assert "networks are apart by their genesis" in str(problem)
