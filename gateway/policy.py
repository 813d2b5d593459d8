"""Who may ask what: one row for each route, with the scope that it needs.

The door looks a request up here before anything else reads it; a test holds the table against the
routes of the application, so no route comes in without a row. What has no row needs a token
all the same, and is told that there is nothing only then.

`trust` names the same question between cells, a row of `identity.trust.policy`. A cell that signs
its request with its own key may ask it if this cell trusts it far enough, although its owner
allowed that key nothing; this is off unless configured. Other rows no cell can ask like that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """What a token is good for."""

    PUBLIC = "public"
    """Needs no token."""
    LIGHT = "light"
    """What hyphae ask, of any copy of the network."""
    READ = "read"
    """Everything that the cell shows, but messages in clear text."""
    SUBMIT = "submit"
    """Has the cell sign and hand in transactions of its account, and takes those of others."""
    MESSAGE = "message"
    """Sends and reads messages, and speaks with other cells in the cell's name."""
    ADMIN = "admin"
    """Everything: votes, members, keys, tickets, trust, tokens."""


GRANTABLE: Final = (Scope.READ, Scope.SUBMIT, Scope.MESSAGE, Scope.ADMIN)
"""What tokens and keys can be given; `light` has a token of its own."""


@dataclass(frozen=True, slots=True)
class Row:
    """One route."""

    method: str
    """As in HTTP, or `WS` for a WebSocket."""
    path: str
    """The template of the route: `{name}` is one segment, a last `{name:path}` all that follow."""
    scope: Scope
    trust: str = ""
    """What the question is between cells; empty if no cell may ask it by being trusted."""
    is_stream: bool = False
    """Stays open for long: its family bounds how many there are, not the door."""


_P, _L, _R, _S, _M, _A = (
    Scope.PUBLIC,
    Scope.LIGHT,
    Scope.READ,
    Scope.SUBMIT,
    Scope.MESSAGE,
    Scope.ADMIN,
)

FILES: Final = (
    Row("GET", "/", _P),
    Row("GET", "/explorer", _P),
    Row("GET", "/explorer/{name:path}", _P),
)
"""What is served beside the routes, to everybody: files without anything of the cell."""

ROWS: Final = (
    Row("GET", "/api/public/health", _P),
    Row("GET", "/api/public/status", _P),
    Row("GET", "/api/public/info", _P),
    Row("GET", "/api/public/endpoints", _P),
    Row("GET", "/api/v1/openapi.json", _P),
    Row("GET", "/api/docs", _P),
    Row("GET", "/api/docs/{name}", _P),
    # What hyphae ask.
    Row("GET", "/api/light/head", _L, "checkpoint-read"),
    Row("GET", "/api/light/state", _L, "checkpoint-read"),
    Row("GET", "/api/light/range", _L, "checkpoint-read"),
    Row("GET", "/api/light/receipts/{id}", _L, "checkpoint-read"),
    Row("GET", "/api/light/round", _L, "checkpoint-read"),
    Row("POST", "/api/light/transactions", _L, "tx-forward"),
    # The cell.
    Row("GET", "/api/v1/status", _R),
    Row("GET", "/api/v1/metrics", _R),
    Row("GET", "/api/v1/peers", _R),
    Row("GET", "/api/v1/spore", _R),
    Row("GET", "/api/v1/services", _R),
    Row("GET", "/api/v1/cell", _R),
    Row("GET", "/api/v1/audit", _R),
    Row("GET", "/api/v1/divergence", _R),
    Row("GET", "/api/v1/doctor", _R),
    Row("GET", "/api/v1/why/transaction/{id}", _R),
    Row("GET", "/api/v1/why/cell", _R),
    Row("GET", "/api/v1/why/stall", _R),
    Row("POST", "/api/v1/repair", _A),
    Row("GET", "/api/v1/config", _A),
    Row("POST", "/api/v1/config/reload", _A),
    Row("GET", "/api/v1/space", _A),
    Row("GET", "/api/v1/logs", _A),
    Row("GET", "/api/v1/logs/levels", _A),
    Row("POST", "/api/v1/logs/levels", _A),
    Row("POST", "/api/v1/identity/verify", _M),
    # Transactions and the order.
    Row("POST", "/api/v1/transactions", _S),
    Row("GET", "/api/v1/transactions", _R, "query"),
    Row("GET", "/api/v1/receipts/{id}", _R, "query"),
    Row("GET", "/api/v1/receipts/{id}/proof", _R, "query"),
    Row("GET", "/api/v1/rounds", _R, "query"),
    Row("GET", "/api/v1/rounds/proof", _R, "query"),
    Row("GET", "/api/v1/epochs", _R, "query"),
    Row("GET", "/api/v1/consensus", _R),
    Row("GET", "/api/v1/consensus/rounds/{round}", _R),
    Row("GET", "/api/v1/consensus/events", _R),
    Row("GET", "/api/v1/consensus/events/{id}", _R),
    Row("GET", "/api/v1/consensus/events/{id}/why", _R),
    Row("GET", "/api/v1/accounts/{public_key}", _R, "query"),
    # Tokens, and keys that may sign.
    Row("GET", "/api/v1/tokens", _A),
    Row("POST", "/api/v1/tokens", _A),
    Row("POST", "/api/v1/tokens/keys", _A),
    Row("POST", "/api/v1/tokens/{id}/revoke", _A),
    # Members, keys, tickets.
    Row("GET", "/api/v1/members", _R, "query"),
    Row("POST", "/api/v1/members", _A),
    Row("POST", "/api/v1/key/rotate", _A),
    Row("GET", "/api/v1/invites", _R),
    Row("POST", "/api/v1/invites", _A),
    Row("POST", "/api/v1/invites/{id}/revoke", _A),
    # Journals.
    Row("GET", "/api/v1/journals", _R),
    Row("GET", "/api/v1/journals/{name}/blocks", _R),
    Row("GET", "/api/v1/journals/{name}/proof", _R),
    Row("GET", "/api/v1/journals/{name}/audit", _R),
    Row("POST", "/api/v1/journals/{name}/audit", _A),
    Row("POST", "/api/v1/journals/{name}/prune", _A),
    Row("GET", "/api/v1/follows", _R),
    Row("POST", "/api/v1/follows", _A),
    Row("POST", "/api/v1/follows/stop", _A),
    # Trust: what the cell says of others decides what they may do here.
    Row("POST", "/api/v1/trust/attest", _A),
    Row("POST", "/api/v1/trust/revoke", _A),
    Row("GET", "/api/v1/trust/cell", _R),
    Row("GET", "/api/v1/trust/graph", _R),
    Row("GET", "/api/v1/trust/interactions", _R),
    # The state.
    Row("GET", "/api/v1/state/value", _R, "query"),
    Row("GET", "/api/v1/state/values", _R, "query"),
    Row("GET", "/api/v1/state/history", _R, "query"),
    Row("GET", "/api/v1/state/diff", _R, "query"),
    Row("GET", "/api/v1/state/changes", _R, "query"),
    Row("GET", "/api/v1/state/proof", _R, "query"),
    Row("GET", "/api/v1/state/namespaces", _R, "query"),
    Row("GET", "/api/v1/state/namespace", _R, "query"),
    Row("POST", "/api/v1/state/put", _S),
    Row("POST", "/api/v1/state/write", _S),
    Row("POST", "/api/v1/state/rollback", _S),
    Row("POST", "/api/v1/state/namespaces/claim", _S),
    Row("POST", "/api/v1/state/namespaces/set", _S),
    Row("POST", "/api/v1/state/namespaces/release", _S),
    # What members decide.
    Row("GET", "/api/v1/governance/proposals", _R, "query"),
    Row("GET", "/api/v1/governance/proposals/{id}", _R, "query"),
    Row("GET", "/api/v1/governance/rules", _R, "query"),
    Row("POST", "/api/v1/governance/proposals", _A),
    Row("POST", "/api/v1/governance/votes", _A),
    Row("POST", "/api/v1/governance/announce", _A),
    # Amounts.
    Row("POST", "/api/v1/act", _S),
    Row("GET", "/api/v1/prana/account", _R, "query"),
    Row("GET", "/api/v1/prana/history", _R, "query"),
    Row("GET", "/api/v1/prana/supply", _R, "query"),
    Row("GET", "/api/v1/prana/multisig", _R, "query"),
    Row("GET", "/api/v1/prana/multisigs", _R, "query"),
    Row("GET", "/api/v1/prana/token", _R, "query"),
    Row("GET", "/api/v1/prana/tokens", _R, "query"),
    # Subscriptions: those to messages need the scope of messages, too.
    Row("WS", "/api/v1/stream", _R, is_stream=True),
    Row("GET", "/api/v1/events", _R, is_stream=True),
    # Messages and content.
    Row("POST", "/api/v1/messages", _M),
    Row("GET", "/api/v1/messages", _M),
    Row("GET", "/api/v1/messages/next", _M),
    Row("GET", "/api/v1/messages/{id}", _M),
    Row("POST", "/api/v1/messages/{id}/read", _M),
    Row("GET", "/api/v1/conversations", _M),
    Row("GET", "/api/v1/rooms", _M),
    Row("POST", "/api/v1/rooms", _M),
    Row("POST", "/api/v1/rooms/{id}/add", _M),
    Row("POST", "/api/v1/rooms/{id}/leave", _M),
    Row("GET", "/api/v1/content", _R),
    Row("GET", "/api/v1/content/{hash}", _R),
    Row("POST", "/api/v1/content", _S),
    Row("POST", "/api/v1/content/{hash}/withdraw", _S),
    Row("POST", "/api/v1/content/{hash}/pin", _A),
    Row("POST", "/api/v1/content/{hash}/unpin", _A),
    Row("POST", "/api/v1/content/{hash}/remove", _A),
)


class PolicyTable:
    """Looks rows up. A path without parameters wins over one with them, as it does in routing."""

    def __init__(self, rows: Iterable[Row] = (*FILES, *ROWS)) -> None:
        self._exact: dict[tuple[str, str], Row] = {}
        self._templates: dict[str, list[tuple[tuple[str, ...], Row]]] = {}
        for row in rows:
            if "{" not in row.path:
                self._exact[row.method, row.path] = row
            else:
                parts = tuple(row.path.split("/"))
                self._templates.setdefault(row.method, []).append((parts, row))

    def methods(self, path: str) -> list[str]:
        """Return the methods that there are at a path."""
        methods = {method for method, _ in self._exact} | self._templates.keys()
        return sorted(method for method in methods - {"WS"} if self.find(method, path))

    def is_public(self, path: str) -> bool:
        """Return whether there is something at a path that needs no token."""
        row = self.find("GET", path)
        return row is not None and row.scope is Scope.PUBLIC

    def find(self, method: str, path: str) -> Row | None:
        """Return the row of a request; None if there is no such route."""
        wanted = "GET" if method == "HEAD" else method
        if (row := self._exact.get((wanted, path))) is not None:
            return row
        parts = tuple(path.split("/"))
        return next(
            (row for template, row in self._templates.get(wanted, ()) if _fits(template, parts)),
            None,
        )


def _fits(template: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Tell whether the segments of a path fit those of a template, as they do in routing."""
    if template[-1].endswith(":path}") and len(parts) >= len(template):
        template, parts = template[:-1], parts[: len(template) - 1]
    return len(template) == len(parts) and all(
        (bool(part) if wanted.startswith("{") else part == wanted)
        for wanted, part in zip(template, parts, strict=True)
    )
