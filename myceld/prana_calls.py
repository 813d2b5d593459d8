"""The clients' calls about amounts: accounts, multi-signature accounts, tokens, and what pays.

Amounts are whole numbers of base units; `ledger.amounts` reads and writes decimals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from myceld.question import JsonObject, Question, call, get, submit

if TYPE_CHECKING:
    from myceld.views import (
        MovesView,
        MultisigView,
        Page,
        PurseView,
        ReceiptView,
        SupplyView,
        TokenView,
    )


class PranaCalls:
    """The part of both clients that is about amounts."""

    @call
    def act(
        self,
        kind: str,
        arguments: Mapping[str, object],
        *,
        wait: str = "stored",
        timeout_s: float = 30.0,
    ) -> Question[ReceiptView]:
        """Have the cell sign and submit a transaction of any kind; return the ReceiptView.

        `arguments` are by the names in docs/transactions.md.
        """
        fields: JsonObject = {"kind": kind, "arguments": dict(arguments)}
        return submit("/api/v1/act", fields, wait, timeout_s)

    @call
    def pay(
        self, to: str, amount: int, *, memo: str = "", wait: str = "stored", timeout_s: float = 30.0
    ) -> Question[ReceiptView]:
        """Pay from the cell's account; return the ReceiptView."""
        arguments = {"to": to, "amount": amount, "memo": memo}
        return PranaCalls.act.describe(self, "transfer", arguments, wait=wait, timeout_s=timeout_s)

    @call
    def batch(
        self, items: Sequence[JsonObject], *, wait: str = "stored", timeout_s: float = 30.0
    ) -> Question[ReceiptView]:
        """Submit several transactions, `{"kind", "arguments"}` each, all or none."""
        return PranaCalls.act.describe(
            self, "batch", {"items": list(items)}, wait=wait, timeout_s=timeout_s
        )

    @call
    def purse(self, account: str = "") -> Question[PurseView]:
        """Return the PurseView of an account: the cell's own unless one is named."""
        return get("/api/v1/prana/account", _named(account))

    @call
    def moves(
        self, account: str = "", *, before: int | None = None, limit: int = 100
    ) -> Question[MovesView]:
        """Return the MovesView of an account: what rounds made of it, the newest first."""
        query: dict[str, object] = {**_named(account), "limit": limit}
        if before is not None:
            query["before"] = before
        return get("/api/v1/prana/history", query)

    @call
    def supply(self) -> Question[SupplyView]:
        """Return the SupplyView."""
        return get("/api/v1/prana/supply")

    @call
    def multisig(self, account: str) -> Question[MultisigView]:
        """Return the MultisigView of an account."""
        return get("/api/v1/prana/multisig", _named(account))

    @call
    def multisigs(self, key: str = "", *, limit: int = 100) -> Question[Page[MultisigView]]:
        """Return the list of MultisigViews of which a key, or the cell's own, is one."""
        return get("/api/v1/prana/multisigs", {**_named(key), "limit": limit})

    @call
    def token(self, symbol: str, *, account: str = "") -> Question[TokenView]:
        """Return the TokenView of a symbol, with what an account holds."""
        return get("/api/v1/prana/token", {"symbol": symbol, **_named(account)})

    @call
    def tokens(self, *, limit: int = 100) -> Question[Page[TokenView]]:
        """Return the list of TokenViews."""
        return get("/api/v1/prana/tokens", {"limit": limit})


def _named(account: str) -> dict[str, object]:
    return {"account": account} if account else {}
