"""JSON is read as `json` reads it, or refused with one declared error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.json_text import NotJson, parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


@given(VALUES)
@settings(deadline=None)
def test_whatever_is_written_is_read(value: object) -> None:
    text = json.dumps(value)
    assert parse_json(text) == value
    assert parse_json(text.encode()) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe[\0]\0",
        b'"\xed\xa0\x80"',
        b"[" * 5000,
        b"9" * 5000,
        b"[" + b"[]," * 20_000 + b"[]]",
        b"[" + b"1," * 50_000 + b"1]",
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(NotJson):
        parse_json(data)


def test_lists_of_objects_and_of_texts_are_read() -> None:
    rows = [{"cell_id": "x" * 52, "name": f"cell-{at}", "weight": 1} for at in range(500)]
    assert parse_json(json.dumps(rows)) == rows
    assert parse_json(json.dumps(rows * 40, indent=2)) == rows * 40
    texts = ["00" * 20] * 20_000
    assert parse_json(json.dumps({"transactions": texts})) == {"transactions": texts}


def test_the_hooks_are_those_of_json() -> None:
    assert parse_json('{"a": 1, "a": 2}', pairs=list) == [("a", 1), ("a", 2)]
    assert parse_json("[NaN]", constant=str) == ["NaN"]
