"""The checkers of chaos runs find what they are for, each by its code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from chaos_check import check_log, check_order, check_rounds, check_same_order
from chaos_errors import (
    ACKNOWLEDGED_LOST,
    APPLIED_TWICE,
    ENDED_BY_ITSELF,
    ORDERS_DIFFER,
    STATES_DIFFER,
    TIMES_FALL,
    Finding,
)

Line = dict[str, Any]


def line(position: int, **other: Any) -> Line:  # noqa: ANN401 - the fields of a line
    return {
        "position": position,
        "id": f"id-{position}",
        "round": position // 3,
        "consensus_time_ns": 1000 + position,
        "event": f"event-{position}",
        "creator": "ann",
        "kind": "put",
        "outcome": "applied",
    } | other


def order(count: int = 9) -> list[Line]:
    return [line(position) for position in range(count)]


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def test_a_good_order_has_nothing_to_find() -> None:
    assert check_order(order(), [f"id-{position}" for position in range(9)]) == []
    assert check_order([], []) == []


def test_what_was_acknowledged_has_to_be_applied() -> None:
    refused = [*order(8), line(8, outcome="MYC-LEDGER-003")]
    assert codes(check_order(order(8), ["id-8"])) == [ACKNOWLEDGED_LOST]
    assert codes(check_order(refused, ["id-8"])) == [ACKNOWLEDGED_LOST]


def test_nothing_is_applied_twice() -> None:
    assert codes(check_order([*order(8), line(8, id="id-1")], [])) == [APPLIED_TWICE]
    assert check_order([*order(8), line(8, id="id-1", outcome="MYC-LEDGER-003")], []) == []


def test_a_position_that_no_cell_has_is_found() -> None:
    assert codes(check_order([*order(5), line(6)], [])) == [ORDERS_DIFFER]


@pytest.mark.parametrize("time_ns", [1005, 1004, 3])
def test_times_rise_from_round_to_round_and_are_one_event_s(time_ns: int) -> None:
    assert TIMES_FALL in codes(check_order([*order(6), line(6, consensus_time_ns=time_ns)], []))


def test_inside_a_round_a_sender_s_nonces_may_change_the_order_of_times() -> None:
    lines = order(6)
    lines[3]["consensus_time_ns"], lines[4]["consensus_time_ns"] = 1004, 1003
    assert check_order(lines, []) == []


def test_two_cells_have_one_order() -> None:
    known: dict[int, Mapping[str, Any]] = {}
    assert check_same_order("cell-1", order(), known) == []
    assert check_same_order("cell-2", order(), known) == []
    for key, value in (("id", "x"), ("consensus_time_ns", 1), ("outcome", "y"), ("event", "z")):
        other = order()
        other[4] |= {key: value}
        assert codes(check_same_order("cell-3", other, known)) == [ORDERS_DIFFER]


def test_a_cell_that_began_with_a_checkpoint_agrees_on_what_receipts_say() -> None:
    fetched = [line(at, kind="unknown", creator="") for at in (4, 5)] + order()[6:]
    known: dict[int, Mapping[str, Any]] = {}
    assert check_same_order("cell-2", fetched, known) == []
    assert check_same_order("cell-1", order(), known) == []
    assert known[4]["creator"] == "ann", "the fuller line is kept"
    fetched[0]["outcome"] = "MYC-LEDGER-003"
    assert codes(check_same_order("cell-2", fetched, known)) == [ORDERS_DIFFER]


def test_equal_rounds_have_equal_headers() -> None:
    known: dict[int, Mapping[str, Any]] = {}
    one = {"round": 3, "header_hash": "a", "state_root": "b", "certified": True}
    assert check_rounds("cell-1", iter([one]), known) == []
    assert check_rounds("cell-2", iter([one | {"certified": False}]), known) == []
    assert codes(check_rounds("cell-3", iter([one | {"state_root": "c"}]), known)) == [
        STATES_DIFFER
    ]


def test_a_log_with_an_error_that_nobody_declared_is_found() -> None:
    assert check_log("cell-1", "info  replayed\nerror MYC-JOURNAL-012: full\n") == []
    found = check_log("cell-1", "Traceback (most recent call last)\n  MYC-CORE-001: x\n")
    assert codes(found) == [ENDED_BY_ITSELF, ENDED_BY_ITSELF]
