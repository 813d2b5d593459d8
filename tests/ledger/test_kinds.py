"""The table of kinds is whole: its schemas say what its parsers take."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.codec import Value, WrongShape
from ledger.batch import Batch
from ledger.describe import describe
from ledger.errors import TransactionRefused
from ledger.kinds import (
    Put,
    build_arguments,
    cost_of_arguments,
    kind_of,
    kinds,
    parse_arguments,
)
from ledger.payment import Transfer
from ledger.schema import Field, Type
from sim.law_money import cost
from tests.fuzz.targets_ledger import KIND_SAMPLES
from tests.fuzz.targets_money import MONEY_KIND_SAMPLES

ROOT = Path(__file__).resolve().parents[2]
SAMPLES: dict[str, list[Value]] = dict((*KIND_SAMPLES, *MONEY_KIND_SAMPLES))
"""Kind -> arguments that are taken."""


def _cases() -> list[tuple[str, int, Value]]:
    """Return arguments that are out of the bounds of a schema by one."""
    cases: list[tuple[str, int, Value]] = []
    for row in kinds():
        for at, field in enumerate(row.schema):
            cases += [(row.name, at, value) for value in _outside(field)]
    return cases


def _outside(field: Field) -> list[Value]:
    if field.name == "items":
        return []
    if field.type is Type.INTEGER:
        above = [field.high + 1] if field.high < 2**63 - 1 else []
        return [field.low - 1, *above, "1", True]
    sizes = [field.high + 1, *([field.low - 1] if field.low else [])]
    if field.type is Type.BYTES:
        return [*(bytes(size) for size in sizes), "text"]
    if field.type is Type.LIST:
        return [*([bytes([at]) * 32 for at in range(size)] for size in sizes), b""]
    return [*("A" * size for size in sizes), "a\nb", b"bytes"]


def test_the_document_is_that_of_the_table() -> None:
    # `scripts/docs-transactions` writes it again.
    written = (ROOT / "docs" / "transactions.md").read_text(encoding="utf-8")
    assert written == describe()


def test_every_kind_has_a_sample_and_a_name_of_its_own() -> None:
    names = [row.name for row in kinds()]
    assert len(set(names)) == len(names)
    assert set(SAMPLES) == set(names)


@pytest.mark.parametrize("kind", [row.name for row in kinds()])
def test_a_schema_names_the_arguments_that_are_parsed(kind: str) -> None:
    row = next(row for row in kinds() if row.name == kind)
    parsed = parse_arguments(kind, SAMPLES[kind])
    assert isinstance(parsed, row.arguments)
    name, built = build_arguments(parsed)
    assert (name, list(built)) == (kind, SAMPLES[kind])
    assert kind_of(parsed) is row
    if kind != "batch":
        assert len(row.schema) == len(built)
        with pytest.raises(WrongShape):
            parse_arguments(kind, [*SAMPLES[kind], 0])


@pytest.mark.parametrize(("kind", "at", "value"), _cases())
def test_what_is_out_of_the_bounds_of_a_schema_is_refused(kind: str, at: int, value: Value) -> None:
    arguments = list(SAMPLES[kind])
    arguments[at] = value
    with pytest.raises((TransactionRefused, WrongShape)):
        parse_arguments(kind, arguments)


@pytest.mark.parametrize("kind", [row.name for row in kinds()])
def test_costs_are_those_of_the_rules_read_a_second_time(kind: str) -> None:
    parsed = parse_arguments(kind, SAMPLES[kind])
    assert cost_of_arguments(parsed) == cost(parsed) > 0


def test_a_batch_costs_what_its_items_do() -> None:
    sample = parse_arguments("transfer", SAMPLES["transfer"])
    assert isinstance(sample, Transfer)
    put = Put("k", b"value")
    whole = cost_of_arguments(Batch((sample, put)))
    assert whole == cost_of_arguments(sample) + cost_of_arguments(put)
