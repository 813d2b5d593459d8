"""Requests made up from the OpenAPI document, right ones and wrong ones, by every kind of token.

What comes back must be in the document: its status, its type, its shape; never a 5xx that is none
of waiting, and 403 exactly for whom the scope of the operation is not open.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from tests.waiting import PATIENCE_S

LEFT_OUT: Final = frozenset({"/api/v1/events", "/api/v1/key/rotate"})
"""One never ends, and one gives up the cell that is asked."""
_WAIT_S: Final = 0.05
_WAITS: Final = frozenset({503, 504})
"""Of a cell that has nothing to say yet: documented, and no fault."""
_CHECKS: Final = (
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


@dataclass
class Found:
    """What a run came to."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def run(document: dict[str, Any], url: str, tokens: Mapping[str, str], *, each: int) -> Found:
    """Ask every operation `each` times right and wrong, with each of the tokens by its scope."""
    found = Found()
    schema = schemathesis.openapi.from_dict(_without_security(document))
    operations: Any = schema.get_all_operations()
    for result in operations:
        operation = result.ok()
        if operation.path in LEFT_OUT:
            continue
        scope = operation.definition.raw["x-scope"]
        for name, token in tokens.items():
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                _ask(operation, mode, (url, token), found, opens=_opens(name, scope), each=each)
    return found


def _without_security(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document as if there were no tokens: which one is sent is decided here."""
    paths = {
        path: {
            method: {name: part for name, part in operation.items() if name != "security"}
            for method, operation in methods.items()
        }
        for path, methods in document["paths"].items()
    }
    return {**document, "paths": paths}


def _opens(token: str, scope: str) -> bool:
    if scope == "public" or token == "owner":  # noqa: S105 - the name of a kind of token
        return True
    if scope == "light":
        return token in ("light", "admin")
    return token in (scope, "admin")


def _ask(
    operation: Any,  # noqa: ANN401 - schemathesis has no public type of it
    mode: GenerationMode,
    way: tuple[str, str],
    found: Found,
    *,
    opens: bool,
    each: int,
) -> None:
    url, token = way

    @given(operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=each if opens else 1,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def one(case: Any) -> None:  # noqa: ANN401 - as above
        _shorten(case)
        headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}
        response = case.call(base_url=url, headers=headers, timeout=PATIENCE_S)
        found.requests += 1
        found.statuses[response.status_code] += 1
        where = f"{case.method} {case.path} {mode.value}"
        if (response.status_code == 403) != (not opens):
            found.faults.append(f"{where}: {response.status_code}, open is {opens}")
        checks: list[Any] = [*_CHECKS]
        if response.status_code not in _WAITS:
            checks.append(not_a_server_error)
        if mode is GenerationMode.NEGATIVE and opens:
            checks.append(negative_data_rejection)
        try:
            case.validate_response(response, checks=checks)
        except FailureGroup as failures:
            why = "; ".join(
                str(failure).replace("\n", " ")[:300] for failure in failures.exceptions
            )
            found.faults.append(f"{where}: {response.status_code}: {why}")

    # There is nothing to ask wrongly where nothing is asked for.
    with contextlib.suppress(Unsatisfiable):
        one()


def _shorten(case: Any) -> None:  # noqa: ANN401 - as above
    """Have nothing waited for longer than it takes to answer."""
    query, body = case.query, case.body
    parameters = case.operation.definition.raw.get("parameters", ())
    waits = any(one["name"] == "timeout_s" for one in parameters)
    if waits and (query is None or "timeout_s" not in query or _is_number(query["timeout_s"])):
        case.query = {**(query or {}), "timeout_s": _WAIT_S}
    if isinstance(body, dict) and _is_number(body.get("timeout_s")):
        body["timeout_s"] = _WAIT_S


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 600
