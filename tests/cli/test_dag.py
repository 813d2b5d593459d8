"""`myceld dag show`, `round` and `why` against a served fake cell."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.gateway.fake_cell import FakeCell

Run = Callable[..., tuple[int, str, str]]


def test_events_are_listed_and_explained(call: Run, cell: FakeCell) -> None:
    status, out, err = call("dag", "show", "--events", "5")
    assert status == 0, err
    assert out.splitlines()[0].split()[:4] == ["ARRIVAL", "EVENT", "ROUND", "WITNESS"]
    assert len(out.splitlines()) == 7
    event = cell.hashgraph.events[9]
    status, out, err = call("dag", "why", event.id.hex())
    assert status == 0, err
    assert "all of its judges have it" in out
    assert "FIRST HAD IT WITH" in out
    status, out, _ = call("dag", "why", event.id.hex(), "--json")
    assert json.loads(out)["event"]["id"] == event.id.hex()
    status, out, _ = call("dag", "why", cell.hashgraph.events[-1].id.hex())
    assert "is not decided" in out


def test_rounds_tell_their_votes_or_what_they_wait_for(call: Run) -> None:
    status, out, err = call("dag", "round", "2")
    assert status == 0, err
    assert "famous, judge" in out
    status, out, _ = call("dag", "round")
    assert "nobody can decide" in out
    assert json.loads(call("dag", "round", "--json")[1])["undecided"]


def test_mistakes_are_told(call: Run) -> None:
    status, _, err = call("dag", "why", "3fa2")
    assert (status, "64 hex digits" in err) == (2, True)
    status, _, err = call("dag", "why", "0" * 64)
    assert "MYC-GATEWAY-070" in err
    status, _, err = call("dag", "round", "999")
    assert "MYC-GATEWAY-071" in err
