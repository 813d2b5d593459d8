"""The mutator is given the worst that it can make itself, and goes on."""

from __future__ import annotations

import json
import sys

import pytest

from tests.fuzz.mutations import Form, Mutator

_DRAWS = 600
_DEEP = (
    b"\x91" * 1000 + b"\x90",
    b"\x91" * 1023 + b"\x90",
    b"\x81\xc0" * 1000 + b"\xc0",
    b"\x91\x81\xc0" * 500 + b"\xc0",
    b"[" * 990 + b"]" * 990,
    b'{"a":' * 500 + b"1" + b"}" * 500,
    json.dumps({"a": [1, {"b": "c"}]}).encode(),
)


@pytest.mark.parametrize("form", list(Form))
def test_a_mutator_draws_on_whatever_its_samples_are(form: Form) -> None:
    inputs = Mutator("deep", (*_DEEP, _boxes(400)), form, size_bytes_max=1 << 12, bombs_every=20)
    drawn = [inputs.draw() for _ in range(_DRAWS)]
    assert len(set(drawn)) > _DRAWS // 2


def test_values_deeper_than_the_stack_are_taken_apart_and_put_together_again() -> None:
    depth = sys.getrecursionlimit() - 10
    inputs = Mutator("deep", (b"\x91" * depth + b"\x90",), Form.MSGPACK, size_bytes_max=1 << 12)
    kept = [data for data in (inputs.draw() for _ in range(_DRAWS)) if data[:500] == b"\x91" * 500]
    assert kept


def _boxes(count: int) -> bytes:
    """Return lists within byte strings within lists."""
    box = b"\x90\x90\x90"
    for _ in range(count):
        box = b"\x91\xc5" + len(box).to_bytes(2, "big") + box
    return box
