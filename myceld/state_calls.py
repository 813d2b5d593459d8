"""The clients' calls about the shared state: values, history, watching, namespaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from myceld.limits import WATCH_STEP_S
from myceld.question import JsonObject, Question, call, get, given, submit

if TYPE_CHECKING:
    from myceld.views import (
        ChangesView,
        DifferencesView,
        NamespacesView,
        NamespaceView,
        ReceiptView,
        StateHistoryView,
        StateListView,
        StateValueView,
    )


def write(
    key: str,
    value: bytes | None,
    *,
    if_absent: bool = False,
    if_round: int | None = None,
    if_hash: str | None = None,
) -> JsonObject:
    """Return one write for `StateCalls.write_state`; without a value it deletes.

    At most one condition: the key has no value, it was set in a round (`updated_round`), or it has
    a SHA-256 in hex.
    """
    made: JsonObject = {"key": key}
    if value is None:
        made["delete"] = True
    else:
        made["value_hex"] = value.hex()
    conditions = {"if_absent": if_absent or None, "if_round": if_round, "if_hash": if_hash}
    return made | given(**conditions)


class StateCalls:
    """The part of both clients that is about the shared state, which everybody can read."""

    @call
    def state_value(self, key: str, *, at: int | None = None) -> Question[StateValueView]:
        """Return the StateValueView of `key`, now or after a round."""
        return get("/api/v1/state/value", given(key=key, at=at))

    @call
    def state_values(
        self, prefix: str = "", *, after: str = "", limit: int = 100, at: int | None = None
    ) -> Question[StateListView]:
        """Return the StateListView of the keys with a prefix that come after another one.

        Now or after a round.
        """
        query = given(prefix=prefix, after=after, limit=limit, at=at)
        return get("/api/v1/state/values", query)

    @call
    def state_history(
        self, key: str, *, before: int | None = None, limit: int = 100
    ) -> Question[StateHistoryView]:
        """Return the StateHistoryView of a key, the newest first."""
        return get("/api/v1/state/history", given(key=key, before=before, limit=limit))

    @call
    def state_diff(
        self, first: int, last: int, *, prefix: str = "", after: str = "", limit: int = 100
    ) -> Question[DifferencesView]:
        """Return the DifferencesView of what differs after two rounds."""
        query = given(prefix=prefix, after=after, limit=limit)
        return get("/api/v1/state/diff", {"from": first, "to": last, **query})

    @call
    def state_changes(
        self,
        prefix: str = "",
        *,
        after_round: int | None = None,
        after_key: str = "",
        limit: int = 100,
        timeout_s: float = 30.0,
    ) -> Question[ChangesView]:
        """Wait for changes after a place, at most so long; return the ChangesView."""
        query = given(
            prefix=prefix,
            after_round=after_round,
            after_key=after_key,
            limit=limit,
            timeout_s=timeout_s,
        )
        return get("/api/v1/state/changes", query, deadline_s=timeout_s + WATCH_STEP_S)

    @call
    def write_state(
        self,
        writes: Sequence[Mapping[str, object]],
        *,
        wait: str = "applied",
        timeout_s: float = 30.0,
    ) -> Question[ReceiptView]:
        """Write keys, all or none (see `write`), signed by the cell; return the ReceiptView."""
        fields = {"writes": list(writes)}
        return submit("/api/v1/state/write", fields, wait, timeout_s)

    @call
    def roll_back(
        self,
        to_round: int,
        *,
        key: str | None = None,
        prefix: str | None = None,
        wait: str = "applied",
        timeout_s: float = 30.0,
    ) -> Question[ReceiptView]:
        """Put a key, or all with a prefix, back to what they were; return the ReceiptView."""
        fields = given(key=key, prefix=prefix, to_round=to_round)
        return submit("/api/v1/state/rollback", fields, wait, timeout_s)

    @call
    def namespaces(
        self, prefix: str = "", *, after: str = "", limit: int = 100
    ) -> Question[NamespacesView]:
        """Return the list of NamespaceViews whose names begin so."""
        query = given(prefix=prefix, after=after, limit=limit)
        return get("/api/v1/state/namespaces", query)

    @call
    def namespace(self, key: str) -> Question[NamespaceView]:
        """Return the NamespaceView of the smallest namespace around a key."""
        return get("/api/v1/state/namespace", {"key": key})

    @call
    def claim_namespace(
        self, /, name: str, *, wait: str = "applied", timeout_s: float = 30.0, **rules: object
    ) -> Question[ReceiptView]:
        """Claim a namespace; return the ReceiptView. Rules: owners, access, writers."""
        fields = {"name": name, **rules}
        return submit("/api/v1/state/namespaces/claim", fields, wait, timeout_s)

    @call
    def set_namespace(
        self, /, name: str, *, wait: str = "applied", timeout_s: float = 30.0, **rules: object
    ) -> Question[ReceiptView]:
        """Give a namespace other rules, all of them; return the ReceiptView."""
        fields = {"name": name, **rules}
        return submit("/api/v1/state/namespaces/set", fields, wait, timeout_s)

    @call
    def release_namespace(
        self, /, name: str, *, wait: str = "applied", timeout_s: float = 30.0
    ) -> Question[ReceiptView]:
        """Give a namespace up; return the ReceiptView."""
        return submit("/api/v1/state/namespaces/release", {"name": name}, wait, timeout_s)
