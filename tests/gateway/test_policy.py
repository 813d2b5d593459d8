"""The table of routes and scopes, held against the application that it guards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from gateway.policy import ROWS, PolicyTable, Row, Scope
from gateway.routes import Routes
from hypha.cell import HyphaCell
from hypha.routes import HyphaRoutes
from identity.trust.policy import NEEDS
from tests.gateway.fake_cell import FakeCell

TABLE = PolicyTable()


def in_app(routes: Sequence[BaseRoute], under: str = "") -> Iterator[tuple[str, str]]:
    """Return (method, path template) of everything that an application answers."""
    for route in routes:
        if isinstance(route, Mount):
            if route.routes:
                yield from in_app(route.routes, under + route.path)
            else:
                yield "GET", f"{under}{route.path}/{{path:path}}"
        elif isinstance(route, WebSocketRoute):
            yield "WS", under + route.path
        elif isinstance(route, Route):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield method, under + route.path
        else:
            raise TypeError(f"{route!r} is a kind of route that this test does not know")


def test_each_route_has_exactly_one_row_and_each_row_a_route() -> None:
    routes = Counter(in_app(Routes(FakeCell()).app.routes))
    rows = Counter((row.method, row.path) for row in ROWS)
    assert rows == routes
    assert max(rows.values()) == 1


def test_what_a_hypha_answers_has_rows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HyphaCell, "__init__", lambda _self: None)  # it is asked nothing
    rows = {(row.method, row.path) for row in ROWS}
    assert set(in_app(HyphaRoutes(HyphaCell()).app.routes)) <= rows  # type: ignore[call-arg]  # see above


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path}")
def test_a_path_is_found_by_its_template(row: Row) -> None:
    path = row.path.replace("{path:path}", "a/b.js")
    for part in [part for part in path.split("/") if part.startswith("{")]:
        path = path.replace(part, "x%2F..")
    assert TABLE.find(row.method, path) is row
    if row.method == "GET":
        assert TABLE.find("HEAD", path) is row


@pytest.mark.parametrize(
    "path", ["", "/", "/api/v1", "/api/v1/status/", "/api/v1//status", "/api/v1/receipts/", "api"]
)
def test_other_paths_have_no_row_under_the_api(path: str) -> None:
    row = TABLE.find("GET", path)
    assert row is None or row.scope is Scope.PUBLIC


def test_whatever_changes_something_needs_more_than_reading() -> None:
    for row in ROWS:
        if row.method not in ("GET", "WS"):
            assert row.scope in (Scope.SUBMIT, Scope.MESSAGE, Scope.ADMIN, Scope.LIGHT), row


def test_trust_is_only_asked_about_what_cells_can_ask_each_other() -> None:
    named = {row.trust for row in ROWS if row.trust}
    assert named <= NEEDS.keys()
    assert all(row.scope in (Scope.READ, Scope.LIGHT) for row in ROWS if row.trust)
