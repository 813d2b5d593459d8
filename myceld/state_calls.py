"""The client's calls about the shared state: values, history, watching, namespaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from myceld.calls import Calls, JsonObject
from myceld.limits import WATCH_STEP_S


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
    return made | {name: given for name, given in conditions.items() if given is not None}


class StateCalls(Calls):
    """The part of `Client` that is about the shared state. All of it can be read by everybody."""

    def state_value(self, key: str, *, at: int | None = None) -> JsonObject:
        """Return the StateValueView of `key`, now or after a round."""
        return self._get("/api/v1/state/value", _given(key=key, at=at))

    def state_values(
        self, prefix: str = "", *, after: str = "", limit: int = 100, at: int | None = None
    ) -> JsonObject:
        """Return the StateListView of the keys with a prefix that come after another one.

        Now or after a round.
        """
        query = _given(prefix=prefix, after=after, limit=limit, at=at)
        return self._get("/api/v1/state/values", query)

    def state_history(self, key: str, *, before: int | None = None, limit: int = 100) -> JsonObject:
        """Return the StateHistoryView of a key, the newest first."""
        return self._get("/api/v1/state/history", _given(key=key, before=before, limit=limit))

    def state_diff(
        self, first: int, last: int, *, prefix: str = "", after: str = "", limit: int = 100
    ) -> JsonObject:
        """Return the DifferencesView of what differs after two rounds."""
        query = _given(prefix=prefix, after=after, limit=limit)
        return self._get("/api/v1/state/diff", {"from": first, "to": last, **query})

    def state_changes(
        self,
        prefix: str = "",
        *,
        after_round: int | None = None,
        after_key: str = "",
        limit: int = 100,
        timeout_s: float = 30.0,
    ) -> JsonObject:
        """Wait for changes after a place, at most so long; return the ChangesView."""
        query = _given(
            prefix=prefix,
            after_round=after_round,
            after_key=after_key,
            limit=limit,
            timeout_s=timeout_s,
        )
        return self._get("/api/v1/state/changes", query, deadline_s=timeout_s + WATCH_STEP_S)

    def watch(self, prefix: str = "", *, after_round: int | None = None) -> Iterator[JsonObject]:
        """Yield each change of keys with a prefix as a StateEntryView, for ever, without a gap.

        From now on, or after a round: who was away goes on after the last one it saw. Raises
        CellRefused with MYC-LEDGER-503 when what follows is not kept any more: read anew.
        """
        place: JsonObject = {"after_round": after_round, "after_key": ""}
        while True:
            page = self.state_changes(prefix, **place, timeout_s=WATCH_STEP_S)
            yield from page["items"]
            place = {"after_round": page["round"], "after_key": page["key"]}

    def write_state(
        self,
        writes: Sequence[Mapping[str, object]],
        *,
        wait: str = "applied",
        timeout_s: float = 30.0,
    ) -> JsonObject:
        """Write keys, all or none (see `write`), signed by the cell; return the ReceiptView."""
        fields = {"writes": list(writes)}
        return self._post("/api/v1/state/write", fields, wait, timeout_s)

    def roll_back(
        self,
        to_round: int,
        *,
        key: str | None = None,
        prefix: str | None = None,
        wait: str = "applied",
        timeout_s: float = 30.0,
    ) -> JsonObject:
        """Put a key, or all with a prefix, back to what they were; return the ReceiptView."""
        fields = _given(key=key, prefix=prefix, to_round=to_round)
        return self._post("/api/v1/state/rollback", fields, wait, timeout_s)

    def namespaces(self, prefix: str = "", *, after: str = "", limit: int = 100) -> JsonObject:
        """Return the list of NamespaceViews whose names begin so."""
        query = _given(prefix=prefix, after=after, limit=limit)
        return self._get("/api/v1/state/namespaces", query)

    def namespace(self, key: str) -> JsonObject:
        """Return the NamespaceView of the smallest namespace around a key."""
        return self._get("/api/v1/state/namespace", {"key": key})

    def claim_namespace(
        self, name: str, *, wait: str = "applied", timeout_s: float = 30.0, **rules: object
    ) -> JsonObject:
        """Claim a namespace; return the ReceiptView. Rules: owners, access, writers."""
        fields = {"name": name, **rules}
        return self._post("/api/v1/state/namespaces/claim", fields, wait, timeout_s)

    def set_namespace(
        self, name: str, *, wait: str = "applied", timeout_s: float = 30.0, **rules: object
    ) -> JsonObject:
        """Give a namespace other rules, all of them; return the ReceiptView."""
        fields = {"name": name, **rules}
        return self._post("/api/v1/state/namespaces/set", fields, wait, timeout_s)


def _given(**fields: object) -> JsonObject:
    """Return the fields that say something."""
    return {name: value for name, value in fields.items() if value is not None and value != ""}
